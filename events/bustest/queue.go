package bustest

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"apollo/events"
)

const queueTopic = "work.edge"

func subscribe(t *testing.T, b Bus, slots int, topic string) <-chan *message.Message {
	t.Helper()
	ch, err := b.Queue(slots).Subscribe(t.Context(), topic)
	must(t, err)
	return ch
}

// empty waits until the stream of the topic holds nothing.
func empty(t *testing.T, b Bus, subject string) {
	t.Helper()
	eventually(t, "the queue is empty", func() bool {
		info, err := b.Log().Info(t.Context(), subject)
		must(t, err)
		return info.Messages == 0
	})
}

func testQueue(t *testing.T, factory Factory) {
	b := simple(t, factory)
	const n = 20
	work(t, b, n)
	ch := subscribe(t, b, 1, queueTopic)
	for i := range n { // one subscriber with one slot sees the order of publication
		m := receive(t, ch)
		if string(m.Payload) != strconv.Itoa(i) {
			t.Fatalf("message %d is %q", i, m.Payload)
		}
		m.Ack()
	}
	empty(t, b, "work.>")
}

func testQueueDedupe(t *testing.T, factory Factory) {
	b := simple(t, factory)
	work(t, b, 3)
	work(t, b, 3) // the same IDs
	ch := subscribe(t, b, 8, queueTopic)
	for range 3 {
		receive(t, ch).Ack()
	}
	empty(t, b, "work.>")
	work(t, b, 1) // what is gone without an answer is stored again: the ID may be somebody's for another evaluator
	m := receive(t, ch)
	if string(m.Payload) != "0" {
		t.Errorf("got message %q, want the first one again", m.Payload)
	}
	m.Ack()
	empty(t, b, "work.>")
	answer := events.Message{Subject: events.ResultSubject("edge", "demo", "0a1b2c3d", 0), ID: "answer", Data: []byte("answer")}
	_, err := b.Facts().Record(t.Context(), answer)
	must(t, err)
	work(t, b, 1) // what is answered is not
	empty(t, b, "work.>")
	// Another evaluator has used the ID up.
	mine, theirs := events.WorkSubject("edge", "demo", "0a1b2c3d", 7), events.WorkSubject("other", "demo", "0a1b2c3d", 0)
	for _, subject := range []string{theirs, mine} {
		taken := message.NewMessage("taken", []byte(subject))
		taken.SetContext(t.Context())
		must(t, b.Queue(1).Publish(subject, taken))
	}
	if m = receive(t, ch); string(m.Payload) != mine {
		t.Errorf("got message %q, want %q", m.Payload, mine)
	}
	m.Ack()
}

// testQueueLate subscribes before the consumer exists.
func testQueueLate(t *testing.T, factory Factory) {
	b := simple(t, factory)
	ch := subscribe(t, b, 1, "work.late")
	subject := events.WorkSubject("late", "demo", "0a1b2c3d", 0)
	m := message.NewMessage("late", []byte("late"))
	m.SetContext(t.Context())
	must(t, b.Queue(1).Publish(subject, m))
	must(t, b.ProvisionEvaluator(t.Context(), "late"))
	got := receive(t, ch)
	if got.UUID != "late" {
		t.Errorf("got %q", got.UUID)
	}
	got.Ack()
	if _, err := b.Queue(1).Subscribe(t.Context(), "no.queue.at.all"); err == nil {
		t.Error("subscribing to what is no queue has no error")
	}
}

func testQueueSlots(t *testing.T, factory Factory) {
	b := simple(t, factory)
	const slots, n = 3, 12
	work(t, b, n)
	ch := subscribe(t, b, slots, queueTopic)
	var held []*message.Message
	for range slots {
		held = append(held, receive(t, ch))
	}
	// A worker that came later must get the rest: nothing is prefetched.
	other := subscribe(t, b, n, queueTopic)
	for range n - slots {
		receive(t, other).Ack()
	}
	select {
	case m := <-ch:
		t.Fatalf("message %q although %d are unanswered", m.UUID, slots)
	default:
	}
	for _, m := range held {
		m.Ack()
	}
	empty(t, b, "work.>")
}

