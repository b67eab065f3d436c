package workload

import (
	"fmt"
	"slices"
	"strings"

	"apollo/evaluator/number"
)

// WithDefaults returns p with its zero fields filled: 8-bit weights and
// activations, 32-bit accumulators.
func (p Precision) WithDefaults() Precision {
	if p.Weights == 0 {
		p.Weights = 8
	}
	if p.Activations == 0 {
		p.Activations = 8
	}
	if p.Accumulators == 0 {
		p.Accumulators = 32
	}
	return p
}

// check refuses widths and kinds that no format has.
func (p Precision) check() error {
	for _, bits := range []int64{p.Weights, p.Activations, p.Accumulators} {
		if bits < 1 || bits > maxBits {
			return fmt.Errorf("precision has a width of %d bits, want 1 to %d", bits, maxBits)
		}
	}
	for _, f := range []number.Format{{Kind: p.WeightKind, Bits: p.Weights}, {Kind: p.ActivationKind, Bits: p.Activations}} {
		if err := checkFormat(f); err != nil {
			return fmt.Errorf("precision: %w", err)
		}
	}
	if _, err := ParseSparsity(p.Sparsity); err != nil {
		return fmt.Errorf("precision: %w", err)
	}
	return nil
}

func checkFormat(f number.Format) error {
	switch {
	case !slices.Contains(number.Kinds(), f.Kind):
		return fmt.Errorf("the kind of numbers is %q, want float, bfloat or nothing for integers", f.Kind)
	case f.Kind == number.Float && f.Bits < 8 && f.Bits != 4, f.Kind == number.Brain && f.Bits != 16:
		return fmt.Errorf("the kind of numbers is %q with %d bits, want float with 4, or 8 or more, or bfloat with 16", f.Kind, f.Bits)
	}
	return nil
}

// orOwn returns f, or the network's format where f says none.
func orOwn(f, network number.Format) number.Format {
	if f.Bits != 0 {
		return f
	}
	return network
}

// OutputFormat returns the format of a layer's output in a network of precision p.
func (l *Layer) OutputFormat(p Precision) number.Format {
	p = p.WithDefaults()
	return orOwn(number.Format{Kind: l.OutputKind, Bits: l.OutputBits}, number.Format{Kind: p.ActivationKind, Bits: p.Activations})
}

// Formats returns the formats of a layer's weights, inputs and sums in a network of
// precision p. A product of activations has no weights: its second
// operand stands for them.
func (l *Layer) Formats(p Precision) (weights, activations, sums number.Format) {
	p = p.WithDefaults()
	own := number.Format{Kind: p.ActivationKind, Bits: p.Activations}
	activations = orOwn(l.InFormats[0], own)
	switch {
	case l.Op == MatMul:
		weights = orOwn(l.InFormats[1], own)
	case !l.Op.HasMACs():
		weights = activations
	case l.WeightBits != 0:
		weights = number.Format{Kind: l.WeightKind, Bits: l.WeightBits}
	default:
		weights = number.Format{Kind: p.WeightKind, Bits: p.Weights}
	}
	return weights, activations, number.Sum(weights, activations, p.Accumulators)
}

// precision returns that of the named formats.
func (s *Sizes) precision() (p Precision, err error) {
	var sums number.Format
	for _, x := range []struct {
		what, name string
		into       func(number.Format)
	}{
		{"weights", s.Weights, func(n number.Format) { p.Weights, p.WeightKind = n.Bits, n.Kind }},
		{"activations", s.Activations, func(n number.Format) { p.Activations, p.ActivationKind = n.Bits, n.Kind }},
		{"accumulators", s.Accumulators, func(n number.Format) { p.Accumulators, sums = n.Bits, n }},
	} {
		if x.name == "" {
			continue
		}
		n, ok := number.Named(x.name)
		if !ok {
			return p, fmt.Errorf("%s is %q, want one of %s", x.what, x.name, strings.Join(number.Names(), ", "))
		}
		x.into(n)
	}
	if p, p.Sparsity = p.WithDefaults(), s.Sparsity; p.Sparsity != "" {
		if _, err := ParseSparsity(p.Sparsity); err != nil {
			return p, err
		}
	}
	dense := Layer{Op: GEMM}
	w, in, sum := dense.Formats(p)
	least, names := max(w.Bits, in.Bits, 8), "int8, int16 or int32"
	if sum.Kind == number.Float {
		least, names = max(least, 16), "fp16 or fp32"
	}
	if s.Accumulators == "" || sum == sums && sums.Bits >= least {
		return p, nil
	}
	return p, fmt.Errorf("accumulators is %s, want %s of %d bits or more: products of integers are summed as integers, others as floating-point numbers",
		s.Accumulators, names, least)
}
