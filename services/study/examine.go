package study

import (
	"apollo/events"
	"apollo/optimizer"
)

// Answered is a trial with its answer, judged.
type Answered struct {
	Design    events.Design
	Origin    string
	Result    *events.TrialResult
	Judgement events.Judgement
}

// Examiner tells the search of a study its trials, in order, and asks what its model would
// have said of each without it. What a study's sources told its search is not there.
type Examiner struct {
	machine *Machine
	search  optimizer.Examinable // nil where the search has no such model
}

// NewExaminer returns the examiner of a study before its first trial.
func NewExaminer(cfg Config) (*Examiner, error) {
	m, err := New(cfg)
	if err != nil {
		return nil, err
	}
	e := &Examiner{machine: m}
	e.search, _ = m.search.(optimizer.Examinable)
	return e, nil
}

// Tell tells the next trial.
func (e *Examiner) Tell(t Answered) {
	if e.search == nil {
		return
	}
	m := e.machine
	at, err := m.space.Point(t.Design)
	if err != nil {
		return // a design of another space says nothing
	}
	o := observation(m.spec, t.Judgement, at, t.Result)
	o.Origin = t.Origin
	m.search.Tell(o)
}

// LeaveOneOut returns what the model would have said of each trial without it: nothing
// where the search has no such model, or too few trials.
func (e *Examiner) LeaveOneOut() ([]optimizer.LeftOut, error) {
	if e.search == nil {
		return nil, nil
	}
	return e.search.LeaveOneOut()
}
