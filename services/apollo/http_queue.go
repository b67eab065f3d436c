package main

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"

	"apollo/services/health"
)

// queueCollector asks the bus for the queues of work when it is scraped: those
// that hold something, and those that have workers.
type queueCollector struct {
	bus     health.Bus
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
	queues, err := health.Queues(ctx, c.bus, &c.workers.Workers)
	if err != nil {
		return
	}
	for _, q := range queues {
		gauge := func(d *prometheus.Desc, v float64, labels ...string) {
			ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, append([]string{q.Evaluator}, labels...)...)
		}
		gauge(queueItemsDesc(), float64(q.Ready), "ready")
		gauge(queueItemsDesc(), float64(q.Held), "held")
		gauge(queueAgeDesc(), q.OldestSeconds)
	}
}
