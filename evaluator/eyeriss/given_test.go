package eyeriss_test

import (
	"strings"
	"testing"

	"apollo/evaluator/eyeriss"
	"apollo/evaluator/model"
)

// A mapping that Map finds costs the same when it is given; one that does not
// fit is refused with need and have.
func TestCostOfAGivenMapping(t *testing.T) {
	t.Parallel()
	p := model.Problem{Bound: [model.Dims]int64{1, 4, 384, 256, 13, 13, 3, 3}, Stride: [2]int64{1, 1}, Dilation: [2]int64{1, 1}}
	c := eyeriss.Silicon()
	worth := eyeriss.Published()
	best, ok := c.Map(&p, &worth)
	if !ok {
		t.Fatal("there is no mapping")
	}
	if got, err := c.Cost(&p, best.Mapping); err != nil || got != best {
		t.Errorf("given, the mapping costs %+v, %v, found %+v", got, err, best)
	}
	for want, change := range map[string]func(*eyeriss.Mapping){
		"at least 1":            func(m *eyeriss.Mapping) { m.E = 0 },
		"do not divide":         func(m *eyeriss.Mapping) { m.N = 3 },
		"no multiple":           func(m *eyeriss.Mapping) { m.M = m.P*m.T + 1 },
		"the input scratchpad":  func(m *eyeriss.Mapping) { m.Q = 5 },
		"the filter scratchpad": func(m *eyeriss.Mapping) { m.P, m.T, m.Q, m.M = 24, 1, 4, 24 },
		"the scratchpad for":    func(m *eyeriss.Mapping) { m.P, m.T, m.Q, m.M = 25, 1, 1, 25 },
		"the grid: sets":        func(m *eyeriss.Mapping) { m.R = 99 },
		"the global buffer":     func(m *eyeriss.Mapping) { m.M = 384 * m.P * m.T },
	} {
		m := best.Mapping
		change(&m)
		if _, err := c.Cost(&p, m); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: the error is %v, want %q", m, err, want)
		}
	}
	tall := p
	tall.Bound[model.R] = 13
	if _, err := c.Cost(&tall, best.Mapping); err == nil || !strings.Contains(err.Error(), "the grid: rows") {
		t.Errorf("13 rows of the window on 12 rows: %v", err)
	}
}
