package frame

import (
	"math"

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
}

// Metrics are the metrics that every template has.
func Metrics() []Metric {
	row := func(name, unit string, cheap bool, of func(Machine, Totals) float64) Metric {
		return Metric{evaluator.Metric{Name: name, Unit: unit, Cheap: cheap}, true, of}
	}
	return []Metric{
		row("latency_s", "s", false, func(_ Machine, t Totals) float64 { return t.Seconds }),
		row("area_mm2", "mm2", true, func(m Machine, _ Totals) float64 { return m.AreaMM2 }),
		row("energy_j", "J", false, func(_ Machine, t Totals) float64 { return t.Joules }),
	}
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
	return math.IsNaN(r.Of(Machine{AreaMM2: 1}, Totals{Cycles: 1, Seconds: 1, Joules: math.NaN()}))
}

// value is a metric over all networks: of one the number itself, bit for bit,
// of several the weighted geometric mean.
func (e *taskEvaluator) value(r *Metric, m Machine, all []Totals) float64 {
	switch {
	case r.Cheap:
		return r.Of(m, Totals{})
	case len(all) == 0:
		return math.NaN()
	case len(all) == 1:
		return r.Of(m, all[0])
	}
	var sum float64
	for i, t := range all {
		sum += e.nets[i].Weight * math.Log(r.Of(m, t))
	}
	return math.Exp(sum / e.weights)
}

// values writes every metric. Without totals only those of the machine have one.
func (e *taskEvaluator) values(dst []float64, m Machine, all []Totals) {
	for i := range e.rows {
		dst[i] = e.value(&e.rows[i], m, all)
	}
}

// extra lists the metrics of each network when there are several.
func (e *taskEvaluator) extra(m Machine, all []Totals) []evaluator.Extra {
	if len(all) == 1 {
		return nil
	}
	var extra []evaluator.Extra
	for n := range all {
		for i := range e.rows {
			if r := &e.rows[i]; !r.Cheap {
				extra = append(extra, evaluator.Extra{Name: r.Name + "." + e.nets[n].Name, Value: r.Of(m, all[n])})
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
