package main

import (
	"github.com/prometheus/client_golang/prometheus"

	"apollo/events"
	"apollo/services/health"
)

// archives are the archivers that say that they are there. It is a Prometheus
// collector.
type archives struct {
	*health.Archivers

	lag, stuck, free, full *prometheus.Desc
}

func newArchives() *archives {
	return &archives{
		Archivers: health.NewArchivers(),
		lag:       prometheus.NewDesc("apollo_archive_lag_trials", "Trials that an archiver has not written yet.", []string{"worker"}, nil),
		stuck:     prometheus.NewDesc("apollo_archive_stuck", "1 for an archiver that cannot write to its disk.", []string{"worker"}, nil),
		free:      prometheus.NewDesc("apollo_archive_free_bytes", "Room on the disk of an archiver.", []string{"worker"}, nil),
		full:      prometheus.NewDesc("apollo_archive_full_seconds", "When the disk of an archiver is full, at the pace of the last hours; not there while it does not fill up.", []string{"worker"}, nil),
	}
}

// Describe implements prometheus.Collector.
func (a *archives) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{a.lag, a.stuck, a.free, a.full} {
		ch <- d
	}
}

// Collect implements prometheus.Collector. Archivers of one name are one series.
func (a *archives) Collect(ch chan<- prometheus.Metric) {
	rows, stuck, disks := map[string]int{}, map[string]float64{}, map[string]*events.DiskRoom{}
	for _, t := range a.There() {
		rows[t.Worker] += t.Rows
		if d := disks[t.Worker]; t.Disk != nil && (d == nil || t.Disk.FreeBytes < d.FreeBytes) {
			disks[t.Worker] = t.Disk
		}
		if stuck[t.Worker] += 0; t.Waiting != nil {
			stuck[t.Worker] = 1
		}
	}
	for worker, n := range rows {
		ch <- prometheus.MustNewConstMetric(a.lag, prometheus.GaugeValue, float64(n), worker)
		ch <- prometheus.MustNewConstMetric(a.stuck, prometheus.GaugeValue, stuck[worker], worker)
	}
	for worker, d := range disks {
		ch <- prometheus.MustNewConstMetric(a.free, prometheus.GaugeValue, float64(d.FreeBytes), worker)
		if d.FullInSeconds != nil {
			ch <- prometheus.MustNewConstMetric(a.full, prometheus.GaugeValue, *d.FullInSeconds, worker)
		}
	}
}
