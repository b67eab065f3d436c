package external

import (
	"strings"

	"apollo/evaluator"
	"apollo/events"
	"apollo/services/child"
)

// Codes of the failures that this package finds. A program's own reasons keep
// the program's codes.
const (
	// CodeTimeout: no answer in time; the process group was killed.
	CodeTimeout = "timeout"
	// CodeDied: the process ended before it answered.
	CodeDied = "child_died"
	// CodeStart: the process could not be started.
	CodeStart = events.ReasonStart
	// CodeBadAnswer: a line that is no JSON object, has no id, or has fields
	// of the wrong shape.
	CodeBadAnswer = "bad_answer"
	// CodeTooLong: a line longer than Options.MaxLine.
	CodeTooLong = "answer_too_long"
	// CodeMissingMetric: a measured design without one of the metrics.
	CodeMissingMetric = "missing_metric"
	// CodeWrongType: a metric that is not a number.
	CodeWrongType = "wrong_type"
	// CodeNotFinite: a metric that is NaN or infinite.
	CodeNotFinite = "not_finite"
	// CodeBadOutcome: an outcome that is none of the three words.
	CodeBadOutcome = "bad_outcome"
)

// Failure is an evaluation that broke: the error form of a failed result.
type Failure struct {
	// Code is one of the Code constants.
	Code string
	// Message is one sentence for people, with what to do.
	Message string
}

// Error returns the code and the message.
func (f *Failure) Error() string { return f.Code + ": " + f.Message }

func (f *Failure) result(metrics int) evaluator.Result {
	return evaluator.Result{
		Outcome: evaluator.Failed, Values: unmeasured(metrics), Reason: f.reason(),
	}
}

func (f *Failure) reason() *evaluator.Reason {
	return &evaluator.Reason{Code: f.Code, Message: child.Clip(f.Message, maxMessage)}
}

// Limits on text that a program chooses and that ends in messages and logs.
const (
	maxMessage = 600
	maxExcerpt = 200
	maxCode    = 64
)

// cleanCode makes a short snake_case word of a program's code, or fallback
// when nothing is left of it.
func cleanCode(s, fallback string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '_':
			return r
		case r >= 'A' && r <= 'Z':
			return r - 'A' + 'a'
		}
		return '_'
	}, s)
	s = strings.Trim(s[:min(len(s), maxCode)], "_")
	if s == "" {
		return fallback
	}
	return s
}
