package suite

import (
	"math"
	"slices"
	"strings"
	"testing"

	"apollo/evaluator"
	"apollo/lab/bench"
	"apollo/optimizer/space"
)

// Every kind of misleading source is there for a network of each split, and is
// refused where it must be.
func TestSourcesMislead(t *testing.T) {
	t.Parallel()
	tasks, err := adversarialTasks(bench.Environment{})
	if err != nil {
		t.Fatal(err)
	}
	splits := map[string][]bench.Split{}
	for i := range tasks {
		task := &tasks[i]
		if task.Split == bench.Source {
			continue
		}
		kind := task.Name[strings.LastIndexByte(task.Name, '-')+1:]
		if !slices.Contains(splits[kind], task.Split) {
			splits[kind] = append(splits[kind], task.Split)
		}
		want := map[string]int{"five": 5, "every": 6}[kind]
		if len(task.From) != max(want, 1) {
			t.Errorf("%s has %d sources, want %d", task.Name, len(task.From), max(want, 1))
		}
		for _, o := range task.From {
			if o.Refused != strings.HasSuffix(o.Task.Name, "-unit") {
				t.Errorf("%s: source %s, refused: %t, want so for its unit alone", task.Name, o.Task.Name, o.Refused)
			}
		}
	}
	for _, kind := range []string{"negated", "shuffled", "corrupt", "failing", "unit", "template", "five", "every"} {
		if len(splits[kind]) != 2 {
			t.Errorf("%s is in the splits %v, want both", kind, splits[kind])
		}
	}
}

// A shuffled source gives the latency of another design, the same at every
// time, and none to designs without one.
func TestShuffledGivesAnotherLatency(t *testing.T) {
	t.Parallel()
	all, err := apolloTasks(bench.Environment{})
	if err != nil {
		t.Fatal(err)
	}
	task, err := distortion{name: "shuffled", shuffled: true}.of(&all[0])
	if err != nil {
		t.Fatal(err)
	}
	sp, err := task.Spec.Space()
	if err != nil {
		t.Fatal(err)
	}
	ask := func(ev evaluator.Evaluator, design []space.Value) evaluator.Result {
		r, err := ev.Evaluate(t.Context(), evaluator.Request{Design: design})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	measured, other := 0, 0
	for i := range 60 {
		design := sp.Values(sp.At(uint64(i) * (sp.Size() / 60)))
		honest, got, again := ask(all[0].Evaluator, design), ask(task.Evaluator, design), ask(task.Evaluator, design)
		if got.Outcome != honest.Outcome {
			t.Fatalf("%v is %s, want %s", design, got.Outcome, honest.Outcome)
		}
		if got.Outcome != evaluator.Measured {
			continue
		}
		measured++
		if got.Values[0] != again.Values[0] || got.Values[1] != honest.Values[1] {
			t.Errorf("%v is %v, then %v; measured %v", design, got.Values, again.Values, honest.Values)
		}
		if got.Values[0] != honest.Values[0] {
			other++
		}
	}
	if measured < 5 || other < measured-1 {
		t.Errorf("%d of %d designs have another latency", other, measured)
	}
}

// A failing source measures what cannot run, and finds it better than all that can.
func TestFailingIsBestWhereNothingRuns(t *testing.T) {
	t.Parallel()
	all, err := apolloTasks(bench.Environment{})
	if err != nil {
		t.Fatal(err)
	}
	task, err := distortion{name: "failing", failing: true}.of(&all[0])
	if err != nil {
		t.Fatal(err)
	}
	sp, err := task.Spec.Space()
	if err != nil {
		t.Fatal(err)
	}
	best, pretended := math.Inf(1), 0.0
	for i := range 60 {
		request := evaluator.Request{Design: sp.Values(sp.At(uint64(i) * (sp.Size() / 60)))}
		honest, err := all[0].Evaluator.Evaluate(t.Context(), request)
		if err != nil {
			t.Fatal(err)
		}
		got, err := task.Evaluator.Evaluate(t.Context(), request)
		if err != nil || got.Outcome != evaluator.Measured {
			t.Fatalf("%v is %+v, %v, want a measured one", request.Design, got, err)
		}
		if honest.Outcome == evaluator.Measured {
			best = min(best, got.Values[0])
		} else {
			pretended = max(pretended, got.Values[0])
		}
	}
	if pretended == 0 || pretended >= best {
		t.Errorf("what cannot run takes up to %v s, what can from %v s", pretended, best)
	}
}

// A negated source turns the order of all designs round; a corrupt one has 30 %
// of its values wrong by a factor of a million, and the others right.
func TestDistortionsDoWhatTheyAreCalled(t *testing.T) {
	t.Parallel()
	of := map[string]distortion{}
	for _, d := range distortions() {
		of[d.name] = d
	}
	if a, b := of["negated"].change(1e-4, 0), of["negated"].change(2e-4, 0); !(a > b) {
		t.Errorf("negated, 0.1 and 0.2 ms are %v and %v s, want the first to be worse", a, b)
	}
	large, small, right := 0, 0, 0
	const designs = 10_000
	for i := range designs {
		switch of["corrupt"].change(1e-4, noiseOf([]space.Value{{Num: float64(i)}})) {
		case 1e-4 * 1e6:
			large++
		case 1e-4 * 1e-6:
			small++
		case 1e-4:
			right++
		}
	}
	// Five deviations of a share of 0.15 among so many are 0.018.
	for _, wrong := range []int{large, small} {
		if share := float64(wrong) / designs; share < 0.132 || share > 0.168 {
			t.Errorf("corrupt, %d too large and %d too small of %d, want 15 %% each", large, small, designs)
		}
	}
	if large+small+right != designs {
		t.Errorf("corrupt, %d values are neither right nor wrong by a million", designs-large-small-right)
	}
}
