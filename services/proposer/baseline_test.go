package proposer

import (
	"slices"
	"testing"

	"apollo/evaluator"
	"apollo/evaluator/edge"
	"apollo/events"
	"apollo/optimizer/space"
	"apollo/services/catalog"
)

// A study that is published may name its parameters in any order: the baseline
// goes by name.
func TestBaselineGoesByName(t *testing.T) {
	t.Parallel()
	x := edge.Spec().Template()
	spec := &events.Spec{Template: x.Name}
	for i := range x.Params {
		spec.Parameters = append(spec.Parameters, events.Parameter{Name: x.Params[len(x.Params)-1-i].Name})
	}
	got := baselineOf(catalog.Catalog{Templates: []evaluator.Template{x}}, spec)
	slices.Reverse(got)
	if !slices.EqualFunc(got, x.Baseline, func(a, b space.Value) bool { return a == b }) {
		t.Errorf("the baseline of the reversed space is %v, want %v reversed", got, x.Baseline)
	}
}
