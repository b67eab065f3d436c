package proposer

import (
	"context"
	"maps"
	"sync"
	"time"

	"apollo/events"
)

// queueLooks is what was last seen of the queues of evaluators. All runs of one ask the
// same question every second: they share the answer.
type queueLooks struct {
	mu sync.Mutex            // of the map and of users; never held while the bus is asked
	of map[string]*queueLook // by evaluator
}

type queueLook struct {
	users int // runs that hold or wait for turn
	// turn is held by who looks. It is no mutex, so that who waits ends with its context.
	turn chan struct{}
	at   time.Time
	info events.QueueInfo
	err  error
}

func newQueueLooks() queueLooks { return queueLooks{of: map[string]*queueLook{}} }

// look returns who works on the queue of an evaluator, as of the last second. It takes a
// second at most, whatever the bus does.
func (q *queueLooks) look(ctx context.Context, bus events.Bus, evaluator string) (events.QueueInfo, error) {
	l := q.join(evaluator)
	defer q.leave(l)
	limited, cancel := context.WithTimeout(ctx, lookForCauseEvery)
	defer cancel()
	select {
	case l.turn <- struct{}{}:
	case <-limited.Done():
		return events.QueueInfo{}, context.Cause(limited)
	}
	defer func() { <-l.turn }()
	if time.Since(l.at) < lookForCauseEvery {
		return l.info, l.err
	}
	info, err := bus.QueueInfo(limited, "work."+evaluator)
	if ctx.Err() == nil { // else it is this run that ends
		l.at, l.info, l.err = time.Now(), info, err
	}
	return info, err
}

// join returns the look at the queue of an evaluator, and drops old ones of others.
func (q *queueLooks) join(evaluator string) *queueLook {
	q.mu.Lock()
	defer q.mu.Unlock()
	maps.DeleteFunc(q.of, func(_ string, l *queueLook) bool {
		return l.users == 0 && time.Since(l.at) >= lookForCauseEvery
	})
	l := q.of[evaluator]
	if l == nil {
		l = &queueLook{turn: make(chan struct{}, 1)}
		q.of[evaluator] = l
	}
	l.users++
	return l
}

func (q *queueLooks) leave(l *queueLook) {
	q.mu.Lock()
	defer q.mu.Unlock()
	l.users--
}
