package external

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"

	"apollo/evaluator"
	"apollo/services/child"
)

// note is a line before the answer: how far the evaluation is, what it has come to so
// far, or a file that is to be stored.
type note struct {
	progress *evaluator.Progress
	artifact string
	// step and values are what the evaluation has come to so far; nil for none.
	step   json.RawMessage
	values map[string]json.RawMessage
}

// readNote returns the note that a line is, or nil. A line with an outcome is an
// answer, whatever else it has.
func readNote(fields map[string]json.RawMessage) *note {
	for _, name := range []string{"metrics", "outcome", "error", "reason"} {
		if fields[name] != nil {
			return nil
		}
	}
	var n note
	if raw := fields["artifact"]; raw != nil && json.Unmarshal(raw, &n.artifact) != nil {
		n.artifact = ""
	}
	if raw := fields["intermediate"]; raw != nil && json.Unmarshal(raw, &n.values) == nil {
		n.step = fields["step"]
	}
	raw := fields["progress"]
	if raw == nil && n.values == nil && n.artifact == "" {
		return nil
	}
	if raw == nil {
		return &n
	}
	n.progress = &evaluator.Progress{Done: -1}
	var text string
	var share float64
	switch {
	case json.Unmarshal(raw, &text) == nil:
		n.progress.Message = text
	case json.Unmarshal(raw, &share) == nil:
		n.progress.Done = share
	}
	if message := fields["message"]; message != nil && json.Unmarshal(message, &text) == nil {
		n.progress.Message = text
	}
	n.progress.Message = child.Clip(n.progress.Message, maxExcerpt)
	return &n
}

// of returns what a note says of a metric, or what is wrong with it; said is false for a
// note about other metrics.
func (n *note) of(metric string) (step int64, value float64, said bool, failure *Failure) {
	raw := n.values[metric]
	if raw == nil {
		return 0, 0, false, nil
	}
	at, failure := number("step", n.step)
	if failure == nil && (at != math.Trunc(at) || at < 0 || at > 1<<53) {
		failure = &Failure{CodeWrongType, fmt.Sprintf("step is %s, want a whole number from 0 on", child.Clip(string(n.step), maxExcerpt))}
	}
	if failure == nil {
		value, failure = number("intermediate "+strconv.Quote(metric), raw)
	}
	return int64(at), value, true, failure
}