func testQueueShare(t *testing.T, factory Factory) {
	client, _, b := provisioned(t, factory, Options{})
	const n, workers = 200, 4
	ctx, stop := context.WithCancel(impatient(t))
	defer stop()
	var mu sync.Mutex
	seen := map[string]int{}
	var wg sync.WaitGroup
	for i := range workers {
		ch, err := client(fmt.Sprint("worker", i)).Queue(2).Subscribe(ctx, queueTopic)
		must(t, err)
		wg.Go(func() {
			for m := range ch {
				mu.Lock()
				seen[string(m.Payload)]++
				mu.Unlock()
				m.Ack()
			}
		})
	}
	work(t, b, n)
	empty(t, b, "work.>")
	stop()
	wg.Wait()
	for payload, times := range seen {
		if times != 1 {
			t.Errorf("message %s was handed out %d times", payload, times)
		}
	}
	if len(seen) != n {
		t.Errorf("%d of %d messages were handed out", len(seen), n)
	}
}

// testQueueHandBack: what is handed back comes again after the delay that was
// asked for, ahead of what was nacked before it, and without the request.
func testQueueHandBack(t *testing.T, factory Factory) {
	b := simple(t, factory)
	work(t, b, 2)
	ch := subscribe(t, b, 2, queueTopic)
	first, second := receive(t, ch), receive(t, ch)
	first.Nack()
	events.HandBack(second, time.Millisecond)
	second.Nack()
	again := receive(t, ch)
	if string(again.Payload) != string(second.Payload) || again.Metadata.Get(events.MetaDeliveries) != "2" {
		t.Errorf("message %s came at its delivery %s, want %s at its second", again.Payload, again.Metadata.Get(events.MetaDeliveries), second.Payload)
	}
	if _, asked := events.HandBackDelay(again); asked {
		t.Error("the wish for a delay travels with the message")
	}
	again.Ack()
	receive(t, ch).Ack()
	empty(t, b, "work.>")
}

func testQueueNack(t *testing.T, factory Factory) {
	b := simple(t, factory)
	work(t, b, 2)
	ch := subscribe(t, b, 1, queueTopic)
	first := receive(t, ch)
	refused := time.Now()
	first.Nack()
	second := receive(t, ch) // the other one comes at once, the refused one later
	if string(second.Payload) != "1" {
		t.Errorf("after the nack came %q, want the other message", second.Payload)
	}
	second.Ack()
	again := receive(t, ch)
	if again.UUID != first.UUID || again.Metadata.Get(events.MetaDeliveries) != "2" {
		t.Errorf("got %q at delivery %s, want the refused message's second", again.UUID, again.Metadata.Get(events.MetaDeliveries))
	}
	if waited := time.Since(refused); waited < events.NackDelay(1)*9/10 {
		t.Errorf("the refused message came back after %v, want %v", waited, events.NackDelay(1))
	}
	again.Ack()
	empty(t, b, "work.>")
}

// testQueueHandover ends one worker in order: what it had not answered is
// handed to another one at once.
func testQueueHandover(t *testing.T, factory Factory) {
	client, _, b := provisioned(t, factory, Options{})
	work(t, b, 4)
	worker := client("worker")
	ch := subscribe(t, worker, 2, queueTopic)
	done := receive(t, ch)
	receive(t, ch)
	done.Ack()
	ctx, stop := context.WithCancel(t.Context())
	stop() // no patience: give back what is in hand
	_ = worker.Close(ctx)
	seen := map[string]bool{}
	other := subscribe(t, b, 1, queueTopic)
	for len(seen) < 3 {
		m := receive(t, other)
		m.Ack()
		seen[m.UUID] = true
	}
	empty(t, b, "work.>")
}

// testQueueKill kills a worker: its messages go to another one.
func testQueueKill(t *testing.T, factory Factory) {
	client, kill, b := provisioned(t, factory, Options{})
	work(t, b, 3)
	worker := client("worker")
	ch := subscribe(t, worker, 2, queueTopic)
	first, second := receive(t, ch), receive(t, ch)
	kill(worker)
	first.Ack() // a dead process acknowledges nothing
	_, err := worker.Facts().Record(t.Context(), msg(events.ResultSubject("edge", "demo", "r", 0), "x", "x"))
	if err == nil {
		t.Error("a dead process recorded a fact")
	}
	other := subscribe(t, b, 1, queueTopic)
	seen := map[string]bool{}
	for len(seen) < 3 {
		m := receive(t, other)
		m.Ack()
		seen[m.UUID] = true
	}
	if !seen[first.UUID] || !seen[second.UUID] {
		t.Errorf("another worker got %v, want also what the dead one held", seen)
	}
	empty(t, b, "work.>")
}

