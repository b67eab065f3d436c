package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"

	"apollo/evaluator"
	"apollo/events"
)

// Exit codes: what scripts may rely on.
const (
	exitOK          = 0
	exitError       = 1
	exitUsage       = 2 // usage, or a study file with mistakes
	exitNotFound    = 3
	exitRejected    = 4
	exitFailed      = 5 // the study failed
	exitInfeasible  = 6 // nothing feasible was found
	exitUnreachable = 7 // the bus cannot be reached
	exitInterrupted = 130
)

// cliError is an error with the exit code it leads to and what to do about it.
type cliError struct {
	code int
	err  error
	hint string
}

func (e *cliError) Error() string { return e.err.Error() }
func (e *cliError) Unwrap() error { return e.err }

// errSilent ends a command with a code when everything was said already.
var errSilent = errors.New("")

// usageErrorf returns an error for a wrong command line.
func usageErrorf(format string, args ...any) error {
	return &cliError{code: exitUsage, err: fmt.Errorf(format, args...)}
}

// hinted adds an exit code and a hint to an error.
func hinted(code int, hint string, err error) error {
	return &cliError{code: code, err: err, hint: hint}
}

// silent returns an error that prints nothing and exits with code.
func silent(code int) error { return &cliError{code: code, err: errSilent} }

// classify returns the exit code and the hint of an error.
func classify(ctx context.Context, err error) (code int, hint string) {
	if e, ok := errors.AsType[*cliError](err); ok {
		return e.code, e.hint
	}
	if isInterrupted(ctx) {
		return exitInterrupted, ""
	}
	if errors.Is(err, evaluator.ErrChanged) {
		return exitError, "put it back as it was and run the same command again, or start anew with --fresh: what was measured so far is the program's as it was"
	}
	if errors.Is(err, events.ErrUnreachable) {
		return exitUnreachable, "is a server running there? `apollo up` starts one; --nats or APOLLO_NATS says where it is"
	}
	return exitError, ""
}

// isInterrupted reports whether a signal ended the context.
func isInterrupted(ctx context.Context) bool {
	_, ok := errors.AsType[interruptedError](context.Cause(ctx))
	return ok
}

// isTerminated reports whether it was SIGTERM that ended the context.
func isTerminated(ctx context.Context) bool {
	e, ok := errors.AsType[interruptedError](context.Cause(ctx))
	return ok && e.signal == syscall.SIGTERM
}

// interruptedError is the cause of the context of a command that a signal ended.
type interruptedError struct{ signal os.Signal }

// interruptedBy is the cause of a context that a signal ends.
func interruptedBy(sig os.Signal) error { return interruptedError{sig} }

func (e interruptedError) Error() string {
	if e.signal == syscall.SIGTERM {
		return "terminated"
	}
	return "interrupted"
}
