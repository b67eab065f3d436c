package main

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"apollo/events"
)

// archives are the archivers that say that they are there. It is a Prometheus
// collector.
type archives struct {
	mu   sync.Mutex // guards seen
	seen map[[2]string]archiveTick

	lag, stuck *prometheus.Desc
}

type archiveTick struct {
	events.Archiving
	at time.Time
}

func newArchives() *archives {
	return &archives{
		seen:  map[[2]string]archiveTick{},
		lag:   prometheus.NewDesc("apollo_archive_lag_trials", "Trials that an archiver has not written yet.", []string{"worker"}, nil),
		stuck: prometheus.NewDesc("apollo_archive_stuck", "1 for an archiver that cannot write to its disk.", []string{"worker"}, nil),
	}
}

// follow listens to the archivers until ctx ends.
func (a *archives) follow(ctx context.Context, bus events.Bus) {
	for m, err := range bus.Notices(ctx, events.ArchivingSubject) {
		if err != nil {
			return
		}
		var t events.Archiving
		if json.Unmarshal(m.Data, &t) == nil {
			a.note(t)
		}
	}
}

func (a *archives) note(t events.Archiving) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.seen[[2]string{t.Worker, t.Process}] = archiveTick{t, time.Now()}
}

// there returns those that said so lately; others leave.
func (a *archives) there() (out []events.Archiving) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for key, t := range a.seen {
		if time.Since(t.at) > events.AbsentAfter {
			delete(a.seen, key)
			continue
		}
		out = append(out, t.Archiving)
	}
	return out
}

// Describe implements prometheus.Collector.
func (a *archives) Describe(ch chan<- *prometheus.Desc) { ch <- a.lag; ch <- a.stuck }

// Collect implements prometheus.Collector. Archivers of one name are one series.
func (a *archives) Collect(ch chan<- prometheus.Metric) {
	rows, stuck := map[string]int{}, map[string]float64{}
	for _, t := range a.there() {
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
