package main

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"

	"apollo/services/health"
)

// letterCollector counts the dead letters when it is scraped.
type letterCollector struct{ bus health.Bus }

func lettersDesc() *prometheus.Desc {
	return prometheus.NewDesc("apollo_dead_letters", "Dead letters that are kept, by the service that wrote them.", []string{"service"}, nil)
}

// Describe implements prometheus.Collector.
func (c letterCollector) Describe(ch chan<- *prometheus.Desc) { ch <- lettersDesc() }

// Collect implements prometheus.Collector. A bus that cannot be asked gives
// nothing; /healthz says why.
func (c letterCollector) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), healthTimeout)
	defer cancel()
	counts, err := health.LettersByService(ctx, c.bus)
	if err != nil {
		return
	}
	for _, service := range [...]string{"proposer", "evaluator", "archiver", "queue"} {
		// A service without letters is 0, not missing: alarms need a value.
		ch <- prometheus.MustNewConstMetric(lettersDesc(), prometheus.GaugeValue, float64(counts[service]), service)
	}
}
