package proposer

import (
	"context"
	"sync"

	"apollo/events"
)

// rejections bounds how many answers to bad requests the log keeps: it is the
// log of all studies, and whoever sends garbage takes no room from them.
type rejections struct {
	mu   sync.Mutex // guards what follows
	last []uint64   // sequences of those that this proposer appended, oldest first
}

// remember takes one down. It returns the sequence up to which those before go, 0
// for none: rarely, because a stream is not made smaller for one message.
func (r *rejections) remember(seq uint64) (through uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last = append(r.last, seq)
	if len(r.last) < 2*events.MaxRejections {
		return 0
	}
	through = r.last[len(r.last)-1-events.MaxRejections]
	r.last = append([]uint64(nil), r.last[len(r.last)-events.MaxRejections:]...)
	return through
}

// forget makes room where the log has too many rejections. What fails is tried
// again with the next ones.
func (p *Proposer) forget(ctx context.Context, seq uint64) {
	through := p.rejections.remember(seq)
	if through == 0 {
		return
	}
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := p.Bus.PurgeThrough(limited, events.RejectedSubject("*"), through); err != nil {
		p.Logger.Warn("remove old rejections from the log", "error", err)
		return
	}
	p.Logger.Warn("many requests were rejected: the oldest answers are removed from the log", "kept", events.MaxRejections)
}
