package main

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// attemptCounter counts the attempts at designs that failed.
type attemptCounter struct {
	failed *prometheus.CounterVec

	mu    sync.Mutex
	codes map[string]bool // those that have a counter; guarded by mu
}

// maxCodes bounds the codes that have a counter of their own: a program may make
// up as many as it likes.
const maxCodes = 64

// otherCode counts what has none.
const otherCode = "other"

func newAttemptCounter() *attemptCounter {
	return &attemptCounter{
		failed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "apollo_evaluator_failed_attempts_total",
			Help: "Attempts at a design that failed, also those that another attempt followed, by evaluator and code of the reason.",
		}, []string{"evaluator", "code"}),
		codes: map[string]bool{},
	}
}

// of returns what counts a failed attempt of an evaluator.
func (c *attemptCounter) of(evaluator string) func(code string) {
	return func(code string) { c.failed.WithLabelValues(evaluator, c.label(code)).Inc() }
}

func (c *attemptCounter) label(code string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.codes[code]:
	case len(c.codes) >= maxCodes:
		return otherCode
	default:
		c.codes[code] = true
	}
	return code
}
