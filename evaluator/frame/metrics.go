package frame

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"apollo/evaluator"
	"apollo/evaluator/report"
)

// Metric is a row of the table of metrics. Studies, logs, schemas and the tools
// for single designs walk over the rows: a new metric is a new row.
type Metric struct {
	evaluator.Metric
	// Rises says that Of does not fall when area, time or energy grow: only such
	// a metric can be bounded before a design is complete.
	Rises bool
	// Of is the metric of a network on a machine. A cheap metric is one of the
	// machine alone: its totals are 0.
	Of func(m Machine, t Totals) float64
	// OfGeneration takes the place of Of in a metric of networks that generate
	// tokens.
	OfGeneration func(g Generation) float64

	// only is 1 + the index of the run that the metric is of; 0 for all of them.
	only int
}

// Generation is what a network takes that generates tokens.
type Generation struct {
	// First is the prompt with the first token, Step a pass that makes Tokens
	// more; there are Steps of it.
	First, Step   Totals
	Steps, Tokens int64
}

// whole is the run from the prompt to the last token.
func (g *Generation) whole() Totals {
	n := float64(g.Steps)
	return Totals{
		Cycles: g.First.Cycles + g.Steps*g.Step.Cycles, Seconds: g.First.Seconds + n*g.Step.Seconds, Joules: g.First.Joules + n*g.Step.Joules,
		PeakWatts: max(g.First.PeakWatts, g.Step.PeakWatts),
	}
}

// Metrics are the metrics that every template has.
func Metrics() []Metric {
	row := func(name, unit string, cheap bool, of func(Machine, Totals) float64) Metric {
		return Metric{Metric: evaluator.Metric{Name: name, Unit: unit, Cheap: cheap}, Rises: true, Of: of}
	}
	generation := func(name, unit string, rises bool, of func(Generation) float64) Metric {
		return Metric{Metric: evaluator.Metric{Name: name, Unit: unit, Generation: true}, Rises: rises, OfGeneration: of}
	}
	return []Metric{
		row("latency_s", "s", false, func(_ Machine, t Totals) float64 { return t.Seconds }),
		row("area_mm2", "mm2", true, func(m Machine, _ Totals) float64 { return m.AreaMM2 }),
		row("energy_j", "J", false, func(_ Machine, t Totals) float64 { return t.Joules }),
		generation("time_to_first_token_s", "s", true, func(g Generation) float64 { return g.First.Seconds }),
		generation("decode_rate_token_per_s", "token/s", false, func(g Generation) float64 { return float64(g.Tokens) / g.Step.Seconds }),
		generation("energy_per_token_j", "J", true, func(g Generation) float64 {
			return g.whole().Joules / float64(g.Tokens*(g.Steps+1))
		}),
		// It does not rise with latency: a slower layer draws less.
		{Metric: evaluator.Metric{Name: "peak_power_w", Unit: "W", Asked: true}, Of: func(_ Machine, t Totals) float64 { return t.PeakWatts }},
	}
}

// asked adds the metrics that a task asks for: those on request, and behind them those
// of single networks.
func (e *taskEvaluator) asked(wanted []evaluator.Metric) error {
	known := e.spec.metrics()
	for _, r := range known {
		if r.Asked && slices.ContainsFunc(wanted, func(m evaluator.Metric) bool { return m.Name == r.Name }) {
			e.rows = append(slices.Clip(e.rows), r)
		}
	}
	for _, m := range wanted {
		name, network, dotted := strings.Cut(m.Name, ".")
		if !dotted {
			continue
		}
		row := slices.IndexFunc(known, func(r Metric) bool { return r.Name == name && r.Unit == m.Unit && !r.Cheap })
		run := slices.IndexFunc(e.runs, func(n run) bool { return n.name == network })
		if row < 0 || run < 0 || known[row].Generation && e.runs[run].decode == nil {
			return fmt.Errorf("template %s: there is no metric %s", e.spec.Name, m.Name)
		}
		of := known[row]
		of.Name, of.only = m.Name, run+1
		e.rows = append(slices.Clip(e.rows), of)
	}
	return nil
}

