package study

import (
	"cmp"
	"fmt"

	"apollo/events"
)

// Command returns the event that carries out a request of a user, or nil when
// the run is already in that state. The error says why the request is refused.
func (m *Machine) Command(c *events.StudyControl) (events.Payload, error) {
	switch {
	case m.removed:
		return nil, m.errRemoved()
	case m.commands[c.ID] || Holds(c, m.state, m.trials):
		return nil, nil
	}
	refused := fmt.Errorf("study %s is %s: it cannot %s", m.spec.Study, m.state, c.Verb)
	id := events.StudyResumed{Study: m.spec.Study, Run: m.cfg.Run, Command: c.ID}
	switch c.Verb {
	case "pause":
		if m.state == Running {
			return events.StudyPaused{Study: id.Study, Run: id.Run, Command: id.Command, Reason: cmp.Or(c.Reason, "on request")}, nil
		}
	case "resume":
		if m.state == Paused {
			return id, nil
		}
	case "stop":
		if m.state == Running || m.state == Paused {
			return events.StudyStopping{Study: id.Study, Run: id.Run, Command: id.Command, Reason: "on request"}, nil
		}
	case "cancel":
		if !m.state.Terminal() {
			return events.StudyCancelled{Study: id.Study, Run: id.Run, Command: id.Command, Summary: m.Summary()}, nil
		}
	case "extend":
		return m.extend(c)
	case "add":
		return m.add(c)
	default:
		return nil, fmt.Errorf("verb %q is unknown: want pause, resume, stop, cancel, extend, add or retry", c.Verb)
	}
	return nil, refused
}

// TooManyError refuses what would give a study more trials than it may have.
type TooManyError struct{ Trials, Most int }

func (e *TooManyError) Error() string {
	return fmt.Sprintf("the study would have %d trials: at most %d", e.Trials, e.Most)
}

func (m *Machine) tooMany(trials int) error { return &TooManyError{trials, m.cfg.maxTrials()} }

func (m *Machine) errRemoved() error {
	return fmt.Errorf("run %s of study %s is being removed", m.cfg.Run, m.spec.Study)
}

// Holds reports whether a run in that state, with that budget, is already what
// the request asks for: then nothing happens, and no event answers it.
func Holds(c *events.StudyControl, state State, budget int) bool {
	switch c.Verb {
	case "pause":
		return state == Paused
	case "resume":
		return state == Running
	case "stop":
		return state == Stopping || state == Stopped
	case "cancel":
		return state == Cancelled
	case "extend":
		return c.Trials == budget && (state == Running || state == Paused || state == Completed)
	}
	return false
}

func (m *Machine) extend(c *events.StudyControl) (events.Payload, error) {
	switch {
	case m.state == Cancelled || m.state == Failed:
		return nil, fmt.Errorf("study %s is %s: it cannot be extended", m.spec.Study, m.state)
	case c.Trials > m.cfg.maxTrials():
		return nil, m.tooMany(c.Trials)
	case c.Trials < m.trials:
		return nil, fmt.Errorf("study %s has a budget of %d trials: extend takes the new total, not less than that", m.spec.Study, m.trials)
	}
	return events.StudyExtended{Study: m.spec.Study, Run: m.cfg.Run, Command: c.ID, Trials: c.Trials}, nil
}
