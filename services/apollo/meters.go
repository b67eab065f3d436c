package main

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"apollo/services/worker"
)

// meters count what the services of this process do.
type meters struct {
	trials, attempts, failed, redeliveries *prometheus.CounterVec
	evaluation, queueWait, suggestion      *prometheus.HistogramVec

	mu    sync.Mutex
	codes map[string]bool // those that have a counter; guarded by mu
}

// maxCodes bounds the codes that have a counter of their own: a program may make
// up as many as it likes.
const maxCodes = 64

// otherCode counts what has none.
const otherCode = "other"

func newMeters() *meters {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	// From below the quickest step to above the longest, each four times the one
	// before: 10 us to 3 hours, and 1 ms to 70 minutes.
	histogram := func(name, help string, least float64, buckets int, label string) *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: name, Help: help, Buckets: prometheus.ExponentialBuckets(least, 4, buckets),
		}, []string{label})
	}
	return &meters{
		trials: counter("apollo_evaluator_trials_total",
			"Trials that the evaluators of this process answered, by outcome.", "evaluator", "outcome"),
		attempts: counter("apollo_evaluator_attempts_total", "Attempts at a design, also those that another attempt followed.", "evaluator"),
		failed: counter("apollo_evaluator_failed_attempts_total",
			"Attempts at a design that failed, also those that another attempt followed, by evaluator and code of the reason.", "evaluator", "code"),
		redeliveries: counter("apollo_evaluator_redeliveries_total", "Work items that were taken and had been handed out before.", "evaluator"),
		evaluation:   histogram("apollo_evaluator_evaluation_seconds", "How long one attempt at a design took.", 1e-5, 16, "evaluator"),
		queueWait:    histogram("apollo_evaluator_queue_wait_seconds", "How long a work item lay in the queue until it was taken.", 1e-3, 12, "evaluator"),
		suggestion:   histogram("apollo_proposer_suggestion_seconds", "How long a strategy took to propose a batch.", 1e-5, 16, "algorithm"),
		codes:        map[string]bool{},
	}
}

func (m *meters) register(r *prometheus.Registry) {
	r.MustRegister(m.trials, m.attempts, m.failed, m.redeliveries, m.evaluation, m.queueWait, m.suggestion)
}

// suggested is a proposer's Suggested.
func (m *meters) suggested(algorithm string, took time.Duration) {
	m.suggestion.WithLabelValues(algorithm).Observe(took.Seconds())
}

// of returns what counts for an evaluator.
func (m *meters) of(evaluator string) worker.Meter {
	// Curried, and there from the start: alarms need a value.
	attempts, redeliveries := m.attempts.WithLabelValues(evaluator), m.redeliveries.WithLabelValues(evaluator)
	return &evaluatorMeter{
		meters: m, evaluator: evaluator, attempts: attempts, redeliveries: redeliveries,
		evaluation: m.evaluation.WithLabelValues(evaluator), queueWait: m.queueWait.WithLabelValues(evaluator),
	}
}

// evaluatorMeter counts for one evaluator.
type evaluatorMeter struct {
	meters                 *meters
	evaluator              string
	attempts, redeliveries prometheus.Counter
	evaluation, queueWait  prometheus.Observer
}

var _ worker.Meter = (*evaluatorMeter)(nil)

// Taken implements worker.Meter.
func (e *evaluatorMeter) Taken(deliveries int, waited time.Duration) {
	if deliveries > 1 {
		e.redeliveries.Inc()
		return // how long the queue is, the first time says
	}
	e.queueWait.Observe(waited.Seconds())
}

// Attempted implements worker.Meter.
func (e *evaluatorMeter) Attempted(code string, took time.Duration) {
	e.attempts.Inc()
	e.evaluation.Observe(took.Seconds())
	if code != "" {
		e.meters.failed.WithLabelValues(e.evaluator, e.meters.label(code)).Inc()
	}
}

// Answered implements worker.Meter.
func (e *evaluatorMeter) Answered(outcome string) {
	e.meters.trials.WithLabelValues(e.evaluator, outcome).Inc()
}

func (m *meters) label(code string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.codes[code]:
	case len(m.codes) >= maxCodes:
		return otherCode
	default:
		m.codes[code] = true
	}
	return code
}
