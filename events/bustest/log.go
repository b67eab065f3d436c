package bustest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"
	"testing"
	"time"

	"apollo/events"
)

func testAppend(t *testing.T, factory Factory) {
	b := simple(t, factory)
	m := entry("demo", 1)
	m.Header = map[string]string{"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
	first, err := b.Log().Append(t.Context(), m, events.Fence{})
	must(t, err)
	again, err := b.Log().Append(t.Context(), m, events.Fence{})
	must(t, err)
	if again != first {
		t.Errorf("appended again: sequence %d, want %d", again, first)
	}
	second, err := b.Log().Append(t.Context(), entry("demo", 2), events.Fence{})
	must(t, err)
	if second <= first {
		t.Errorf("second sequence %d is not behind %d", second, first)
	}
	for got, err := range b.Log().Read(t.Context(), first, m.Subject) {
		must(t, err)
		if got.Subject != m.Subject || got.Seq != first || got.ID != m.ID || !bytes.Equal(got.Data, m.Data) || got.Time.IsZero() {
			t.Errorf("read %+v, want what was appended", got)
		}
		if got.Header["traceparent"] != m.Header["traceparent"] || len(got.Header) != 1 {
			t.Errorf("header %v, want %v", got.Header, m.Header)
		}
		break
	}
}

// testAppendUsedID appends under an ID that another subject used up, and under that of a
// message which is gone: what the bus says is stored is there.
func testAppendUsedID(t *testing.T, factory Factory) {
	b := simple(t, factory)
	appendAll(t, b, msg(events.RejectedSubject("mine"), "id", "mine"))
	other := msg(events.RejectedSubject("other"), "id", "other")
	stored := func(when string, want ...string) {
		t.Helper()
		seq, err := b.Log().Append(t.Context(), other, events.Fence{})
		must(t, err)
		wantTexts(t, when, texts(t, b.Log().Read(t.Context(), 1, other.Subject)), want...)
		for m, err := range b.Log().Read(t.Context(), seq, other.Subject) {
			must(t, err)
			if m.Seq != seq {
				t.Errorf("%s: it is said to be at %d, and is at %d", when, seq, m.Seq)
			}
			break
		}
	}
	stored("an ID of another subject", "other")
	stored("the same once more", "other")
	other.ID = "id of its own"
	other.Data = []byte("its own")
	stored("an ID of its own", "other", "its own")
	stored("again", "other", "its own")
	must(t, b.Purge(t.Context(), other.Subject))
	stored("after it was removed", "its own")
}

func testFence(t *testing.T, factory Factory) {
	client, _, first := provisioned(t, factory, Options{})
	a, b := first, client("second")
	filter := events.RunFilter("demo", "0a1b2c3d")
	one, err := a.Log().Append(t.Context(), entry("demo", 1), events.Fence{Filter: filter})
	must(t, err)
	_, err = b.Log().Append(t.Context(), entry("demo", 2), events.Fence{Filter: filter})
	wantErr(t, "a second owner's first append", err, events.ErrFenced)
	appendAll(t, a, entry("other", 1)) // another run does not move this fence
	started := msg(events.StudySubject("demo", "0a1b2c3d", "started"), "demo/started", "x")
	two, err := b.Log().Append(t.Context(), started, events.Fence{Filter: filter, Last: one})
	must(t, err)
	_, err = a.Log().Append(t.Context(), entry("demo", 3), events.Fence{Filter: filter, Last: one})
	wantErr(t, "the first owner's stale append", err, events.ErrFenced)
	_, err = a.Log().Append(t.Context(), entry("demo", 3), events.Fence{Filter: filter, Last: two})
	must(t, err)
	wantTexts(t, "log", texts(t, a.Log().Read(t.Context(), 1, filter)), "demo 1", "x", "demo 3")
	before := uint64(0)
	for m, err := range a.Log().Read(t.Context(), 1, filter) {
		must(t, err)
		if m.After == nil || *m.After != before {
			t.Errorf("the event at %d does not name the one before it, %d: %v", m.Seq, before, m.After)
		}
		before = m.Seq
	}
	racers(t, client, filter)
}

// racers lets several owners append at once: one of them wins each round.
func racers(t *testing.T, client func(string) Bus, filter string) {
	t.Helper()
	info, err := client("reader").Log().Info(t.Context(), filter)
	must(t, err)
	const owners = 8
	var mu sync.Mutex
	var won int
	var wg sync.WaitGroup
	for i := range owners {
		c := client(fmt.Sprint("racer", i))
		wg.Go(func() {
			_, err := c.Log().Append(t.Context(), entry("demo", 100+i), events.Fence{Filter: filter, Last: info.Last})
			if err == nil {
				mu.Lock()
				won++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if won != 1 {
		t.Errorf("%d owners passed the same fence, want 1", won)
	}
}

func testFenceLostAck(t *testing.T, factory Factory) {
	b := simple(t, factory)
	filter := events.RunFilter("demo", "0a1b2c3d")
	fence := events.Fence{Filter: filter}
	first, err := b.Log().Append(t.Context(), entry("demo", 1), fence)
	must(t, err)
	// The writer never learned of it: the same append with the same fence.
	again, err := b.Log().Append(t.Context(), entry("demo", 1), fence)
	must(t, err)
	if again != first {
		t.Errorf("the repeated append has sequence %d, want %d", again, first)
	}
	wantTexts(t, "log", texts(t, b.Log().Read(t.Context(), 1, filter)), "demo 1")
}

func testOnce(t *testing.T, factory Factory) {
	client, _, b := provisioned(t, factory, Options{})
	subject := events.ResultSubject("edge", "demo", "0a1b2c3d", 7)
	seq, err := b.Facts().Record(t.Context(), msg(subject, "first", "first"))
	must(t, err)
	_, err = b.Facts().Record(t.Context(), msg(subject, "second", "second"))
	wantErr(t, "another answer", err, events.ErrExists)
	_, err = b.Facts().Record(t.Context(), msg(subject, "first", "first"))
	wantErr(t, "the same answer", err, events.ErrExists)
	_, err = b.Facts().Record(t.Context(), msg(events.ResultSubject("edge", "demo", "0a1b2c3d", 8), "third", "third"))
	must(t, err)

	var wg sync.WaitGroup
	for i := range 4 {
		c := client(fmt.Sprint("worker", i))
		wg.Go(func() {
			for batch := range 20 {
				s := events.ResultSubject("edge", "race", "0a1b2c3d", batch)
				_, _ = c.Facts().Record(t.Context(), msg(s, fmt.Sprint(i, s), s))
			}
		})
	}
	wg.Wait()
	got := texts(t, b.Facts().Read(t.Context(), seq, "result.*.race.*.*"))
	distinct := map[string]bool{}
	for _, s := range got {
		distinct[s] = true
	}
	if len(got) != 20 || len(distinct) != 20 {
		t.Errorf("%d facts on %d subjects, want 20 on 20", len(got), len(distinct))
	}
}

// testOnceKnownID records facts under IDs that the stream has seen: for another
// subject, and for one whose message is gone.
func testOnceKnownID(t *testing.T, factory Factory) {
	b := simple(t, factory)
	result := func(batch int) string { return events.ResultSubject("edge", "demo", "0a1b2c3d", batch) }
	_, err := b.Facts().Record(t.Context(), msg(result(0), "shared", "first"))
	must(t, err)
	_, err = b.Facts().Record(t.Context(), msg(result(1), "shared", "second"))
	must(t, err)
	_, err = b.Facts().Record(t.Context(), msg(result(1), "shared", "again"))
	wantErr(t, "a fact that is there, under a known id", err, events.ErrExists)
	wantTexts(t, "facts", texts(t, b.Facts().Read(t.Context(), 1, "result.>")), "first", "second")
	must(t, b.Purge(t.Context(), result(0)))
	_, err = b.Facts().Record(t.Context(), msg(result(0), "shared", "anew"))
	must(t, err)
	// A server that lags behind yields for a moment what is purged.
	eventually(t, "the purged fact is gone", func() bool {
		return slices.Equal(texts(t, b.Facts().Read(t.Context(), 1, "result.>")), []string{"second", "anew"})
	})
}

func testRead(t *testing.T, factory Factory) {
	b := simple(t, factory)
	all := events.RunFilter("*", "*")
	wantTexts(t, "an empty stream", texts(t, b.Log().Read(t.Context(), 1, all)))
	const n = 700 // more than any bus reads at once
	var want []string
	var seqs []uint64
	for i := range n {
		m := entry("demo", i)
		seq, err := b.Log().Append(t.Context(), m, events.Fence{})
		must(t, err)
		want, seqs = append(want, string(m.Data)), append(seqs, seq)
	}
	wantTexts(t, "read from 1", texts(t, b.Log().Read(t.Context(), 1, all)), want...)
	wantTexts(t, "read from 0", texts(t, b.Log().Read(t.Context(), 0, all)), want...)
	wantTexts(t, "read from the middle", texts(t, b.Log().Read(t.Context(), seqs[300], all)), want[300:]...)
	wantTexts(t, "read the last", texts(t, b.Log().Read(t.Context(), seqs[n-1], all)), want[n-1])
	wantTexts(t, "read beyond the end", texts(t, b.Log().Read(t.Context(), seqs[n-1]+50, all)))
	wantTexts(t, "a filter without a match", texts(t, b.Log().Read(t.Context(), 1, events.RunFilter("nobody", "*"))))
	var last uint64
	for m, err := range b.Log().Read(t.Context(), 1, all) {
		must(t, err)
		if m.Seq <= last {
			t.Fatalf("sequence %d after %d", m.Seq, last)
		}
		if last = m.Seq; last == seqs[10] {
			break // an early end must not hang or leak
		}
	}
}

// testReadEnd stores messages while Read runs: it ends at what was stored
// when it was called.
func testReadEnd(t *testing.T, factory Factory) {
	b := simple(t, factory)
	for i := range 10 {
		appendAll(t, b, entry("demo", i))
	}
	n := 0
	for m, err := range b.Log().Read(t.Context(), 1, events.RunFilter("demo", "*")) {
		must(t, err)
		if want := fmt.Sprint("demo ", n); string(m.Data) != want {
			t.Fatalf("read %q, want %q", m.Data, want)
		}
		n++
		appendAll(t, b, entry("demo", 100+n))
	}
	if n != 10 {
		t.Errorf("read %d messages, want the 10 that were stored", n)
	}
}

func testFollow(t *testing.T, factory Factory) {
	client, _, b := provisioned(t, factory, Options{})
	const stored, later = 300, 300
	for i := range stored {
		appendAll(t, b, entry("demo", i))
	}
	ctx, stop := context.WithCancel(impatient(t))
	defer stop()
	writer := client("writer")
	var wg sync.WaitGroup
	defer wg.Wait()
	n := 0
	for m, err := range b.Log().Follow(ctx, 1, events.RunFilter("demo", "*")) {
		must(t, err)
		if want := fmt.Sprint("demo ", n); string(m.Data) != want {
			t.Fatalf("message %d is %q, want %q", n, m.Data, want)
		}
		if n++; n == stored/2 {
			wg.Go(func() {
				for i := stored; i < stored+later; i++ {
					_, _ = writer.Log().Append(ctx, entry("other", i), events.Fence{})
					_, _ = writer.Log().Append(ctx, entry("demo", i), events.Fence{})
				}
			})
		}
		if n == stored+later {
			stop()
		}
	}
	if n != stored+later {
		t.Errorf("followed %d messages, want %d", n, stored+later)
	}
}

// testStrides follows in strides: between two of them it is told how much is left, and what
// is stored while it rests comes with a later one. The copy that answers may lag behind what
// is stored: it may know of less, and never of more.
func testStrides(t *testing.T, factory Factory) {
	b := simple(t, factory)
	const stored, rests = 1200, 3
	for i := range stored {
		appendAll(t, b, entry("demo", i))
	}
	ctx := impatient(t)
	n, dry := 0, 0
	rest := func(_ context.Context, left uint64) error {
		missing := stored + dry - n
		if left > uint64(missing) {
			t.Errorf("rested after %d messages with %d left, want %d", n, left, missing)
		}
		switch {
		case left > 0:
			return nil
		case missing > 0:
			select {
			case <-ctx.Done():
			case <-time.After(10 * time.Millisecond):
			}
			return ctx.Err()
		}
		if dry++; dry > rests {
			return errors.New("enough")
		}
		appendAll(t, b, entry("other", n), entry("demo", n)) //nolint:contextcheck // it has the test's own
		return nil
	}
	for m, err := range b.Log().FollowInStrides(ctx, 1, rest, events.RunFilter("demo", "*")) {
		must(t, err)
		if want := fmt.Sprint("demo ", n); string(m.Data) != want {
			t.Fatalf("message %d is %q, want %q", n, m.Data, want)
		}
		n++
	}
	if n != stored+rests || dry != rests+1 {
		t.Errorf("%d messages and %d rests, want %d and %d", n, dry, stored+rests, rests+1)
	}
}

// testFollowEarly follows from a sequence that is not stored yet.
func testFollowEarly(t *testing.T, factory Factory) {
	b := simple(t, factory)
	appendAll(t, b, entry("demo", 1))
	info, err := b.Log().Info(t.Context(), events.RunFilter("*", "*"))
	must(t, err)
	ctx, stop := context.WithCancel(impatient(t))
	defer stop()
	next, done := iter.Pull2(b.Log().Follow(ctx, info.Last+3, events.RunFilter("*", "*")))
	defer done()
	appendAll(t, b, entry("demo", 2), entry("demo", 3), entry("demo", 4), entry("demo", 5))
	for i := range 2 {
		m, err, ok := next()
		if !ok || err != nil {
			t.Fatalf("message %d: %v, %v", i, err, ok)
		}
		wantTexts(t, "followed", []string{string(m.Data)}, fmt.Sprint("demo ", 4+i))
	}
}

// testCancel ends iterators through their context: Follow without an error.
func testCancel(t *testing.T, factory Factory) {
	b := simple(t, factory)
	appendAll(t, b, entry("demo", 1))
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	for _, err := range b.Log().Follow(ctx, 1, events.RunFilter("demo", "*")) {
		must(t, err)
		stop()
	}
	for _, err := range b.Log().Follow(ctx, 1, events.RunFilter("demo", "*")) {
		t.Fatalf("a follow with a context that is done yields, error %v", err)
	}
	wantErr(t, "ready", b.Ready(ctx), context.Canceled)
	_, err := b.Log().Append(ctx, entry("demo", 2), events.Fence{})
	wantErr(t, "append", err, context.Canceled)
	var last error
	for _, err := range b.Log().Read(ctx, 1, events.RunFilter("demo", "*")) {
		last = err
	}
	wantErr(t, "read", last, context.Canceled)
}

func testFilters(t *testing.T, factory Factory) {
	b := simple(t, factory)
	appendAll(t, b, entry("one", 1), entry("two", 2), entry("three", 3),
		msg(events.RejectedSubject("one"), "r", "rejected"), entry("one", 4))
	got := texts(t, b.Log().Read(t.Context(), 1, events.RunFilter("one", "*"), events.RunFilter("three", "*"), "rejected.*"))
	wantTexts(t, "three filters", got, "one 1", "three 3", "rejected", "one 4")
	got = texts(t, b.Log().Read(t.Context(), 1, "study.>", "rejected.>"))
	wantTexts(t, "the whole log", got, "one 1", "two 2", "three 3", "rejected", "one 4")
	ctx, stop := context.WithCancel(impatient(t))
	defer stop()
	got = nil
	for m, err := range b.Log().Follow(ctx, 2, events.RunFilter("two", "*"), "rejected.*") {
		must(t, err)
		if got = append(got, string(m.Data)); len(got) == 2 {
			break
		}
	}
	wantTexts(t, "followed", got, "two 2", "rejected")
	for _, err := range b.Log().Read(t.Context(), 1, "study.>", "result.>") {
		if err == nil {
			t.Fatal("a read over two streams yields")
		}
		return
	}
	t.Fatal("a read over two streams ends without an error")
}

func testPurge(t *testing.T, factory Factory) {
	b := simple(t, factory)
	appendAll(t, b, entry("keep", 1), entry("drop", 2), entry("keep", 3), entry("drop", 4), entry("drop", 5))
	must(t, b.Purge(t.Context(), events.RunFilter("drop", "*")))
	// A server that lags behind yields for a moment what is purged.
	soon := func(what, filter string, want ...string) {
		t.Helper()
		eventually(t, what, func() bool { return slices.Equal(texts(t, b.Log().Read(t.Context(), 1, filter)), want) })
	}
	soon("after the purge", events.RunFilter("*", "*"), "keep 1", "keep 3")
	soon("the purged", events.RunFilter("drop", "*"))
	// The fence of a purged run starts anew; sequences are not used again.
	seq, err := b.Log().Append(t.Context(), entry("drop", 6), events.Fence{Filter: events.RunFilter("drop", "0a1b2c3d")})
	must(t, err)
	if seq != 6 {
		t.Errorf("sequence after the purge %d, want 6", seq)
	}
	// A purge does not clear IDs: an owner's attempt that comes late does not bring back what it said.
	_, err = b.Log().Append(t.Context(), entry("drop", 5), events.Fence{Filter: events.RunFilter("drop", "0a1b2c3d"), Last: seq})
	must(t, err)
	soon("a purged ID again", events.RunFilter("drop", "*"), "drop 6")
	appendAll(t, b, entry("drop", 7), entry("keep", 8))
	must(t, b.PurgeThrough(t.Context(), events.RunFilter("drop", "*"), 6))
	soon("after the purge up to a sequence", events.RunFilter("*", "*"), "keep 1", "keep 3", "drop 7", "keep 8")
}

func testInfo(t *testing.T, factory Factory) {
	b := simple(t, factory)
	filter := events.RunFilter("*", "*")
	info, err := b.Log().Info(t.Context(), filter)
	must(t, err)
	if info.Last != 0 || info.Messages != 0 || info.Created.IsZero() || info.MaxBytes == 0 {
		t.Errorf("info of an empty stream %+v", info)
	}
	appendAll(t, b, entry("a", 1), entry("b", 2), entry("c", 3))
	must(t, b.Purge(t.Context(), events.RunFilter("a", "*")))
	after, err := b.Facts().Info(t.Context(), filter)
	must(t, err)
	if after.First != 2 || after.Last != 3 || after.Messages != 2 || after.Bytes == 0 || !after.Created.Equal(info.Created) {
		t.Errorf("info %+v, want 2 messages from 2 to 3", after)
	}
	if _, err := b.Log().Info(t.Context(), "nothing.here"); err == nil {
		t.Error("info of a subject outside the topology has no error")
	}
}
