package study

import (
	"math"

	"apollo/evaluator"
	"apollo/events"
	"apollo/optimizer/space"
)

// Features returns what models of a search see of a point beside its levels:
// the logarithms of the template's derived features, and of the cheap metrics
// where checker is not nil and the study does not hide what is known before an
// evaluation. It returns nil when there is nothing to see, and an error when
// the features are not those of the space's parameters. The function reuses
// buffers: it is for one goroutine.
func Features(spec *events.Spec, sp space.Space, features []evaluator.Feature, checker evaluator.Checker) (func(space.Point) []float64, error) {
	derived, err := evaluator.LogFeatures(features, sp.Params())
	if err != nil {
		return nil, err
	}
	var cheap []int
	if checker != nil && spec.KnownConstraints != "hidden" {
		for i, m := range spec.Measured() {
			if m.Cheap {
				cheap = append(cheap, i)
			}
		}
	}
	if len(features)+len(cheap) == 0 {
		return nil, nil
	}
	values := make([]space.Value, 0, sp.Len())
	metrics := make([]float64, len(spec.Metrics))
	return func(p space.Point) []float64 {
		values = sp.AppendValues(values[:0], p)
		out := derived(make([]float64, 0, len(features)+len(cheap)), values)
		if len(cheap) > 0 {
			checker.Check(values, metrics)
		}
		for _, i := range cheap {
			out = append(out, math.Log(metrics[i]))
		}
		return out
	}, nil
}
