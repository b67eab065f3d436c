package health

import (
	"context"
	"strings"
	"testing"
	"time"

	"apollo/events"
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
		all := Others([]events.Archiving{a}, nil)
		if len(all) != 3 || all[1].Check != "disk of one" || !all[1].OK || all[1].Warning != c.warning || !strings.Contains(all[1].Text, c.says) {
			t.Errorf("%s: %+v, want a warning %t and %q", name, all, c.warning, c.says)
		}
	}
}
