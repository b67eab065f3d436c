package template

import "apollo/evaluator/report"

// sum adds the parts of an energy, in their order.
func sum(parts []float64) float64 {
	total := 0.0
	for _, v := range parts {
		total += v
	}
	return total
}

// breakdown names the parts of an energy.
func breakdown(parts []float64, names ...string) report.Breakdown {
	list := make(report.Breakdown, len(parts))
	for i, v := range parts {
		list[i] = report.Part{Name: names[i], Value: v}
	}
	return list
}
