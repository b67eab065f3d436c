package certify

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"apollo/evaluator"
	"apollo/evaluator/edge"
	"apollo/evaluator/workload"
	"apollo/events"
	"apollo/optimizer/space"
)

// withoutBounds hides an evaluator's bounds: what is left is plain enumeration.
type withoutBounds struct {
	evaluator.Evaluator
	evaluator.Checker
}

// problem is a study of the edge template over some levels of its parameters. The
// metrics of spec are computed ones.
func problem(t *testing.T, spec *events.Spec, keep func(p space.Param, v float64) bool, networks ...string) (*Problem, evaluator.Evaluator) {
	t.Helper()
	var task evaluator.Task
	tpl := edge.Spec().Template()
	spec.Parameters = nil
	for _, p := range tpl.Params {
		param := space.Param{Name: p.Name, Unit: p.Unit}
		for _, v := range p.Values {
			if keep(p, v) {
				param.Values = append(param.Values, v)
			}
		}
		task.Params = append(task.Params, param)
		spec.Parameters = append(spec.Parameters, events.Parameter{Name: p.Name, Unit: p.Unit, Values: param.Values})
	}
	for i, name := range networks {
		w, err := workload.Builtin(name)
		if err != nil {
			t.Fatal(err)
		}
		task.Networks = append(task.Networks, evaluator.Network{Workload: w, Weight: 1 + float64(i)})
	}
	computed := spec.Metrics
	spec.Metrics = nil
	for _, m := range tpl.Backend.Describe().Metrics {
		spec.Metrics = append(spec.Metrics, events.Metric{Name: m.Name, Unit: m.Unit, Cheap: m.Cheap})
	}
	spec.Metrics = append(spec.Metrics, computed...)
	ev, err := tpl.Backend.New(task)
	if err != nil {
		t.Fatal(err)
	}
	p, err := New(spec, ev, tpl.Backend.Describe())
	if err != nil {
		t.Fatal(err)
	}
	return p, ev
}

// small keeps at most n random levels of every parameter.
func small(rng *rand.Rand, n int) func(p space.Param, v float64) bool {
	kept := map[string]map[float64]bool{}
	return func(p space.Param, v float64) bool {
		if kept[p.Name] == nil {
			kept[p.Name] = map[float64]bool{}
			for range n {
				kept[p.Name][p.Values[rng.IntN(len(p.Values))]] = true
			}
		}
		return kept[p.Name][v]
	}
}

