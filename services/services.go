// Package services holds the tests of the whole pipeline: proposer, workers and
// archiver over a bus in memory, with faults and kills. The rooms below it are
// the services; all they share is a message bus.
package services
