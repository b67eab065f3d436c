package edge

import (
	"math/rand/v2"

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
	// Rejections lists the rules, cheapest check first.
	Rejections []Rejection
}

// Rejection counts the designs that break a rule.
type Rejection struct {
	Code string `json:"code"`
	// Alone counts the designs that break the rule, whatever others they break;
	// of the last rule, which needs a mapping, those that break no other. First
	// counts the designs for which it is the first that is broken.
	Alone int `json:"alone"`
	First int `json:"first"`
}

// LandscapeOf draws designs at a fixed seed. The error is for a malformed
// workload.
func LandscapeOf(w *workload.Workload, draws int, seed uint64) (Landscape, error) {
	ps := params()
	b, err := bind(evaluator.Task{Params: ps, Networks: []evaluator.Network{{Workload: w, Weight: 1}}})
	if err != nil {
		return Landscape{}, err
	}
	l := Landscape{Draws: draws, Rejections: []Rejection{
		{Code: CodePEPort}, {Code: CodeCoreMemory}, {Code: CodeActivationMemory}, {Code: CodeParameterMemory}, {Code: CodeInstructionMemory},
	}}
	s := b.get()
	defer b.put(s)
	rng := rand.New(rand.NewPCG(seed, 0))
	var sum float64
	for range draws {
		var c Chip
		for i, field := range c.fields() {
			*field = int64(ps[i].Values[rng.IntN(len(ps[i].Values))])
		}
		why := b.measure(&c, s)
		l.reject(b, &c, why)
		if why != nil {
			l.Infeasible++
			continue
		}
		seconds := s.totals[0].latencySeconds
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

// reject counts the rules that a design breaks.
func (l *Landscape) reject(b *bound, c *Chip, why *evaluator.Reason) {
	for i := range l.Rejections {
		x := &l.Rejections[i]
		first := why != nil && why.Code == x.Code
		if first {
			x.First++
		}
		if i >= ruleCount {
			if first {
				x.Alone++
			}
			continue
		}
		if r := b.nets[0].limits.check(i, c, &b.sizer.constants); r.need > r.have {
			x.Alone++
		}
	}
}
