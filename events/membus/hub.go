package membus

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"apollo/events"
)

// ErrKilled is what every operation of a client returns after Kill.
var ErrKilled = errors.New("this client was killed")

// Stages of an operation, for Config.Trace.
const (
	// Before is the moment before the hub does what it was asked.
	Before = "before"
	// After is the moment between the effect and the caller's learning of it.
	After = "after"
)

// Kinds of operations, for Config.Trace.
const (
	OpAppend  = "append"
	OpRecord  = "record"
	OpPublish = "publish"
	OpDeliver = "deliver"
	OpAck     = "ack"
	OpNack    = "nack"
	// OpNotify is a notice, only before; OpBury a dead letter that the hub itself
	// writes, only after and with the hub's lock held.
	OpNotify = "notify"
	OpBury   = "bury"
	// OpFreeze is a node that stops, only after: its Subject is the stream that
	// does not answer, or Server.
	OpFreeze = "freeze"
)

// Server is the Subject of OpFreeze when all streams stop.
const Server = "server"

// Op is one step of one operation, as Config.Trace sees it.
type Op struct {
	// Client is the name of the client that asked.
	Client string
	// Kind is one of OpAppend, OpRecord, ….
	Kind string
	// Stage is Before or After.
	Stage string
	// Subject and ID are the message's.
	Subject, ID string
	// Data is the body of what is stored or notified, only before it is (of
	// OpBury after). It must not be written.
	Data []byte
	// Delivery counts the deliveries of a queue message, from 1.
	Delivery uint64
}

// Config is the configuration of a Hub. The zero value is a bus without faults
// that holds the whole topology.
type Config struct {
	// Seed of the faults.
	Seed uint64
	// Faults that happen.
	Faults Faults
	// Topology replaces events.Topology(), for example with small limits; nil
	// means events.Topology().
	Topology []events.Stream
	// AckWait is how long the message of a dead worker stays away from others.
	// 0 means events.AckWait; shorter only where a test waits in real time.
	AckWait time.Duration
	// MaxPayload is the largest message; 0 means events.MaxEventBytes.
	MaxPayload int
	// Trace is called before and after every effect, on the goroutine of the
	// operation, without a lock: it may kill clients, which is how a test
	// places a crash. After a kill the effect does not happen (Before), or its
	// caller does not learn of it (After). nil means no trace.
	Trace func(Op)
}

// Hub is a message bus in memory. It is safe for concurrent use.
type Hub struct {
	conf Config

	// mu guards everything below and everything the streams and consumers hold.
	mu        sync.Mutex
	dice      dice
	streams   map[string]*stream
	consumers map[string]*consumer
	listeners map[*noticeReader]bool
	// frozen is when the nodes go on that are stopped, by stream and Server.
	frozen map[string]time.Time
	// provisioned is closed and replaced when streams or consumers appear.
	provisioned chan struct{}
}

// New returns a hub without streams; a client's Provision creates them.
func New(conf Config) *Hub {
	if conf.Topology == nil {
		conf.Topology = events.Topology()
	}
	if conf.AckWait <= 0 {
		conf.AckWait = events.AckWait
	}
	if conf.MaxPayload <= 0 {
		conf.MaxPayload = events.MaxEventBytes
	}
	if conf.Faults.MaxDelay <= 0 {
		conf.Faults.MaxDelay = time.Second
	}
	return &Hub{
		conf:        conf,
		dice:        dice{seed: conf.Seed, times: map[decision]uint64{}},
		streams:     map[string]*stream{},
		consumers:   map[string]*consumer{},
		listeners:   map[*noticeReader]bool{},
		frozen:      map[string]time.Time{},
		provisioned: make(chan struct{}),
	}
}

// Client connects a process to the hub. Names are for Config.Trace; two
// clients may share one.
func (h *Hub) Client(name string) *Client {
	return newClient(h, name)
}

// trace reports a step of an operation to the test that drives the hub.
func (h *Hub) trace(op Op) {
	if h.conf.Trace != nil {
		h.conf.Trace(op)
	}
}

// announce wakes those who wait for streams and consumers. mu is held.
func (h *Hub) announce() {
	close(h.provisioned)
	h.provisioned = make(chan struct{})
}

// streamFor returns the one stream that all filters belong to. mu is held.
func (h *Hub) streamFor(filters ...string) (*stream, error) {
	var found *stream
	for _, filter := range filters {
		conf, ok := events.StreamOf(h.conf.Topology, filter)
		if !ok {
			return nil, fmt.Errorf("%q is not within one stream of the topology", filter)
		}
		s := h.streams[conf.Name]
		if s == nil {
			return nil, fmt.Errorf("%w: %s", events.ErrNoStream, conf.Name)
		}
		if found != nil && found != s {
			return nil, fmt.Errorf("%q and others are in different streams", filter)
		}
		found = s
	}
	if found == nil {
		return nil, errors.New("no subject given")
	}
	return found, nil
}

// refuse draws the faults that keep an operation from happening. mu is held.
func (h *Hub) refuse(kind, key string) error {
	f := h.conf.Faults
	switch {
	case h.dice.hit(f.Unreachable, kind+" unreachable", key):
		return fmt.Errorf("injected: %w", events.ErrUnreachable)
	case h.dice.hit(f.Full, kind+" full", key):
		return fmt.Errorf("injected: %w", events.ErrFull)
	}
	return nil
}

// key names a message for the dice.
func key(m events.Message) string {
	if m.ID != "" {
		return m.ID
	}
	return m.Subject
}

// oversized checks the bounds of the hub and of the stream on one message.
func (h *Hub) oversized(s *stream, m events.Message) error {
	limit := uint64(h.conf.MaxPayload)
	if most := uint64(s.conf.MaxMsgSize); most > 0 {
		limit = min(limit, most)
	}
	if n := size(m) - overhead - uint64(len(m.Subject)); n > limit {
		return fmt.Errorf("message %s of %d bytes is over the %d that stream %s takes: %w", m.Subject, n, limit, s.conf.Name, events.ErrTooLarge)
	}
	return nil
}

// SetMaxPayload changes the largest message, as a server does that comes back
// with another configuration.
func (h *Hub) SetMaxPayload(n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.conf.MaxPayload = n
}

// maxPayload returns the largest message that the hub and its streams carry.
func (h *Hub) maxPayload() int {
	return events.Carries(h.conf.Topology, h.conf.MaxPayload)
}
