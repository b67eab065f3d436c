package validate

import (
	"errors"
	"fmt"
	"slices"
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
		w, err := languageModel(l.text("workload"), l.text("head"), l.text("scales"), l.text("logits"))
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

// languageModel is a built-in network with its sizes, as at the command line, on the
// terms of a row: head is the format of the last matrix, scales the bits of a scale and
// how many weights of the others have it together, logits "every" where every token of
// a prompt makes some.
func languageModel(text, head, scales, logits string) (*workload.Workload, error) {
	name, sizes, sized := strings.Cut(text, ":")
	var s workload.Sizes
	if sized {
		var err error
		if s, err = workload.ParseSizes(sizes); err != nil {
			return nil, err
		}
	}
	w, err := workload.Sized(name, s)
	if err != nil || head+scales+logits == "" {
		return w, err
	}
	last := slices.IndexFunc(w.Layers, func(l workload.Layer) bool { return l.ID == "logits" })
	if last < 0 {
		return nil, errors.New("the network has no layer logits, of which the row says something")
	}
	if head != "" {
		format, ok := formats.Named(head)
		if !ok {
			return nil, fmt.Errorf("the head has the format %q, want one of %s", head, strings.Join(formats.Names(), ", "))
		}
		w.Layers[last].WeightBits, w.Layers[last].WeightKind = format.Bits, format.Kind
	}
	if scales != "" {
		if err := scale(w.Layers[:last], scales); err != nil {
			return nil, err
		}
	}
	switch logits {
	case "":
	case "every":
		if err := everyLogit(w, last); err != nil {
			return nil, err
		}
	default:
		return nil, fmt.Errorf("logits is %q, want every or nothing", logits)
	}
	return w, w.Normalise()
}

// scale gives the matrices of layers a scale of some bits for each block of weights.
func scale(layers []workload.Layer, text string) error {
	const byteBits = 8
	var bits, block int64
	if n, err := fmt.Sscanf(text, "%d/%d", &bits, &block); n != 2 || err != nil || bits < 1 || block < 1 {
		return fmt.Errorf("scales is %q, want bits and the weights that share them, as in 8/16", text)
	}
	for i := range layers {
		if l := &layers[i]; l.Op.HasWeights() {
			l.ScaleBytes = (l.WeightElements()/block*bits + byteBits - 1) / byteBits
		}
	}
	return nil
}

// everyLogit takes away that the last token of a prompt alone makes logits.
func everyLogit(w *workload.Workload, at int) error {
	y, only := &w.Layers[at], slices.IndexFunc(w.Layers, func(l workload.Layer) bool { return l.ID == "last" })
	if only < 0 || y.In[0] != w.Layers[only].ID {
		return errors.New("the network makes logits for every token, and the row asks for it")
	}
	y.M, y.In = w.Layers[only].InputElements()/y.C, w.Layers[only].In
	w.Layers = slices.Delete(w.Layers, only, only+1)
	return nil
}
