package membus

import (
	"context"
	"fmt"
	"iter"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"apollo/events"
)

var _ events.Bus = (*Client)(nil)

// Client is one process on a Hub. It implements events.Bus and is safe for
// concurrent use.
type Client struct {
	hub  *Hub
	name string
	// dead is closed by Kill, closing by Close, and over when Close has no
	// more time for answers.
	dead, closing, over chan struct{}
	kill, shut, cut     sync.Once
	// running counts the goroutines of subscriptions.
	running sync.WaitGroup
}

func newClient(h *Hub, name string) *Client {
	return &Client{hub: h, name: name, dead: make(chan struct{}), closing: make(chan struct{}), over: make(chan struct{})}
}

// Kill ends the client as kill -9 ends a process: nothing it asks afterwards
// happens, its iterators end with ErrKilled, and the messages it holds go to
// others after events.AckWait. It does not wait, so it may be called anywhere.
func (c *Client) Kill() {
	c.kill.Do(func() { close(c.dead) })
}

// Close ends the client in order: subscriptions take nothing new, and Close
// waits until the messages they hold are answered or ctx is done, when the
// rest is handed back at once.
func (c *Client) Close(ctx context.Context) error {
	c.hub.mu.Lock()
	c.shut.Do(func() { close(c.closing) })
	c.hub.mu.Unlock()
	done := make(chan struct{})
	go func() {
		c.running.Wait()
		close(done)
	}()
	select {
	case <-done:
		c.Kill()
		return nil
	case <-ctx.Done():
	}
	c.cut.Do(func() { close(c.over) })
	<-done
	c.Kill()
	return ctx.Err()
}

// alive returns ErrKilled after Kill.
func (c *Client) alive() error {
	select {
	case <-c.dead:
		return ErrKilled
	default:
		return nil
	}
}

// usable returns why the client cannot do anything for ctx any more.
func (c *Client) usable(ctx context.Context) error {
	if err := c.alive(); err != nil {
		return err
	}
	return ctx.Err()
}

// Log returns the client's view of the fenced log.
func (c *Client) Log() events.Log { return port{c} }

// Facts returns the client's view of the once-per-subject streams.
func (c *Client) Facts() events.Facts { return port{c} }

// Queue returns a queue whose subscriptions hold at most slots unanswered
// messages; slots below 1 means 1. Closing it ends its subscriptions; it can
// still publish.
func (c *Client) Queue(slots int) events.Queue {
	return &queue{client: c, slots: max(1, slots), closing: make(chan struct{})}
}

// Provision creates the streams and the command consumer.
func (c *Client) Provision(ctx context.Context) error {
	if err := c.reach(ctx, Server); err != nil {
		return err
	}
	h := c.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, conf := range h.conf.Topology {
		if s, ok := h.streams[conf.Name]; ok {
			s.conf = conf
			continue
		}
		h.streams[conf.Name] = newStream(conf, time.Now())
	}
	h.consumer("cmd", "cmd.>", true)
	h.announce()
	return nil
}

// ProvisionEvaluator creates the consumer of an evaluator's work.
func (c *Client) ProvisionEvaluator(ctx context.Context, name string) error {
	if err := c.reach(ctx, Server); err != nil {
		return err
	}
	if !events.IsName(name) {
		return fmt.Errorf("evaluator %q is not a DNS label", name)
	}
	h := c.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, err := h.streamFor("work." + name + ".>"); err != nil {
		return err
	}
	h.consumer("work."+name, "work."+name+".>", false)
	h.announce()
	return nil
}

