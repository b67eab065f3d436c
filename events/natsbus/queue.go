package natsbus

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/nats-io/nats.go/jetstream"

	"apollo/events"
)

// queue is events.Queue over one bus.
type queue struct {
	bus   *Bus
	slots int

	// mu guards what follows.
	mu      sync.Mutex
	closed  bool
	cancels []context.CancelFunc
	running sync.WaitGroup
}

var _ events.Queue = (*queue)(nil)

// Queue returns a queue whose subscriptions hold at most slots unanswered
// messages; slots below 1 means 1. Its Close ends its subscriptions; it can
// still publish afterwards, because Watermill's Router closes its publisher
// before its handlers have finished.
func (b *Bus) Queue(slots int) events.Queue {
	return &queue{bus: b, slots: max(1, slots)}
}

// Publish stores the messages and returns once all are durable. A repeated
// UUID is stored once; see events.Queue. Several messages are sent without waiting for each
// other; after an error any of them may be stored, and publishing all of them
// again with the same UUIDs is right.
func (q *queue) Publish(topic string, messages ...*message.Message) error {
	b := q.bus
	if len(messages) == 1 {
		return b.enqueue(topic, messages[0])
	}
	waiting := make([]jetstream.PubAckFuture, 0, min(len(messages), window))
	for i, wm := range messages {
		if _, err := b.checked(plain(topic, wm)); err != nil {
			return fmt.Errorf("publish %q: %w", wm.UUID, err)
		}
		future, err := b.js.PublishMsgAsync(b.encode(plain(topic, wm)), jetstream.WithStallWait(lastAttempt))
		if err != nil {
			future = nil // the second attempt below tells what is wrong
		}
		waiting = append(waiting, future)
		if len(waiting) == window || i == len(messages)-1 {
			if err := b.settle(topic, messages[i+1-len(waiting):i+1], waiting); err != nil {
				return err
			}
			waiting = waiting[:0]
		}
	}
	return nil
}

// settle waits for the acknowledgements; what was not acknowledged is
// published again, one by one.
func (b *Bus) settle(topic string, messages []*message.Message, waiting []jetstream.PubAckFuture) error {
	for i, future := range waiting {
		wm := messages[i]
		if future != nil {
			select {
			case ack := <-future.Ok():
				if !ack.Duplicate || !events.IsWork(topic) {
					continue
				}
			case <-future.Err(): //nolint:errcheck // the second attempt tells what is wrong
			case <-wm.Context().Done():
				return fmt.Errorf("publish %q to %s: %w", wm.UUID, topic, wm.Context().Err())
			}
		}
		if err := b.enqueue(topic, wm); err != nil {
			return err
		}
	}
	return nil
}

// enqueue stores one message.
func (b *Bus) enqueue(topic string, wm *message.Message) error {
	m := plain(topic, wm)
	ack, _, err := b.publish(wm.Context(), m)
	if err == nil && ack.Duplicate && events.IsWork(topic) {
		err = b.enqueueUnnamed(wm.Context(), m)
	}
	if err != nil {
		return fmt.Errorf("publish %q to %s: %w", wm.UUID, topic, err)
	}
	return nil
}

// enqueueUnnamed stores work whose ID the server knows already, unless the queue holds it or
// it is answered. The server's window of IDs reaches over all subjects of a stream, so that
// whoever may write for one evaluator can use up the ID of another one's work. It is stored
// without an ID; that its subject holds nothing else keeps a repeated attempt from storing
// it twice.
func (b *Bus) enqueueUnnamed(ctx context.Context, m events.Message) error {
	m.ID = ""
	return b.whileOnItsWay(ctx, func() (again bool, err error) {
		held, last, err := b.queued(ctx, m.Subject)
		if errors.Is(err, events.ErrDenied) {
			return false, nil // who may not look takes the server's word: evaluators that hand an item back
		}
		if err != nil || held {
			return false, err
		}
		// After the look at the queue: an item leaves it once its answer is stored.
		if answered, err := b.answered(ctx, m.Subject); err != nil || answered {
			return false, err
		}
		_, _, err = b.publish(ctx, m, jetstream.WithExpectLastSequencePerSubject(last))
		return err != nil && classify(err) == fenced, err
	})
}

// answered reports whether the answer to a work item is stored.
func (b *Bus) answered(ctx context.Context, work string) (bool, error) {
	subject, ok := events.ResultOfWork(work)
	if !ok {
		return false, nil
	}
	last, err := b.last(ctx, subject)
	if err == nil && last.stray {
		last, err = port{b}.fact(ctx, subject)
	}
	return last.Seq > 0, err
}

// plain turns Watermill's message into ours.
func plain(topic string, wm *message.Message) events.Message {
	return events.Message{Subject: topic, ID: wm.UUID, Data: wm.Payload, Header: events.QueueHeader(wm)}
}

// Subscribe hands out messages of the topic; see events.Queue. A consumer that
// is not provisioned yet is waited for.
func (q *queue) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("subscribe to %s: %w", topic, err)
	}
	r, err := q.bus.route(topic)
	if err != nil {
		return nil, fmt.Errorf("subscribe: %w", err)
	}
	return q.subscribe(ctx, r)
}

// subscribe hands out the messages of one durable.
func (q *queue) subscribe(ctx context.Context, r route) (<-chan *message.Message, error) {
	b := q.bus
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return nil, errors.New("subscribe: the queue was closed")
	}
	ctx, cancel := context.WithCancel(ctx)
	s := &subscription{
		bus: b, route: r, slots: q.slots,
		out: make(chan *message.Message), held: map[*delivery]bool{}, freed: make(chan struct{}, 1),
	}
	q.running.Add(1)
	ok := b.started(func() {
		defer q.running.Done()
		defer cancel()
		defer context.AfterFunc(b.ctx, cancel)() //nolint:contextcheck // the bus ends it too
		s.run(ctx)
	})
	if !ok {
		q.running.Done()
		cancel()
		return nil, fmt.Errorf("subscribe: %w", errClosed)
	}
	q.cancels = append(q.cancels, cancel)
	return s.out, nil
}

// Close ends the subscriptions of this queue and waits for their channels to
// be closed. Messages in hand can still be answered for events.AckWait.
// Publish works on.
func (q *queue) Close() error {
	q.mu.Lock()
	q.closed = true
	for _, cancel := range q.cancels {
		cancel()
	}
	q.mu.Unlock()
	q.running.Wait()
	return nil
}
