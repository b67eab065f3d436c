package main

import (
	"github.com/prometheus/client_golang/prometheus"

	"apollo/services/health"
)

// waits is what the runs on a bus wait for. It is a Prometheus collector.
type waits struct{ *health.Waits }

func waitsDesc() *prometheus.Desc {
	return prometheus.NewDesc("apollo_study_waiting", "1 for every cause for which a run waits.", []string{"study", "run", "code"}, nil)
}

// Describe implements prometheus.Collector.
func (w waits) Describe(ch chan<- *prometheus.Desc) { ch <- waitsDesc() }

// Collect implements prometheus.Collector.
func (w waits) Collect(ch chan<- prometheus.Metric) {
	for _, r := range w.List() {
		ch <- prometheus.MustNewConstMetric(waitsDesc(), prometheus.GaugeValue, 1, r.Study, r.Run, r.Code)
	}
}
