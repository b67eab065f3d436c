package health

import (
	"context"
	"slices"
	"strings"
	"time"

	"apollo/services/messages"
)

// Queue is the work of an evaluator.
type Queue struct {
	Evaluator string `json:"evaluator"`
	// Ready items can be taken, a worker has the Held ones.
	Ready int `json:"ready"`
	Held  int `json:"held"`
	// OldestSeconds is the age of the oldest item without an answer; 0 when there is none.
	OldestSeconds float64 `json:"oldest_s"`
}

// Queues asks the bus for the queues of work: those that hold something, and those
// that have workers.
func Queues(ctx context.Context, bus Bus, workers *messages.Workers) ([]Queue, error) {
	items := map[string]int{}
	there, _ := workers.Of("", time.Now())
	for _, p := range there {
		items[p.Evaluator] = 0
	}
	bySubject, err := bus.Count(ctx, "work.*.*.*.*")
	if err != nil {
		return nil, err
	}
	for subject, n := range bySubject {
		if tokens := strings.SplitN(subject, ".", 3); len(tokens) == 3 {
			items[tokens[1]] += int(n)
		}
	}
	queues := []Queue{}
	for evaluator, n := range items {
		info, err := bus.QueueInfo(ctx, "work."+evaluator)
		if err != nil {
			return nil, err
		}
		// What no consumer has yet is ready, too: nobody serves it.
		q := Queue{Evaluator: evaluator, Ready: max(info.Ready, n-info.Held), Held: info.Held}
		stored, some, err := bus.Oldest(ctx, "work."+evaluator+".*.*.*")
		if err != nil {
			return nil, err
		}
		if some {
			q.OldestSeconds = max(0, time.Since(stored).Seconds())
		}
		queues = append(queues, q)
	}
	slices.SortFunc(queues, func(a, b Queue) int { return strings.Compare(a.Evaluator, b.Evaluator) })
	return queues, nil
}
