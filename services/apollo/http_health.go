package main

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	"github.com/prometheus/client_golang/prometheus"

	"apollo/events"
	"apollo/services/health"
)

// operators are the causes for which a run waits that its user cannot mend:
// while one of them holds, the service is not well.
var operators = []string{
	events.WaitsStreamFull, events.WaitsBus, events.WaitsArchiveStuck, events.WaitsNoArchiver, events.WaitsNoProposer,
}

// faults returns what an operator has to mend. Each is there once.
func (m *monitor) faults(ctx context.Context) []health.Finding {
	if _, err := m.bus.Log().Info(ctx, events.RunFilter("*", "*")); err != nil {
		return []health.Finding{{Check: "bus", Text: err.Error(), Hint: "see whether the NATS server runs"}}
	}
	bad := slices.DeleteFunc(health.BusFindings(ctx, m.bus.Log()), func(f health.Finding) bool { return f.OK })
	bad = append(bad, health.ArchiveFindings(m.archives.There())...)
	told := map[string]bool{}
	for _, r := range m.waits.List() {
		if slices.Contains(operators, r.Code) && !told[r.Code] {
			told[r.Code] = true
			bad = append(bad, health.Finding{Check: r.Code, Text: r.Message, Hint: r.Hint})
		}
	}
	return bad
}

// healthz says whether the service is well: 503 with every fault that an operator
// has to mend. What else a study waits for is its users' business: the service is
// well.
func (m *monitor) healthz(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), healthTimeout)
	defer cancel()
	bad := m.faults(ctx)
	if len(bad) > 0 {
		w.WriteHeader(http.StatusServiceUnavailable)
		for _, f := range bad {
			fmt.Fprintf(w, "%s: %s; %s\n", f.Check, f.Text, f.Hint)
		}
	} else {
		fmt.Fprintln(w, "ok")
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
	ch <- prometheus.MustNewConstMetric(faultsDesc(), prometheus.GaugeValue, float64(len(c.m.faults(ctx))))
}
