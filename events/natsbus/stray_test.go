package natsbus_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"apollo/events"
	"apollo/events/natsbus"
)

// strays lets the server answer on a subject in every way that it has.
func strays(t *testing.T, b *natsbus.Bus, subject string) {
	t.Helper()
	nc, err := nats.Connect(b.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	stored := func() uint64 {
		info, err := b.Log().Info(t.Context(), subject)
		if err != nil {
			t.Fatal(err)
		}
		return info.Last
	}
	before, aside := stored(), events.DefaultPrefix+"."+events.DeadLetterSubject("user", "stray")
	for _, ask := range []struct{ subject, body string }{
		{"$JS.API.CONSUMER.MSG.NEXT.APOLLO_WORK.ev-edge", `{"no_wait":true}`}, // a status: nothing waits
		{"$JS.API.STREAM.INFO.APOLLO_LOG", ""},                                // an answer
		{"$JS.API.STREAM.MSG.GET.APOLLO_LOG", "no JSON"},                      // a refusal
		{aside, "x"}, // an acknowledgement
		{"$JS.API.STREAM.CREATE.APOLLO_LOG", `{"name":"x"}`},                     // an error
		{"$JS.API.CONSUMER.CREATE.APOLLO_LOG.x", `{"stream_name":"APOLLO_LOG"}`}, // another one
	} {
		if err := nc.PublishRequest(ask.subject, events.DefaultPrefix+"."+subject, []byte(ask.body)); err != nil {
			t.Fatal(err)
		}
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(10 * time.Second); stored() < before+6; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d answers were stored on %s, want 6: the test tests nothing", stored()-before, subject)
		}
	}
}

// An answer that somebody has the server give to a subject of ours is no fact, no event and
// no work, and stands in nobody's way.
func TestAnswersOfTheServerAreNobodysWord(t *testing.T) {
	t.Parallel()
	b, _ := workBus(t, 0)
	read := func(r events.Reader, filter string) (got []string) {
		for m, err := range r.Read(t.Context(), 0, filter) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, string(m.Data))
		}
		return got
	}
	result := events.ResultSubject("edge", "demo", "r", 0)
	strays(t, b, result)
	if got := read(b.Facts(), "result.>"); len(got) > 0 {
		t.Errorf("read %q, want nothing", got)
	}
	for n, want := range []error{nil, events.ErrExists} {
		if _, err := b.Facts().Record(t.Context(), events.Message{Subject: result, ID: string(rune('a' + n)), Data: []byte("fact")}); !errors.Is(err, want) {
			t.Errorf("record %d: %v, want %v", n, err, want)
		}
		strays(t, b, result)
	}
	if got := read(b.Facts(), "result.>"); !slices.Equal(got, []string{"fact"}) {
		t.Errorf("read %q, want the fact", got)
	}
	run := events.RunFilter("demo", "r")
	one, err := b.Log().Append(t.Context(), events.Message{Subject: events.StudySubject("demo", "r", "accepted"), ID: "1", Data: []byte("one")}, events.Fence{Filter: run})
	if err != nil {
		t.Fatal(err)
	}
	strays(t, b, events.StudySubject("demo", "r", "cancelled"))
	if _, err := b.Log().Append(t.Context(), events.Message{Subject: events.StudySubject("demo", "r", "started"), ID: "2", Data: []byte("two")}, events.Fence{Filter: run, Last: one}); err != nil {
		t.Fatal(err)
	}
	if got := read(b.Log(), run); !slices.Equal(got, []string{"one", "two"}) {
		t.Errorf("read %q, want the two events", got)
	}
	work := events.WorkSubject("edge", "demo", "r", 0)
	strays(t, b, work)
	if queued, err := b.Queued(t.Context(), work); err != nil || queued {
		t.Errorf("an answer of the server is queued work: %t, %v", queued, err)
	}
	ch, err := b.Queue(1).Subscribe(t.Context(), "work.edge")
	if err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		if info, err := b.Log().Info(t.Context(), "work.>"); err == nil && info.Messages == 0 {
			break
		}
		if time.Now().After(end) {
			t.Fatal("the answers stay in the queue")
		}
	}
	select {
	case m := <-ch:
		t.Errorf("%q was handed out for work", m.Payload)
	default:
	}
}
