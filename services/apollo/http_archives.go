package main

import (
	"github.com/prometheus/client_golang/prometheus"

	"apollo/services/health"
)

// archives are the archivers that say that they are there. It is a Prometheus
// collector.
type archives struct {
	*health.Archivers

	lag, stuck *prometheus.Desc
}

func newArchives() *archives {
	return &archives{
		Archivers: health.NewArchivers(),
		lag:       prometheus.NewDesc("apollo_archive_lag_trials", "Trials that an archiver has not written yet.", []string{"worker"}, nil),
		stuck:     prometheus.NewDesc("apollo_archive_stuck", "1 for an archiver that cannot write to its disk.", []string{"worker"}, nil),
	}
}

// Describe implements prometheus.Collector.
func (a *archives) Describe(ch chan<- *prometheus.Desc) { ch <- a.lag; ch <- a.stuck }

// Collect implements prometheus.Collector. Archivers of one name are one series.
func (a *archives) Collect(ch chan<- prometheus.Metric) {
	rows, stuck := map[string]int{}, map[string]float64{}
	for _, t := range a.There() {
		rows[t.Worker] += t.Rows
		if stuck[t.Worker] += 0; t.Waiting != nil {
			stuck[t.Worker] = 1
		}
	}
	for worker, n := range rows {
		ch <- prometheus.MustNewConstMetric(a.lag, prometheus.GaugeValue, float64(n), worker)
		ch <- prometheus.MustNewConstMetric(a.stuck, prometheus.GaugeValue, stuck[worker], worker)
	}
}
