package events_test

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"

	"apollo/events"
	"apollo/optimizer/space"
)

// wideSpec is a study whose messages are as large as params labels of width
// characters and metrics make them.
func wideSpec(params, width, metrics int) *events.Spec {
	s := &events.Spec{
		Study: strings.Repeat("s", 63), Algorithm: events.Algorithm{Name: "random"}, KnownConstraints: "checked", Order: "strict", Duplicates: "reuse",
		Evaluator: events.EvaluatorSpec{Name: strings.Repeat("e", 63), TimeoutSeconds: 30, Attempts: 3}, Budget: events.Budget{Trials: 1000, Batch: 8, Parallelism: 4, Lag: 8},
		Objectives: []events.Objective{{Metric: "m00", Goal: "minimize"}},
	}
	for i := range params {
		// Quotes and quiet numbers: what JSON makes longer counts.
		p := events.Parameter{Name: fmt.Sprintf("p%03d_%s", i, strings.Repeat("x", 58)), Labels: []string{"a", strings.Repeat(`"`, width)}}
		if i%2 == 1 {
			p.Labels, p.Values = nil, []float64{-math.MaxFloat64 / 3, 1, 1.0 / 3}
		}
		s.Parameters = append(s.Parameters, p)
	}
	for i := range metrics {
		s.Metrics = append(s.Metrics, events.Metric{Name: fmt.Sprintf("m%02d", i), Unit: "s"})
	}
	return s
}

// worst returns a design with the longest value of every parameter.
func worst(s *events.Spec) events.Design {
	var d events.Design
	for _, p := range s.Parameters {
		if len(p.Labels) > 0 {
			d = append(d, space.Value{Label: p.Labels[len(p.Labels)-1]})
			continue
		}
		d = append(d, space.Value{Num: p.Values[0]})
	}
	return d
}

func wideRow(n int) events.Numbers {
	v := make(events.Numbers, n)
	for i := range v {
		v[i] = -math.MaxFloat64 / 3
	}
	return v
}

// The bounds hold for the largest messages that a study can have.
func TestSizesBoundMessages(t *testing.T) {
	t.Parallel()
	for _, spec := range []*events.Spec{wideSpec(1, 1, 1), wideSpec(50, 200, 3), wideSpec(256, 256, 64)} {
		spec.Transfer = &events.Transfer{Sources: []events.Source{{Study: "earlier"}, {Auto: true}}}
		const n = 9
		work := events.BatchRequested{
			Study: spec.Study, Run: "0badcafe", Batch: 123456, Evaluator: spec.Evaluator.Name, Metrics: spec.Metrics, TimeoutSeconds: 30, Attempts: 100,
		}
		proposed := events.TrialsProposed{Study: spec.Study, Run: "0badcafe", Batch: 123456, FirstTrial: 9_999_000, Told: 123450, ObservedThrough: 1 << 40}
		answer := events.BatchEvaluated{Study: spec.Study, Run: "0badcafe", Batch: 123456, Evaluator: spec.Evaluator.Name, EvaluatorVersion: "1.2.3", Worker: "host/123456"}
		for _, p := range spec.Parameters {
			work.Parameters = append(work.Parameters, events.Column{Name: p.Name, Unit: p.Unit})
		}
		for _, m := range spec.Metrics {
			answer.Metrics = append(answer.Metrics, m.Name)
		}
		best := events.BestTrial{Trial: 9_999_999, Design: map[string]any{}, Metrics: map[string]float64{}}
		for i, p := range spec.Parameters {
			if v := worst(spec)[i]; v.Label != "" {
				best.Design[p.Name] = v.Label
			} else {
				best.Design[p.Name] = v.Num
			}
		}
		for _, m := range spec.Metrics {
			best.Metrics[m.Name] = -math.MaxFloat64 / 3
		}
		for i := range n {
			trial := 9_999_000 + i
			work.Trials, work.Designs = append(work.Trials, trial), append(work.Designs, worst(spec))
			result := events.TrialResult{
				Trial: trial, Outcome: events.OutcomeInfeasible, Values: wideRow(len(spec.Metrics)), Attempts: 100, Started: 1 << 50, Seconds: 1.0 / 3,
				LastError: &events.LastError{Code: "c", Message: strings.Repeat("m", 1000)},
				Reason:    &events.Reason{Code: strings.Repeat("c", 200), Layer: strings.Repeat("l", 200), Need: 1.0 / 3, Have: 2.0 / 3, Unit: strings.Repeat("u", 200), Message: strings.Repeat("\x01", 1000)},
			}
			proposed.Designs = append(proposed.Designs, worst(spec))
			proposed.Origins = append(proposed.Origins, strings.Repeat("o", events.MaxOriginBytes))
			proposed.Parents = append(proposed.Parents, []int{trial - 100, trial - 101})
			proposed.Reused = append(proposed.Reused, result.Reusable())
			answer.Trials = append(answer.Trials, result)
		}
		sizes := events.SizesOf(spec)
		least, without := events.FitResult(answer, sizes.Of("answer", n))
		if without.Failed > 0 {
			t.Errorf("%d parameters: within its bound an answer failed: %+v", len(spec.Parameters), without)
		}
		front := &events.StudyCompleted{Study: spec.Study, Run: "0badcafe", Reason: "budget", Summary: events.Summary{Best: &best, Front: []events.BestTrial{best}, Hash: strings.Repeat("f", 64)}}
		for what, e := range map[string]events.Payload{
			"accepted": events.StudyAccepted{Study: spec.Study, Run: "0badcafe", Spec: *spec, SpecSHA256: events.SpecSHA256(spec), Command: strings.Repeat("c", 256)},
			"proposed": proposed, events.SizeWork: work, "answer": least, "completed": front,
		} {
			if got, bound := len(encode(t, e)), sizes.Of(what, n); got > bound {
				t.Errorf("%d parameters: %s has %d bytes, the bound is %d", len(spec.Parameters), what, got, bound)
			} else if what != "completed" && bound > 2*got+8<<10 {
				t.Errorf("%d parameters: %s has %d bytes at worst, a bound of %d refuses too much", len(spec.Parameters), what, got, bound)
			}
		}
	}
}

