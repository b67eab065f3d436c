package study_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"apollo/events"
	"apollo/services/study"
)

// Letters about lost work items do not stay for ever, and come again when an
// owner starts anew: neither makes a run pause twice for one item, nor miss the
// next one.
func TestALostItemPausesOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testSpec(nil), study.Knowledge{})
	w.appendNext()
	paused := func(item uint64) {
		t.Helper()
		w.appendNext()
		state, _ := w.machine.State()
		e, ok := w.log[len(w.log)-1].(events.StudyPaused)
		if state != study.Paused || !ok || e.Batch == nil || *e.Batch != 1 || e.Item != item {
			t.Fatalf("State() = %s after %+v, want paused for item %d of batch 1", state, e, item)
		}
	}
	runs := func() {
		t.Helper()
		w.appendNext()
		if state, reason := w.machine.State(); state != study.Running {
			t.Fatalf("State() = %s (%s), want running", state, reason)
		}
	}
	resume := func(id string) { w.append(events.StudyResumed{Study: "sim", Run: "r1", Command: id}) }

	w.machine.Lost(1, 7, "why")
	paused(7)
	resume("a")
	runs()
	// Both letters are there at the next start: the first one is known.
	w.restart()
	w.machine.Lost(1, 7, "why")
	runs()
	w.machine.Lost(1, 9, "why")
	paused(9)
	resume("b")
	// They have made room for others by now, and the third item is lost.
	w.restart()
	runs()
	w.machine.Lost(1, 12, "why")
	paused(12)
}

// A log of an earlier version names no items: its pauses are counted.
func TestALostItemOfAnEarlierVersion(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testSpec(nil), study.Knowledge{})
	w.appendNext()
	w.append(events.StudyPaused{Study: "sim", Run: "r1", Batch: new(1), Reason: "no evaluator could answer batch 1"})
	w.append(events.StudyResumed{Study: "sim", Run: "r1", Command: "a"})
	w.machine.Lost(1, 7, "why")
	w.appendNext()
	if state, reason := w.machine.State(); state != study.Running {
		t.Fatalf("State() = %s (%s): a pause of the log was said again", state, reason)
	}
	w.machine.Lost(1, 9, "why")
	w.appendNext()
	if state, _ := w.machine.State(); state != study.Paused {
		t.Errorf("State() = %s after a second item was lost, want paused", state)
	}
}

// What a pause is about waits for its cause to be mended: it has no work item while the
// run is paused, also after a restart, and has its next one once the run goes on or ends.
func TestALostItemWaitsForTheResume(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testSpec(nil), study.Knowledge{})
	w.appendNext()
	items := func() (ids []string) {
		for id := range w.machine.Outstanding {
			ids = append(ids, id)
		}
		return ids
	}
	want := func(when string, ids ...string) {
		t.Helper()
		if diff := cmp.Diff(ids, items()); diff != "" {
			t.Fatalf("%s: work items (-want +got):\n%s", when, diff)
		}
	}
	first, second, third := "work.sim.r1.0", "work.sim.r1.1", "work.sim.r1.2"
	want("at first", first, second, third)
	w.machine.Lost(1, 7, "why")
	w.appendNext()
	want("paused", first, third)
	w.restart()
	want("paused, after a restart", first, third)
	w.append(events.StudyResumed{Study: "sim", Run: "r1", Command: "a"})
	want("resumed", first, second+".1", third)
	w.append(events.StudyPaused{Study: "sim", Run: "r1", Command: "b"})
	want("paused by a user", first, second+".1", third)
	w.append(events.StudyResumed{Study: "sim", Run: "r1", Command: "c"})
	w.machine.Lost(1, 9, "why")
	w.appendNext()
	want("paused again", first, third)
	w.append(events.StudyStopping{Study: "sim", Run: "r1", Command: "d"})
	want("stopping", first, second+".2", third)
}

// However many items are lost, and whenever in a pause: one resume is enough.
func TestLostItemsNeedOneResume(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testSpec(nil), study.Knowledge{})
	w.appendNext()
	w.machine.Lost(0, 3, "why")
	w.machine.Lost(1, 7, "why")
	w.appendNext()
	w.machine.Lost(2, 8, "why")
	w.appendNext()
	if diff := cmp.Diff([]bool{false, true, true}, w.alreadyPaused()); diff != "" {
		t.Errorf("pauses (-want +got):\n%s", diff)
	}
	w.append(events.StudyResumed{Study: "sim", Run: "r1", Command: "a"})
	w.appendNext()
	if state, reason := w.machine.State(); state != study.Running {
		t.Errorf("State() = %s (%s) after the resume, want running", state, reason)
	}
	var items []string
	for id := range w.machine.Outstanding {
		items = append(items, id)
	}
	if diff := cmp.Diff([]string{"work.sim.r1.0.1", "work.sim.r1.1.1", "work.sim.r1.2.1"}, items); diff != "" {
		t.Errorf("work items (-want +got):\n%s", diff)
	}
}

// A user's own pause says nothing of lost items: the first of them is told, also to those
// who are told of what was not told already.
func TestALostItemInAUsersPauseIsTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testSpec(nil), study.Knowledge{})
	w.appendNext()
	w.append(events.StudyPaused{Study: "sim", Run: "r1", Command: "a"})
	w.machine.Lost(0, 3, "why")
	w.machine.Lost(1, 7, "why")
	w.appendNext()
	if diff := cmp.Diff([]bool{false, false, true}, w.alreadyPaused()); diff != "" {
		t.Errorf("pauses (-want +got):\n%s", diff)
	}
}

// alreadyPaused says of each pause of the log whether one for a lost item was before it.
func (w *world) alreadyPaused() (already []bool) {
	for _, e := range w.log {
		if e, ok := e.(events.StudyPaused); ok {
			already = append(already, e.Already)
		}
	}
	return already
}
