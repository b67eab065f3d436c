package study

import (
	"fmt"
	"math"
	"slices"

	"apollo/events"
	"apollo/optimizer"
	"apollo/optimizer/space"
)

// noise follows the answers of an evaluator that differ: which design is best by
// all of them, and which to measure again. It is a function of the trials that it
// was told, in order.
type noise struct {
	spec    *events.Spec
	space   space.Space
	answers *optimizer.Answers
	// measured are the designs that have an answer, in the order of their first one.
	measured []*sighting
	byDesign space.Map[int] // positions in measured
	repeated int
	// anchor is the reference design's values, to be minimised, with their trials.
	anchor []anchored
}

// sighting is a design and what it answered.
type sighting struct {
	trial    int
	point    space.Point
	design   events.Design
	feasible bool
	sums     []float64 // of metrics
	count    int
}

type anchored struct {
	trial int
	value float64
}

const (
	// mostMeasurements is how often the rule measures one design at most, and
	// repeatEvery the distance of the trials that it may use.
	mostMeasurements, repeatEvery = 12, 10
	// repeatFrom is the first trial that the rule may use: before, no model says
	// which designs may be the best. Chosen, as is all above: see docs/decisions/0025.
	repeatFrom = 10
	// Origins of trials that measure a design again.
	repeatOrigin, referenceOrigin = "repeat", "reference"
)

// newNoise returns nil where the study does not deal with noise.
func newNoise(spec *events.Spec, p optimizer.Problem) (*noise, error) {
	if spec.Evaluator.Noise == nil || len(spec.Objectives) != 1 {
		return nil, nil
	}
	answers, err := optimizer.NewAnswers(p)
	if err != nil {
		return nil, err
	}
	return &noise{spec: spec, space: p.Space, answers: answers}, nil
}

// tell adds a trial, and returns the observation as if it had been measured at the
// beginning: without the drift that the reference design shows.
func (n *noise) tell(o optimizer.Observation, design events.Design, values []float64) optimizer.Observation {
	key := n.space.Key(o.Point)
	at, again := n.byDesign.Get(key)
	if !again {
		at = len(n.measured)
		n.byDesign.Put(key, at)
		n.measured = append(n.measured, &sighting{trial: o.Trial, point: o.Point, design: design})
	} else {
		n.repeated++
	}
	s := n.measured[at]
	if o.Status == optimizer.Measured && len(o.Values) > 0 {
		if s.sums == nil {
			s.sums = make([]float64, len(values))
		}
		for i, v := range values {
			s.sums[i] += v
		}
		s.count++
		s.feasible = true
		if r := n.reference(); r == s && n.spec.Evaluator.Noise.Reference > 0 {
			n.anchor = append(n.anchor, anchored{o.Trial, o.Values[0]})
		}
		o = n.correct(o)
	}
	n.answers.Tell(o)
	return o
}

// reference is the first design that was measured; nil while there is none.
func (n *noise) reference() *sighting {
	i := slices.IndexFunc(n.measured, func(s *sighting) bool { return s.feasible })
	if i < 0 {
		return nil
	}
	return n.measured[i]
}

// knows reports whether a design has an answer.
func (n *noise) knows(p space.Point) bool {
	_, ok := n.byDesign.Get(n.space.Key(p))
	return ok
}

// again returns the design that trial is to measure again, and its first trial;
// nil for a new design. waiting are the designs that have no answer yet.
func (n *noise) again(trial int, waiting []space.Point) (s *sighting, origin string) {
	rule := n.spec.Evaluator.Noise
	if k := rule.Reference; k > 0 && trial > 0 && trial%k == 0 {
		if r := n.reference(); r != nil {
			return r, referenceOrigin
		}
	}
	pending := func(p space.Point) (count int) {
		for _, w := range waiting {
			if slices.Equal(w, p) {
				count++
			}
		}
		return count
	}
	if rule.Repeats > 0 {
		for _, s := range n.measured {
			if s.feasible && s.count+pending(s.point) < rule.Repeats {
				return s, repeatOrigin
			}
		}
		return nil, ""
	}
	if trial < repeatFrom || trial%repeatEvery != repeatEvery-1 {
		return nil, ""
	}
	e, ok := n.answers.Contender(func(e *optimizer.Estimate) bool {
		return e.Measurements >= mostMeasurements || pending(e.Point) > 0
	})
	if !ok {
		return nil, ""
	}
	at, _ := n.byDesign.Get(n.space.Key(e.Point))
	return n.measured[at], repeatOrigin
}

