package proposer

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"testing"
	"time"

	"apollo/events"
	"apollo/services/messages"
)

// readBus has the accepted events of one study, and counts the reads of its log and the
// messages that they gave.
type readBus struct {
	events.Bus
	runs        []string
	reads, read int
	// meanwhile happens in the middle of a read.
	meanwhile func()
}

type readLog struct {
	events.Log
	*readBus
}

func (b *readBus) Log() events.Log { return readLog{readBus: b} }

func (b *readBus) Subjects(context.Context, string) (subjects []string, err error) {
	for _, run := range b.runs {
		subjects = append(subjects, events.StudySubject("a", run, "accepted"))
	}
	return subjects, nil
}

func (b readLog) Read(_ context.Context, _ uint64, filters ...string) iter.Seq2[events.Message, error] {
	b.reads++
	return func(yield func(events.Message, error) bool) {
		if b.meanwhile != nil {
			b.meanwhile()
		}
		for i, run := range b.runs {
			subject := events.StudySubject("a", run, "accepted")
			if !slices.ContainsFunc(filters, func(f string) bool { return events.Overlap(f, subject) }) {
				continue
			}
			b.read++
			data, err := events.Encode(subject, "test", "a", time.Unix(1, 0), events.StudyAccepted{Study: "a", Run: run, Owner: "ada"})
			if !yield(events.Message{Subject: subject, Seq: uint64(i + 1), Data: data}, err) {
				return
			}
		}
	}
}

// However many runs of a study are not known, its log is read once; what is known is not
// read again, and what was removed is forgotten.
func TestRunsAreReadAtOnce(t *testing.T) {
	t.Parallel()
	var a acceptedRuns
	bus := &readBus{}
	for i := range 100 {
		bus.runs = append(bus.runs, fmt.Sprintf("%08x", i))
	}
	look := func(runs, reads, read int) {
		t.Helper()
		bus.reads, bus.read = 0, 0
		got, err := a.of(t.Context(), bus, "a")
		if err != nil || len(got) != runs || got[0].owner != "ada" || !slices.IsSortedFunc(got, func(x, y acceptedRun) int { return int(x.seq) - int(y.seq) }) {
			t.Fatalf("%d runs (%v), want %d in order", len(got), err, runs)
		}
		if bus.reads != reads || bus.read != read {
			t.Errorf("%d reads of %d events, want %d of %d", bus.reads, bus.read, reads, read)
		}
	}
	look(100, 1, 100)
	look(100, 0, 0)
	bus.runs = append(bus.runs, "0000aaaa", "0000bbbb")
	look(102, 1, 2)
	a.drop(messages.RunKey{Study: "a", Run: "0000bbbb"})
	a.drop(messages.RunKey{Study: "b", Run: "0000bbbb"})
	if a.n != 101 {
		t.Errorf("%d runs are kept, want 101", a.n)
	}
	look(102, 1, 1)
	bus.runs = bus.runs[:1] // the others were removed while nobody listened
	look(1, 0, 0)
	a.drop(messages.RunKey{Study: "a", Run: bus.runs[0]})
	if a.n != 0 || len(a.known) != 0 {
		t.Errorf("%d runs of %d studies are kept, want none", a.n, len(a.known))
	}
}

// A run that is removed while the runs of its study are read is not kept.
func TestRemovedWhileRead(t *testing.T) {
	t.Parallel()
	var a acceptedRuns
	bus := &readBus{runs: []string{"0000aaaa", "0000bbbb"}}
	bus.meanwhile = func() { a.drop(messages.RunKey{Study: "a", Run: "0000aaaa"}) }
	if _, err := a.of(t.Context(), bus, "a"); err != nil {
		t.Fatal(err)
	}
	if a.n != 0 || len(a.known["a"]) != 0 {
		t.Errorf("kept: %v", a.known)
	}
	bus.meanwhile = nil
	if _, err := a.of(t.Context(), bus, "a"); err != nil || a.n != 2 {
		t.Errorf("%d runs are kept (%v), want 2", a.n, err)
	}
}

// Of a study with more runs than are kept, the newest are.
func TestOneStudyIsBounded(t *testing.T) {
	t.Parallel()
	var a acceptedRuns
	runs := make([]acceptedRun, keptRuns+2)
	for i := range runs {
		runs[i] = acceptedRun{key: messages.RunKey{Study: "a", Run: fmt.Sprintf("%08x", i)}, seq: uint64(i + 1)}
	}
	a.keep("a", runs, 0)
	a.keep("a", runs, 0)
	if _, oldest := a.known["a"]["00000001"]; a.n != keptRuns || len(a.known["a"]) != keptRuns || oldest {
		t.Errorf("%d runs are kept (the second one: %t), want the newest %d", len(a.known["a"]), oldest, keptRuns)
	}
}
