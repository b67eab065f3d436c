package frame

import (
	"math/rand/v2"
	"slices"

	"apollo/evaluator"
	"apollo/evaluator/workload"
)

// Landscape describes what uniform draws of the space look like for one
// network, without an area limit.
type Landscape struct {
	// Draws and Infeasible count designs.
	Draws, Infeasible int
	// MinSeconds, MeanSeconds and MaxSeconds are latencies over the feasible
	// draws; 0 when there is none.
	MinSeconds, MeanSeconds, MaxSeconds float64
	// Rejections lists the template's codes, cheapest check first.
	Rejections []Rejection
}

// Rejection counts the designs that break a rule.
type Rejection struct {
	Code string `json:"code"`
	// Alone counts the designs that break the rule, whatever others they break;
	// of a rule that takes a mapping, those that break no other. First counts the
	// designs for which it is the first that is broken.
	Alone int `json:"alone"`
	First int `json:"first"`
}

// HasLandscape reports whether the template says what a landscape needs.
func (s *Spec) HasLandscape() bool { return len(s.Codes) > 0 && len(s.Targets) > 0 }

// Landscape draws designs at a fixed seed. The error is for a malformed
// workload.
func (s *Spec) Landscape(w *workload.Workload, draws int, seed uint64) (Landscape, error) {
	e, _, err := s.moved([]evaluator.Network{{Workload: w, Weight: 1}}, "", 0)
	if err != nil {
		return Landscape{}, err
	}
	l := Landscape{Draws: draws}
	for _, code := range s.Codes {
		l.Rejections = append(l.Rejections, Rejection{Code: code})
	}
	rng := rand.New(rand.NewPCG(seed, 0))
	totals := make([]Totals, len(e.nets))
	var sum float64
	for range draws {
		var d Design
		for i := range s.Params {
			p := &s.Params[i]
			if at := rng.IntN(p.Len()); p.Categorical() {
				d.Values[i] = int64(at)
			} else {
				d.Values[i] = int64(p.Values[at])
			}
		}
		if _, why := e.model.Measure(d, totals); why != nil {
			l.Infeasible++
			l.reject(why, e.model.Broken(d, true))
			continue
		}
		seconds := e.runs[0].whole(totals).Seconds
		sum += seconds
		if l.MinSeconds == 0 || seconds < l.MinSeconds {
			l.MinSeconds = seconds
		}
		l.MaxSeconds = max(l.MaxSeconds, seconds)
	}
	if n := l.Draws - l.Infeasible; n > 0 {
		l.MeanSeconds = sum / float64(n)
	}
	return l, nil
}

// reject counts the rules that a design breaks: the first, and all that are
// quick to check.
func (l *Landscape) reject(first *evaluator.Reason, broken []*evaluator.Reason) {
	for i := range l.Rejections {
		x := &l.Rejections[i]
		if first.Code == x.Code {
			x.First++
		}
		if first.Code == x.Code || slices.ContainsFunc(broken, func(r *evaluator.Reason) bool { return r.Code == x.Code }) {
			x.Alone++
		}
	}
}
