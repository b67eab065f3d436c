package membus

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"apollo/events"
)

// queue is events.Queue of one client.
type queue struct {
	client  *Client
	slots   int
	closing chan struct{}
	shut    sync.Once
	running sync.WaitGroup
}

var _ events.Queue = (*queue)(nil)

// Publish stores the messages in a work-queue stream, in order. A repeated
// UUID is stored once; see events.Queue. On an error the messages before the one it names are
// stored.
func (q *queue) Publish(topic string, messages ...*message.Message) error {
	for _, wm := range messages {
		m := events.Message{Subject: topic, ID: wm.UUID, Header: events.QueueHeader(wm), Data: wm.Payload}
		_, err := q.client.write(wm.Context(), OpPublish, m, func(s *stream) (uint64, error) {
			if !s.conf.WorkQueue {
				return 0, fmt.Errorf("stream %s is no work queue", s.conf.Name)
			}
			if seq, ok := s.duplicate(m.ID, time.Now()); ok {
				if !events.IsWork(topic) || s.lastOf(topic) > 0 || q.client.hub.answered(topic) {
					return seq, nil
				}
				m.ID = ""
			}
			return s.store(m, time.Now())
		})
		if err != nil {
			return fmt.Errorf("message %q: %w", wm.UUID, err)
		}
	}
	return nil
}

// answered reports whether the answer to a work item is stored. mu is held.
func (h *Hub) answered(work string) bool {
	subject, ok := events.ResultOfWork(work)
	if !ok {
		return false
	}
	s, err := h.streamFor(subject)
	return err == nil && s.lastOf(subject) > 0
}

// Subscribe hands out messages of the topic; see events.Queue. A consumer that
// is not provisioned yet is waited for.
func (q *queue) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	c := q.client
	if err := c.usable(ctx); err != nil {
		return nil, err
	}
	if _, ok := events.StreamOf(c.hub.conf.Topology, topic+".>"); !ok {
		return nil, fmt.Errorf("subscribe: %q is no queue", topic)
	}
	c.hub.mu.Lock()
	defer c.hub.mu.Unlock()
	select {
	case <-q.closing:
		return nil, errors.New("subscribe: the queue was closed")
	case <-c.closing:
		return nil, fmt.Errorf("subscribe: %w", errClosed)
	default:
	}
	ctx, cancel := context.WithCancel(ctx)
	s := &subscription{client: c, topic: topic, slots: q.slots, out: make(chan *message.Message)}
	c.running.Go(func() {
		select {
		case <-ctx.Done():
		case <-q.closing:
		case <-c.closing:
		case <-c.dead:
		}
		cancel()
	})
	c.running.Add(1)
	q.running.Go(func() {
		defer c.running.Done()
		s.run(ctx)
		cancel()
	})
	return s.out, nil
}

// Close ends the subscriptions of this queue and waits for their channels to
// be closed. The messages in hand can still be answered. Publish works on.
func (q *queue) Close() error {
	q.client.hub.mu.Lock()
	q.shut.Do(func() { close(q.closing) })
	q.client.hub.mu.Unlock()
	q.running.Wait()
	return nil
}

// subscription hands the messages of one consumer to one channel.
type subscription struct {
	client *Client
	topic  string
	slots  int
	out    chan *message.Message
	// held counts unanswered messages; the hub's mutex guards it.
	held int
}

// run hands messages out until ctx ends: with the subscriber's context, its
// queue or its client.
func (s *subscription) run(ctx context.Context) {
	defer close(s.out)
	defer s.leave()
	for ctx.Err() == nil {
		it, m, wake, wait := s.next()
		if it == nil {
			s.sleep(ctx, wake, wait)
			continue
		}
		s.deliver(ctx, it, m)
	}
}

// leave takes the subscription off those that wait for a message.
func (s *subscription) leave() {
	h := s.client.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	if q := h.consumers[s.topic]; q != nil {
		delete(q.asking, s)
	}
}

// Queued reports whether a queue holds a message on that subject.
func (c *Client) Queued(ctx context.Context, subject string) (bool, error) {
	if err := c.reach(ctx, c.hub.holds(subject)); err != nil {
		return false, err
	}
	c.hub.mu.Lock()
	defer c.hub.mu.Unlock()
	s, err := c.hub.streamFor(subject)
	if err != nil {
		return false, err
	}
	return s.lastOf(subject) > 0, nil
}

// QueueInfo returns who works on a topic of Queue.
func (c *Client) QueueInfo(ctx context.Context, topic string) (events.QueueInfo, error) {
	if err := c.reach(ctx, c.hub.holds(topic+".>")); err != nil {
		return events.QueueInfo{}, err
	}
	c.hub.mu.Lock()
	defer c.hub.mu.Unlock()
	q := c.hub.consumers[topic]
	if q == nil {
		return events.QueueInfo{}, nil
	}
	info := events.QueueInfo{Known: true, Asking: len(q.asking)}
	now := time.Now()
	for _, it := range q.items {
		switch {
		case it.holder != nil, it.deliveries > 0 && it.due.After(now):
			info.Held++
		default:
			info.Ready++
		}
	}
	return info, nil
}

