package proposer

import (
	"context"
	"maps"
	"time"

	"apollo/events"
)

// queueLooks is what was last seen of the queues of evaluators. All runs of one ask the
// same question every second: they share the answer.
type queueLooks struct {
	// turn is held by who looks. It is no mutex, so that who waits ends with its context.
	turn chan struct{}
	of   map[string]queueLook // by evaluator
}

type queueLook struct {
	at   time.Time
	info events.QueueInfo
	err  error
}

func newQueueLooks() queueLooks {
	return queueLooks{turn: make(chan struct{}, 1), of: map[string]queueLook{}}
}

// look returns who works on the queue of an evaluator, as of the last second.
func (q *queueLooks) look(ctx context.Context, bus events.Bus, evaluator string) (events.QueueInfo, error) {
	select {
	case q.turn <- struct{}{}:
	case <-ctx.Done():
		return events.QueueInfo{}, context.Cause(ctx)
	}
	defer func() { <-q.turn }()
	maps.DeleteFunc(q.of, func(_ string, l queueLook) bool { return time.Since(l.at) >= lookForCauseEvery })
	l, known := q.of[evaluator]
	if !known {
		limited, cancel := context.WithTimeout(ctx, lookForCauseEvery)
		defer cancel()
		l.info, l.err = bus.QueueInfo(limited, "work."+evaluator)
		if l.at = time.Now(); ctx.Err() == nil { // else it is this run that ends
			q.of[evaluator] = l
		}
	}
	return l.info, l.err
}
