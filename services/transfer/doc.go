// Package transfer turns the logs of earlier studies into what a new study
// starts with, and says afterwards what that brought.
//
// A Learner takes one source after the other: it matches parameters and
// metrics by name and unit, sets aside rows that cannot be true, keeps a
// bounded selection of the rest, judges it under the new study's constraints,
// and collects study.Knowledge with the pins that a run's started event holds.
// Rank searches an archive for similar studies. NewReport compares the trials
// that knew of the sources with those that did not.
//
// The package does no I/O: it reads what an archiver.SourceLog yields. Which
// method uses the knowledge, and how it has to earn its influence, is the
// business of the optimizer.
package transfer