// next takes an item, or says what to wait for.
func (s *subscription) next() (it *item, delivery uint64, wake <-chan struct{}, wait time.Duration) {
	h := s.client.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	q := h.consumers[s.topic]
	if q == nil {
		return nil, 0, h.provisioned, 0
	}
	if s.held >= s.slots || s.client.alive() != nil {
		return nil, 0, q.changed, 0
	}
	now := time.Now()
	if left := h.frozenFor(q.stream.conf.Name, now); left > 0 {
		return nil, 0, q.changed, left
	}
	it, wait = q.next(h, now)
	if it == nil {
		q.asking[s] = true
		return nil, 0, q.changed, wait
	}
	delete(q.asking, s)
	it.deliveries++
	if it.deliveries >= events.MaxDeliver && !it.acked {
		h.bury(q, it, now)
		return nil, 0, h.immediately(), 0
	}
	if h.dice.hit(h.conf.Faults.Drop, "drop", key(it.msg)) {
		it.due = now.Add(s.client.hub.conf.AckWait)
		return nil, 0, h.immediately(), 0
	}
	it.holder = s
	s.held++
	s.duplicate(q, it, now)
	return it, it.deliveries, nil, 0
}

// immediately is a channel that does not make anyone wait.
func (h *Hub) immediately() <-chan struct{} {
	ch := make(chan struct{})
	close(ch)
	return ch
}

// duplicate draws whether the item goes out a second time. mu is held.
func (s *subscription) duplicate(q *consumer, it *item, now time.Time) {
	f := s.client.hub.conf.Faults
	if q.exclusive {
		return
	}
	if it.extra > 0 {
		it.extra--
		return
	}
	if d := s.client.hub.dice.delay(f.Duplicate, f.MaxDelay, "duplicate", key(it.msg)); d > 0 {
		it.extra++
		it.release(now.Add(d))
		q.wake()
	}
}

// bury moves an item that was handed out too often to the dead letters. mu is held.
func (h *Hub) bury(q *consumer, it *item, now time.Time) {
	letter, err := events.Undeliverable(it.msg, it.deliveries, "handed out too many times without an answer", now, h.maxPayload())
	var dlq *stream
	if err == nil {
		dlq, err = h.streamFor(letter.Subject)
	}
	if err == nil {
		_, err = dlq.store(letter, now)
	}
	if err != nil { // no room for the letter: keep the message and try later
		it.release(now.Add(h.conf.AckWait))
		it.deliveries--
		return
	}
	h.trace(Op{Kind: OpBury, Stage: After, Subject: letter.Subject, ID: letter.ID, Data: letter.Data})
	q.drop(it)
}

// deliver hands the item out and sees to its answer.
func (s *subscription) deliver(ctx context.Context, it *item, delivery uint64) {
	c := s.client
	op := Op{Client: c.name, Kind: OpDeliver, Stage: Before, Subject: it.msg.Subject, ID: it.msg.ID, Delivery: delivery}
	c.hub.trace(op)
	lifetime, cancel := context.WithCancel(ctx)
	wm := message.NewMessageWithContext(lifetime, it.msg.ID, nil)
	copied := clone(it.msg)
	wm.Payload = copied.Data
	for k, v := range copied.Header {
		wm.Metadata.Set(k, v)
	}
	wm.Metadata.Set(events.MetaSubject, it.msg.Subject)
	wm.Metadata.Set(events.MetaSequence, strconv.FormatUint(it.msg.Seq, 10))
	wm.Metadata.Set(events.MetaStored, it.msg.Time.UTC().Format(time.RFC3339Nano))
	wm.Metadata.Set(events.MetaDeliveries, strconv.FormatUint(delivery, 10))
	select {
	case s.out <- wm:
		op.Stage = After
		c.hub.trace(op)
		c.running.Go(func() {
			defer cancel()
			s.settle(ctx, it, wm, op)
		})
	case <-ctx.Done():
		cancel()
		s.end(it, func(q *consumer, mine bool) {
			if mine {
				it.release(s.abandoned(time.Now()))
			}
		})
	}
}

// abandoned is when another worker gets a message that was never handed to
// this one: at once, unless the client was killed.
func (s *subscription) abandoned(now time.Time) time.Time {
	if s.client.alive() != nil {
		return now.Add(s.client.hub.conf.AckWait)
	}
	return now
}

// sleep waits for a change, for the next message to be due, or for the end.
func (s *subscription) sleep(ctx context.Context, wake <-chan struct{}, wait time.Duration) {
	var due <-chan time.Time
	if wait > 0 {
		t := time.NewTimer(wait)
		defer t.Stop()
		due = t.C
	}
	select {
	case <-wake:
	case <-due:
	case <-ctx.Done():
	}
}
