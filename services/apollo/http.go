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
)

// healthTimeout is how long the bus may take to answer a health check.
const healthTimeout = 2 * time.Second

// monitor serves /healthz and /metrics.
type monitor struct {
	bus      events.Bus
	registry *prometheus.Registry
	waits    *waits
	workers  *workers
	trials   *prometheus.GaugeVec
	inFlight *prometheus.GaugeVec
	budget   *prometheus.GaugeVec
	best     *prometheus.GaugeVec
	front    *prometheus.GaugeVec
	volume   *prometheus.GaugeVec
}

// newMonitor makes the pages of a bus, and of what the evaluators of this process
// count.
func newMonitor(bus events.Bus, attempts *attemptCounter) *monitor {
	run := []string{"study", "run"}
	m := &monitor{
		bus: bus, registry: prometheus.NewRegistry(), waits: newWaits(), workers: &workers{},
		trials: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "apollo_study_trials", Help: "Finished trials of a run by outcome.",
		}, append(run, "outcome")),
		inFlight: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "apollo_study_trials_in_flight", Help: "Trials of a run that were proposed and have no answer.",
		}, run),
		budget: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "apollo_study_budget_trials", Help: "Total number of trials that a run may spend.",
		}, run),
		best: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "apollo_study_best", Help: "Metrics of the best feasible trial of a run, in the unit that the metric's name ends in.",
		}, append(run, "metric")),
		front: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "apollo_study_front_size", Help: "Trials on the Pareto front of a run with several objectives.",
		}, run),
		volume: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "apollo_study_hypervolume", Help: "Hypervolume of a run's Pareto front, in the product of its objectives' units.",
		}, run),
	}
	m.registry.MustRegister(m.trials, m.inFlight, m.budget, m.best, m.front, m.volume, m.waits, m.workers, streamCollector{bus}, attempts.failed,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// handler returns the pages.
func (m *monitor) handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), healthTimeout)
		defer cancel()
		if _, err := m.bus.Log().Info(ctx, events.RunFilter("*", "*")); err != nil {
			http.Error(w, "bus: "+err.Error(), http.StatusServiceUnavailable)
			return
		}
		// What a study waits for is its users' business: the service is well.
		fmt.Fprintln(w, "ok")
		m.waits.write(w)
	})
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
	following.Go(func() { m.waits.follow(ctx, m.bus) })
	following.Go(func() { m.workers.follow(ctx, m.bus) })
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
	m.waits.tick(t)
	if t.Budget == 0 {
		return // it is being loaded: nothing is counted yet
	}
	m.trials.WithLabelValues(t.Study, t.Run, events.OutcomeMeasured).Set(float64(t.Measured))
	m.trials.WithLabelValues(t.Study, t.Run, events.OutcomeInfeasible).Set(float64(t.Infeasible))
	m.trials.WithLabelValues(t.Study, t.Run, events.OutcomeFailed).Set(float64(t.Failed))
	m.inFlight.WithLabelValues(t.Study, t.Run).Set(float64(t.InFlight))
	m.budget.WithLabelValues(t.Study, t.Run).Set(float64(t.Budget))
	if t.Best != nil {
		for name, v := range t.Best.Metrics {
			m.best.WithLabelValues(t.Study, t.Run, name).Set(v)
		}
	}
	if t.FrontSize > 0 {
		m.front.WithLabelValues(t.Study, t.Run).Set(float64(t.FrontSize))
	}
	if t.Hypervolume != nil {
		m.volume.WithLabelValues(t.Study, t.Run).Set(*t.Hypervolume)
	}
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