// testQueueAlive holds a message for longer than a silent worker may: it stays
// with the worker. The time passes while another message is refused.
func testQueueAlive(t *testing.T, factory Factory) {
	client, _, b := provisioned(t, factory, Options{})
	work(t, b, 2)
	ch := subscribe(t, client("slow worker"), 1, queueTopic)
	held := receive(t, ch)
	other := subscribe(t, b, 2, queueTopic)
	for delivery := range 3 { // the delays of two refusals are 1 s and 2 s
		m := receive(t, other)
		if m.UUID == held.UUID {
			t.Fatal("a message in hand was handed out again")
		}
		if delivery < 2 {
			m.Nack()
			continue
		}
		m.Ack()
	}
	held.Ack()
	empty(t, b, "work.>")
}

func testQueueClose(t *testing.T, factory Factory) {
	b := simple(t, factory)
	work(t, b, 2)
	q := b.Queue(1)
	ch, err := q.Subscribe(t.Context(), queueTopic)
	must(t, err)
	held := receive(t, ch)
	must(t, q.Close())
	must(t, q.Close())
	if m, ok := <-ch; ok {
		t.Fatalf("message %q from a closed subscription", m.UUID)
	}
	select {
	case <-held.Context().Done():
	case <-time.After(patience):
		t.Error("the context of a message in hand did not end with its subscription")
	}
	held.Ack() // it was handled: this still counts
	subject := events.WorkSubject("edge", "demo", "0a1b2c3d", 2)
	m := message.NewMessage("after", []byte("2"))
	m.SetContext(t.Context())
	must(t, q.Publish(subject, m)) // a closed queue still publishes
	if _, err := q.Subscribe(t.Context(), queueTopic); err == nil {
		t.Error("a closed queue subscribes")
	}
	other := subscribe(t, b, 1, queueTopic)
	for i := range 2 {
		m := receive(t, other)
		if want := strconv.Itoa(i + 1); string(m.Payload) != want {
			t.Errorf("message %q after the handover, want %q", m.Payload, want)
		}
		m.Ack()
	}
}

func testQueueMetadata(t *testing.T, factory Factory) {
	b := simple(t, factory)
	subject := events.WorkSubject("edge", "demo", "0a1b2c3d", 0)
	m := message.NewMessage("id-1", []byte("payload"))
	m.SetContext(t.Context())
	m.Metadata.Set("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	m.Metadata.Set("mixedCase_key", "a value: with a colon")
	must(t, b.Queue(1).Publish(subject, m))
	got := receive(t, subscribe(t, b, 1, queueTopic))
	want := map[string]string{
		"traceparent": m.Metadata.Get("traceparent"), "mixedCase_key": "a value: with a colon",
		events.MetaSubject: subject, events.MetaSequence: "1", events.MetaDeliveries: "1",
	}
	for k, v := range want {
		if got.Metadata.Get(k) != v {
			t.Errorf("metadata %s = %q, want %q", k, got.Metadata.Get(k), v)
		}
	}
	if stored, err := time.Parse(time.RFC3339Nano, got.Metadata.Get(events.MetaStored)); err != nil || stored.IsZero() {
		t.Errorf("stored %q: %v", got.Metadata.Get(events.MetaStored), err)
	}
	if len(got.Metadata) != len(want)+1 || got.UUID != "id-1" || string(got.Payload) != "payload" {
		t.Errorf("got %q %q with %v", got.UUID, got.Payload, got.Metadata)
	}
	got.Ack()
}

// testCommands checks that commands are handled strictly one after the other,
// also over two subscribers and when one comes back.
func testCommands(t *testing.T, factory Factory) {
	client, _, b := provisioned(t, factory, Options{})
	q := b.Queue(1)
	for i := range 5 {
		m := message.NewMessage(fmt.Sprint("cmd", i), []byte(strconv.Itoa(i)))
		m.SetContext(t.Context())
		subject := events.SubmitSubject("demo")
		if i%2 == 1 {
			subject = events.ControlSubject("other")
		}
		must(t, q.Publish(subject, m))
	}
	one, two := subscribe(t, b, 8, "cmd"), subscribe(t, client("second"), 8, "cmd")
	next := func() *message.Message {
		select {
		case m := <-one:
			return m
		case m := <-two:
			return m
		case <-time.After(patience):
			t.Fatal("no command came")
			return nil
		}
	}
	want := []string{"0", "0", "1", "2", "3", "4"}
	for i, payload := range want {
		m := next()
		if string(m.Payload) != payload {
			t.Fatalf("command %d is %s, want %s", i, m.Payload, payload)
		}
		select {
		case early := <-one:
			t.Fatalf("command %s while %s is not answered", early.Payload, payload)
		case early := <-two:
			t.Fatalf("command %s while %s is not answered", early.Payload, payload)
		default:
		}
		if i == 0 {
			m.Nack()
			continue
		}
		m.Ack()
	}
	empty(t, b, "cmd.>")
}
