package membus

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"time"

	"apollo/events"
)

// port is Log and Facts of one client.
type port struct{ client *Client }

var (
	_ events.Log   = port{}
	_ events.Facts = port{}
)

// Append stores m when fence holds; see events.Log.
func (p port) Append(ctx context.Context, m events.Message, fence events.Fence) (uint64, error) {
	return p.client.write(ctx, OpAppend, m, func(s *stream) (uint64, error) {
		if fence.Filter != "" && s.lastOf(fence.Filter) != fence.Last {
			if seq := s.storedAfter(fence, m.ID); seq > 0 {
				return seq, nil
			}
			return 0, events.ErrFenced
		}
		if seq, ok := s.duplicate(m.ID, time.Now()); ok {
			if fence.Filter != "" || events.IsWork(m.Subject) || s.holds(seq, m) {
				return seq, nil
			}
			m.ID = "" // it was used up by another message, or is of one that is gone
			if last := s.lastOf(m.Subject); last > 0 && bytes.Equal(s.msgs[s.at(last)].Data, m.Data) {
				return last, nil // and m was stored without one
			}
		}
		if fence.Filter != "" {
			m.After = &fence.Last
		}
		return s.store(m, time.Now())
	})
}

// holds reports whether a message is still there, by its sequence.
func (s *stream) holds(seq uint64, m events.Message) bool {
	i := s.at(seq)
	return i < len(s.msgs) && s.msgs[i].Seq == seq && s.msgs[i].Subject == m.Subject && s.msgs[i].ID == m.ID
}

// storedAfter returns the sequence under which id was stored behind the fence:
// the caller's own append, of which it did not learn.
func (s *stream) storedAfter(fence events.Fence, id string) uint64 {
	if id == "" {
		return 0
	}
	for _, m := range s.msgs[s.at(fence.Last+1):] {
		if m.ID == id && events.MatchSubject(fence.Filter, m.Subject) {
			return m.Seq
		}
	}
	return 0
}

// Record stores m unless its subject has a message; see events.Facts.
func (p port) Record(ctx context.Context, m events.Message) (uint64, error) {
	return p.client.write(ctx, OpRecord, m, func(s *stream) (uint64, error) {
		// The window of IDs knows other subjects and messages that are gone: only
		// the subject itself says whether the fact is there.
		if s.lastOf(m.Subject) != 0 {
			return 0, events.ErrExists
		}
		if _, known := s.duplicate(m.ID, time.Now()); known {
			m.ID = ""
		}
		return s.store(m, time.Now())
	})
}

// write runs one storing operation with its faults.
func (c *Client) write(ctx context.Context, kind string, m events.Message, effect func(*stream) (uint64, error)) (uint64, error) {
	c.hub.trace(Op{Client: c.name, Kind: kind, Stage: Before, Subject: m.Subject, ID: m.ID, Data: m.Data})
	seq, err := c.store(ctx, kind, m, effect)
	c.hub.trace(Op{Client: c.name, Kind: kind, Stage: After, Subject: m.Subject, ID: m.ID})
	if dead := c.alive(); dead != nil {
		return 0, dead
	}
	if err != nil {
		return 0, fmt.Errorf("%s %s: %w", kind, m.Subject, err)
	}
	return seq, nil
}

// store asks the node of the stream, which may be frozen.
func (c *Client) store(ctx context.Context, kind string, m events.Message, effect func(*stream) (uint64, error)) (uint64, error) {
	if err := c.usable(ctx); err != nil {
		return 0, err
	}
	h := c.hub
	name := h.holds(m.Subject)
	h.strike(kind, name, key(m))
	if err := c.reach(ctx, name); err != nil {
		h.land(name, m, effect)
		return 0, err
	}
	return h.write(kind, m, effect)
}

