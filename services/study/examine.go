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

// LeaveOneOut tells the search of a study the trials, in order, and returns what its
// model would have said of each without it. It returns nothing where the search has no
// such model, or too few trials. What a study's sources told its search is not there.
func LeaveOneOut(cfg Config, trials []Answered) ([]optimizer.LeftOut, error) {
	m, err := New(cfg)
	if err != nil {
		return nil, err
	}
	search, ok := m.search.(optimizer.Examinable)
	if !ok {
		return nil, nil
	}
	for _, t := range trials {
		at, err := m.space.Point(t.Design)
		if err != nil {
			continue // a design of another space says nothing
		}
		o := observation(m.spec, t.Judgement, at, t.Result)
		o.Origin = t.Origin
		m.search.Tell(o)
	}
	return search.LeaveOneOut()
}
