package peer

import (
	"encoding/json"
	"fmt"
	"math"

	"apollo/optimizer"
	"apollo/optimizer/space"
)

// The lines that are sent.
type (
	initLine struct {
		Op         string      `json:"op"`
		Space      []paramLine `json:"space"`
		Objectives []Objective `json:"objectives"`
		Seed       uint64      `json:"seed"`
		Budget     int         `json:"budget,omitempty"`
		Batch      int         `json:"batch"`
		Features   []string    `json:"features"`
		// Legal says that some designs are not legal: check tells which.
		Legal  bool `json:"constrained"`
		Checks int  `json:"checks"`
	}
	paramLine struct {
		Name   string `json:"name"`
		Unit   string `json:"unit,omitempty"`
		Type   string `json:"type"`
		Values []any  `json:"values"`
		Scale  string `json:"scale,omitempty"`
	}
	askLine struct {
		Op string `json:"op"`
		N  int    `json:"n"`
	}
	tellLine struct {
		Op     string     `json:"op"`
		Trials []toldLine `json:"trials"`
	}
	toldLine struct {
		ID        string             `json:"id,omitempty"`
		Params    map[string]any     `json:"params"`
		Status    string             `json:"status"`
		Metrics   map[string]float64 `json:"metrics,omitempty"`
		Violation float64            `json:"violation,omitempty"`
		Cause     string             `json:"cause,omitempty"`
	}
	checkedLine struct {
		Op       string       `json:"op"`
		Legal    []*bool      `json:"legal"`
		Features [][]*float64 `json:"features"`
		Left     int          `json:"left"`
	}
	rejectedLine struct {
		Op     string         `json:"op"`
		Trials []rejectedItem `json:"trials"`
	}
	rejectedItem struct {
		ID     string `json:"id"`
		Reason string `json:"reason"`
	}
	errorLine struct {
		Op      string `json:"op"`
		Message string `json:"message"`
	}
)

// received is a line of the program.
type received struct {
	Op      string            `json:"op"`
	Designs [][]any           `json:"designs"`
	Trials  []suggestedDesign `json:"trials"`
	Message string            `json:"message"`
}

type suggestedDesign struct {
	ID     string         `json:"id"`
	Params map[string]any `json:"params"`
}

// line encodes one line. What is sent has no number that JSON lacks.
func line(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("peer: %v", err))
	}
	return append(b, '\n')
}

func (s *Strategy) initLine() []byte {
	l := initLine{
		Op: "init", Objectives: s.c.Objectives, Seed: s.problem.Seed, Budget: s.c.Budget, Batch: s.c.Batch,
		Features: s.c.Features, Legal: s.problem.Legal != nil, Checks: s.c.Checks,
	}
	if l.Features == nil {
		l.Features = []string{}
	}
	for _, p := range s.problem.Space.Params() {
		q := paramLine{Name: p.Name, Unit: p.Unit, Type: "ordinal"}
		if p.Categorical() {
			q.Type = "categorical"
		} else if geometric(p.Values) {
			q.Scale = "log"
		}
		for level := range p.Len() {
			q.Values = append(q.Values, jsonValue(p.Value(level)))
		}
		l.Space = append(l.Space, q)
	}
	return line(l)
}

// geometric reports whether at least three levels have the same ratio.
func geometric(values []float64) bool {
	if len(values) < 3 || values[0] <= 0 {
		return false
	}
	// Ratios of decimal numbers differ in the last digits.
	const digits = 1e-9
	ratio := values[1] / values[0]
	for i := 2; i < len(values); i++ {
		if math.Abs(values[i]/values[i-1]-ratio) > digits*ratio {
			return false
		}
	}
	return true
}

func jsonValue(v space.Value) any {
	if v.Label != "" {
		return v.Label
	}
	return v.Num
}

// params is a point by names.
func (s *Strategy) params(p space.Point) map[string]any {
	m := make(map[string]any, len(p))
	for i, v := range s.problem.Space.Values(p) {
		m[s.problem.Space.Param(i).Name] = jsonValue(v)
	}
	return m
}

// told is an observation as the program reads it.
func (s *Strategy) told(o *optimizer.Observation, id string) toldLine {
	t := toldLine{ID: id, Params: s.params(o.Point), Status: "ok", Violation: o.Violation, Cause: o.Cause}
	switch o.Status {
	case optimizer.Infeasible:
		t.Status = "infeasible"
	case optimizer.Failed:
		t.Status = "failed"
	}
	for i, v := range o.Values {
		if t.Metrics == nil {
			t.Metrics = map[string]float64{}
		}
		if i < len(s.c.Objectives) {
			if s.c.Objectives[i].Goal == "maximize" {
				v = -v
			}
			t.Metrics[s.c.Objectives[i].Name] = v
		}
	}
	return t
}

// nearest returns the level of a value that a program gave. Numbers go to the
// nearest level, the lower of two; the error is for what is no level at all.
func nearest(p space.Param, v any) (int, error) {
	switch v := v.(type) {
	case string:
		if level, ok := p.Level(space.Value{Label: v}); ok && p.Categorical() {
			return level, nil
		}
	case float64:
		if p.Categorical() {
			break
		}
		best := 0
		for level, x := range p.Values {
			if math.Abs(x-v) < math.Abs(p.Values[best]-v) {
				best = level
			}
		}
		return best, nil
	}
	b, _ := json.Marshal(v) // it came from JSON
	return 0, fmt.Errorf("parameter %q has no level %s", p.Name, b)
}

// point reads the parameters of a suggestion.
func (s *Strategy) point(params map[string]any) (space.Point, error) {
	sp := s.problem.Space
	p := make(space.Point, sp.Len())
	for i := range p {
		v, ok := params[sp.Param(i).Name]
		if !ok {
			return nil, fmt.Errorf("parameter %q is missing", sp.Param(i).Name)
		}
		level, err := nearest(sp.Param(i), v)
		if err != nil {
			return nil, err
		}
		p[i] = level
	}
	if len(params) != len(p) {
		for name := range params {
			if sp.Find(name) < 0 {
				return nil, fmt.Errorf("there is no parameter %q", name)
			}
		}
	}
	return p, nil
}

// exact reads a design to check: one value per parameter, in order. False means
// that it does not belong to the space.
func (s *Strategy) exact(design []any) (space.Point, bool) {
	sp := s.problem.Space
	if len(design) != sp.Len() {
		return nil, false
	}
	p := make(space.Point, len(design))
	for i, v := range design {
		var value space.Value
		switch v := v.(type) {
		case string:
			value.Label = v
		case float64:
			value.Num = v
		default:
			return nil, false
		}
		level, ok := sp.Param(i).Level(value)
		if !ok {
			return nil, false
		}
		p[i] = level
	}
	return p, true
}
