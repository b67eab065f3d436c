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
	streams  *streamCollector
}

// newMonitor makes the pages of a bus, and of what the evaluators of this process
// count.
func newMonitor(bus health.Bus, meters *meters) *monitor {
	m := &monitor{
		bus: bus, registry: prometheus.NewRegistry(), waits: waits{health.NewWaits()}, workers: &workers{}, runs: newRunGauges(), archives: newArchives(),
		streams: newStreamCollector(bus),
	}
	meters.register(m.registry)
	m.registry.MustRegister(m.runs, m.waits, m.workers, m.archives, m.streams, letterCollector{bus}, queueCollector{bus, m.workers}, healthCollector{m}, expiryCollector{bus},
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
	following.Go(func() { m.streams.follow(ctx) })
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