func (s *Spec) metrics() []Metric {
	if s.Metrics == nil {
		return Metrics()
	}
	return s.Metrics
}

// usesEnergy reports whether the metric is made of the energy: where that is
// unknown, so is the metric.
func (r *Metric) usesEnergy() bool {
	t := Totals{Cycles: 1, Seconds: 1, Joules: math.NaN(), PeakWatts: math.NaN()}
	if r.Generation {
		return math.IsNaN(r.OfGeneration(Generation{First: t, Step: t, Steps: 1, Tokens: 1}))
	}
	return math.IsNaN(r.Of(Machine{AreaMM2: 1}, t))
}

// of is a metric of one network, given the totals of all phases; NaN where the
// network has none.
func (e *taskEvaluator) of(r *Metric, m Machine, n *run, all []Totals) float64 {
	switch {
	case !r.Generation:
		return r.Of(m, n.whole(all))
	case n.decode == nil:
		return math.NaN()
	}
	return r.OfGeneration(n.generation(all))
}

func (n *run) generation(all []Totals) Generation {
	return Generation{First: all[n.first], Step: all[n.first+1], Steps: n.decode.Steps, Tokens: n.decode.Tokens}
}

// whole is what the network takes with all of its phases.
func (n *run) whole(all []Totals) Totals {
	if n.decode == nil {
		return all[n.first]
	}
	g := n.generation(all)
	return g.whole()
}

// peaks reports whether a metric is made of the peak power.
func (e *taskEvaluator) peaks() bool {
	return slices.ContainsFunc(e.rows, func(r Metric) bool {
		return !r.Generation && math.IsNaN(r.Of(Machine{AreaMM2: 1}, Totals{Cycles: 1, Seconds: 1, Joules: 1, PeakWatts: math.NaN()}))
	})
}

// value is a metric over all networks that have it: of one the number itself,
// bit for bit, of several the weighted geometric mean.
func (e *taskEvaluator) value(r *Metric, m Machine, all []Totals) float64 {
	switch {
	case r.Cheap:
		return r.Of(m, Totals{})
	case len(all) == 0:
		return math.NaN()
	case r.only > 0:
		return e.of(r, m, &e.runs[r.only-1], all)
	case len(e.runs) == 1:
		return e.of(r, m, &e.runs[0], all)
	}
	var sum, weights float64
	for i := range e.runs {
		if n := &e.runs[i]; !r.Generation || n.decode != nil {
			sum += n.weight * math.Log(e.of(r, m, n, all))
			weights += n.weight
		}
	}
	return math.Exp(sum / weights)
}

// values writes every metric. Without totals only those of the machine have one.
func (e *taskEvaluator) values(dst []float64, m Machine, all []Totals) {
	for i := range e.rows {
		dst[i] = e.value(&e.rows[i], m, all)
	}
}

// extra lists the metrics of each network when there are several.
func (e *taskEvaluator) extra(m Machine, all []Totals) []evaluator.Extra {
	if len(e.runs) == 1 {
		return nil
	}
	var extra []evaluator.Extra
	for n := range e.runs {
		for i := range e.rows {
			if r, run := &e.rows[i], &e.runs[n]; r.only == 0 && !r.Cheap && (!r.Generation || run.decode != nil) {
				extra = append(extra, evaluator.Extra{Name: r.Name + "." + run.name, Value: e.of(r, m, run, all)})
			}
		}
	}
	return extra
}

// report lists the metrics for people and programs.
func (e *taskEvaluator) report(m Machine, all []Totals) report.Metrics {
	out := make(report.Metrics, len(e.rows))
	for i := range e.rows {
		out[i].Metric = e.rows[i].Metric
		if v := e.value(&e.rows[i], m, all); !math.IsNaN(v) {
			out[i].Value = &v
		}
	}
	return out
}

// phase lists the metrics of one phase alone that a network has.
func (e *taskEvaluator) phase(m Machine, t Totals) (out report.Metrics) {
	for i := range e.rows {
		if r := &e.rows[i]; r.only == 0 && !r.Cheap && !r.Generation {
			out = append(out, report.Metric{Metric: r.Metric, Value: new(r.Of(m, t))})
		}
	}
	return out
}
