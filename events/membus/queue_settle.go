package membus

import (
	"context"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"apollo/events"
)

// settle waits for the answer to a message and does what it says. After the
// subscription has ended nothing keeps the message alive, so an answer counts
// for another AckWait.
func (s *subscription) settle(ctx context.Context, it *item, wm *message.Message, op Op) {
	ended := ctx.Done()
	var expired <-chan time.Time
	for {
		select {
		case <-wm.Acked():
			s.answer(it, op, OpAck, s.ack)
			return
		case <-wm.Nacked():
			s.answer(it, op, OpNack, s.nack(wm))
			return
		case <-ended:
			ended = nil
			t := time.NewTimer(s.client.hub.conf.AckWait)
			defer t.Stop()
			expired = t.C
		case <-expired:
			s.giveBack(it, wm, op)
			return
		case <-s.client.over:
			s.giveBack(it, wm, op)
			return
		case <-s.client.dead:
			s.lose(it)
			return
		}
	}
}

// giveBack ends the wait for an answer: one that was given just now counts,
// otherwise the message goes to another worker at once.
func (s *subscription) giveBack(it *item, wm *message.Message, op Op) {
	select {
	case <-wm.Acked():
		s.answer(it, op, OpAck, s.ack)
	case <-wm.Nacked():
		s.answer(it, op, OpNack, s.nack(wm))
	default:
		s.end(it, func(_ *consumer, mine bool) {
			if mine {
				it.release(time.Now())
			}
		})
	}
}

// answer carries out an ack or a nack, unless the client dies around it or the
// node is frozen: an answer is sent once, and nobody waits for what becomes of it.
func (s *subscription) answer(it *item, op Op, kind string, effect func(*item)) {
	op.Kind, op.Stage = kind, Before
	h := s.client.hub
	h.trace(op)
	name := h.holds(it.msg.Subject)
	h.strike(kind, name, key(it.msg))
	if s.client.alive() != nil || h.stopped(name) {
		s.lose(it)
		return
	}
	effect(it)
	op.Stage = After
	h.trace(op)
}

func (s *subscription) ack(it *item) {
	s.end(it, func(q *consumer, mine bool) {
		h := s.client.hub
		if h.dice.hit(h.conf.Faults.LostAck, "lost ack", key(it.msg)) {
			if mine {
				it.release(time.Now().Add(s.client.hub.conf.AckWait))
			}
			return
		}
		it.acked = true
		if it.extra > 0 {
			q.stream.remove(it.msg.Seq)
			return
		}
		q.drop(it)
	})
}

func (s *subscription) nack(wm *message.Message) func(*item) {
	return func(it *item) {
		delay := events.RedeliveryDelay(wm)
		s.end(it, func(_ *consumer, mine bool) {
			if mine {
				it.release(time.Now().Add(delay))
			}
		})
	}
}

// lose is what becomes of a message whose worker was killed or is not heard.
func (s *subscription) lose(it *item) {
	s.end(it, func(_ *consumer, mine bool) {
		if mine {
			it.release(time.Now().Add(s.client.hub.conf.AckWait))
		}
	})
}

// end frees the slot and applies effect under the hub's mutex; mine is false
// when the message is in other hands by now.
func (s *subscription) end(it *item, effect func(q *consumer, mine bool)) {
	h := s.client.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	s.held--
	if it.orphan {
		return
	}
	q := h.consumers[s.topic]
	effect(q, it.holder == s)
	if it.acked && it.extra == 0 && it.holder == nil {
		q.drop(it) // an injected second delivery is not owed an answer
	}
	q.wake()
}
