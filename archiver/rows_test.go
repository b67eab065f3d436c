package archiver

import (
	"io"
	"math"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"apollo/events"
	"apollo/optimizer/space"
)

// testSpec is a study with whole, fractional and categorical parameters.
func testSpec(study string) *events.Spec {
	limit := 6.8
	return &events.Spec{
		Study: study, Seed: 7,
		Parameters: []events.Parameter{
			{Name: "pes_x", Values: []float64{0, 1, 2, 4}},
			{Name: "clock", Unit: "Hz", Values: []float64{0.5, 1.25}},
			{Name: "flow", Labels: []string{"ws", "os"}},
		},
		Networks:    []events.Network{{Name: "mobilenet_v2", Weight: 1, SHA256: "abc"}},
		Metrics:     []events.Metric{{Name: "latency_s", Unit: "s"}, {Name: "area_mm2", Unit: "mm2", Cheap: true}},
		Objectives:  []events.Objective{{Metric: "latency_s", Goal: "minimize"}},
		Constraints: []events.Constraint{{Metric: "area_mm2", Max: &limit}},
		Algorithm:   events.Algorithm{Name: "random"},
		Evaluator:   events.EvaluatorSpec{Name: "model", Deterministic: true},
		Budget:      events.Budget{Trials: 100, Batch: 16, Parallelism: 4, Lag: 8},
		Order:       "strict",
	}
}

func accepted(minute int) time.Time {
	return time.Date(2026, 1, 2, 3, minute, 0, 0, time.UTC)
}

// testRows makes n rows of every kind: measured, over the budget, infeasible,
// failed; with zeros where a zero must stay one.
func testRows(spec *events.Spec, run string, from, n int) []Row {
	rng := rand.New(rand.NewPCG(1, uint64(from)))
	rows := make([]Row, 0, n)
	for i := from; i < from+n; i++ {
		r := Row{
			Study: spec.Study, Run: run, Trial: int64(i), Batch: int64(i / 16),
			Design: []space.Value{
				{Num: spec.Parameters[0].Values[i%4]}, {Num: spec.Parameters[1].Values[i%2]}, {Label: spec.Parameters[2].Labels[i/2%2]},
			},
			Values: []float64{rng.Float64() / 100, rng.Float64() * 10}, Outcome: events.OutcomeMeasured, Feasible: true,
			Attempts: 1, Origin: "random", Evaluator: "model", EvaluatorVersion: "1.0", EvaluatorProgram: "5e6f",
			WorkloadHash: WorkloadHash(spec.Networks), Seconds: 0.0001 * float64(i%3),
			StreamSeq: uint64(i/16 + 1), TraceID: "0af7651916cd43dd8448eb211c80319c",
		}
		r.DesignHash = DesignHash(spec.Parameters, r.Design)
		r.Start = accepted(0).Add(time.Duration(i) * time.Millisecond)
		r.End = r.Start.Add(time.Microsecond)
		switch i % 5 {
		case 1:
			r.Values[1], r.Feasible = 9, false
			r.Reason = &events.Reason{Code: "constraint", Need: 6.8, Have: 9, Unit: "mm2", Message: "area_mm2 is 9 mm2"}
		case 2:
			r.Outcome, r.Feasible, r.Values = events.OutcomeInfeasible, false, []float64{math.NaN(), 0}
			r.Reason = &events.Reason{Code: "parameter_memory", Layer: "conv1", Need: 1024, Have: 0, Unit: "B"}
		case 3:
			r.Outcome, r.Feasible, r.Values = events.OutcomeFailed, false, []float64{math.NaN(), math.NaN()}
			r.Reason, r.Attempts = &events.Reason{Code: "timeout"}, 0
			r.Start, r.End, r.Seconds = time.Time{}, time.Time{}, 0
		case 4:
			r.Values[0], r.Parents, r.Origin, r.Extra = 0, []int64{0, int64(i - 1)}, "reuse:0", `{"power_w":0}`
			r.ObservedThrough = 3
			r.Attempts, r.LastError, r.Worker = 2, events.LastError{Code: "child_died", Message: "the program ended (exit status 7)"}, "host-1/7"
		}
		rows = append(rows, r)
	}
	return rows
}

func pointers(rows []Row) []*Row {
	list := make([]*Row, len(rows))
	for i := range rows {
		list[i] = &rows[i]
	}
	return list
}

// openStore opens a store that is closed when the test ends.
func openStore(t *testing.T, dir string, o Options) *Store {
	t.Helper()
	s, err := Open(dir, o)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() { s.release() })
	return s
}

func begin(t *testing.T, s *Store, spec *events.Spec, run string, at time.Time) {
	t.Helper()
	if err := s.Begin(Run{Spec: spec, ID: run, Accepted: at}); err != nil {
		t.Fatalf("Begin: %v", err)
	}
}

// demoStore is a store in a directory of its own, with a run 00000001 of a study
// demo that has begun.
func demoStore(t *testing.T) (dir string, s *Store, spec *events.Spec) {
	t.Helper()
	dir = t.TempDir()
	s, spec = openStore(t, dir, Options{}), testSpec("demo")
	begin(t, s, spec, "00000001", accepted(1))
	return dir, s, spec
}

// store appends rows and commits them at sequence seq.
func store(t *testing.T, s *Store, seq uint64, rows ...Row) {
	t.Helper()
	if _, err := s.Append(rows...); err != nil {
		t.Fatalf("Append: %v", err)
	}
	if err := s.Commit(Position{Created: accepted(0), Sequence: seq}); err != nil {
		t.Fatalf("Commit: %v", err)
	}
}

func put(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

func add(t *testing.T, s *Store, rows ...Row) {
	t.Helper()
	if _, err := s.Append(rows...); err != nil {
		t.Fatal(err)
	}
}

func sweep(t *testing.T, s *Store) {
	t.Helper()
	if err := s.Sweep(); err != nil {
		t.Fatal(err)
	}
}

func shut(t *testing.T, c io.Closer) {
	t.Helper()
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
}
