package natsbus_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/nats-io/nats.go"

	"apollo/events"
	"apollo/events/natsbus"
)

// question is what the server is asked.
type question struct{ subject, body string }

// strays lets the server answer on a subject in every way that it has.
func strays(t *testing.T, b *natsbus.Bus, subject string) {
	t.Helper()
	direct(t, b, subject, []question{
		{"$JS.API.CONSUMER.MSG.NEXT.APOLLO_WORK.ev-edge", `{"no_wait":true}`},         // a status: nothing waits
		{"$JS.API.STREAM.INFO.APOLLO_LOG", ""},                                        // an answer
		{"$JS.API.STREAM.MSG.GET.APOLLO_LOG", "no JSON"},                              // a refusal
		{events.DefaultPrefix + "." + events.DeadLetterSubject("user", "stray"), "x"}, // an acknowledgement
		{"$JS.API.STREAM.CREATE.APOLLO_LOG", `{"name":"x"}`},                          // an error
		{"$JS.API.CONSUMER.CREATE.APOLLO_LOG.x", `{"stream_name":"APOLLO_LOG"}`},      // another one
	})
}

// direct lets the server answer the questions on a subject.
func direct(t *testing.T, b *natsbus.Bus, subject string, questions []question) {
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
	want := stored() + uint64(len(questions))
	for _, ask := range questions {
		if err := nc.PublishRequest(ask.subject, events.DefaultPrefix+"."+subject, []byte(ask.body)); err != nil {
			t.Fatal(err)
		}
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(10 * time.Second); stored() < want; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d answers too few were stored on %s: the test tests nothing", want-stored(), subject)
		}
	}
}

// An answer that somebody has the server give to a subject of ours is no fact, no event and
// no work, and stands in nobody's way.
func TestAnswersOfTheServerAreNobodysWord(t *testing.T) {
	t.Parallel()
	s := startServer(t, natsbus.ServerConfig{})
	// One question takes an item out of the queue without an answer: it comes again after
	// this time.
	b := connect(t, natsbus.Config{URL: s.URL(), Topology: small(), AckWait: 100 * time.Millisecond})
	if err := errors.Join(b.Provision(t.Context()), b.ProvisionEvaluator(t.Context(), "edge")); err != nil {
		t.Fatal(err)
	}
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
	if _, waits, err := b.Oldest(t.Context(), "work.edge.*.*.*"); err != nil || waits {
		t.Errorf("an answer of the server is the oldest work: %t, %v", waits, err)
	}
	behind := events.WorkSubject("edge", "demo", "r", 1)
	strays(t, b, behind)
	published := time.Now()
	if err := b.Queue(1).Publish(behind, message.NewMessage("w", []byte("work"))); err != nil {
		t.Fatal(err)
	}
	strays(t, b, behind)
	if stored, waits, err := b.Oldest(t.Context(), "work.edge.*.*.*"); err != nil || !waits || stored.Before(published) {
		t.Errorf("the oldest work is of %v (%t, %v), want that of after %v", stored, waits, err, published)
	}
	if queued, err := b.Queued(t.Context(), behind); err != nil || !queued {
		t.Errorf("work between answers of the server is queued: %t, %v", queued, err)
	}
	if queued, err := b.Queued(t.Context(), work); err != nil || queued {
		t.Errorf("an answer of the server is queued work: %t, %v", queued, err)
	}
	ch, err := b.Queue(1).Subscribe(t.Context(), "work.edge")
	if err != nil {
		t.Fatal(err)
	}
	select {
	case m := <-ch:
		if m.Ack(); string(m.Payload) != "work" {
			t.Errorf("%q was handed out for work", m.Payload)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the work is not handed out")
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

// However many answers of the server lie between an event and the one before it, they are no
// reason to give up.
func TestManyAnswersOfTheServerAreRemovedAtOnce(t *testing.T) {
	t.Parallel()
	s := startServer(t, natsbus.ServerConfig{})
	b := connect(t, natsbus.Config{URL: s.URL(), Topology: small(), Patience: time.Second})
	if err := b.Provision(t.Context()); err != nil {
		t.Fatal(err)
	}
	fence := events.Fence{Filter: events.RunFilter("demo", "r")}
	var err error
	if fence.Last, err = b.Log().Append(t.Context(), events.Message{Subject: events.StudySubject("demo", "r", "accepted"), ID: "1"}, fence); err != nil {
		t.Fatal(err)
	}
	const many = 300
	direct(t, b, events.StudySubject("demo", "r", "cancelled"), slices.Repeat([]question{{"$JS.API.STREAM.INFO.APOLLO_LOG", ""}}, many))
	last, err := b.Log().Append(t.Context(), events.Message{Subject: events.StudySubject("demo", "r", "started"), ID: "2"}, fence)
	if err != nil || last != fence.Last+many+1 {
		t.Fatalf("append behind %d answers: sequence %d, %v, want %d", many, last, err, fence.Last+many+1)
	}
	if info, err := b.Log().Info(t.Context(), fence.Filter); err != nil || info.Messages != 2 {
		t.Errorf("the log has %d messages, %v, want the two events", info.Messages, err)
	}
}
