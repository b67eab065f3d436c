package natsbus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/nats-io/nats.go"

	"apollo/events"
)

// Answers to a delivery (docs.nats.io, "Consumer details": acknowledgements).
const (
	ackBody      = "+ACK"
	nakBody      = "-NAK"
	progressBody = "+WPI"
)

// Status headers of the pull protocol (nats-server, ADR-13 and ADR-37).
const (
	statusHeader  = "Status"
	descHeader    = "Description"
	pendingHeader = "Nats-Pending-Messages"
	statusIdle    = "100"
	statusTimeout = "408"
	statusNone    = "404"
	statusChanged = "409"
)

// ackSubjects start the reply subject of every delivery, and of no status.
const ackSubjects = "$JS.ACK."

// subscription hands the messages of one consumer to one channel. It speaks
// the pull protocol itself: the client library asks for the next messages when
// it hands one out, and not when that one is answered, so that it would hold
// more than the slots.
type subscription struct {
	bus   *Bus
	route route
	slots int
	out   chan *message.Message
	// freed signals that a slot may be free.
	freed chan struct{}

	// mu guards held, the unanswered messages.
	mu   sync.Mutex
	held map[*delivery]bool
}

// delivery is one message in hand.
type delivery struct {
	msg     *nats.Msg
	message *message.Message
	cancel  context.CancelFunc
	nth     uint64
}

// run binds to the consumer until ctx ends, again whenever the binding is lost.
// ctx ends with the subscriber's context, with its queue, or with the bus.
func (s *subscription) run(ctx context.Context) {
	defer close(s.out)
	beats, quiet := context.WithCancel(ctx)
	defer quiet()
	s.bus.running.Go(func() { s.beat(beats) })
	var pause backoff
	for ctx.Err() == nil {
		start := time.Now()
		err := s.bind(ctx)
		if ctx.Err() != nil {
			return
		}
		if time.Since(start) > lastPause {
			pause = backoff{} // it worked for a while
		}
		s.bus.log.Debug("bind to the queue again", "consumer", s.route.durable, "error", err)
		if pause.wait(ctx) != nil {
			return
		}
	}
}

// beat tells the server that the messages in hand are alive.
func (s *subscription) beat(ctx context.Context) {
	t := time.NewTicker(s.bus.conf.AckWait * 3 / 10) // events.Heartbeat for events.AckWait
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		s.mu.Lock()
		for d := range s.held {
			_ = s.bus.nc.Publish(d.msg.Reply, []byte(progressBody)) // the next beat repeats it
		}
		s.mu.Unlock()
	}
}

// errRebind ends a binding whose pulls are lost.
var errRebind = errors.New("the pulls are lost")

// binding is one inbox and the pulls that lead to it.
type binding struct {
	*subscription
	inbox string
	ch    chan *nats.Msg
	// requested counts the messages that the server may still send.
	requested int
	heard     time.Time
}

// bind pulls through one inbox until the subscription ends or err says why the
// pulls are lost. What comes in after that goes back to the queue.
func (s *subscription) bind(ctx context.Context) error {
	b := s.bus
	epoch := b.next()
	if err := s.exists(ctx); err != nil {
		return err
	}
	bound := &binding{subscription: s, inbox: b.nc.NewInbox(), ch: make(chan *nats.Msg, 2*s.slots+64), heard: time.Now()}
	sub, err := b.nc.Subscribe(bound.inbox, func(m *nats.Msg) { bound.ch <- m })
	if err != nil {
		return err
	}
	sub.SetClosedHandler(func(string) { close(bound.ch) })
	defer bound.end(sub)
	watch := time.NewTicker(pullHeartbeat)
	defer watch.Stop()
	for {
		if err := bound.pull(); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-epoch:
			return errRebind
		case <-s.freed:
		case m, ok := <-bound.ch:
			if !ok {
				return errRebind
			}
			bound.heard = time.Now()
			if err := bound.receive(ctx, m); err != nil {
				return err
			}
		case <-watch.C:
			if bound.requested > 0 && len(bound.ch) == 0 && time.Since(bound.heard) > 3*pullHeartbeat {
				return errRebind
			}
		}
	}
}

