package optimizer

import (
	"fmt"
	"math"
	"slices"
	"testing"
)

// brokenBy is a trial that broke a cause by its number of the first level.
func brokenBy(s *gp, index uint64, cause string) Observation {
	p := s.problem.Space.At(index)
	return Observation{Point: p, Status: Infeasible, Violation: 1 + float64(p[0]), Cause: cause, Trial: int(index)}
}

func measured(s *gp, index uint64) Observation {
	return Observation{Point: s.problem.Space.At(index), Values: []float64{1 + float64(index)}, Trial: int(index)}
}

// chances are what every model of feasibility says of some designs.
func chances(t *testing.T, s *gp) [][]float64 {
	t.Helper()
	models, err := s.classifier(0)
	if err != nil {
		t.Fatal(err)
	}
	var x []float64
	const designs = 5
	for i := range uint64(designs) {
		x = s.encoder.Append(x, s.problem.Space.At(100+13*i))
	}
	out := make([][]float64, len(models))
	for k, m := range models {
		out[k] = make([]float64, designs)
		m.AddLog(x, out[k])
	}
	return out
}

// A model of feasibility learns from what broke its cause and what runs: designs
// that broke another one change nothing.
func TestFeasibilityIsLearntByCause(t *testing.T) {
	t.Parallel()
	problem := Problem{Space: grid(t, 3, 8), Seed: 1}
	one, two := start(t, GP{}, problem).(*gp), start(t, GP{}, problem).(*gp)
	for i := range uint64(6) {
		run, memory, port := measured(one, 60*i), brokenBy(one, 60*i+7, "memory"), brokenBy(one, 60*i+40, "port")
		one.Tell(run, memory)
		two.Tell(run, memory, port)
	}
	alone, both := chances(t, one), chances(t, two)
	if len(alone) != 1 || len(both) != 2 {
		t.Fatalf("%d and %d models, want one for each cause", len(alone), len(both))
	}
	if !slices.Equal(alone[0], both[0]) {
		t.Errorf("with designs that broke the port the memory is %v, without %v", both[0], alone[0])
	}
	if slices.Equal(both[0], both[1]) {
		t.Errorf("both causes have the chances %v", both[0])
	}
	runs := start(t, GP{}, problem).(*gp)
	runs.Tell(measured(runs, 1), measured(runs, 2))
	if got := chances(t, runs); len(got) > 0 {
		t.Errorf("%d models where every design runs", len(got))
	}
}

// An evaluator may have a word for every design: the models stay few, and are
// those of a restart.
func TestCausesAreBounded(t *testing.T) {
	t.Parallel()
	problem := Problem{Space: grid(t, 3, 8), Seed: 1}
	s := start(t, GP{}, problem).(*gp)
	var log []Observation
	for i := range uint64(40) {
		some := []Observation{measured(s, 12*i), brokenBy(s, 12*i+5, fmt.Sprint("cause_", i))}
		s.Tell(some...)
		log = append(log, some...)
		chances(t, s)
	}
	got := chances(t, s)
	if len(got) != maxCauses {
		t.Fatalf("%d models of 40 causes, want %d", len(got), maxCauses)
	}
	again := start(t, GP{}, problem).(*gp)
	again.Tell(log...)
	for k, want := range chances(t, again) {
		if !slices.Equal(got[k], want) {
			t.Errorf("model %d says %v, after a restart %v", k, got[k], want)
		}
		if slices.ContainsFunc(want, func(v float64) bool { return !(v <= 0) || math.IsInf(v, 0) }) {
			t.Errorf("model %d says %v, want logarithms of probabilities", k, want)
		}
	}
}

// A model sees the same of a time and of the throughput that is its reciprocal; of values that
// are all nearly the same it does not see which of them are good by their logarithm.
func TestLabelsOfRewards(t *testing.T) {
	t.Parallel()
	times := []float64{1, 1.1, 2, 5, 40}
	throughputs := make([]float64, len(times))
	for i, v := range times {
		throughputs[i] = -1 / v
	}
	want, got := standard(times), standard(throughputs)
	for i := range want {
		if math.Abs(got[i]-want[i]) > 1e-12 {
			t.Errorf("the labels of throughputs are %v, of times %v", got, want)
			break
		}
	}
	near, shifted := standard([]float64{-0.76, -0.75, -0.7, -0.6}), standard([]float64{-0.06, -0.05, 0, 0.1})
	for i := range near {
		if math.Abs(near[i]-shifted[i]) > 1e-12 {
			t.Errorf("the labels of accuracies are %v, less 0.7 %v", near, shifted)
			break
		}
	}
}