func (h *Hub) write(kind string, m events.Message, effect func(*stream) (uint64, error)) (uint64, error) {
	if !events.IsSubject(m.Subject) {
		return 0, fmt.Errorf("%q is no subject", m.Subject)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	s, err := h.streamFor(m.Subject)
	if err != nil {
		return 0, err
	}
	if err := h.oversized(s, m); err != nil {
		return 0, err
	}
	if err := h.refuse(kind, key(m)); err != nil {
		return 0, err
	}
	seq, err := h.apply(s, effect)
	if err != nil {
		return 0, err
	}
	if h.dice.hit(h.conf.Faults.LostPubAck, kind+" lost", key(m)) {
		return 0, fmt.Errorf("injected after it was stored: %w", events.ErrUnreachable)
	}
	return seq, nil
}

// apply does what a write is for, and offers what it stored to the consumers.
// mu is held.
func (h *Hub) apply(s *stream, effect func(*stream) (uint64, error)) (uint64, error) {
	before := s.last
	seq, err := effect(s)
	if err == nil && s.last != before {
		h.enqueue(s, s.msgs[len(s.msgs)-1])
	}
	return seq, err
}

// Info returns the state of the stream that holds the subject.
func (p port) Info(ctx context.Context, subject string) (events.StreamInfo, error) {
	if err := p.client.reach(ctx, p.client.hub.holds(subject)); err != nil {
		return events.StreamInfo{}, err
	}
	h := p.client.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	s, err := h.streamFor(subject)
	if err != nil {
		return events.StreamInfo{}, err
	}
	return s.info(), nil
}

// Read yields what is stored now; see events.Reader.
func (p port) Read(ctx context.Context, from uint64, filters ...string) iter.Seq2[events.Message, error] {
	name := p.client.hub.holds(filters...)
	end, err := p.end(ctx, name, filters)
	return func(yield func(events.Message, error) bool) {
		if err != nil {
			yield(events.Message{}, err)
			return
		}
		for next := from; next <= end; {
			if err := p.client.reach(ctx, name); err != nil {
				yield(events.Message{}, err)
				return
			}
			got, after, _, err := p.fetch(next, end, filters)
			if err != nil {
				yield(events.Message{}, err)
				return
			}
			for _, m := range got {
				if !yield(m, nil) {
					return
				}
			}
			next = after
		}
	}
}

// end returns the last sequence of the filters' stream.
func (p port) end(ctx context.Context, name string, filters []string) (uint64, error) {
	h := p.client.hub
	if err := p.client.reach(ctx, name); err != nil {
		return 0, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	s, err := h.streamFor(filters...)
	if err != nil {
		return 0, err
	}
	return s.last, nil
}

// fetch reads a batch and returns what to wait for when there is none.
func (p port) fetch(from, to uint64, filters []string) (got []events.Message, next uint64, wake <-chan struct{}, err error) {
	h := p.client.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	s, err := h.streamFor(filters...)
	if err != nil {
		return nil, from, h.provisioned, err
	}
	got, next = s.read(from, to, filters)
	return got, next, s.changed, nil
}

// Follow yields what is stored now and later; see events.Reader. A stream that
// is not there yet is waited for.
func (p port) Follow(ctx context.Context, from uint64, filters ...string) iter.Seq2[events.Message, error] {
	return p.follow(ctx, from, filters, func(wake <-chan struct{}) error {
		if p.client.await(ctx, wake) {
			return nil
		}
		return errClosed
	})
}

// FollowInStrides yields what is stored in strides; see events.Reader.
func (p port) FollowInStrides(ctx context.Context, from uint64, rest func(ctx context.Context, left uint64) error, filters ...string) iter.Seq2[events.Message, error] {
	return func(yield func(events.Message, error) bool) {
		ctx, stop := context.WithCancel(ctx)
		defer stop()
		for m, err := range p.follow(ctx, from, filters, func(<-chan struct{}) error {
			if rest(ctx, 0) != nil {
				stop()
			}
			return nil
		}) {
			if !yield(m, err) {
				return
			}
		}
	}
}

// follow yields what is stored, and goes on when idle returns. An error of idle ends it.
func (p port) follow(ctx context.Context, from uint64, filters []string, idle func(wake <-chan struct{}) error) iter.Seq2[events.Message, error] {
	name := p.client.hub.holds(filters...)
	return func(yield func(events.Message, error) bool) {
		for next := from; ctx.Err() == nil; {
			if err := p.client.alive(); err != nil {
				yield(events.Message{}, err)
				return
			}
			if err := p.client.reach(ctx, name); errors.Is(err, events.ErrUnreachable) {
				continue
			}
			got, after, wake, err := p.fetch(next, math.MaxUint64, filters)
			if err != nil && !errors.Is(err, events.ErrUnreachable) {
				yield(events.Message{}, err)
				return
			}
			if !p.yieldAll(ctx, got, yield) {
				return
			}
			next = after
			if len(got) > 0 {
				continue
			}
			if err := idle(wake); err != nil {
				if ctx.Err() == nil {
					yield(events.Message{}, err)
				}
				return
			}
		}
	}
}

// yieldAll yields messages that Follow found; false ends it.
func (p port) yieldAll(ctx context.Context, got []events.Message, yield func(events.Message, error) bool) bool {
	for _, m := range got {
		p.hold(ctx, m)
		if err := p.client.alive(); err != nil {
			yield(events.Message{}, err)
			return false
		}
		if ctx.Err() != nil || !yield(m, nil) {
			return false
		}
	}
	return true
}

// hold delays what Follow yields.
func (p port) hold(ctx context.Context, m events.Message) {
	h := p.client.hub
	if h.conf.Faults.FollowDelay <= 0 {
		return
	}
	h.mu.Lock()
	d := h.dice.delay(h.conf.Faults.FollowDelay, h.conf.Faults.MaxDelay, "follow "+p.client.name, key(m))
	h.mu.Unlock()
	if d == 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-p.client.dead:
	case <-p.client.closing:
	case <-ctx.Done():
	}
}

// errClosed is what a client returns that was closed.
var errClosed = errors.New("the bus was closed")

// await waits for wake; false when ctx ended or the client was closed.
func (c *Client) await(ctx context.Context, wake <-chan struct{}) bool {
	select {
	case <-wake:
	case <-c.dead:
	case <-c.closing:
		return false
	case <-ctx.Done():
		return false
	}
	return true
}
