package external

import (
	"encoding/json"

	"apollo/evaluator"
	"apollo/services/child"
)

// note is a line before the answer: how far the evaluation is, or a file that is
// to be stored.
type note struct {
	progress *evaluator.Progress
	artifact string
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
	if raw := fields["artifact"]; raw != nil && json.Unmarshal(raw, &n.artifact) == nil && n.artifact != "" {
		return &n
	}
	raw := fields["progress"]
	if raw == nil {
		return nil
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