// The bounds never cut the optimum, nor a design that ties with it: the proof
// with bounds and the enumeration without agree on random small spaces.
func TestProofAgreesWithEnumeration(t *testing.T) {
	t.Parallel()
	area := []events.Constraint{{Metric: "area_mm2", Max: new(30.0)}}
	power := []events.Metric{{Name: "power_w", Unit: "W", Expr: "energy / latency"}}
	cases := map[string]struct {
		spec     events.Spec
		networks []string
	}{
		"latency":           {events.Spec{Objectives: []events.Objective{{Metric: "latency_s", Goal: "minimize"}}}, []string{"mobilenet_v2"}},
		"latency in area":   {events.Spec{Objectives: []events.Objective{{Metric: "latency_s", Goal: "minimize"}}, Constraints: area}, []string{"mobilenet_edgetpu"}},
		"grouped bands":     {events.Spec{Objectives: []events.Objective{{Metric: "latency_s", Goal: "minimize"}}}, []string{"ppocr_v4_recognition"}},
		"energy":            {events.Spec{Objectives: []events.Objective{{Metric: "energy_j", Goal: "minimize"}}, Constraints: area}, []string{"mobilenet_v2"}},
		"area":              {events.Spec{Objectives: []events.Objective{{Metric: "area_mm2", Goal: "minimize"}}, Constraints: []events.Constraint{{Metric: "latency_s", Max: new(600e-6)}}}, []string{"mobilenet_v2"}},
		"two networks":      {events.Spec{Objectives: []events.Objective{{Metric: "latency_s", Goal: "minimize"}}, Constraints: area}, []string{"mobilenet_v2", "mobilenet_edgetpu"}},
		"largest latency":   {events.Spec{Objectives: []events.Objective{{Metric: "latency_s", Goal: "maximize"}}, Constraints: area}, []string{"mobilenet_v2"}},
		"energy constraint": {events.Spec{Objectives: []events.Objective{{Metric: "latency_s", Goal: "minimize"}}, Constraints: []events.Constraint{{Metric: "energy_j", Max: new(1e-3)}, {Metric: "area_mm2", Min: new(5.0)}}}, []string{"mobilenet_v2"}},
		"power limit":       {events.Spec{Metrics: power, Objectives: []events.Objective{{Metric: "latency_s", Goal: "minimize"}}, Constraints: append([]events.Constraint{{Metric: "power_w", Max: new(2.5)}}, area...)}, []string{"mobilenet_v2"}},
		"least power":       {events.Spec{Metrics: power, Objectives: []events.Objective{{Metric: "power_w", Goal: "minimize"}}, Constraints: append([]events.Constraint{{Metric: "latency_s", Max: new(500e-6)}}, area...)}, []string{"mobilenet_v2"}},
		"energy x delay":    {events.Spec{Metrics: []events.Metric{{Name: "edp_js", Unit: "Js", Expr: "energy * latency"}}, Objectives: []events.Objective{{Metric: "edp_js", Goal: "minimize"}}, Constraints: area}, []string{"mobilenet_v2"}},
		"most frames": {events.Spec{
			Metrics: []events.Metric{{Name: "fps", Expr: "1 s / latency"}}, Objectives: []events.Objective{{Metric: "fps", Goal: "maximize"}},
			Constraints: append([]events.Constraint{{Metric: "energy_j", Max: new(1e-3)}}, area...),
		}, []string{"mobilenet_v2"}},
		"a price": {events.Spec{
			Metrics: []events.Metric{{Name: "price", Expr: "3 + area * 0.12"}, {Name: "cost", Expr: "price + energy / 1 mJ"}}, Objectives: []events.Objective{{Metric: "cost", Goal: "minimize"}},
			Constraints: []events.Constraint{{Metric: "price", Min: new(3.5), Max: new(5.0)}, {Metric: "latency_s", Max: new(1e-3)}},
		}, []string{"mobilenet_v2"}},
		"a rule": {events.Spec{
			Objectives: []events.Objective{{Metric: "latency_s", Goal: "minimize"}}, Constraints: area,
			Rules: []events.Rule{{ID: "wide", Expr: "pes_x >= pes_y and activation_memory * 16 <= pe_memory"}},
		}, []string{"mobilenet_v2"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			solved, pruned := 0, uint64(0)
			for seed := range uint64(4) {
				spec := c.spec
				p, ev := problem(t, &spec, small(rand.New(rand.NewPCG(seed, 5)), 2), c.networks...)
				got := prove(t, p, Options{Workers: 2})
				plain, err := New(p.spec, withoutBounds{ev, ev.(evaluator.Checker)}, p.desc)
				if err != nil {
					t.Fatal(err)
				}
				want := prove(t, plain, Options{Workers: 1})
				if diff := cmp.Diff(summary(want), summary(got)); diff != "" {
					t.Errorf("seed %d: the proof is not the enumeration (-want +got):\n%s", seed, diff)
				}
				if want.Pruned != 0 || want.Evaluated != want.Legal || got.Evaluated+got.Pruned != got.Legal {
					t.Errorf("seed %d: enumeration %+v, proof %+v", seed, want.counts, got.counts)
				}
				if want.Value != nil {
					solved++
					pruned += got.Pruned - min(got.Infeasible, got.Pruned)
				}
			}
			if solved == 0 || pruned == 0 && name != "largest latency" {
				t.Errorf("%d spaces have a feasible design, bounds removed %d: the test proves nothing", solved, pruned)
			}
		})
	}
}

type answer struct {
	Value             string
	Index, Tied, Size uint64
	Proven            bool
}

func summary(s State) answer {
	a := answer{Index: s.Index, Tied: s.Tied, Size: s.Legal, Proven: s.Proven}
	if s.Value != nil {
		a.Value = fmt.Sprintf("%b", *s.Value)
	}
	return a
}

