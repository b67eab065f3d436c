package main

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"apollo/events"
)

// runGauges are what the ticks of runs say. It is a Prometheus collector. Runs
// that tick no more leave, so that there are no more series than runs.
type runGauges struct {
	mu   sync.Mutex // guards runs
	runs map[[2]string]runTick

	trials, inFlight, budget, best, front, volume *prometheus.Desc
}

// runTick is the last tick of a run, and when it came.
type runTick struct {
	events.Progress
	at time.Time
}

// runStays is how long a run is shown after its last tick: several scrapes see
// how it ended.
const runStays = 5 * time.Minute

func newRunGauges() *runGauges {
	desc := func(name, help string, more ...string) *prometheus.Desc {
		return prometheus.NewDesc("apollo_study_"+name, help, append([]string{"study", "run"}, more...), nil)
	}
	return &runGauges{
		runs:     map[[2]string]runTick{},
		trials:   desc("trials", "Finished trials of a run by outcome.", "outcome"),
		inFlight: desc("trials_in_flight", "Trials of a run that were proposed and have no answer."),
		budget:   desc("budget_trials", "Total number of trials that a run may spend."),
		best:     desc("best", "Metrics of the best feasible trial of a run, in the unit that the metric's name ends in.", "metric"),
		front:    desc("front_size", "Trials on the Pareto front of a run with several objectives."),
		volume:   desc("hypervolume", "Hypervolume of a run's Pareto front, in the product of its objectives' units."),
	}
}

// note takes down a tick.
func (g *runGauges) note(t events.Progress) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.runs[[2]string{t.Study, t.Run}] = runTick{t, time.Now()}
}

// Describe implements prometheus.Collector.
func (g *runGauges) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{g.trials, g.inFlight, g.budget, g.best, g.front, g.volume} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (g *runGauges) Collect(ch chan<- prometheus.Metric) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for key, t := range g.runs {
		if time.Since(t.at) > runStays {
			delete(g.runs, key)
			continue
		}
		gauge := func(d *prometheus.Desc, v float64, more ...string) {
			ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, append(key[:], more...)...)
		}
		gauge(g.trials, float64(t.Measured), events.OutcomeMeasured)
		gauge(g.trials, float64(t.Infeasible), events.OutcomeInfeasible)
		gauge(g.trials, float64(t.Failed), events.OutcomeFailed)
		if t.Stopped > 0 { // few studies stop evaluations early: no series for the others
			gauge(g.trials, float64(t.Stopped), events.OutcomeStopped)
		}
		gauge(g.inFlight, float64(t.InFlight))
		gauge(g.budget, float64(t.Budget))
		if t.Best != nil {
			for name, v := range t.Best.Metrics {
				gauge(g.best, v, name)
			}
		}
		if t.FrontSize > 0 {
			gauge(g.front, float64(t.FrontSize))
		}
		if t.Hypervolume != nil {
			gauge(g.volume, *t.Hypervolume)
		}
	}
}
