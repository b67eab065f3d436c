package inspect

import (
	"cmp"
	"iter"
	"math"
	"math/rand/v2"
	"slices"

	"apollo/events"
	"apollo/optimizer/surrogate"
)

// How importance is measured. Chosen: twenty resamples give an interval of nine of ten,
// and with so many trials it takes a second.
const (
	// ImportanceTrials is how many trials are looked at.
	ImportanceTrials = 400

	importanceResamples, importanceTrees = 20, 15
)

// Importance is how much each parameter matters for the first objective, over feasible
// trials.
type Importance struct {
	// What is measured: the objective, or its logarithm where all values are positive.
	What string `json:"what"`
	// Trials is how many were looked at, the latest.
	Trials int `json:"trials"`
	// Explained is the share of the variance of trials that the forests did not see and
	// explain.
	Explained float64 `json:"explained"`
	// Parameters are in order, the most important first.
	Parameters []ParameterImportance `json:"parameters"`
}

// ParameterImportance is the share of the variance that is lost when a parameter is
// permuted, with an interval of nine of ten.
type ParameterImportance struct {
	Name string  `json:"name"`
	Mean float64 `json:"mean"`
	Low  float64 `json:"low"`
	High float64 `json:"high"`
}

// ImportanceOf measures the importance over feasible trials, the latest first: their
// designs and values. Where nothing can be said, why says so.
func ImportanceOf(spec *events.Spec, latest iter.Seq2[events.Design, []float64]) (found *Importance, why string) {
	sp, err := spec.Space()
	if err != nil {
		return nil, err.Error()
	}
	column := spec.MetricIndex(spec.Objectives[0].Metric)
	encoder := surrogate.NewEncoder(sp, nil)
	var x, y []float64
	positive := true
	for design, values := range latest {
		if len(y) == ImportanceTrials {
			break
		}
		at, err := sp.Point(design)
		if err == nil && column < len(values) && !math.IsNaN(values[column]) {
			x, y, positive = encoder.Append(x, at), append(y, values[column]), positive && values[column] > 0
		}
	}
	found = &Importance{What: spec.Metrics[column].Short(), Trials: len(y)}
	if positive { // as models of the search do, so that no few bad trials are all of the variance
		for i, v := range y {
			y[i] = math.Log(v)
		}
		found.What = "the logarithm of " + found.What
	}
	of, ok := surrogate.Forest{Trees: importanceTrees}.Importances(encoder.Categorical(), x, y, importanceResamples, rand.New(rand.NewPCG(spec.Seed, 0)))
	if !ok {
		return nil, "fewer than ten trials are feasible, or all are alike"
	}
	found.Explained = of.Explained
	for k, p := range spec.Parameters {
		found.Parameters = append(found.Parameters, ParameterImportance{p.Name, of.Of[k].Mean, of.Of[k].Low, of.Of[k].High})
	}
	slices.SortStableFunc(found.Parameters, func(a, b ParameterImportance) int { return cmp.Compare(b.Mean, a.Mean) })
	if !slices.ContainsFunc(found.Parameters, func(p ParameterImportance) bool { return p.Mean > 0 || p.High > 0 }) {
		return nil, "the forests find no parameter that matters"
	}
	return found, ""
}
