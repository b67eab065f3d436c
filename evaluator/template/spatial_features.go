package template

import (
	"slices"
	"strings"

	"apollo/evaluator"
	"apollo/evaluator/model"
)

// spatialFeatures are what a set of axes and their sizes come to: how many units there are, how many of them each
// loop can have, and how many a grouped layer can. Models see a label as a name, and x, y and z mean something
// else with each.
func spatialFeatures() []evaluator.Feature {
	f := []evaluator.Feature{{Name: "units", Terms: lanes(func(string) bool { return true })}}
	for _, d := range axisDims {
		f = append(f, evaluator.Feature{
			Name:  "lanes_" + strings.ToLower(d.String()),
			Terms: lanes(func(axis string) bool { return strings.Contains(axis, d.String()) }),
		})
	}
	return append(f, groupedLanes())
}

// groupedLanes are the units that a layer of groups can use.
func groupedLanes() evaluator.Feature {
	f := evaluator.Feature{Name: "lanes_of_groups"}
	for sums, doSums := range grouped {
		for outputs, doOutputs := range grouped {
			used := func(axis string) bool {
				return strings.ContainsAny(axis, "GPQRS") ||
					sums == 1 && strings.Contains(axis, model.C.String()) || outputs == 1 && strings.Contains(axis, model.K.String())
			}
			f.Terms = append(f.Terms, lanes(used,
				evaluator.Condition{Param: "grouped_sums", Labels: []string{doSums}},
				evaluator.Condition{Param: "grouped_outputs", Labels: []string{doOutputs}})...)
		}
	}
	return f
}

// lanes are terms that add up to the product of the sizes of some axes, under conditions: the units where all
// axes are among them, 1 where none is.
func lanes(among func(axis string) bool, where ...evaluator.Condition) (terms []evaluator.Term) {
	sizes := []string{"x", "y", "z"}
	labels := make([][]string, 1<<len(sizes)) // by the set of axes that count
	for _, label := range axisLabels() {
		set := 0
		for i, axis := range strings.Split(label, "+") {
			if among(axis) {
				set |= 1 << i
			}
		}
		labels[set] = append(labels[set], label)
	}
	for set, list := range labels {
		if len(list) == 0 {
			continue
		}
		t := evaluator.Term{Where: append(slices.Clip(where), evaluator.Condition{Param: "axes", Labels: list})}
		for i, size := range sizes {
			if set>>i&1 == 1 {
				t.Times = append(t.Times, size)
			}
		}
		terms = append(terms, t)
	}
	return terms
}