// exists asks for the consumer, which another process may yet have to create.
func (s *subscription) exists(ctx context.Context) error {
	return s.bus.attempt(ctx, "$JS.API.CONSUMER.INFO."+s.route.stream+"."+s.route.durable, firstAttempt, func(ctx context.Context) error {
		_, err := s.bus.js.Consumer(ctx, s.route.stream, s.route.durable)
		return err
	})
}

// pull asks for as many messages as there are free slots.
func (b *binding) pull() error {
	b.mu.Lock()
	free := b.slots - len(b.held) - b.requested
	b.mu.Unlock()
	if free <= 0 {
		return nil
	}
	request, err := json.Marshal(map[string]any{
		"batch": free, "expires": pullExpiry.Nanoseconds(), "idle_heartbeat": pullHeartbeat.Nanoseconds(),
	})
	if err != nil {
		return err
	}
	if b.requested == 0 {
		b.heard = time.Now()
	}
	b.requested += free
	return b.bus.nc.PublishRequest("$JS.API.CONSUMER.MSG.NEXT."+b.route.stream+"."+b.route.durable, b.inbox, request)
}

// receive handles what came in: a message or the status of a pull.
func (b *binding) receive(ctx context.Context, m *nats.Msg) error {
	if strings.HasPrefix(m.Reply, ackSubjects) { // whatever its headers say
		b.requested--
		return b.handle(ctx, m)
	}
	status := m.Header.Get(statusHeader)
	switch status {
	case statusIdle:
		return nil
	case statusTimeout, statusNone, statusChanged:
		left, err := strconv.Atoi(m.Header.Get(pendingHeader))
		if err != nil { // the consumer was deleted, its leader moved, …
			return fmt.Errorf("%w: %s %s", errRebind, status, m.Header.Get(descHeader))
		}
		b.requested = max(0, b.requested-left)
		if status == statusChanged { // too many pulls wait: not at once again
			pause := backoff{last: lastPause / 2}
			return pause.wait(ctx)
		}
		return nil
	}
	return fmt.Errorf("%w: status %s %s", errRebind, status, m.Header.Get(descHeader))
}

// handle hands a message out, or buries it at its last delivery.
func (s *subscription) handle(ctx context.Context, m *nats.Msg) error {
	meta, err := m.Metadata()
	if err != nil {
		s.bus.log.Warn("drop what is no delivery", "error", err, "subject", m.Subject)
		return nil
	}
	if isStray(m.Header, m.Data) {
		s.bus.log.Warn("drop an answer of the server that somebody directed into the queue", "subject", m.Subject)
		_ = s.bus.nc.Publish(m.Reply, []byte(ackBody)) // lost: it comes again
		return nil
	}
	if meta.NumDelivered >= events.MaxDeliver {
		s.bury(ctx, m, meta)
		return nil
	}
	lifetime, cancel := context.WithCancel(ctx)
	id, header := decodeHeader(m.Header)
	wm := message.NewMessageWithContext(lifetime, id, m.Data)
	for k, v := range header {
		wm.Metadata.Set(k, v)
	}
	wm.Metadata.Set(events.MetaSubject, s.bus.relative(m.Subject))
	wm.Metadata.Set(events.MetaSequence, strconv.FormatUint(meta.Sequence.Stream, 10))
	wm.Metadata.Set(events.MetaStored, meta.Timestamp.UTC().Format(time.RFC3339Nano))
	wm.Metadata.Set(events.MetaDeliveries, strconv.FormatUint(meta.NumDelivered, 10))
	d := &delivery{msg: m, message: wm, cancel: cancel, nth: meta.NumDelivered}
	s.mu.Lock()
	s.held[d] = true
	s.mu.Unlock()
	select {
	case s.out <- wm:
		s.bus.running.Go(func() { s.await(ctx, d) })
		return nil
	case <-ctx.Done():
		s.answer(d, nakBody)
		return ctx.Err()
	}
}