func TestSizesBatch(t *testing.T) {
	t.Parallel()
	spec := wideSpec(50, 250, 3)
	sizes := events.SizesOf(spec)
	for _, payload := range []int{64 << 10, events.DefaultPayload, events.MaxEventBytes, 64 << 20} {
		room := events.MessageRoom(payload)
		n := sizes.Batch(room)
		if _, bytes := sizes.Largest(n); n < 1 || bytes > room {
			t.Errorf("payload %d: a batch of %d makes %d bytes", payload, n, bytes)
		}
		if _, bytes := sizes.Largest(n + 1); n < events.MaxBatch && bytes <= room {
			t.Errorf("payload %d: a batch of %d would fit too", payload, n+1)
		}
		spec.Budget.Batch = n
		if m := events.CheckSizes(spec, payload); m != nil {
			t.Errorf("payload %d: a batch of %d is refused: %+v", payload, n, m)
		}
		spec.Budget.Batch = n + 1
		m := events.CheckSizes(spec, payload)
		if n < events.MaxBatch && (m == nil || m.Pointer != "/spec/budget/batch" || !strings.Contains(m.Hint, fmt.Sprintf("batch: %d at most", n))) {
			t.Errorf("payload %d: a batch of %d is answered with %+v", payload, n+1, m)
		}
	}
	if m := events.CheckSizes(wideSpec(256, 256, 64), 32<<10); m == nil || m.Pointer != "/spec" || !strings.Contains(m.Message, "one design a batch") {
		t.Errorf("a study that does not fit at all is answered with %+v", m)
	}
}

// Levels that nobody could list are counted no further than needed.
func TestSizesManyLevels(t *testing.T) {
	t.Parallel()
	spec := wideSpec(1, 1, 1)
	levels := make([]float64, events.MaxLevels)
	for i := range levels {
		levels[i] = float64(i) / 3
	}
	for i := range events.MaxParameters {
		spec.Parameters = append(spec.Parameters, events.Parameter{Name: fmt.Sprint("q", i), Values: levels})
	}
	if m := events.CheckSizes(spec, events.MaxEventBytes); m == nil || !strings.Contains(m.Message, "accepted") {
		t.Errorf("16 million levels are answered with %+v", m)
	}
}

func TestRejectedFits(t *testing.T) {
	t.Parallel()
	e := events.StudyRejected{Study: "demo", Command: "c"}
	for i := range 200 {
		e.Errors = append(e.Errors, events.Mistake{Code: fmt.Sprint("m", i), Message: strings.Repeat(`"`, 1000)})
	}
	const room = 64 << 10
	got := e.Fit(room)
	if n := len(encode(t, got)); n > room || n < room/2 {
		t.Errorf("a refusal of %d bytes, want what fits into %d", n, room)
	}
	if first, last := got.Errors[0].Code, got.Errors[len(got.Errors)-1]; first != "m0" || last.Code != "more" || !strings.Contains(last.Message, strconv.Itoa(200-len(got.Errors)+1)) {
		t.Errorf("from %s to %+v, want the first mistakes and how many more there are", first, last)
	}
	if whole := e.Fit(1 << 20); len(whole.Errors) != 200 {
		t.Errorf("%d mistakes where all fit", len(whole.Errors))
	}
}
