package health

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"apollo/events"
	"apollo/events/membus"
)

// letterBox is a bus with dead letters.
type letterBox struct {
	counts map[string]uint64
	info   events.StreamInfo
}

func (b letterBox) Log() events.Log { return boxLog{info: b.info} }

func (b letterBox) Count(context.Context, string) (map[string]uint64, error) { return b.counts, nil }

type boxLog struct {
	events.Log
	info events.StreamInfo
}

func (l boxLog) Info(context.Context, string) (events.StreamInfo, error) { return l.info, nil }

// A letter that lies there is a warning; more and more of them, or so many that
// some are gone unseen, is bad.
func TestDoctorOnDeadLetters(t *testing.T) {
	t.Parallel()
	three := map[string]uint64{"dlq.proposer.demo": 1, "dlq.queue.demo": 2}
	for _, test := range []struct {
		name          string
		box           letterBox
		before        uint64
		ok, warning   bool
		text, notText string
	}{
		{"none", letterBox{info: events.StreamInfo{Last: 9}}, 9, true, false, "none", "dlq"},
		{"some", letterBox{counts: three, info: events.StreamInfo{Last: 9}}, 9, true, true, "proposer 1, queue 2", "came"},
		{"more come", letterBox{counts: three, info: events.StreamInfo{Last: 12}}, 9, false, false, "3 came while", "discarded"},
		{"the oldest go", letterBox{counts: map[string]uint64{"dlq.queue.demo": events.MaxDeadLetters}}, 0, false, false, "discarded", "came"},
		{"the stream is full", letterBox{counts: three, info: events.StreamInfo{Bytes: 9, MaxBytes: 10}}, 0, false, false, "discarded", "came"},
	} {
		f := Letters(t.Context(), test.box, test.before)
		if f.OK != test.ok || f.Warning != test.warning || !strings.Contains(f.Text, test.text) || strings.Contains(f.Text, test.notText) {
			t.Errorf("%s: %+v, want ok %v, warning %v and %q", test.name, f, test.ok, test.warning, test.text)
		}
	}
}

// A stream that fills up says when it is full, and one that does not says nothing.
func TestForecastOfAStream(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		bytes, most uint64
		age         time.Duration
		says        string
	}{
		{100, 300, 10 * time.Hour, "full in about 20 h"},
		{100, 1100, 24 * time.Hour, "full in about 10 days"},
		{100, 1100, time.Minute, ""},
		{0, 1100, 24 * time.Hour, ""},
		{100, 0, 24 * time.Hour, ""},
		{1, 1 << 40, 24 * time.Hour, ""},
	} {
		got := forecast(events.StreamInfo{Bytes: c.bytes, MaxBytes: c.most}, c.age)
		if (got == "") != (c.says == "") || !strings.Contains(got, c.says) {
			t.Errorf("%d of %d bytes in %s: %q, want %q", c.bytes, c.most, c.age, got, c.says)
		}
	}
}

// A stream whose copies lag behind, or are fewer than the cluster could have, is worth
// a look, and well all the same.
func TestCopiesOfAStream(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		copies, current, wanted int
		warning                 bool
		says                    string
	}{
		{0, 0, 0, false, "(50.0 %)"},
		{1, 1, 1, false, "(50.0 %)"},
		{3, 3, 3, false, ", 3 copies"},
		{3, 3, 1, false, ", 3 copies"},
		{3, 2, 3, true, ", 2 of 3 copies current"},
		{1, 1, 3, true, ", 1 of the 3 copies that the cluster has room for"},
	} {
		info := events.StreamInfo{Bytes: 5, MaxBytes: 10, Copies: c.copies, Current: c.current, Wanted: c.wanted}
		for _, f := range BusFindings(t.Context(), boxLog{info: info}) {
			if !f.OK || f.Warning != c.warning || !strings.HasSuffix(f.Text, c.says) || c.warning != (f.Hint != "") {
				t.Errorf("%+v: %+v, want a warning %t and %q", info, f, c.warning, c.says)
			}
		}
	}
}

// absentLog is a bus without streams.
type absentLog struct{ events.Log }

func (absentLog) Info(context.Context, string) (events.StreamInfo, error) {
	return events.StreamInfo{}, fmt.Errorf("info: %w: no such stream", events.ErrNoStream)
}

// A stream that nobody has made yet is called that: the bus can be reached.
func TestStreamThatIsNotThere(t *testing.T) {
	t.Parallel()
	for _, f := range BusFindings(t.Context(), absentLog{}) {
		if f.OK || f.Warning || f.Text != "not there: a proposer makes it when it starts" || !strings.Contains(f.Hint, "apollo serve proposer") {
			t.Errorf("%+v", f)
		}
	}
}

