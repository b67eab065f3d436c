package main

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"apollo/events"
)

// workers are those that say that they are there. It is a Prometheus collector.
type workers struct {
	mu   sync.Mutex               // guards what follows
	seen map[[3]string]seenWorker // by evaluator, worker and process
}

type seenWorker struct {
	events.Presence
	at time.Time
}

func newWorkers() *workers { return &workers{seen: map[[3]string]seenWorker{}} }

// follow listens to the notices of presence until ctx ends.
func (w *workers) follow(ctx context.Context, bus events.Bus) {
	for m, err := range bus.Notices(ctx, events.PresenceSubject("*")) {
		if err != nil {
			return
		}
		var p events.Presence
		if json.Unmarshal(m.Data, &p) == nil {
			w.note(p)
		}
	}
}

// note takes a notice down.
func (w *workers) note(p events.Presence) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen[[3]string{p.Evaluator, p.Worker, p.Process}] = seenWorker{p, time.Now()}
}

// list returns those that are there, in order.
func (w *workers) list() []events.Presence {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []events.Presence
	for key, p := range w.seen {
		if time.Since(p.at) >= events.AbsentAfter {
			delete(w.seen, key)
			continue
		}
		out = append(out, p.Presence)
	}
	slices.SortFunc(out, func(a, b events.Presence) int {
		return strings.Compare(a.Evaluator+" "+a.Worker, b.Evaluator+" "+b.Worker)
	})
	return out
}

func slotsDesc() *prometheus.Desc {
	return prometheus.NewDesc("apollo_evaluator_slots", "Work items that a worker takes at a time, by who it is.",
		[]string{"evaluator", "worker", "version", "program"}, nil)
}

func handedBackDesc() *prometheus.Desc {
	return prometheus.NewDesc("apollo_evaluator_handed_back_total",
		"Work items that a worker gave back because they are for another version, program or run.", []string{"evaluator", "worker"}, nil)
}

// Describe implements prometheus.Collector.
func (w *workers) Describe(ch chan<- *prometheus.Desc) {
	ch <- slotsDesc()
	ch <- handedBackDesc()
}

// Collect implements prometheus.Collector. Workers of one name are one series.
func (w *workers) Collect(ch chan<- prometheus.Metric) {
	slots, handedBack := map[[4]string]int{}, map[[2]string]uint64{}
	for _, p := range w.list() {
		slots[[4]string{p.Evaluator, p.Worker, p.Version, p.Program}] += p.Slots
		handedBack[[2]string{p.Evaluator, p.Worker}] += p.HandedBack
	}
	for labels, n := range slots {
		ch <- prometheus.MustNewConstMetric(slotsDesc(), prometheus.GaugeValue, float64(n), labels[:]...)
	}
	for labels, n := range handedBack {
		ch <- prometheus.MustNewConstMetric(handedBackDesc(), prometheus.CounterValue, float64(n), labels[:]...)
	}
}
