package membus

import (
	"slices"
	"time"

	"apollo/events"
)

// consumer is a durable of a work-queue stream: it hands every message to one
// subscription at a time. Its hub's mutex guards it.
type consumer struct {
	stream *stream
	filter string
	// exclusive hands out one message at a time over all subscriptions, so
	// that commands keep their order.
	exclusive bool
	// items is ordered by sequence.
	items []*item
	// asking are the subscriptions that wait for a message.
	asking map[*subscription]bool
	// changed is closed and replaced when a message may have become available.
	changed chan struct{}
}

// item is one message of a queue on its way to being answered.
type item struct {
	msg        events.Message
	deliveries uint64
	// due is when the item may be handed out (again).
	due time.Time
	// holder has the item in hand; nil when nobody has.
	holder *subscription
	// extra counts injected second deliveries still to come; a message that
	// was acknowledged stays for them.
	extra int
	acked bool
	// orphan: its consumer was removed, and an answer counts for nothing.
	orphan bool
}

// release makes the item available at the given time.
func (it *item) release(due time.Time) {
	it.holder = nil
	it.due = due
}

// consumer returns the consumer under that name; a new one starts with what
// its stream holds. mu is held, and the stream exists.
func (h *Hub) consumer(name, filter string, exclusive bool) {
	if h.consumers[name] != nil {
		return
	}
	s, err := h.streamFor(filter)
	if err != nil {
		return
	}
	q := &consumer{stream: s, filter: filter, exclusive: exclusive, asking: map[*subscription]bool{}, changed: make(chan struct{})}
	h.consumers[name] = q
	for _, m := range s.msgs {
		q.enqueue(h, m)
	}
}

// enqueue offers a message that was just stored to the consumers. mu is held.
func (h *Hub) enqueue(s *stream, m *events.Message) {
	if !s.conf.WorkQueue {
		return
	}
	for _, q := range h.consumers {
		if q.stream == s {
			q.enqueue(h, m)
		}
	}
}

func (q *consumer) enqueue(h *Hub, m *events.Message) {
	if !events.MatchSubject(q.filter, m.Subject) {
		return
	}
	it := &item{msg: *m, due: time.Now()}
	if !q.exclusive {
		it.due = it.due.Add(h.dice.delay(h.conf.Faults.Delay, h.conf.Faults.MaxDelay, "delay", key(*m)))
	}
	q.items = append(q.items, it)
	q.wake()
}

func (q *consumer) wake() {
	close(q.changed)
	q.changed = make(chan struct{})
}

// drop takes the item out of the queue, and its message out of the stream.
func (q *consumer) drop(it *item) {
	i := slices.Index(q.items, it)
	if i < 0 {
		return // the hub went back to another moment
	}
	q.stream.remove(it.msg.Seq)
	q.items = slices.Delete(q.items, i, i+1)
	q.wake()
}

// purge forgets the items of a stream whose messages were purged.
func (q *consumer) purge(s *stream, filter string, last uint64) {
	if q.stream != s {
		return
	}
	q.items = slices.DeleteFunc(q.items, func(it *item) bool { return it.msg.Seq <= last && events.MatchSubject(filter, it.msg.Subject) })
	q.wake()
}

// next picks the item to hand out now. Without one it returns how long
// to wait for the next (0: until something changes).
func (q *consumer) next(h *Hub, now time.Time) (it *item, wait time.Duration) {
	if q.exclusive {
		return q.nextExclusive(now)
	}
	var ready []*item
	for _, it := range q.items {
		switch left := it.due.Sub(now); {
		case it.holder != nil:
		case left <= 0:
			ready = append(ready, it)
		case wait == 0 || left < wait:
			wait = left
		}
		if len(ready) == 1 && h.conf.Faults.Reorder == 0 {
			break
		}
	}
	if len(ready) == 0 {
		return nil, wait
	}
	first := ready[0]
	if h.dice.hit(h.conf.Faults.Reorder, "reorder", key(first.msg)) {
		return ready[h.dice.draw("pick", key(first.msg)).IntN(len(ready))], 0
	}
	return first, 0
}

// nextExclusive hands out the oldest item, or nothing while that one is in hand or
// not due: the next command waits for the answer to this one.
func (q *consumer) nextExclusive(now time.Time) (*item, time.Duration) {
	if len(q.items) == 0 || q.items[0].holder != nil {
		return nil, 0
	}
	first := q.items[0]
	if left := first.due.Sub(now); left > 0 {
		return nil, left
	}
	return first, 0
}