// Evaluators lists whose work has a consumer.
func (c *Client) Evaluators(ctx context.Context) (names []string, err error) {
	if err := c.reach(ctx, c.hub.holds("work.>")); err != nil {
		return nil, err
	}
	c.hub.mu.Lock()
	defer c.hub.mu.Unlock()
	for topic := range c.hub.consumers {
		if name, ok := strings.CutPrefix(topic, "work."); ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

// RemoveEvaluator removes the consumer of an evaluator's work.
func (c *Client) RemoveEvaluator(ctx context.Context, name string) error {
	if err := c.reach(ctx, c.hub.holds("work.>")); err != nil {
		return err
	}
	c.hub.mu.Lock()
	defer c.hub.mu.Unlock()
	if q := c.hub.consumers["work."+name]; q != nil {
		delete(c.hub.consumers, "work."+name)
		for _, it := range q.items {
			it.orphan = true
		}
		q.wake()
	}
	return nil
}

// Subjects lists the subjects that a message is stored on.
func (c *Client) Subjects(ctx context.Context, filter string) (found []string, err error) {
	if err := c.reach(ctx, c.hub.holds(filter)); err != nil {
		return nil, err
	}
	c.hub.mu.Lock()
	defer c.hub.mu.Unlock()
	s, err := c.hub.streamFor(filter)
	if err != nil {
		return nil, err
	}
	for subject := range s.latest {
		if events.MatchSubject(filter, subject) {
			found = append(found, subject)
		}
	}
	slices.Sort(found)
	return found, nil
}

// Ready waits until the streams exist.
func (c *Client) Ready(ctx context.Context) error {
	for {
		if err := c.reach(ctx, Server); err != nil {
			return err
		}
		c.hub.mu.Lock()
		ready, wake := len(c.hub.streams) == len(c.hub.conf.Topology), c.hub.provisioned
		c.hub.mu.Unlock()
		if ready {
			return nil
		}
		select {
		case <-wake:
		case <-ctx.Done():
		case <-c.dead:
		}
	}
}

// MaxPayload returns the largest message that the hub carries.
func (c *Client) MaxPayload() int {
	c.hub.mu.Lock()
	defer c.hub.mu.Unlock()
	return c.hub.maxPayload()
}

// Purge removes the messages that match the filter, also from queues.
func (c *Client) Purge(ctx context.Context, filter string) error {
	return c.PurgeThrough(ctx, filter, math.MaxUint64)
}

// PurgeThrough is Purge of the messages up to sequence last.
func (c *Client) PurgeThrough(ctx context.Context, filter string, last uint64) error {
	if err := c.reach(ctx, c.hub.holds(filter)); err != nil {
		return err
	}
	h := c.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	s, err := h.streamFor(filter)
	if err != nil {
		return err
	}
	s.purge(filter, last)
	for _, q := range h.consumers {
		q.purge(s, filter, last)
	}
	return nil
}

// matching returns the stored messages of one stream that match the filter, which
// nobody may change.
func (c *Client) matching(ctx context.Context, filter string) (found []*events.Message, err error) {
	if err := c.reach(ctx, c.hub.holds(filter)); err != nil {
		return nil, err
	}
	c.hub.mu.Lock()
	defer c.hub.mu.Unlock()
	s, err := c.hub.streamFor(filter)
	if err != nil {
		return nil, err
	}
	for _, m := range s.msgs {
		if events.MatchSubject(filter, m.Subject) {
			found = append(found, m)
		}
	}
	return found, nil
}

// Count returns how many messages of one stream match the filter, by subject.
func (c *Client) Count(ctx context.Context, filter string) (map[string]uint64, error) {
	found, err := c.matching(ctx, filter)
	counts := map[string]uint64{}
	for _, m := range found {
		counts[m.Subject]++
	}
	return counts, err
}

// Oldest returns when the oldest message was stored that matches the filter, which
// is of one stream; ok is false when there is none.
func (c *Client) Oldest(ctx context.Context, filter string) (stored time.Time, ok bool, err error) {
	found, err := c.matching(ctx, filter)
	if err != nil || len(found) == 0 {
		return stored, false, err
	}
	return found[0].Time, true, nil
}

// noticeReader is one caller of Notices.
type noticeReader struct {
	filter string
	ch     chan events.Message
}

// backlog is how many notices wait for a slow reader before more are lost.
const backlog = 256

// Notify hands data to everyone who listens now.
func (c *Client) Notify(ctx context.Context, subject string, data []byte) error {
	if err := c.usable(ctx); err != nil {
		return err
	}
	h := c.hub
	h.trace(Op{Client: c.name, Kind: OpNotify, Stage: Before, Subject: subject, Data: data})
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.frozenFor(Server, time.Now()) > 0 {
		return nil // it leaves the client, and is not heard
	}
	for l := range h.listeners {
		if !events.MatchSubject(l.filter, subject) || h.dice.hit(h.conf.Faults.NoticeLoss, "notice", subject) {
			continue
		}
		select {
		case l.ch <- clone(events.Message{Subject: subject, Time: time.Now(), Data: data}):
		default: // a slow reader loses notices, as on core NATS
		}
	}
	return nil
}

// Notices yields the notices that match filter until ctx is done. It listens
// from the moment Notices returns.
func (c *Client) Notices(ctx context.Context, filter string) iter.Seq2[events.Message, error] {
	l := &noticeReader{filter: filter, ch: make(chan events.Message, backlog)}
	c.hub.mu.Lock()
	c.hub.listeners[l] = true
	c.hub.mu.Unlock()
	drop := func() {
		c.hub.mu.Lock()
		defer c.hub.mu.Unlock()
		delete(c.hub.listeners, l)
	}
	stop := context.AfterFunc(ctx, drop)
	return func(yield func(events.Message, error) bool) {
		defer drop()
		defer stop()
		for {
			if err := c.alive(); err != nil {
				yield(events.Message{}, err)
				return
			}
			select {
			case m := <-l.ch:
				if !yield(m, nil) {
					return
				}
			case <-ctx.Done():
				return
			case <-c.dead:
			case <-c.closing:
				return
			}
		}
	}
}
