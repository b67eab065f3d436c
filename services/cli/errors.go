package cli

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
	ExitOK          = 0
	ExitError       = 1
	ExitUsage       = 2 // usage, or a study file with mistakes
	ExitNotFound    = 3
	ExitRejected    = 4
	ExitFailed      = 5 // the study failed
	ExitInfeasible  = 6 // nothing feasible was found
	ExitUnreachable = 7 // the bus cannot be reached
	ExitDiffers     = 8 // a log is not what is proposed again
	ExitInterrupted = 130
)

// Error is an error with the exit code it leads to and what to do about it.
type Error struct {
	Code int
	err  error
	hint string
}

func (e *Error) Error() string { return e.err.Error() }
func (e *Error) Unwrap() error { return e.err }

// ErrSilent ends a command with a code when everything was said already.
var ErrSilent = errors.New("")

// Usagef returns an error for a wrong command line.
func Usagef(format string, args ...any) error {
	return &Error{Code: ExitUsage, err: fmt.Errorf(format, args...)}
}

// Hinted adds an exit code and a hint to an error.
func Hinted(code int, hint string, err error) error {
	return &Error{Code: code, err: err, hint: hint}
}

// Silent returns an error that prints nothing and exits with code.
func Silent(code int) error { return &Error{Code: code, err: ErrSilent} }

// Classify returns the exit code and the hint of an error.
func Classify(ctx context.Context, err error) (code int, hint string) {
	if e, ok := errors.AsType[*Error](err); ok {
		if IsInterrupted(ctx) && isInterrupt(err) {
			return ExitInterrupted, e.hint // whatever code the command gives to errors of that place
		}
		return e.Code, e.hint
	}
	if IsInterrupted(ctx) {
		return ExitInterrupted, ""
	}
	if errors.Is(err, evaluator.ErrChanged) {
		return ExitError, "put it back as it was and run the same command again, or start anew with --fresh: what was measured so far is the program's as it was; " +
			"a file that the program writes must not be an argument: name it in an environment variable or inside the program"
	}
	if errors.Is(err, events.ErrNoStream) {
		return ExitUnreachable, "start a proposer there, which makes the streams: `apollo serve proposer`"
	}
	if errors.Is(err, events.ErrUnreachable) {
		return ExitUnreachable, "is a server running there? `apollo up` starts one; --nats or APOLLO_NATS says where it is"
	}
	if errors.Is(err, events.ErrDenied) {
		return ExitError, "`apollo auth permissions ROLE` prints what a role needs; a submitter needs --owner and everyone --inbox-prefix as the server's operator gave them"
	}
	return ExitError, ""
}

// IsInterrupted reports whether a signal ended the context.
func IsInterrupted(ctx context.Context) bool {
	_, ok := errors.AsType[interruptedError](context.Cause(ctx))
	return ok
}

// isInterrupt reports whether an error says no more than that the context ended.
func isInterrupt(err error) bool {
	_, ok := errors.AsType[interruptedError](err)
	return ok || errors.Is(err, context.Canceled)
}

// IsTerminated reports whether it was SIGTERM that ended the context.
func IsTerminated(ctx context.Context) bool {
	e, ok := errors.AsType[interruptedError](context.Cause(ctx))
	return ok && e.signal == syscall.SIGTERM
}

// interruptedError is the cause of the context of a command that a signal ended.
type interruptedError struct{ signal os.Signal }

// InterruptedBy is the cause of a context that a signal ends.
func InterruptedBy(sig os.Signal) error { return interruptedError{sig} }

func (e interruptedError) Error() string {
	if e.signal == syscall.SIGTERM {
		return "terminated"
	}
	return "interrupted"
}
