// Package dashboard is the live page on every study. A Fold turns the events of
// a run into what its page shows; it is pure and bounded. A Server keeps the folds
// of the runs that are looked at, reads its own consumers, and changes nothing.
package dashboard