// The disk of an archiver is worth a look while little is left of it, or it fills up
// soon.
func TestDiskOfAnArchiver(t *testing.T) {
	t.Parallel()
	const gib = 1 << 30
	for name, c := range map[string]struct {
		free    uint64
		seconds *float64
		warning bool
		says    string
	}{
		"room":        {90 * gib, nil, false, "90 GiB of 100 GiB free in /srv"},
		"little room": {9 * gib, nil, true, "9 GiB of 100 GiB free"},
		"soon full":   {90 * gib, new(36000.0), true, "free in /srv, full in about 10 h at the pace of the last hours"},
		"full later":  {90 * gib, new(864000.0), false, "full in about 10 days at the pace of the last hours"},
	} {
		a := events.Archiving{Worker: "one", Dir: "/srv", Disk: &events.DiskRoom{FreeBytes: c.free, TotalBytes: 100 * gib, FullInSeconds: c.seconds}}
		all := Others([]events.Archiving{a}, nil, 0)
		if len(all) != 3 || all[1].Check != "disk of one" || !all[1].OK || all[1].Warning != c.warning || !strings.Contains(all[1].Text, c.says) {
			t.Errorf("%s: %+v, want a warning %t and %q", name, all, c.warning, c.says)
		}
	}
}

// lasting is a bus whose credentials run out.
type lasting struct {
	events.Bus
	ends map[string]events.Validity
}

func (l lasting) Expiries() map[string]events.Validity { return l.ends }

// Credentials are worth a look two weeks before they run out, and bad on the last day; a
// fifth and a twentieth of their life before it, where that is less.
func TestCredentialsThatRunOut(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)
	const year = 365 * 24 * time.Hour
	for _, c := range []struct {
		left, life  time.Duration
		ok, warning bool
		says        string
	}{
		{30 * 24 * time.Hour, year, true, false, "valid until 2026-06-03T03:02:01Z, for 30 days"},
		{10 * 24 * time.Hour, year, true, true, "for 10 days"},
		{30 * time.Hour, year, true, true, "runs out at 2026-05-05T09:02:01Z, in 30.0 h"},
		{2 * time.Hour, year, false, false, "in 2.0 h"},
		{-time.Hour, year, false, false, "ran out at 2026-05-04T02:02:01Z"},
		{12 * time.Hour, 24 * time.Hour, true, false, "in 12.0 h"},
		{4 * time.Hour, 24 * time.Hour, true, true, "in 4.0 h"},
		{time.Hour, 24 * time.Hour, false, false, "in 1.0 h"},
	} {
		found := Expiring(lasting{ends: map[string]events.Validity{"credentials": {From: now.Add(c.left - c.life), Until: now.Add(c.left)}}}, now)
		if len(found) != 1 || found[0].OK != c.ok || found[0].Warning != c.warning || !strings.Contains(found[0].Text, c.says) || (found[0].Hint == "") == (c.warning || !c.ok) {
			t.Errorf("with %s left: %+v, want ok %t, warning %t, %q", c.left, found, c.ok, c.warning, c.says)
		}
	}
	if found := Expiring(membus.New(membus.Config{}).Client("x"), now); len(found) > 0 {
		t.Errorf("a bus without credentials: %+v", found)
	}
}

// Runs that need an archiver make its absence a fault, and each cause for which runs
// wait is told once.
func TestRunsThatNobodyArchives(t *testing.T) {
	t.Parallel()
	w := NewWaits()
	check := func(want int, what string, e events.Payload) {
		t.Helper()
		w.Fold(e)
		if got := w.Unwritten(); got != want {
			t.Errorf("%s: %d runs need an archiver, want %d", what, got, want)
		}
	}
	check(1, "it runs", events.StudyAccepted{Study: "demo", Run: "1"})
	check(1, "it ended", events.StudyCompleted{Study: "demo", Run: "1", Summary: events.Summary{Counts: events.Counts{Trials: 8}}})
	check(0, "it is archived", events.ArchiveFinal{Study: "demo", Run: "1", Trials: 8})
	check(1, "it goes on", events.StudyExtended{Study: "demo", Run: "1", Trials: 16})
	check(1, "it ended again", events.StudyCompleted{Study: "demo", Run: "1", Summary: events.Summary{Counts: events.Counts{Trials: 16}}})
	check(1, "an earlier end", events.ArchiveFinal{Study: "demo", Run: "1", Trials: 8})
	check(0, "it is archived again", events.ArchiveFinal{Study: "demo", Run: "1", Trials: 16})
	check(0, "it is archived, which is read first", events.ArchiveFinal{Study: "late", Run: "2", Trials: 4})
	check(1, "then that it began", events.StudyAccepted{Study: "late", Run: "2"})
	check(0, "then that it ended", events.StudyStopped{Study: "late", Run: "2", Summary: events.Summary{Counts: events.Counts{Trials: 4}}})
	check(1, "one failed", events.StudyFailed{Study: "broken", Run: "3"})
	check(0, "it was archived", events.ArchiveFinal{Study: "broken", Run: "3"})
	check(0, "one had no trials", events.StudyCancelled{Study: "none", Run: "4"})
	if n := len(w.runs); n != 0 {
		t.Errorf("%d runs are remembered", n)
	}
	found := Others(nil, nil, 2)
	if found[0].OK || !strings.Contains(found[0].Text, "no archiver is there") || !strings.Contains(found[0].Text, "(2 runs)") {
		t.Errorf("without an archiver: %+v", found)
	}
	lacks := &events.Waiting{Code: events.WaitsNoEvaluator, Message: "nobody works for edge", Hint: "start one"}
	for _, study := range []string{"a", "b", "c"} {
		w.Fold(events.StudyWaiting{Study: study, Run: "1", Waiting: lacks})
	}
	found = w.Findings()
	if len(found) != 1 || !found[0].Warning || found[0].Text != "a: nobody works for edge, and so 2 runs more" || len(w.Faults()) != 0 {
		t.Errorf("three runs that wait for the same: %+v", found)
	}
}

