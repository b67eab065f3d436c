package membus

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"apollo/events"
)

const (
	// shortestFreeze and longestFreeze bound how long a node stands still. It is
	// beyond natsbus's second attempt, beyond every election (4 to 9 s) and, at
	// its longest, beyond events.AckWait.
	shortestFreeze = 6 * time.Second
	longestFreeze  = 12 * time.Second
)

// patience is when one question to a frozen node is given up, one of these:
// natsbus's attempts end then.
var patience = []time.Duration{2 * time.Second, 5 * time.Second, 9500 * time.Millisecond, 16 * time.Second}

// strike draws whether an operation finds the node of its stream stopping.
func (h *Hub) strike(kind, stream, key string) {
	if h.conf.Faults.Freeze <= 0 {
		return
	}
	h.mu.Lock()
	now := time.Now()
	hit := h.frozenFor(stream, now) <= 0 && h.dice.hit(h.conf.Faults.Freeze, "freeze "+kind, key)
	if hit {
		stream = h.freeze(stream, now, h.dice.draw("frozen", key))
	}
	h.mu.Unlock()
	if hit {
		h.trace(Op{Kind: OpFreeze, Stage: After, Subject: stream})
	}
}

// freeze stops the node of one stream, or the server, and returns which. What
// workers hold then is handed out again when their heartbeats were not heard for
// too long. mu is held.
func (h *Hub) freeze(stream string, now time.Time, r *rand.Rand) string {
	until := now.Add(shortestFreeze + time.Duration(r.Int64N(int64(longestFreeze-shortestFreeze))))
	if r.IntN(3) == 0 {
		stream = Server
	}
	h.frozen[stream] = until
	for _, q := range h.consumers {
		if stream != Server && stream != q.stream.conf.Name {
			continue
		}
		for _, it := range q.items {
			if due := now.Add(h.conf.AckWait); it.holder != nil && until.After(due) {
				it.release(due)
			}
		}
	}
	return stream
}

// frozenFor returns how long a stream, or the server, does not answer. mu is held.
func (h *Hub) frozenFor(stream string, now time.Time) time.Duration {
	return max(h.frozen[stream].Sub(now), h.frozen[Server].Sub(now))
}

// stopped reports whether a stream does not answer now.
func (h *Hub) stopped(stream string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.frozenFor(stream, time.Now()) > 0
}

// holds names the stream of the filters; one that is in none asks the server.
func (h *Hub) holds(filters ...string) string {
	if len(filters) == 0 {
		return Server
	}
	conf, ok := events.StreamOf(h.conf.Topology, filters[0])
	if !ok {
		return Server
	}
	return conf.Name
}

// reach waits until the node of a stream answers. It gives up with
// ErrUnreachable when the question's patience ends, and with the reason when ctx
// or the client does.
func (c *Client) reach(ctx context.Context, stream string) error {
	if err := c.usable(ctx); err != nil {
		return err
	}
	h := c.hub
	var end <-chan time.Time
	for {
		h.mu.Lock()
		left := h.frozenFor(stream, time.Now())
		if left > 0 && end == nil {
			end = time.After(patience[h.dice.draw("patience "+c.name, stream).IntN(len(patience))])
		}
		h.mu.Unlock()
		if left <= 0 {
			return nil
		}
		select {
		case <-time.After(left):
		case <-end:
			return fmt.Errorf("%s does not answer: %w", stream, events.ErrUnreachable)
		case <-ctx.Done():
			return ctx.Err()
		case <-c.dead:
			return ErrKilled
		}
	}
}

// land decides what becomes of a message whose writer does not wait any more:
// it is lost with the node, or it lies in front of it and is stored when that
// goes on, whoever is alive then.
func (h *Hub) land(stream string, m events.Message, effect func(*stream) (uint64, error)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.dice.draw("lands", key(m)).IntN(2) == 0 {
		h.landAfter(stream, m, effect)
	}
}

// landAfter stores m once the node answers. mu is held.
func (h *Hub) landAfter(name string, m events.Message, effect func(*stream) (uint64, error)) {
	time.AfterFunc(h.frozenFor(name, time.Now()), func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.frozenFor(name, time.Now()) > 0 {
			h.landAfter(name, m, effect)
			return
		}
		s, err := h.streamFor(m.Subject)
		if err != nil || h.oversized(s, m) != nil {
			return
		}
		_, _ = h.apply(s, effect) // nobody is there to hear it
	})
}
