package inspect

import (
	"apollo/events"
	"apollo/optimizer/space"
)

// Meaning knows which parameters mean something in the designs of a study.
type Meaning struct {
	spec  *events.Spec
	judge *events.Judge // nil where all parameters always do
}

// MeaningOf is that of a study. Of a study whose conditions this build cannot read all
// parameters mean something.
func MeaningOf(spec *events.Spec) *Meaning {
	m := &Meaning{spec: spec}
	if judge, err := events.NewJudge(&events.Spec{Parameters: spec.Parameters}); err == nil && judge.Conditional() {
		m.judge = judge
	}
	return m
}

// Inactive names the parameters that mean nothing in a design.
func (m *Meaning) Inactive(design []space.Value) (names []string) {
	if m.judge != nil {
		m.judge.Inactive(design, func(i int) { names = append(names, m.spec.Parameters[i].Name) })
	}
	return names
}

// Texts writes a design, one text for each parameter of the study: none where the
// parameter means nothing in it, or has no value.
func (m *Meaning) Texts(design []space.Value, none string, text func(v space.Value, unit string) string) []string {
	texts := make([]string, len(m.spec.Parameters))
	for i, p := range m.spec.Parameters {
		if texts[i] = none; i < len(design) {
			texts[i] = text(design[i], p.Unit)
		}
	}
	if m.judge != nil {
		m.judge.Inactive(design, func(i int) { texts[i] = none })
	}
	return texts
}

// Cells writes a design for programs; what means nothing is empty.
func (m *Meaning) Cells(design []space.Value) []string {
	return m.Texts(design, "", func(v space.Value, _ string) string { return PlainValue(v) })
}