// silent is a bus that gives no answer.
type silent struct{ Bus }

func (silent) Oldest(ctx context.Context, _ string) (time.Time, bool, error) {
	return time.Time{}, false, ctx.Err()
}

func (silent) Log() events.Log { return silentLog{} }

type silentLog struct{ events.Log }

func (silentLog) Info(ctx context.Context, _ string) (events.StreamInfo, error) {
	<-ctx.Done()
	return events.StreamInfo{}, ctx.Err()
}

// A bus that takes connections and gives no answer is told of within seconds, not after
// the patience of every question.
func TestDoctorOfABusThatDoesNotAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		found := Examine(t.Context(), silent{}, "nats://x", false)
		if took := time.Since(began); found[0].OK || !strings.Contains(found[0].Text, "nats://x does not answer within 10s") || took != answerWithin {
			t.Errorf("after %s: %+v", took, found)
		}
	})
}

// lateLog tells of a run some time after it is asked, as a server does.
type lateLog struct{ events.Log }

func (l lateLog) Follow(ctx context.Context, from uint64, filters ...string) iter.Seq2[events.Message, error] {
	return func(yield func(events.Message, error) bool) {
		pause(ctx, 40*time.Millisecond)
		l.Log.Follow(ctx, from, filters...)(yield)
	}
}

type lateBus struct{ *membus.Client }

func (b lateBus) Log() events.Log { return lateLog{b.Client.Log()} }

// A run that nobody drives is told of at the first look, however long reading its log
// took.
func TestFirstLookMissesNoProposer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		bus := membus.New(membus.Config{}).Client("one")
		if err := bus.Provision(t.Context()); err != nil {
			t.Fatal(err)
		}
		data, err := events.Encode("a", "proposer", "slow", time.Now(), events.StudyAccepted{Study: "slow", Run: "00000001", Spec: events.Spec{Study: "slow"}})
		if err == nil {
			_, err = bus.Log().Append(t.Context(), events.Message{Subject: events.StudySubject("slow", "00000001", "accepted"), ID: "a", Data: data}, events.Fence{})
		}
		if err != nil {
			t.Fatal(err)
		}
		found := examineOthers(t.Context(), lateBus{bus})
		if !slices.ContainsFunc(found, func(f Finding) bool { return f.Check == events.WaitsNoProposer && !f.OK }) {
			t.Errorf("nobody drives the run, and that is not told: %+v", found)
		}
	})
}

// Workers whose answers are not stored are a fault, once for each evaluator.
func TestWorkersThatCannotStore(t *testing.T) {
	t.Parallel()
	found := Others([]events.Archiving{{Worker: "a"}}, []events.Presence{
		{Evaluator: "edge", Worker: "one", Stuck: "no reply"}, {Evaluator: "edge", Worker: "two", Stuck: "no reply"}, {Evaluator: "rtl", Worker: "three"},
	}, 0)
	var bad []string
	for _, f := range found {
		if !f.OK {
			bad = append(bad, f.Check+": "+f.Text)
			if !strings.Contains(f.Hint, "disk") {
				t.Errorf("%+v: want that it says where to look", f)
			}
		}
	}
	if len(bad) != 1 || bad[0] != "evaluator edge: cannot store its answers (one): no reply" {
		t.Errorf("%q", bad)
	}
}
