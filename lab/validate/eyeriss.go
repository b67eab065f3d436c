package validate

import (
	"fmt"
	"strconv"
	"strings"

	"apollo/evaluator/eyeriss"
	"apollo/evaluator/lower"
	"apollo/evaluator/model"
	"apollo/evaluator/workload"
)

// eyerissAlexNet compares the published chip on the convolutions of AlexNet.
func eyerissAlexNet(t *table) ([]Row, error) {
	convs, err := convolutions("alexnet")
	if err != nil {
		return nil, err
	}
	chip, worth := eyeriss.Silicon(), eyeriss.Published()
	var rows []Row
	var theirs, ours, peak float64
	for i := range t.rows {
		l := t.line(i)
		name := l.text("layer")
		n, err := strconv.Atoi(strings.TrimPrefix(name, "CONV"))
		if err != nil || n < 1 || n > len(convs) {
			return nil, t.bad(i, fmt.Errorf("layer %q: want CONV1 to CONV%d", name, len(convs)))
		}
		p := convs[n-1]
		p.Bound[model.N] = l.size("batch")
		silicon := l.above("silicon_latency_ms")
		clock := l.above("clock_MHz")
		if l.err != nil {
			return nil, l.err
		}
		cost, ok := chip.Map(&p, &worth)
		if !ok {
			return nil, t.bad(i, fmt.Errorf("layer %s: no row-stationary mapping fits the chip", name))
		}
		const kilo = 1e3 // MHz are cycles per µs
		ms := float64(cost.Cycles) / (clock * kilo)
		theirs, ours, peak = theirs+silicon, ours+ms, peak+float64(cost.ComputeCycles)/(clock*kilo)
		rows = append(rows, relative(name+" latency", "ms", silicon, ms, 0.13))
	}
	if len(rows) == 0 {
		return nil, nil
	}
	return append(rows, relative("total latency", "ms", theirs, ours, 0.05),
		noted("total of the compute steps alone", "ms", theirs, peak, peak/theirs-1)), nil
}

// convolutions lists the convolutions of a built-in network.
func convolutions(network string) ([]model.Problem, error) {
	w, err := workload.Builtin(network)
	if err != nil {
		return nil, err
	}
	var list []model.Problem
	for i := range w.Layers {
		if l := &w.Layers[i]; l.Op == workload.Conv || l.Op == workload.GroupConv {
			p, err := lower.Problem(l, w.Precision)
			if err != nil {
				return nil, err
			}
			list = append(list, p)
		}
	}
	return list, nil
}
