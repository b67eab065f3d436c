package bench_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"apollo/events"
	"apollo/lab/bench"
)

// at is a toy whose answer is known with a design.
func at(name string, best float64, x, y, z float64) *bench.Task {
	t := toyTask(name, bench.Test, best)
	t.Known = func(context.Context) (bench.Known, error) {
		return bench.Known{Best: best, Design: events.Design{{Num: x}, {Num: y}, {Num: z}}, Proven: true}, nil
	}
	return &t
}

// Two tasks that are nearly optimal on each other's best design are twins; one
// that is not feasible there, or much worse, is none.
func TestTwinsAreLeftOut(t *testing.T) {
	t.Parallel()
	first, near, far := at("first", 100, 7, 3, 0), at("near", 100, 7, 3, 1), at("far", 100, 0, 3, 0)
	broken := at("broken", 100, 5, 0, 0) // cannot run: x+2y is a multiple of 5
	learning := func(task *bench.Task, from ...*bench.Task) *bench.Task {
		out := *task
		for _, f := range from {
			out.From = append(out.From, bench.Origin{Suite: "toys", Task: f})
		}
		return &out
	}
	tasks := []*bench.Task{learning(first, near, far, broken), learning(near, first), learning(far, first), at("alone", 1, 7, 3, 0)}
	kept, twins, err := bench.LeaveTwins(t.Context(), tasks, 0.02)
	if err != nil {
		t.Fatal(err)
	}
	want := []bench.Twin{{Task: "first", Source: "near", Regret: 0.01, Back: 0}, {Task: "near", Source: "first", Regret: 0, Back: 0.01}}
	if d := cmp.Diff(want, twins); d != "" {
		t.Errorf("twins (-want +got):\n%s", d)
	}
	var got []string
	for _, k := range kept {
		names := []string{k.Name}
		for _, f := range k.From {
			names = append(names, f.Task.Name)
		}
		got = append(got, strings.Join(names, " "))
	}
	if d := cmp.Diff([]string{"first far broken", "far first", "alone"}, got); d != "" {
		t.Errorf("tasks with their sources (-want +got):\n%s", d)
	}
	if len(tasks[0].From) != 3 {
		t.Error("the suite's own task was changed")
	}
	if text := twins[0].String(); !strings.Contains(text, "first learns nothing of near") || !strings.Contains(text, "1 and 0 %") {
		t.Errorf("String() = %q", text)
	}
	if kept, twins, err := bench.LeaveTwins(t.Context(), tasks, 0); err != nil || len(twins) > 0 || len(kept) != len(tasks) {
		t.Errorf("within 0: %d tasks, %v, %v; want all, none, nil", len(kept), twins, err)
	}
}

func TestTwinsNeedAnswers(t *testing.T) {
	t.Parallel()
	lost := errors.New("lost")
	unknown, other := at("unknown", 1, 7, 3, 0), at("other", 1, 7, 3, 0)
	unknown.Known = func(context.Context) (bench.Known, error) { return bench.Known{}, lost }
	unknown.From = []bench.Origin{{Task: other}}
	if _, _, err := bench.LeaveTwins(t.Context(), []*bench.Task{unknown}, 0.1); !errors.Is(err, lost) {
		t.Errorf("LeaveTwins() = %v, want that the answer is lost", err)
	}
	unknown.Known = func(context.Context) (bench.Known, error) { return bench.Known{Best: 1}, nil }
	if _, twins, err := bench.LeaveTwins(t.Context(), []*bench.Task{unknown}, 0.1); err != nil || len(twins) > 0 {
		t.Errorf("without a design: %v, %v; want no twins", twins, err)
	}
}
