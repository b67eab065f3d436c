package main

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"apollo/services/messages"
)

// workers are those that say that they are there. It is a Prometheus collector.
type workers struct{ messages.Workers }

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
	there, _ := w.Of("", time.Now())
	for _, p := range there {
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
