package main

import (
	"context"
	"maps"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"apollo/events"
	"apollo/services/health"
)

// queueCollector asks the bus for the queues of work when it is scraped: those
// that hold something, and those that have workers.
type queueCollector struct {
	bus     events.Bus
	workers *workers
}

func queueItemsDesc() *prometheus.Desc {
	return prometheus.NewDesc("apollo_queue_items", "Work items that are ready to be taken, and those that a worker holds.", []string{"evaluator", "state"}, nil)
}

func queueAgeDesc() *prometheus.Desc {
	return prometheus.NewDesc("apollo_queue_age_seconds", "Age of the oldest work item without an answer; 0 when there is none.", []string{"evaluator"}, nil)
}

// Describe implements prometheus.Collector.
func (c queueCollector) Describe(ch chan<- *prometheus.Desc) {
	ch <- queueItemsDesc()
	ch <- queueAgeDesc()
}

// Collect implements prometheus.Collector. A bus that cannot be asked gives
// nothing; /healthz says why.
func (c queueCollector) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), healthTimeout)
	defer cancel()
	queues := map[string]uint64{}
	there, _ := c.workers.Of("", time.Now())
	for _, p := range there {
		queues[p.Evaluator] = 0
	}
	if bus, ok := c.bus.(health.Counter); ok {
		items, err := bus.Count(ctx, "work.*.*.*.*")
		if err != nil {
			return
		}
		for subject, n := range items {
			if tokens := strings.SplitN(subject, ".", 3); len(tokens) == 3 {
				queues[tokens[1]] += n
			}
		}
	}
	for evaluator := range maps.Keys(queues) {
		info, err := c.bus.QueueInfo(ctx, "work."+evaluator)
		if err != nil {
			return
		}
		// What no consumer has yet is ready, too: nobody serves it.
		ready := max(info.Ready, int(queues[evaluator])-info.Held)
		gauge := func(d *prometheus.Desc, v float64, labels ...string) {
			ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, append([]string{evaluator}, labels...)...)
		}
		gauge(queueItemsDesc(), float64(ready), "ready")
		gauge(queueItemsDesc(), float64(info.Held), "held")
		bus, ok := c.bus.(interface {
			Oldest(ctx context.Context, filter string) (time.Time, bool, error)
		})
		if !ok {
			continue
		}
		stored, some, err := bus.Oldest(ctx, "work."+evaluator+".*.*.*")
		if err != nil {
			return
		}
		age := 0.0
		if some {
			age = max(0, time.Since(stored).Seconds())
		}
		gauge(queueAgeDesc(), age)
	}
}
