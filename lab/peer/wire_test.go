package peer

import (
	"encoding/json"
	"testing"

	"apollo/optimizer/space"
)

func TestGeometric(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		values []float64
		want   bool
	}{
		{[]float64{1, 2, 4, 8}, true},
		{[]float64{0.1, 1, 10}, true},
		{[]float64{1, 2, 3}, false},
		{[]float64{1, 2}, false},
		{[]float64{-4, -2, -1}, false},
		{[]float64{0, 0, 0}, false},
	} {
		if got := geometric(c.values); got != c.want {
			t.Errorf("geometric(%v) = %t, want %t", c.values, got, c.want)
		}
	}
}

// Whatever a program says, a suggestion that is taken is in the space, legal
// and new, and every check has an answer.
func FuzzLines(f *testing.F) {
	f.Add([]byte(`{"op":"suggest","trials":[{"id":"1","params":{"rows":4,"flow":"output"}}]}`))
	f.Add([]byte(`{"op":"check","designs":[[4,"output"],[1e999],null,["x",{}]]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		h := &received{}
		if json.Unmarshal(text, h) != nil {
			return
		}
		s := &Strategy{problem: small(t), tried: map[space.Key]bool{}, open: map[space.Key]string{}}
		a := &ask{s: s, n: 2, left: 3, taken: map[space.Key]bool{}}
		if _, err := a.suggested(h.Trials); err == nil {
			for _, p := range a.out {
				if !s.problem.Legal(p.Point) {
					t.Errorf("%v is not legal", p.Point)
				}
			}
		}
		var answer checkedLine
		if err := json.Unmarshal(a.check(h.Designs), &answer); err != nil || len(answer.Legal) != len(h.Designs) || answer.Left < 0 {
			t.Errorf("answer %+v, %v", answer, err)
		}
	})
}
