package bustest

import (
	"bytes"
	"context"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"apollo/events"
)

func testNotices(t *testing.T, factory Factory) {
	client, _, b := provisioned(t, factory, Options{})
	ctx, stop := context.WithCancel(impatient(t))
	defer stop()
	notices := client("listener").Notices(ctx, events.ProgressSubject("demo", "*"))
	// In a cluster the other servers hear a moment later that somebody listens, and
	// drop what comes before: call until one call arrives.
	heard, found := context.WithCancel(ctx)
	var caller sync.WaitGroup
	defer caller.Wait()
	defer found()
	caller.Go(func() {
		for heard.Err() == nil {
			if err := b.Notify(ctx, events.ProgressSubject("demo", "call"), nil); err != nil && ctx.Err() == nil {
				t.Errorf("notify: %v", err)
			}
			select {
			case <-heard.Done():
			case <-time.After(10 * time.Millisecond):
			}
		}
	})
	var got []string
	for m, err := range notices {
		must(t, err)
		switch m.Subject {
		case events.ProgressSubject("demo", "r"):
			got = append(got, string(m.Data))
		case events.ProgressSubject("demo", "call"):
			if heard.Err() != nil {
				continue
			}
			found()
			must(t, b.Notify(ctx, events.ProgressSubject("other", "r"), []byte("no")))
			must(t, b.Notify(ctx, events.ProgressSubject("demo", "r"), []byte("1")))
			must(t, b.Notify(ctx, events.ProgressSubject("demo", "r"), []byte("2")))
		default:
			t.Errorf("notice on %s", m.Subject)
		}
		if len(got) == 2 {
			stop()
		}
	}
	wantTexts(t, "notices", got, "1", "2")
}

func testLarge(t *testing.T, factory Factory) {
	b := simple(t, factory)
	const near, over = 900 << 10, 1<<20 + 1<<19
	subject := events.ArchiveSubject("demo", "0a1b2c3d", "part")
	big := events.Message{Subject: subject, ID: "near", Data: bytes.Repeat([]byte("x"), near)}
	appendAll(t, b, big)
	for m, err := range b.Log().Read(t.Context(), 1, subject) {
		must(t, err)
		if len(m.Data) != near {
			t.Errorf("read %d bytes, want %d", len(m.Data), near)
		}
	}
	_, err := b.Log().Append(t.Context(), events.Message{Subject: subject, ID: "over", Data: make([]byte, over)}, events.Fence{})
	wantErr(t, "a message over the stream's bound", err, events.ErrTooLarge)
	if n := b.MaxPayload(); n < near || n > events.MaxEventBytes {
		t.Errorf("the bus carries %d bytes", n)
	}
	// The one that is as large as it says fits; one more byte does not.
	subject = events.StudySubject("demo", "0a1b2c3d", "proposed")
	room := events.MessageRoom(b.MaxPayload())
	appendAll(t, b, events.Message{Subject: subject, ID: "largest", Data: make([]byte, room)})
	_, err = b.Log().Append(t.Context(), events.Message{Subject: subject, ID: "larger", Data: make([]byte, b.MaxPayload()+1)}, events.Fence{})
	wantErr(t, "a message over the bus's bound", err, events.ErrTooLarge)
}

// testRing fills a stream that makes room: by subject and as a whole.
func testRing(t *testing.T, factory Factory) {
	topology := events.Topology()
	for i := range topology {
		if topology[i].Ring {
			topology[i].MaxBytes, topology[i].MaxPerSubject = 1<<20, 4
		}
	}
	_, _, b := provisioned(t, factory, Options{Topology: topology})
	held := func(filter string) (ids []string) {
		for m, err := range b.Log().Read(t.Context(), 0, filter) {
			must(t, err)
			ids = append(ids, m.ID)
		}
		return ids
	}
	quiet, loud := events.DeadLetterSubject("queue", "quiet"), events.DeadLetterSubject("proposer", "unknown")
	appendAll(t, b, msg(quiet, "q", "x"))
	for i := range 20 {
		appendAll(t, b, msg(loud, "l"+strconv.Itoa(i), string(make([]byte, 100<<10))))
	}
	// A server that lags behind yields for a moment what made room.
	eventually(t, "the last letters of a flood are left", func() bool {
		return slices.Equal(held(loud), []string{"l16", "l17", "l18", "l19"})
	})
	wantTexts(t, "letters of others", held(quiet), "q")
	for i := range 12 {
		appendAll(t, b, msg(events.DeadLetterSubject("proposer", "s"+strconv.Itoa(i)), "s"+strconv.Itoa(i), string(make([]byte, 100<<10))))
	}
	// A server that lags behind yields what it still holds, and what comes while it
	// is read: together that may be more than a stream ever held.
	eventually(t, "a full stream holds the last ones alone", func() bool {
		got := held("dlq.*.*")
		return 0 < len(got) && len(got) <= 10 && got[len(got)-1] == "s11"
	})
}

func testFull(t *testing.T, factory Factory) {
	topology := events.Topology()
	for i := range topology {
		topology[i].MaxBytes = 64 << 10
		topology[i].MaxMsgSize = 32 << 10
	}
	_, _, b := provisioned(t, factory, Options{Topology: topology})
	data := string(make([]byte, 10<<10))
	var stored int
	var err error
	for ; err == nil && stored < 10; stored++ {
		_, err = b.Facts().Record(t.Context(), msg(events.ResultSubject("edge", "demo", "r", stored), strconv.Itoa(stored), data))
	}
	wantErr(t, "record into a full stream", err, events.ErrFull)
	if stored < 5 {
		t.Errorf("full after %d messages of 10 KiB in 64 KiB", stored-1)
	}
	_, err = b.Facts().Record(t.Context(), msg(events.ResultSubject("edge", "demo", "r", 0), "again", "x"))
	wantErr(t, "a recorded subject in a full stream", err, events.ErrExists)
	must(t, b.Purge(t.Context(), "result.*.demo.*.*"))
	_, err = b.Facts().Record(t.Context(), msg(events.ResultSubject("edge", "demo", "r", 99), "99", data))
	must(t, err)
}

func testNames(t *testing.T, factory Factory) {
	b := simple(t, factory)
	if err := b.ProvisionEvaluator(t.Context(), "Not.A>Name"); err == nil {
		t.Error("an evaluator's name that is no DNS label was accepted")
	}
	for _, subject := range []string{"", "nowhere", "study..a.b", "work.>", "study.a b.c.d", "study.*.x.y"} {
		if _, err := b.Log().Append(t.Context(), msg(subject, subject+"!", "x"), events.Fence{}); err == nil {
			t.Errorf("append to %q has no error", subject)
		}
	}
}
