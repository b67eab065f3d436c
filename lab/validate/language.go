package validate

import (
	"errors"
	"fmt"
	"strings"

	formats "apollo/evaluator/number"
	"apollo/evaluator/workload"
)

// languageModels compares a pass of a language model, a prompt or a token, with
// what a device or another model is stated to take.
func languageModels(t *table) ([]Row, error) {
	const tolerance = 0.2
	var rows []Row
	for i := range t.rows {
		l := t.line(i)
		metric := fmt.Sprintf("%s %s, %s", l.text("source"), l.text("workload"), machineOf(l))
		values := []float64{
			float64(l.size("atomic_c")), float64(l.size("atomic_k")), l.above("conv_buffer"), l.above("accumulator"), l.above("io_bandwidth"),
		}
		unit, theirs, why := l.text("unit"), l.above("value"), l.text("missed")
		if l.err == nil && unit != "s" && unit != "1/s" {
			l.fail(fmt.Errorf("the unit is %q, want s or 1/s", unit))
		}
		if l.err != nil {
			return nil, l.err
		}
		w, err := languageModel(l.text("workload"), l.text("head"))
		if err != nil {
			return nil, t.bad(i, err)
		}
		design, _, err := measured("nvdla", w, values...)
		if err != nil {
			return nil, t.bad(i, err)
		}
		ours := design.Networks[0].Latency.Total
		if unit == "1/s" {
			ours = 1 / ours
		}
		r := relative(metric, unit, theirs, ours, tolerance)
		if why != "" {
			r = missed(r, why)
		}
		rows = append(rows, r)
	}
	return rows, nil
}

// machineOf names what tells the rows of one workload apart.
func machineOf(l *line) string {
	const giga = 1e9
	return fmt.Sprintf("%s x %s, %g GB/s", l.text("atomic_c"), l.text("atomic_k"), l.above("io_bandwidth")/giga)
}

// languageModel is a built-in network with its sizes, as at the command line,
// whose last matrix may have a format of its own.
func languageModel(text, head string) (*workload.Workload, error) {
	name, sizes, sized := strings.Cut(text, ":")
	var s workload.Sizes
	if sized {
		var err error
		if s, err = workload.ParseSizes(sizes); err != nil {
			return nil, err
		}
	}
	w, err := workload.Sized(name, s)
	if err != nil || head == "" {
		return w, err
	}
	format, ok := formats.Named(head)
	if !ok {
		return nil, fmt.Errorf("the head has the format %q, want one of %s", head, strings.Join(formats.Names(), ", "))
	}
	for i := range w.Layers {
		if l := &w.Layers[i]; l.ID == "logits" {
			l.WeightBits, l.WeightKind = format.Bits, format.Kind
			return w, nil
		}
	}
	return nil, errors.New("the network has no layer logits, whose format the row gives")
}
