// Package services is the event shell: the proposer, the evaluator and the
// archiver. Each is a struct of its configuration with a Run method that works
// until its context ends; all they share is a message bus.
package services
