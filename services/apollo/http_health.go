package main

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"apollo/events"
	"apollo/events/natsbus"
	"apollo/services/health"
)

// look returns what an operator has to mend, and what somebody should look at. Each is
// there once.
func (m *monitor) look(ctx context.Context) (faults, warnings []health.Finding) {
	var found []health.Finding
	if _, err := m.bus.Log().Info(ctx, events.RunFilter("*", "*")); err != nil {
		found = []health.Finding{{Check: "bus", Text: err.Error(), Hint: "see whether the NATS server runs"}}
	} else {
		unwritten := 0
		if m.archives.Missing() {
			unwritten = m.waits.Unwritten()
		}
		workers, _ := m.workers.Of("", time.Now())
		found = slices.Concat(health.BusFindings(ctx, m.bus.Log()), health.Others(m.archives.There(), workers, unwritten),
			[]health.Finding{health.Letters(ctx, m.bus, 0)}, m.waits.Faults())
	}
	for _, f := range append(found, health.Expiring(m.bus, time.Now())...) {
		switch {
		case f.Warning,
			!f.OK && f.Check == health.Rivals,             // while evaluators are upgraded there are two
			!f.OK && f.Check == natsbus.ServerCertificate: // of the moment when we connected: there may be a new one
			warnings = append(warnings, f)
		case !f.OK:
			faults = append(faults, f)
		}
	}
	return faults, warnings
}

// healthz says whether the service is well: 503 with every fault that an operator
// has to mend. What else a study waits for is its users' business: the service is
// well.
func (m *monitor) healthz(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), healthTimeout)
	defer cancel()
	faults, warnings := m.look(ctx)
	if len(faults) > 0 {
		w.WriteHeader(http.StatusServiceUnavailable)
		for _, f := range faults {
			fmt.Fprintf(w, "%s: %s; %s\n", f.Check, f.Text, f.Hint)
		}
	} else {
		fmt.Fprintln(w, "ok")
	}
	for _, f := range warnings {
		fmt.Fprintf(w, "warns: %s: %s; %s\n", f.Check, f.Text, f.Hint)
	}
	m.waits.Write(w)
}

// readyz says whether this process can work: the bus answers and has the streams.
// A full one is no reason to start the process anew.
func (m *monitor) readyz(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), healthTimeout)
	defer cancel()
	for _, stream := range events.Topology() {
		if _, err := m.bus.Log().Info(ctx, stream.Subjects[0]); err != nil {
			http.Error(w, "not ready: "+stream.Name+": "+err.Error(), http.StatusServiceUnavailable)
			return
		}
	}
	fmt.Fprintln(w, "ready")
}

// healthCollector tells the faults of /healthz as a metric.
type healthCollector struct{ m *monitor }

func faultsDesc() *prometheus.Desc {
	return prometheus.NewDesc("apollo_faults", "Faults that an operator has to mend: the lines of /healthz; 0 when the service is well.", nil, nil)
}

// Describe implements prometheus.Collector.
func (c healthCollector) Describe(ch chan<- *prometheus.Desc) { ch <- faultsDesc() }

// Collect implements prometheus.Collector.
func (c healthCollector) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), healthTimeout)
	defer cancel()
	faults, _ := c.m.look(ctx)
	ch <- prometheus.MustNewConstMetric(faultsDesc(), prometheus.GaugeValue, float64(len(faults)))
}

// expiryCollector tells when what proves who is who to the bus runs out.
type expiryCollector struct{ bus health.Bus }

func expiryDesc() *prometheus.Desc {
	return prometheus.NewDesc("apollo_credentials_expire_seconds",
		"How long the credentials, the client certificate and the server's certificate of this process are valid; none that has no end.", []string{"what"}, nil)
}

// Describe implements prometheus.Collector.
func (c expiryCollector) Describe(ch chan<- *prometheus.Desc) { ch <- expiryDesc() }

// Collect implements prometheus.Collector.
func (c expiryCollector) Collect(ch chan<- prometheus.Metric) {
	for what, v := range health.Expiries(c.bus) {
		ch <- prometheus.MustNewConstMetric(expiryDesc(), prometheus.GaugeValue, time.Until(v.Until).Seconds(), what)
	}
}
