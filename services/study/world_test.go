package study_test

import (
	"math"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"apollo/events"
	"apollo/optimizer"
	"apollo/optimizer/space"
	"apollo/services/study"
)

// testSpec is a study over a 3-parameter lattice; area is x+y, at most 18.
func testSpec(change func(*events.Spec)) *events.Spec {
	levels := make([]float64, 12)
	for i := range levels {
		levels[i] = float64(i)
	}
	limit := 18.0
	s := &events.Spec{
		Study: "sim", Seed: 7,
		Parameters:       []events.Parameter{{Name: "x", Values: levels}, {Name: "y", Values: levels}, {Name: "flow", Labels: []string{"ws", "os", "is"}}},
		Metrics:          []events.Metric{{Name: "latency_s", Unit: "s"}, {Name: "area_mm2", Unit: "mm2", Cheap: true}},
		Objectives:       []events.Objective{{Metric: "latency_s", Goal: "minimize"}},
		Constraints:      []events.Constraint{{Metric: "area_mm2", Max: &limit}},
		KnownConstraints: "checked",
		Algorithm:        events.Algorithm{Name: "evolution"},
		Evaluator:        events.EvaluatorSpec{Name: "toy", Attempts: 1, Deterministic: true, MaxFailures: 20},
		Budget:           events.Budget{Trials: 100, Batch: 8, Parallelism: 3, Lag: 4},
		Order:            "strict", Duplicates: "reuse",
	}
	if change != nil {
		change(s)
	}
	return s
}

// toy measures designs of testSpec; some are infeasible.
type toy struct{}

func (toy) Check(design []space.Value, dst []float64) {
	dst[0], dst[1] = math.NaN(), design[0].Num+design[1].Num
}

func (toy) answer(work *events.BatchRequested) *events.BatchEvaluated {
	r := &events.BatchEvaluated{Study: work.Study, Run: work.Run, Batch: work.Batch, Evaluator: work.Evaluator, Metrics: []string{"latency_s", "area_mm2"}}
	for i, d := range work.Designs {
		x, y := d[0].Num, d[1].Num
		t := events.TrialResult{
			Trial: work.Trials[i], Outcome: events.OutcomeMeasured, Attempts: 1,
			Values: events.Numbers{1 + (x-7)*(x-7) + (y-3)*(y-3) + float64(d[2].Label[0]%3), x + y},
		}
		if int(x+2*y)%5 == 0 {
			t = events.TrialResult{Trial: work.Trials[i], Outcome: events.OutcomeInfeasible, Reason: &events.Reason{Code: "toy"}, Attempts: 1}
		}
		if work.EarlyStop != nil && t.Outcome == events.OutcomeMeasured {
			onTheWay(work, &t)
		}
		r.Trials = append(r.Trials, t)
	}
	return r
}

// onTheWay is how an evaluation comes to its answer in ten steps, from above.
func onTheWay(work *events.BatchRequested, t *events.TrialResult) {
	watch := events.NewWatch(work)
	for step := int64(1); step <= 10; step++ {
		reason, err := watch.Report(step, t.Values[0]*(1+1/float64(step*step)))
		if err != nil {
			panic(err)
		}
		if reason != nil {
			t.Outcome, t.Reason, t.Values = events.OutcomeStopped, reason, nil
			break
		}
	}
	t.Intermediate = watch.Curve()
}

// world is a log and its results, and a machine that is driven over them. It
// plays the owner, the bus and any number of evaluators.
type world struct {
	t         *testing.T
	spec      *events.Spec
	knowledge study.Knowledge
	baseline  []space.Value
	log       []events.Payload
	results   []*events.BatchEvaluated // in the order they were recorded
	machine   *study.Machine
	seconds   float64 // that every evaluation takes
}

func newWorld(t *testing.T, spec *events.Spec, knowledge study.Knowledge) *world {
	w := &world{t: t, spec: spec, knowledge: knowledge}
	w.log = []events.Payload{events.StudyAccepted{Study: spec.Study, Run: "r1", Command: "c1", Spec: *spec}}
	w.restart()
	return w
}

// restart replaces the machine by a fold of everything that is stored.
func (w *world) restart() {
	w.t.Helper()
	algorithm, err := optimizer.New(w.spec.Algorithm.Name, w.spec.Algorithm.Options)
	if err != nil {
		w.t.Fatal(err)
	}
	w.machine, err = study.New(study.Config{Spec: w.spec, Run: "r1", Algorithm: algorithm, Checker: toy{}, Baseline: w.baseline, Knowledge: w.knowledge})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, e := range w.log {
		if err := w.machine.Fold(e); err != nil {
			w.t.Fatal(err)
		}
	}
	for i, r := range w.results {
		w.machine.Result(uint64(i+1), r)
	}
}

// append stores an event of the machine, which must fit its published schema.
func (w *world) append(e events.Payload) {
	w.t.Helper()
	v, err := validator()
	if err != nil {
		w.t.Fatal(err)
	}
	b, err := events.Encode("id", "apollo/proposer", "sim", time.Unix(0, 0), e)
	if err == nil {
		err = v.Event(b)
	}
	if err != nil {
		w.t.Errorf("%T breaks its schema: %v", e, err)
	}
	w.log = append(w.log, e)
	if err := w.machine.Fold(e); err != nil {
		w.t.Fatal(err)
	}
}

// validator compiles the schemas once.
var validator = sync.OnceValues(events.NewValidator)

// appendNext appends everything that the machine has to say.
func (w *world) appendNext() {
	w.t.Helper()
	for {
		e, err := w.machine.Next()
		if err != nil {
			w.t.Fatal(err)
		}
		if e == nil {
			return
		}
		again, err := w.machine.Next()
		if err != nil || !cmp.Equal(e, again) {
			w.t.Fatalf("Next() changed its mind without a fold: %v", cmp.Diff(e, again))
		}
		w.append(e)
	}
}

// record stores an answer, as the first one for its batch.
func (w *world) record(r *events.BatchEvaluated) {
	for i := range r.Trials {
		r.Trials[i].Seconds = w.seconds
	}
	w.results = append(w.results, r)
	w.machine.Result(uint64(len(w.results)), r)
}

// run drives the study until it ends or pauses; pick chooses which outstanding
// work item is answered next, and chaos may restart or repeat things.
func (w *world) run(pick func(n int) int, chaos func()) {
	w.t.Helper()
	for range 10_000 {
		w.appendNext()
		if state, _ := w.machine.State(); state.Terminal() || state == study.Paused {
			return
		}
		var work []*events.BatchRequested
		for _, k := range w.machine.Outstanding {
			work = append(work, w.machine.Work(k))
		}
		if len(work) == 0 {
			w.t.Fatal("the study waits for nothing")
		}
		w.record(toy{}.answer(work[pick(len(work))]))
		if chaos != nil {
			chaos()
		}
	}
	w.t.Fatal("the study does not end")
}

func first(int) int { return 0 }

// proposed returns the proposed events of the log.
func (w *world) proposed() (out []events.TrialsProposed) {
	for _, e := range w.log {
		if p, ok := e.(events.TrialsProposed); ok {
			out = append(out, p)
		}
	}
	return out
}
