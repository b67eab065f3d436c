package membus

import (
	"hash/fnv"
	"math/rand/v2"
	"time"
)

// Faults are what can go wrong, each as a probability from 0 (never) to 1.
// The zero value is a bus without faults.
type Faults struct {
	// Duplicate hands a queue message out a second time, within MaxDelay,
	// even when the first delivery was acknowledged meanwhile.
	Duplicate float64
	// Delay holds a queue message back, for up to MaxDelay.
	Delay float64
	// Reorder hands out a waiting message other than the oldest. Commands
	// keep their order.
	Reorder float64
	// Drop loses a delivery: it comes again after events.AckWait.
	Drop float64
	// LostAck loses a worker's acknowledgement: the message comes again
	// after events.AckWait although it was handled.
	LostAck float64
	// LostPubAck stores a message and tells its writer ErrUnreachable.
	LostPubAck float64
	// Unreachable refuses an operation with ErrUnreachable; nothing is stored.
	Unreachable float64
	// Full refuses to store with ErrFull although there is room.
	Full float64
	// FollowDelay holds back what Follow yields, for up to MaxDelay. The
	// order within a stream is kept.
	FollowDelay float64
	// Freeze finds, at an operation that stores or answers a message, the node
	// of its stream stopped, for 6 to 12 s; one time in three the whole server.
	// What is asked of it meanwhile waits, until it goes on or its own patience
	// ends; see freeze.go.
	Freeze float64
	// NoticeLoss loses a notice on its way to one receiver.
	NoticeLoss float64
	// MaxDelay bounds the delays above. 0 means 1 s.
	MaxDelay time.Duration
}

// dice makes the decisions of one hub. Its hub's mutex guards it.
type dice struct {
	seed  uint64
	times map[decision]uint64
}

// decision names one question about one key.
type decision struct{ kind, key string }

// draw returns the generator of the next decision of that kind for key.
func (d *dice) draw(kind, key string) *rand.Rand {
	at := decision{kind, key}
	n := d.times[at]
	d.times[at] = n + 1
	h := fnv.New64a()
	h.Write([]byte(kind))
	h.Write([]byte{0})
	h.Write([]byte(key))
	return rand.New(rand.NewPCG(d.seed^h.Sum64(), n))
}

// hit decides whether a fault of the given rate happens.
func (d *dice) hit(rate float64, kind, key string) bool {
	return rate > 0 && d.draw(kind, key).Float64() < rate
}

// delay returns how long a fault of the given rate holds something back.
func (d *dice) delay(rate float64, limit time.Duration, kind, key string) time.Duration {
	if rate <= 0 {
		return 0
	}
	r := d.draw(kind, key)
	if r.Float64() >= rate {
		return 0
	}
	return time.Duration(r.Int64N(int64(limit))) + 1
}
