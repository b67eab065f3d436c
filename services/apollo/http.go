package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"apollo/events"
	"apollo/services/health"
)

// healthTimeout is how long the bus may take to answer a health check.
const healthTimeout = 2 * time.Second

// monitor serves /healthz and /metrics.
type monitor struct {
	bus      health.Bus
	registry *prometheus.Registry
	waits    waits
	workers  *workers
	runs     *runGauges
	archives *archives
}

// newMonitor makes the pages of a bus, and of what the evaluators of this process
// count.
func newMonitor(bus health.Bus, meters *meters) *monitor {
	m := &monitor{
		bus: bus, registry: prometheus.NewRegistry(), waits: waits{health.NewWaits()}, workers: &workers{}, runs: newRunGauges(), archives: newArchives(),
	}
	meters.register(m.registry)
	m.registry.MustRegister(m.runs, m.waits, m.workers, m.archives, streamCollector{bus}, letterCollector{bus}, queueCollector{bus, m.workers}, healthCollector{m},
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// handler returns the pages.
func (m *monitor) handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", m.healthz)
	mux.HandleFunc("GET /readyz", m.readyz)
	return mux
}

// run serves the pages on a listener until ctx ends.
func (m *monitor) run(ctx context.Context, listener net.Listener) error {
	server := &http.Server{Handler: m.handler(), ReadHeaderTimeout: healthTimeout}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	var following sync.WaitGroup
	defer following.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	following.Go(func() { m.follow(ctx) })
	following.Go(func() { m.waits.Follow(ctx, m.bus) })
	following.Go(func() { m.workers.Follow(ctx, m.bus) })
	following.Go(func() { m.archives.Follow(ctx, m.bus) })
	select {
	case err := <-served:
		return fmt.Errorf("serve health and metrics: %w", err)
	case <-ctx.Done():
	}
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), healthTimeout)
	defer cancel()
	if err := server.Shutdown(limited); err != nil {
		return fmt.Errorf("stop serving health and metrics: %w", err)
	}
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// follow keeps the gauges of the runs up to date from their progress ticks.
func (m *monitor) follow(ctx context.Context) {
	for msg, err := range m.bus.Notices(ctx, events.ProgressSubject("*", "*")) {
		if err != nil {
			return
		}
		var t events.Progress
		if json.Unmarshal(msg.Data, &t) == nil {
			m.tick(t)
		}
	}
}

func (m *monitor) tick(t events.Progress) {
	m.waits.Tick(t)
	if t.Budget == 0 {
		return // it is being loaded: nothing is counted yet
	}
	m.runs.note(t)
}

// streamCollector asks the bus for the state of its streams when it is scraped.
type streamCollector struct{ bus events.Bus }

func streamDesc(name, help string) *prometheus.Desc {
	return prometheus.NewDesc("apollo_stream_"+name, help, []string{"stream"}, nil)
}

// Describe implements prometheus.Collector.
func (c streamCollector) Describe(ch chan<- *prometheus.Desc) {
	ch <- streamDesc("messages", "Messages that a stream holds.")
	ch <- streamDesc("bytes", "Bytes that a stream holds.")
	ch <- streamDesc("max_bytes", "Limit of a stream in bytes.")
}

// Collect implements prometheus.Collector. Streams that cannot be asked are
// left out; /healthz says why.
func (c streamCollector) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), healthTimeout)
	defer cancel()
	for _, s := range events.Topology() {
		info, err := c.bus.Log().Info(ctx, s.Subjects[0])
		if err != nil {
			continue
		}
		for _, v := range []struct {
			desc  *prometheus.Desc
			value uint64
		}{
			{streamDesc("messages", "Messages that a stream holds."), info.Messages},
			{streamDesc("bytes", "Bytes that a stream holds."), info.Bytes},
			{streamDesc("max_bytes", "Limit of a stream in bytes."), info.MaxBytes},
		} {
			ch <- prometheus.MustNewConstMetric(v.desc, prometheus.GaugeValue, float64(v.value), s.Name)
		}
	}
}
