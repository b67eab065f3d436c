package bustest

import (
	"slices"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"

	"apollo/events"
)

func testReady(t *testing.T, factory Factory) {
	client, _ := factory(t, Options{})
	waiting, owner := client("waiting"), client("owner")
	ready := make(chan error, 1)
	ctx := impatient(t)
	_, err := waiting.Log().Info(ctx, events.RunFilter("*", "*"))
	wantErr(t, "Info of a stream that nobody has made", err, events.ErrNoStream)
	wantErr(t, "Info of a stream that nobody has made", err, events.ErrUnreachable) // who waits for one waits for the other
	go func() { ready <- waiting.Ready(ctx) }()
	must(t, owner.Provision(t.Context()))
	must(t, owner.Provision(t.Context())) // again, as after a restart
	must(t, <-ready)
	appendAll(t, waiting, entry("demo", 1))
}

func testQueueInfo(t *testing.T, factory Factory) {
	client, kill, b := provisioned(t, factory, Options{})
	asks := func(what string, want events.QueueInfo) {
		t.Helper()
		var got events.QueueInfo
		eventually(t, what, func() bool {
			var err error
			got, err = b.QueueInfo(t.Context(), queueTopic)
			must(t, err)
			// How many requests one worker has open is the bus's business.
			return (got.Asking > 0) == (want.Asking > 0) && got.Held == want.Held && got.Ready == want.Ready
		})
	}
	if got, err := b.QueueInfo(t.Context(), "work.nobody"); err != nil || got != (events.QueueInfo{}) {
		t.Errorf("a queue that is not there: %+v, %v", got, err)
	}
	asks("nobody is there", events.QueueInfo{})
	if got, err := b.QueueInfo(t.Context(), queueTopic); err != nil || !got.Known {
		t.Errorf("a queue that is there: %+v, %v", got, err)
	}
	work(t, b, 2)
	asks("two items wait", events.QueueInfo{Ready: 2})
	worker := client("worker")
	ch := subscribe(t, worker, 2, queueTopic)
	first, second := receive(t, ch), receive(t, ch)
	asks("a worker has both", events.QueueInfo{Held: 2})
	first.Ack()
	asks("it answered one and asks for more", events.QueueInfo{Asking: 1, Held: 1})
	second.Ack()
	asks("it answered both", events.QueueInfo{Asking: 1})
	kill(worker)
	asks("it is gone", events.QueueInfo{})
}

// testQueued looks for a message while it waits, is in hand, and is done.
func testQueued(t *testing.T, factory Factory) {
	b := simple(t, factory)
	subject := events.WorkSubject("edge", "demo", "0a1b2c3d", 0)
	held := func(when string, want bool) {
		t.Helper()
		got, err := b.Queued(t.Context(), subject)
		must(t, err)
		if got != want {
			t.Errorf("%s: Queued = %v, want %v", when, got, want)
		}
	}
	held("before", false)
	work(t, b, 1)
	held("waiting", true)
	m := receive(t, subscribe(t, b, 1, queueTopic))
	held("in hand", true)
	m.Ack()
	empty(t, b, "work.>")
	held("acknowledged", false)
}

// testQueueRemoved removes a queue that holds work: nobody is handed any until there is
// one again, and then it is the same work.
func testQueueRemoved(t *testing.T, factory Factory) {
	b := simple(t, factory)
	there := func(want ...string) {
		t.Helper()
		got, err := b.Evaluators(t.Context())
		must(t, err)
		if !slices.Equal(got, want) {
			t.Errorf("evaluators %q have a queue, want %q", got, want)
		}
	}
	must(t, b.ProvisionEvaluator(t.Context(), "mine"))
	there("edge", "mine")
	work(t, b, 1)
	must(t, b.RemoveEvaluator(t.Context(), "edge"))
	must(t, b.RemoveEvaluator(t.Context(), "edge")) // it is gone
	there("mine")
	if got, err := b.QueueInfo(t.Context(), queueTopic); err != nil || got != (events.QueueInfo{}) {
		t.Errorf("a queue that was removed: %+v, %v", got, err)
	}
	ch := subscribe(t, b, 1, queueTopic)
	must(t, b.ProvisionEvaluator(t.Context(), "edge"))
	receive(t, ch).Ack()
	empty(t, b, "work.>")
	// Whoever waits for work hears of it when the queue goes and comes.
	must(t, b.RemoveEvaluator(t.Context(), "edge"))
	must(t, b.ProvisionEvaluator(t.Context(), "edge"))
	m := message.NewMessage("another", []byte("1"))
	must(t, b.Queue(1).Publish(events.WorkSubject("edge", "demo", "0a1b2c3d", 7), m))
	receive(t, ch).Ack()
}

// testSubjects lists subjects with messages.
func testSubjects(t *testing.T, factory Factory) {
	b := simple(t, factory)
	lists := func(filter string, want ...string) {
		t.Helper()
		got, err := b.Subjects(t.Context(), filter)
		must(t, err)
		if !slices.Equal(got, want) {
			t.Errorf("Subjects(%q) = %q, want %q", filter, got, want)
		}
	}
	lists("study.*.*.accepted")
	appendAll(t, b, entry("demo", 1), entry("demo", 2), entry("else", 1))
	first, other := entry("demo", 1).Subject, entry("else", 1).Subject
	lists("study.>", first, other)
	lists("study.else.>", other)
	lists("study.nobody.>")
	lists("work.>") // of another stream
	must(t, b.Purge(t.Context(), first))
	lists("study.>", other)
	if _, err := b.Subjects(t.Context(), ">"); err == nil {
		t.Error("subjects of several streams are no error")
	}
}
