package inspect

import (
	"strconv"

	"apollo/events"
)

// TrialLine is a trial as CSV has it: numbers as they are, in the study's units.
type TrialLine struct {
	Trial          int
	Outcome        string
	Metrics        map[string]float64
	Design         events.Design
	Origin, Reason string
	Feasible       bool
}

// TrialHead names the cells of every TrialLine of a study.
func TrialHead(spec *events.Spec) []string {
	head := []string{"trial", "outcome"}
	for _, m := range spec.Metrics {
		head = append(head, m.Name)
	}
	for _, p := range spec.Parameters {
		head = append(head, p.Name)
	}
	return append(head, "origin", "reason", "feasible")
}

// Cells are the line under TrialHead; what was not measured is empty.
func (l *TrialLine) Cells(spec *events.Spec) []string {
	cells := []string{strconv.Itoa(l.Trial), l.Outcome}
	for _, m := range spec.Metrics {
		text := ""
		if v, measured := l.Metrics[m.Name]; measured {
			text = strconv.FormatFloat(v, 'g', -1, 64)
		}
		cells = append(cells, text)
	}
	for i := range spec.Parameters {
		text := ""
		if i < len(l.Design) {
			text = l.Design[i].String()
		}
		cells = append(cells, text)
	}
	return append(cells, l.Origin, l.Reason, strconv.FormatBool(l.Feasible))
}