// best is the design whose worse end is best; nil while none is feasible. value is
// that end, to be minimised.
func (n *noise) best() (b *events.BestTrial, value float64) {
	known := n.answers.Designs()
	if len(known) == 0 {
		return nil, math.Inf(1)
	}
	e := &known[0]
	at, ok := n.byDesign.Get(n.space.Key(e.Point))
	if !ok {
		return nil, math.Inf(1) // a trial of a source, which is none of this study
	}
	s := n.measured[at]
	means := make([]float64, len(s.sums))
	for i, sum := range s.sums {
		means[i] = sum / float64(s.count)
	}
	b = best(n.spec, s.trial, s.design, means)
	b.Estimate = &events.Estimate{Value: e.Mean, Low: e.Low, High: e.High, Measurements: s.count}
	if n.spec.Objectives[0].Goal == "maximize" {
		b.Estimate.Value, b.Estimate.Low, b.Estimate.High = -e.Mean, -e.High, -e.Low
	}
	return b, e.High
}

// report says what was learned of the noise.
func (n *noise) report() *events.NoiseReport {
	r := &events.NoiseReport{Repeated: n.repeated}
	r.Deviation, r.Relative = n.answers.Noise()
	serial := n.answers.Serial()
	if serial.Pairs >= optimizer.SerialPairs {
		r.Serial = &events.Interval{Value: serial.Rho, Low: serial.Low, High: serial.High, Of: serial.Pairs}
	}
	if serial.Follows() {
		advice := "look for what changes slowly (temperature, clock, other load)"
		if n.spec.Evaluator.Noise.Reference == 0 {
			advice += ", and set spec.evaluator.reference to 10: a design measured again and again shows drift"
		}
		r.Warnings = append(r.Warnings, fmt.Sprintf(
			"measurements follow each other: the error of one trial goes with that of the next (correlation %.2f, %.2f to %.2f), so that intervals are too narrow: %s",
			serial.Rho, serial.Low, serial.High, advice))
	}
	if d := n.drift(); d != nil {
		last := float64(n.anchor[len(n.anchor)-1].trial)
		r.Drift = &events.Interval{Value: d.change(d.slope, last), Low: d.change(d.low, last), High: d.change(d.high, last), Of: len(n.anchor)}
		if d.certain() {
			r.Warnings = append(r.Warnings, fmt.Sprintf(
				"the reference design of trial %d drifts: %+.1f %% over %.0f trials; later trials were taken as if measured at the beginning: mend the cause, or measure the best again",
				n.anchor[0].trial, 100*r.Drift.Value, last))
		}
	}
	return r
}

// measureAgain adds the designs that trials of the batch are to measure again: they
// come first, and the strategy has the rest.
func (d *draft) measureAgain(n int) {
	m := d.machine
	for trial := d.event.FirstTrial + d.len(); d.len() < n && trial < d.event.FirstTrial+n; trial++ {
		s, origin := m.noise.again(trial, d.pending)
		if s == nil {
			continue
		}
		d.append(m.space.Key(s.point), s.point, origin, []int{s.trial})
	}
}

// fewDesigns goes on where every design was tried: the contenders are measured
// again, in turn, until no measurement can change which is best.
func (d *draft) fewDesigns(n int) {
	m := d.machine
	for d.len() < n {
		e, ok := m.noise.answers.Contender(func(e *optimizer.Estimate) bool {
			return e.Measurements >= mostMeasurements || slices.ContainsFunc(d.pending, func(p space.Point) bool { return slices.Equal(p, e.Point) })
		})
		if !ok {
			return
		}
		d.append(m.space.Key(e.Point), e.Point, repeatOrigin, []int{e.Trial})
	}
}

// unknown are the pending designs that have no answer yet, which is what
// strategies are told of as pending.
func (d *draft) unknown() []space.Point {
	if d.machine.noise == nil {
		return d.pending
	}
	var out []space.Point
	for _, p := range d.pending {
		if !d.machine.noise.knows(p) {
			out = append(out, p)
		}
	}
	return out
}