func prove(t *testing.T, p *Problem, opts Options) State {
	t.Helper()
	s, err := p.Run(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// However often it is interrupted, and on however many workers it runs, a
// proof counts the same.
func TestProofGoesOn(t *testing.T) {
	t.Parallel()
	spec := events.Spec{Objectives: []events.Objective{{Metric: "latency_s", Goal: "minimize"}}, Constraints: []events.Constraint{{Metric: "area_mm2", Max: new(30.0)}}}
	p, _ := problem(t, &spec, small(rand.New(rand.NewPCG(4, 5)), 4), "mobilenet_v2")
	want := prove(t, p, Options{Workers: 1})
	if want.Groups < 10 || want.Pruned == 0 {
		t.Fatalf("the proof has %d groups and pruned %d designs: too easy", want.Groups, want.Pruned)
	}
	var state State
	stops := 0
	for !state.Proven {
		ctx, cancel := context.WithCancel(t.Context())
		var err error
		state, err = p.Run(ctx, Options{Workers: 1 + stops%3, From: state, Report: func(State) error { cancel(); return nil }})
		cancel()
		if err != nil && !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		stops++
	}
	if stops < 3 {
		t.Errorf("the proof was interrupted %d times, want several", stops)
	}
	want.Seconds, state.Seconds = 0, 0
	if diff := cmp.Diff(want, state, cmp.AllowUnexported(State{})); diff != "" {
		t.Errorf("an interrupted proof differs (-want +got):\n%s", diff)
	}
}

// broken fails on every design.
type broken struct{}

func (broken) Evaluate(context.Context, evaluator.Request) (evaluator.Result, error) {
	return evaluator.Result{Outcome: evaluator.Failed, Values: []float64{math.NaN(), math.NaN(), math.NaN()}, Reason: &evaluator.Reason{Message: "no licence"}}, nil
}

func TestAFailedEvaluationEndsTheProof(t *testing.T) {
	t.Parallel()
	spec := events.Spec{Objectives: []events.Objective{{Metric: "latency_s", Goal: "minimize"}}}
	p, _ := problem(t, &spec, small(rand.New(rand.NewPCG(1, 1)), 1), "mobilenet_v2")
	q, err := New(p.spec, broken{}, p.desc)
	if err != nil {
		t.Fatal(err)
	}
	if s, err := q.Run(t.Context(), Options{}); err == nil || s.Proven {
		t.Errorf("Run() = %+v, %v: want an error", s, err)
	}
}

func TestNewSaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	good := events.Spec{Objectives: []events.Objective{{Metric: "latency_s", Goal: "minimize"}}}
	p, ev := problem(t, &good, small(rand.New(rand.NewPCG(1, 1)), 1), "mobilenet_v2")
	for name, change := range map[string]func(s *events.Spec, d *evaluator.Description){
		"two objectives":  func(s *events.Spec, _ *evaluator.Description) { s.Objectives = append(s.Objectives, s.Objectives[0]) },
		"unknown metric":  func(s *events.Spec, _ *evaluator.Description) { s.Objectives = []events.Objective{{Metric: "beauty"}} },
		"not determinate": func(_ *events.Spec, d *evaluator.Description) { d.Deterministic = false },
		"other metrics":   func(s *events.Spec, _ *evaluator.Description) { s.Metrics = s.Metrics[1:] },
		"no index": func(s *events.Spec, _ *evaluator.Description) {
			for i := range 64 {
				s.Parameters = append(s.Parameters, events.Parameter{Name: fmt.Sprint("s", i), Values: []float64{0, 1}})
			}
		},
		"several at fault": func(s *events.Spec, d *evaluator.Description) { s.Objectives, d.Deterministic = nil, false },
	} {
		spec, desc := *p.spec, p.desc
		change(&spec, &desc)
		if _, err := New(&spec, ev, desc); !errors.Is(err, ErrNoProof) {
			t.Errorf("%s: New() = %v, want ErrNoProof", name, err)
		}
	}
}

// Studies that differ in how they search share a proof; studies that differ in
// what they search do not.
func TestKey(t *testing.T) {
	t.Parallel()
	base := events.Spec{Study: "a", Seed: 1, Objectives: []events.Objective{{Metric: "latency_s", Goal: "minimize"}}, Constraints: []events.Constraint{{Metric: "area_mm2", Max: new(6.8)}}}
	keep := small(rand.New(rand.NewPCG(7, 7)), 2)
	p, ev := problem(t, &base, keep, "mobilenet_v2")
	key := func(change func(s *events.Spec)) string {
		spec := *p.spec
		change(&spec)
		q, err := New(&spec, ev, p.desc)
		if err != nil {
			t.Fatal(err)
		}
		k, err := q.Key(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	want := key(func(*events.Spec) {})
	if got := key(func(s *events.Spec) { s.Study, s.Seed, s.Budget.Trials = "b", 2, 900 }); got != want {
		t.Error("the search changes the key")
	}
	if got := key(func(s *events.Spec) { s.Constraints = []events.Constraint{{Metric: "area_mm2", Max: new(5.8)}} }); got == want {
		t.Error("another area limit has the same key")
	}
	other := base
	other.Metrics = nil
	q, _ := problem(t, &other, keep, "mobilenet_edgetpu")
	if got, err := q.Key(t.Context()); err != nil || got == want {
		t.Errorf("another network has the same key, %v", err)
	}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	if _, err := q.Key(stopped); !errors.Is(err, context.Canceled) {
		t.Errorf("a key is made after a stop, %v", err)
	}
}

func TestProofsOnDisk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, ok, err := Load(dir, "abc"); ok || err != nil {
		t.Fatalf("Load() of nothing = %t, %v", ok, err)
	}
	if Any(dir) {
		t.Error("Any() of a directory without proofs")
	}
	want := Proof{Key: "abc", Study: "s", Metric: "latency_s", Unit: "s", State: State{Done: 3, Groups: 9, counts: counts{Legal: 7}, Value: new(0.1), Tied: 2}}
	if err := Save(dir, &want); err != nil {
		t.Fatal(err)
	}
	if !Any(dir) {
		t.Error("Any() knows no proof")
	}
	got, ok, err := Load(dir, "abc")
	if !ok || err != nil {
		t.Fatalf("Load() = %t, %v", ok, err)
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(State{})); diff != "" {
		t.Errorf("the proof changed on disk (-want +got):\n%s", diff)
	}
	want.Done = 10
	if err := Save(dir, &want); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Load(dir, "abc"); err == nil {
		t.Error("Load() takes a damaged proof")
	}
}

// The proof of a study that searches the network too is the best of the proofs on
// each network.
func TestProofOfAChosenNetwork(t *testing.T) {
	t.Parallel()
	names := []string{"mobilenet_v2", "mobilenet_edgetpu"}
	study := func() events.Spec {
		return events.Spec{Objectives: []events.Objective{{Metric: "latency_s", Goal: "minimize"}}, Constraints: []events.Constraint{{Metric: "area_mm2", Max: new(30.0)}}}
	}
	for seed := range uint64(4) {
		best, tied := math.Inf(1), uint64(0)
		var networks []evaluator.Network
		for _, name := range names {
			spec := study()
			p, _ := problem(t, &spec, small(rand.New(rand.NewPCG(seed, 5)), 2), name)
			alone := prove(t, p, Options{Workers: 1})
			w, err := workload.Builtin(name)
			if err != nil {
				t.Fatal(err)
			}
			networks = append(networks, evaluator.Network{Workload: w, Weight: 1})
			switch {
			case alone.Value == nil || *alone.Value > best:
			case *alone.Value == best:
				tied += alone.Tied
			default:
				best, tied = *alone.Value, alone.Tied
			}
		}
		spec := study()
		problem(t, &spec, small(rand.New(rand.NewPCG(seed, 5)), 2), names[0]) // for its levels
		spec.Search = events.SearchOne
		choice := evaluator.OneOf(events.NetworkParameter, networks)
		spec.Parameters = append(spec.Parameters, events.Parameter{Name: events.NetworkParameter, Labels: choice.Params[0].Labels})
		sp, err := spec.Space()
		if err != nil {
			t.Fatal(err)
		}
		tpl := edge.Spec().Template()
		ev, err := tpl.Backend.New(evaluator.Task{Params: sp.Params(), Networks: networks, Choice: choice})
		if err != nil {
			t.Fatal(err)
		}
		p, err := New(&spec, ev, tpl.Backend.Describe())
		if err != nil {
			t.Fatal(err)
		}
		got := prove(t, p, Options{Workers: 2})
		if math.IsInf(best, 1) != (got.Value == nil) || got.Value != nil && (*got.Value != best || got.Tied != tied) {
			t.Errorf("seed %d: %v, %d tied; the best of the networks alone is %v, %d tied", seed, got.Value, got.Tied, best, tied)
		}
		if _, proves := ev.(evaluator.Prover); !proves {
			t.Error("nothing is bounded")
		}
	}
}

// Of sweeps that end together none loses what another one proved.
func TestChangesOfALadderMeet(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	const sweeps = 12
	var all sync.WaitGroup
	for i := range sweeps {
		all.Go(func() {
			err := ChangeLadder(dir, "key", func(l *Ladder, damaged error) {
				if damaged != nil {
					t.Error(damaged)
				}
				l.Add([]Optimum{{Limit: float64(i)}})
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if l, ok, err := LoadLadder(dir, "key"); err != nil || !ok || len(l.Steps) != sweeps {
		t.Errorf("%d steps are kept, want %d: %v", len(l.Steps), sweeps, err)
	}
}
