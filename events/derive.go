package events

import (
	"fmt"
	"math"

	"apollo/events/rule"
	"apollo/events/unit"
	"apollo/optimizer/space"
)

// Deriver computes the metrics of a study that are expressions of others. It is
// safe for concurrent use and pure; a nil one has nothing to compute.
type Deriver struct {
	scales  []float64 // of the measured metrics, to base units
	derived []*formula
	names   []string
}

// MetricError says what is wrong with a metric's expression, and where.
type MetricError struct {
	Metric string
	// Column of the mistake in the expression, in characters from 1; 0 when all
	// of it is meant.
	Column  int
	Message string
}

// Error implements error.
func (e *MetricError) Error() string {
	if e.Column == 0 {
		return fmt.Sprintf("metric %q: %s", e.Metric, e.Message)
	}
	return fmt.Sprintf("metric %q, column %d: %s", e.Metric, e.Column, e.Message)
}

// NewDeriver compiles the expressions of metrics. It is nil when there are none.
// The error is a *MetricError.
//
// An expression is in the language of rules. It names the metrics before it
// without their unit and knows quantities ("1 mJ"). Units are checked: what is
// added or compared has one dimension, and the whole that of the metric's unit.
func NewDeriver(metrics []Metric) (*Deriver, error) {
	d := &Deriver{}
	for i, m := range metrics {
		u, ok := unit.Find(m.Unit)
		switch {
		case m.Expr == "" && len(d.derived) > 0:
			return nil, &MetricError{Metric: m.Name, Message: "what is measured stands before what is computed"}
		case m.Expr == "":
			if !ok {
				u.Factor = 1 // a unit of the user's own
			}
			d.scales = append(d.scales, u.Scale())
			continue
		}
		f, err := compileFormula(metrics[:i], m)
		if err != nil {
			return nil, &MetricError{Metric: m.Name, Column: err.Column, Message: err.Message}
		}
		d.derived, d.names = append(d.derived, f), append(d.names, m.Name)
	}
	if len(d.derived) == 0 {
		return nil, nil
	}
	return d, nil
}

// len is the number of computed metrics.
func (d *Deriver) len() int {
	if d == nil {
		return 0
	}
	return len(d.derived)
}

// Row returns a row of all metrics: values, cut or filled up with NaN to what is
// measured, and what is computed of it, NaN where it has no value.
func (d *Deriver) Row(values []float64) []float64 {
	if d == nil {
		return values
	}
	n := len(d.scales)
	row := make([]float64, n+len(d.derived))
	for i := range row {
		row[i] = math.NaN()
	}
	copy(row[:n], values)
	d.Fill(row)
	return row
}

// Fill computes the metrics of a row of all metrics in place.
func (d *Deriver) Fill(row []float64) {
	if d == nil {
		return
	}
	scratch := rows.Get().(*[]space.Value)
	defer rows.Put(scratch)
	base := (*scratch)[:0]
	for i, scale := range d.scales {
		base = append(base, space.Value{Num: row[i] * scale})
	}
	for i, f := range d.derived {
		n := len(base)
		base = append(base, f.constants...)
		v := f.value(base)
		row[len(d.scales)+i] = v
		base = append(base[:n], space.Value{Num: v * f.scale})
	}
	*scratch = base[:0]
}

// Bounds encloses the computed metrics of all rows whose measured metrics lie
// between those of low and high, where NaN is an end that is not known; in place.
// A row that has no finite value of a metric is not enclosed.
func (d *Deriver) Bounds(low, high []float64) {
	if d == nil {
		return
	}
	base := make([]rule.Interval, 0, len(low)+8)
	for i, scale := range d.scales {
		v := rule.Interval{Low: low[i] * scale, High: high[i] * scale}
		if math.IsNaN(v.Low) {
			v.Low = math.Inf(-1)
		}
		if math.IsNaN(v.High) {
			v.High = math.Inf(1)
		}
		base = append(base, v)
	}
	for i, f := range d.derived {
		n := len(base)
		for _, c := range f.constants {
			base = append(base, rule.Interval{Low: c.Num, High: c.Num})
		}
		v, at := f.bounds(base), len(d.scales)+i
		low[at], high[at] = v.Low/f.scale, v.High/f.scale
		base = append(base[:n], rule.Interval{Low: low[at] * f.scale, High: high[at] * f.scale})
	}
}

// Valueless reports whether the last computed metric certainly has no value, whatever is
// measured, as one that divides by zero.
func (d *Deriver) Valueless() bool { return d != nil && d.derived[len(d.derived)-1].valueless }

// missing names the first computed metric of a row that has no value.
func (d *Deriver) missing(row []float64) string {
	for i, name := range d.names {
		if math.IsNaN(row[len(d.scales)+i]) {
			return name
		}
	}
	return ""
}
