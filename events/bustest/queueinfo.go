package bustest

import (
	"testing"

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
