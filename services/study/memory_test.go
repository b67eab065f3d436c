package study_test

import (
	"runtime"
	"testing"

	"apollo/events"
	"apollo/optimizer"
	"apollo/services/study"
)

// What a trial takes of the proposer's memory once it has been told is bounded:
// ten million of them fit into a process. Random search remembers what it has
// proposed, as every strategy does that never proposes twice.
func TestMemoryOfATrial(t *testing.T) {
	for _, batch := range []int{1, 256} {
		memoryOfATrial(t, batch)
	}
}

func memoryOfATrial(t *testing.T, batch int) {
	t.Helper()
	const trials, most = 50_000, 300
	levels := make([]float64, 1000)
	for i := range levels {
		levels[i] = float64(i)
	}
	spec := testSpec(func(s *events.Spec) {
		s.Parameters = []events.Parameter{{Name: "x", Values: levels}, {Name: "y", Values: levels}, {Name: "flow", Labels: []string{"ws", "os", "is"}}}
		s.Constraints, s.Algorithm.Name = nil, "random"
		s.Budget = events.Budget{Trials: trials, Batch: batch, Parallelism: 4, Lag: 4}
	})
	algorithm, err := optimizer.New(spec.Algorithm.Name, nil)
	if err != nil {
		t.Fatal(err)
	}
	before := heap()
	m, err := study.New(study.Config{Spec: spec, Run: "r1", Algorithm: algorithm})
	if err != nil {
		t.Fatal(err)
	}
	fold := func(e events.Payload) {
		if err := m.Fold(e); err != nil {
			t.Fatal(err)
		}
	}
	fold(events.StudyAccepted{Study: spec.Study, Run: "r1", Command: "c1", Spec: *spec})
	fold(events.StudyStarted{Study: spec.Study, Run: "r1"})
	for seq := uint64(1); ; {
		e, err := m.Next()
		if err != nil {
			t.Fatal(err)
		}
		if e != nil {
			fold(e)
		}
		var batches []int
		for _, b := range m.Outstanding {
			batches = append(batches, b)
		}
		for _, b := range batches {
			m.Result(seq, toy{}.answer(m.Work(b)))
			seq++
		}
		if state, why := m.State(); state.Terminal() {
			if n := m.Summary().Trials; state != study.Completed || n != trials {
				t.Fatalf("%s (%s) with %d trials", state, why, n)
			}
			break
		}
	}
	each := float64(heap()-before) / trials
	t.Logf("%.0f bytes a trial in batches of %d", each, batch)
	if each > most || each < 1 {
		t.Errorf("a trial in batches of %d takes %.0f bytes of memory, want at most %d", batch, each, most)
	}
	runtime.KeepAlive(m)
}

// heap is what is in use once nothing is left to collect.
func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return s.HeapAlloc
}