// await waits for the answer to a message. When the subscription ends, nothing
// keeps the message alive any more, so an answer counts for another AckWait.
func (s *subscription) await(ctx context.Context, d *delivery) {
	ended := ctx.Done()
	var expired <-chan time.Time
	for {
		select {
		case <-d.message.Acked():
			s.answer(d, ackBody)
			return
		case <-d.message.Nacked():
			s.answer(d, nakAfter(s.delay(d)))
			return
		case <-ended:
			ended = nil
			t := time.NewTimer(s.bus.conf.AckWait)
			defer t.Stop()
			expired = t.C
		case <-expired:
			s.handBack(d)
			return
		case <-s.bus.over:
			s.handBack(d)
			return
		}
	}
}

// handBack ends the wait: an answer that was given just now counts.
func (s *subscription) handBack(d *delivery) {
	select {
	case <-d.message.Acked():
		s.answer(d, ackBody)
	case <-d.message.Nacked():
		s.answer(d, nakAfter(s.delay(d)))
	default:
		s.answer(d, nakBody)
	}
}

// delay is when a message that was nacked comes again.
func (s *subscription) delay(d *delivery) time.Duration {
	if asked, ok := events.HandBackDelay(d.message); ok {
		return asked
	}
	return s.bus.nackDelay(d.nth)
}

func nakAfter(delay time.Duration) string {
	return fmt.Sprintf(`%s {"delay": %d}`, nakBody, delay.Nanoseconds())
}

// answer sends the answer and frees the slot. An answer that a lost connection
// keeps back is sent again when that is up: the message is not handed out
// before AckWait.
func (s *subscription) answer(d *delivery, body string) {
	epoch := s.bus.next()
	if err := s.bus.nc.Publish(d.msg.Reply, []byte(body)); err != nil && classify(err).retried() {
		t := time.NewTimer(s.bus.conf.AckWait)
		defer t.Stop()
		select {
		case <-epoch:
			err = s.bus.nc.Publish(d.msg.Reply, []byte(body))
		case <-t.C:
		case <-s.bus.ctx.Done():
		}
		if err != nil {
			s.bus.log.Debug("an answer was lost: the message comes again", "error", err)
		}
	}
	d.cancel()
	s.mu.Lock()
	delete(s.held, d)
	s.mu.Unlock()
	select {
	case s.freed <- struct{}{}:
	default:
	}
}

// bury writes the dead letter of a message that no worker answered, and takes
// the message out of the queue.
func (s *subscription) bury(ctx context.Context, m *nats.Msg, meta *nats.MsgMetadata) {
	id, header := decodeHeader(m.Header)
	original := events.Message{
		Subject: s.bus.relative(m.Subject), Seq: meta.Sequence.Stream, ID: id,
		Time: meta.Timestamp, Header: header, Data: m.Data,
	}
	err := s.bus.deadLetter(ctx, original, meta.NumDelivered, tooOften)
	if err != nil {
		// The server will not deliver it again, but reports it as an advisory,
		// which becomes a dead letter when the advisories are next read.
		s.bus.log.Warn("write a dead letter", "error", err, "subject", original.Subject)
		return
	}
	_ = s.bus.nc.Publish(m.Reply, []byte(ackBody)) // lost: the advisory is a duplicate of the letter
}

// end gives the inbox up. The server may have sent messages that nobody will
// handle: they go back to the queue at once.
func (b *binding) end(sub *nats.Subscription) {
	if !b.bus.nc.IsConnected() || sub.Drain() != nil {
		_ = sub.Unsubscribe() // the server has dropped the inbox by itself
	}
	limit := time.NewTimer(flushTimeout)
	defer limit.Stop()
	for {
		select {
		case m, ok := <-b.ch:
			if !ok {
				return
			}
			if strings.HasPrefix(m.Reply, ackSubjects) {
				_ = m.Respond([]byte(nakBody))
			}
		case <-limit.C:
			// The handler must not stay blocked on a channel nobody reads.
			go func() {
				for range b.ch {
				}
			}()
			return
		}
	}
}
