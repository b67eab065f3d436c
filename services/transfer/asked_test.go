package transfer

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"apollo/archiver"
	"apollo/evaluator"
	"apollo/events"
	"apollo/optimizer"
	"apollo/optimizer/space"
	"apollo/services/study"
)

// formula is a model in KiB and ms.
type formula struct{ broken bool }

func (f formula) Evaluate(_ context.Context, r evaluator.Request) (evaluator.Result, error) {
	if f.broken {
		return evaluator.Result{Outcome: evaluator.Failed, Reason: &evaluator.Reason{Message: "no licence"}}, nil
	}
	values := measure(r.Design[0].Num*1024, r.Design[1].Num)
	return evaluator.Result{Outcome: evaluator.Measured, Values: []float64{1e3 * values[0], values[1]}}, nil
}

var errGone = errors.New("gone")

func formulaModel(t *testing.T, spec *events.Spec, ref *events.Source, e evaluator.Evaluator) Model {
	t.Helper()
	inputs, missing, err := study.MapModel([]space.Param{{Name: "kib", Unit: "KiB"}, {Name: "lanes"}}, spec, ref)
	if err != nil || len(missing) > 0 {
		t.Fatal(missing, err)
	}
	return Model{
		Name: "fast", Run: "v1", Inputs: inputs, Evaluator: e, Ref: ref, Gone: errGone,
		Metrics: []evaluator.Metric{{Name: "delay_ms", Unit: "ms"}, {Name: "area_mm2", Unit: "mm2"}},
	}
}

// learnsFast is a study that has the model as a source, and its learner.
func learnsFast(t *testing.T) (*events.Spec, *events.Source, *Learner) {
	t.Helper()
	spec := targetSpec(nil)
	ref := &events.Source{Template: "fast", Rename: map[string]string{"kib": "memory", "delay": "latency"}}
	l, err := NewLearner(Target{Spec: spec})
	if err != nil {
		t.Fatal(err)
	}
	return spec, ref, l
}

// Reports credit a source by its name: two programs that call themselves alike have two.
func TestModelsOfOneNameAreToldApart(t *testing.T) {
	t.Parallel()
	spec, ref, l := learnsFast(t)
	var names []string
	for _, run := range []string{"v1", "v2", "v3"} {
		m := formulaModel(t, spec, ref, formula{})
		m.Run = run
		c, err := l.AddModel(t.Context(), m)
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, c.Study)
	}
	if want := []string{"fast", "fast-2", "fast-3"}; !slices.Equal(names, want) {
		t.Errorf("the models are called %q, want %q", names, want)
	}
}

func TestAModelIsASourceInTheStudysTerms(t *testing.T) {
	t.Parallel()
	spec, ref, l := learnsFast(t)
	c, err := l.AddModel(t.Context(), formulaModel(t, spec, ref, formula{}))
	if err != nil {
		t.Fatal(err)
	}
	k, pins := l.Knowledge()
	// 5 of memory and 6 of lanes; the model does not know the flow.
	if c.Use != UseModel || c.Kept != 30 || len(pins) != 1 || pins[0].SHA256 == "" || pins[0].Run != "v1" {
		t.Errorf("candidate %+v, pins %+v", c, pins)
	}
	task := k.Tasks[0]
	if len(task.Mapped) != 3 || task.Mapped[2] {
		t.Errorf("mapped %v, want the flow to be unknown", task.Mapped)
	}
	for p, want := range map[[3]int]optimizer.Status{{4, 3, 1}: optimizer.Measured, {4, 5, 0}: optimizer.Infeasible} {
		got, err := task.Ask(p[:])
		values := measure([]float64{1024, 2048, 4096, 8192, 16384}[p[0]], []float64{1, 2, 4, 8, 16, 32}[p[1]])
		if err != nil || got.Status != want || len(got.Values) != 1 || got.Values[0] < 0.999999*values[0] || got.Values[0] > 1.000001*values[0] {
			t.Errorf("Ask(%v) = %+v, %v; want %v and %v s", p, got, err, want, values[0])
		}
	}
}

func TestAModelThatBreaksIsGone(t *testing.T) {
	t.Parallel()
	spec, ref, l := learnsFast(t)
	if _, err := l.AddModel(t.Context(), formulaModel(t, spec, ref, formula{broken: true})); !errors.Is(err, errGone) || !strings.Contains(err.Error(), "no licence") {
		t.Errorf("AddModel() = %v, want errGone and why", err)
	}
}

func TestMapModelNamesWhatDoesNotFit(t *testing.T) {
	t.Parallel()
	spec := targetSpec(nil)
	for _, c := range []struct {
		params  []space.Param
		ref     events.Source
		missing string
		err     string
	}{
		{params: []space.Param{{Name: "memory", Unit: "B"}, {Name: "rows"}, {Name: "cols"}}, missing: "rows cols"},
		{params: []space.Param{{Name: "memory", Unit: "s"}}, err: "it is a time (s) there and an amount of data (B) here"},
		{params: []space.Param{{Name: "lanes", Labels: []string{"few", "many"}}}, err: "a label there and a number here"},
		{params: []space.Param{{Name: "flow", Labels: []string{"ws", "is"}}}, err: `no level "os" there: ws, is`},
		{params: []space.Param{{Name: "rows"}}, ref: events.Source{Fix: map[string]any{"rows": 4.0}}, err: "none of this study's parameters"},
		{params: []space.Param{{Name: "lanes"}, {Name: "rate", Unit: "B/s"}}, ref: events.Source{Fix: map[string]any{"rate": 4.0}}, err: "has no unit"},
		{params: []space.Param{{Name: "lanes"}, {Name: "rate", Unit: "B/s"}}, ref: events.Source{Fix: map[string]any{"rate": "4 GB/s", "rats": 1.0}}, err: `no parameter "rats" to fix: did you mean "rate"?`},
		{params: []space.Param{{Name: "lanes"}, {Name: "rate", Unit: "B/s"}}, ref: events.Source{Fix: map[string]any{"rate": "4 KiB"}}, err: `"4 KiB" is an amount of data, it takes a bandwidth`},
	} {
		_, missing, err := study.MapModel(c.params, spec, &c.ref)
		if got := strings.Join(missing, " "); got != c.missing {
			t.Errorf("%+v: missing %q, want %q", c.params, got, c.missing)
		}
		if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%+v: %v, want %q", c.params, err, c.err)
		}
	}
}

func TestASourceIsRenamed(t *testing.T) {
	t.Parallel()
	src := sourceOf(another(nil), 40)
	for i := range src.Trials {
		src.Trials[i].DesignHash = "" // it says the names
	}
	other := *src.Log().Columns
	other.Parameters, other.Metrics = append([]archiver.Parameter{}, other.Parameters...), append([]archiver.Metric{}, other.Metrics...)
	other.Parameters[0].Name, other.Metrics[0].Name = "pe_memory", "delay_s"
	log := src.Log()
	log.Columns, log.Rename = &other, map[string]string{"pe_memory": "memory", "delay": "latency"}
	c, k, _, err := add(t, targetSpec(nil), log)
	if err != nil {
		t.Fatal(err)
	}
	if c.Kept != 40 || c.Parameters[0].Use != Mapped || k.Tasks[0].Mapped != nil {
		t.Errorf("candidate %+v", c)
	}
}
