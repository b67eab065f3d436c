package inspect

import (
	"strconv"

	"apollo/archiver"
	"apollo/events"
	"apollo/events/wire"
	"apollo/optimizer/space"
)

// TrialLine is a trial as CSV has it: numbers as they are, in the study's units, under
// the names of the log's columns.
type TrialLine struct {
	Trial          int
	Outcome        string
	Metrics        map[string]float64
	Design         events.Design
	Origin, Reason string
	Feasible       bool
}

// ReasonColumn is the column of a reason's code.
const ReasonColumn = "reason_code"

// TrialHead names the cells of every TrialLine of a study.
func TrialHead(spec *events.Spec) []string {
	head := []string{"trial", "outcome"}
	for _, m := range spec.Metrics {
		head = append(head, archiver.MetricColumn(m.Name))
	}
	return append(append(head, ParameterColumns(spec)...), "origin", ReasonColumn, "feasible")
}

// ParameterColumns are the columns of a study's parameters.
func ParameterColumns(spec *events.Spec) []string {
	names := make([]string, len(spec.Parameters))
	for i, p := range spec.Parameters {
		names[i] = archiver.ParameterColumn(p.Name)
	}
	return names
}

// Plain is a number for programs, as JSON has it.
func Plain(v float64) string { return string(wire.AppendFloat(nil, v)) }

// PlainValue is a value of a design for programs.
func PlainValue(v space.Value) string {
	if v.Label != "" {
		return v.Label
	}
	return Plain(v.Num)
}

// Cells are the line under TrialHead; what was not measured, or means nothing in the
// design, is empty.
func (l *TrialLine) Cells(of *Meaning) []string {
	cells := []string{strconv.Itoa(l.Trial), l.Outcome}
	for _, m := range of.spec.Metrics {
		text := ""
		if v, measured := l.Metrics[m.Name]; measured {
			text = Plain(v)
		}
		cells = append(cells, text)
	}
	return append(append(cells, of.Cells(l.Design)...), l.Origin, l.Reason, strconv.FormatBool(l.Feasible))
}

// DesignOf is a design by names in the order of the parameters of a study.
func DesignOf(spec *events.Spec, named map[string]any) events.Design {
	d := make(events.Design, len(spec.Parameters))
	for i, p := range spec.Parameters {
		switch v := named[p.Name].(type) {
		case float64:
			d[i].Num = v
		case string:
			d[i].Label = v
		}
	}
	return d
}
