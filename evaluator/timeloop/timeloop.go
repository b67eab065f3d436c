// Package timeloop writes a layer, a hierarchy and a mapping of evaluator/model
// as input of Timeloop (A. Parashar et al., "Timeloop: A Systematic Approach to
// DNN Accelerator Evaluation", ISPASS 2019), in the format of its version 0.3:
// architecture, problem and mapping.
//
// What differs between the two models is written as comments: dimensions are
// padded to whole tiles, because that format's factors must multiply to the
// dimension; a mesh is one row of instances; the outermost level keeps every
// operand; a storage has one width of words, that of the widest operand it keeps.
package timeloop

import (
	"fmt"
	"slices"
	"strings"

	"apollo/evaluator/model"
	"apollo/evaluator/number"
)

// Layer is what one document holds.
type Layer struct {
	// Name is for the comment at the top and the problem's name.
	Name    string
	Problem model.Problem
	Arch    model.Arch
	Mapping model.Mapping
	// CycleSeconds is the time of a cycle.
	CycleSeconds float64
	// Weights, Activations, Outputs and Sums are the formats of the layer's numbers;
	// activations are its inputs.
	Weights, Activations, Outputs, Sums number.Format
	// Packed says that two elements of up to four bits share a byte.
	Packed bool
}

// Document returns the layer as one YAML document that timeloop-model reads.
func Document(l *Layer) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n# weights in %s, activations in %s, outputs in %s, sums in %s\n", l.Name, l.Weights, l.Activations, l.Outputs, l.Sums)
	l.architecture(&b)
	l.problem(&b)
	l.mapping(&b)
	return b.String()
}

// name makes an identifier of a level's name: "PE memory" → "PEMemory".
func name(level string) string {
	var b strings.Builder
	for word := range strings.FieldsFuncSeq(level, func(r rune) bool { return r == ' ' || r == '-' }) {
		b.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	return b.String()
}

func (l *Layer) architecture(b *strings.Builder) {
	fmt.Fprintf(b, "architecture:\n  version: 0.3\n  subtree:\n")
	instances := int64(1)
	indent := "    "
	widths := l.widths()
	for i := range l.Arch.Levels {
		level := &l.Arch.Level[i]
		fmt.Fprintf(b, "%s- name: %s%s\n", indent, name(level.Name)+"Level", index(instances))
		if i == 0 {
			fmt.Fprintf(b, "%s  attributes:\n%s    technology: 22nm\n%s    global-cycle-seconds: %g\n", indent, indent, indent, l.CycleSeconds)
		}
		fmt.Fprintf(b, "%s  local:\n", indent)
		l.storage(b, i, widths[i], indent+"    ")
		instances = level.Fanout
		if i == l.Arch.Levels-1 {
			fmt.Fprintf(b, "%s    - name: MACC%s\n%s      class: %s\n%s      attributes:\n%s        datawidth: %d\n",
				indent, index(instances), indent, l.multiplier(), indent, indent, max(l.Weights.Bits, l.Activations.Bits))
			continue
		}
		fmt.Fprintf(b, "%s  subtree:\n", indent)
		indent += "    "
	}
}

// index is "[0..n-1]", or nothing for one instance.
func index(n int64) string {
	if n <= 1 {
		return ""
	}
	return fmt.Sprintf("[0..%d]", n-1)
}

// multiplier is the class of the units.
func (l *Layer) multiplier() string {
	if l.Sums.Kind == number.Int {
		return "intmac"
	}
	return "fpmac"
}

// widths returns the bits of each level's words: of the widest operand that it keeps,
// of sums where they are not complete there.
func (l *Layer) widths() (bits [model.MaxLevels]int64) {
	const byteBits, half = 8, 4
	r := model.Eval(&l.Problem, &l.Arch, &l.Mapping)
	stored := func(f number.Format, bytes int64) int64 {
		if l.Packed && bytes == 1 && f.Bits <= half {
			return half
		}
		return bytes * byteBits
	}
	for i := range l.Arch.Levels {
		keeps := l.Arch.Level[i].Keeps
		for o := range model.Operands {
			if i > 0 && !keeps[o] {
				continue
			}
			w, access := stored(l.Activations, l.Problem.Bytes[o]), &r.Access[i][o]
			switch {
			case o == model.Weights:
				w = stored(l.Weights, l.Problem.Bytes[o])
			case o == model.Outputs && (access.Reads > 0 || access.Fills > 0):
				w = stored(l.Sums, l.Problem.PartialBytes)
			case o == model.Outputs:
				w = stored(l.Outputs, l.Problem.Bytes[o])
			}
			bits[i] = max(bits[i], w)
		}
	}
	return bits
}

// storage writes a level's memory in words of so many bits. Rates are in bytes per
// 1000 cycles in the model, in words per cycle here.
func (l *Layer) storage(b *strings.Builder, i int, bits int64, indent string) {
	level := &l.Arch.Level[i]
	class := "SRAM"
	switch i {
	case 0:
		class = "DRAM"
	case l.Arch.Levels - 1:
		class = "regfile"
	}
	fmt.Fprintf(b, "%s- name: %s\n%s  class: %s\n%s  attributes:\n%s    word-bits: %d\n%s    block-size: 1\n", indent, name(level.Name), indent, class, indent, indent, bits, indent)
	const byteBits, milli = 8, 1000
	if level.Capacity > 0 {
		fmt.Fprintf(b, "%s    entries: %d\n", indent, level.Capacity*byteBits/bits)
	}
	if level.DoubleBuffered && level.Capacity > 0 {
		fmt.Fprintf(b, "%s    multiple-buffering: 2\n", indent)
	}
	words := func(rate int64) float64 { return float64(rate*byteBits) / float64(bits) / milli }
	if level.Shared && level.ReadRate > 0 {
		fmt.Fprintf(b, "%s    shared_bandwidth: %g\n", indent, words(level.ReadRate))
		return
	}
	if level.ReadRate > 0 {
		fmt.Fprintf(b, "%s    read_bandwidth: %g\n", indent, words(level.ReadRate))
	}
	if level.WriteRate > 0 {
		fmt.Fprintf(b, "%s    write_bandwidth: %g\n", indent, words(level.WriteRate))
	}
}

// padded returns the product of a dimension's factors, at least its bound.
func (l *Layer) padded(d model.Dim) int64 {
	n := int64(1)
	for i := range l.Arch.Levels {
		n *= l.Mapping.Loops[i].Temporal[d] * l.Mapping.Loops[i].Spatial[d]
	}
	return n
}

func (l *Layer) problem(b *strings.Builder) {
	b.WriteString(`problem:
  shape:
    name: convolution
    dimensions: [G, N, K, C, P, Q, R, S]
    coefficients:
      - {name: Hstride, default: 1}
      - {name: Wstride, default: 1}
      - {name: Hdilation, default: 1}
      - {name: Wdilation, default: 1}
    data-spaces:
      - name: Weights
        projection: [[[G]], [[K]], [[C]], [[R]], [[S]]]
      - name: Inputs
        projection: [[[G]], [[N]], [[C]], [[R, Hdilation], [P, Hstride]], [[S, Wdilation], [Q, Wstride]]]
      - name: Outputs
        projection: [[[G]], [[N]], [[K]], [[P]], [[Q]]]
        read-write: True
  instance:
`)
	for d := range model.Dims {
		note := ""
		if n := l.padded(d); n != l.Problem.Bound[d] {
			note = fmt.Sprintf(" # %d, padded to whole tiles", l.Problem.Bound[d])
		}
		fmt.Fprintf(b, "    %s: %d%s\n", d, l.padded(d), note)
	}
	p := &l.Problem
	fmt.Fprintf(b, "    Hstride: %d\n    Wstride: %d\n    Hdilation: %d\n    Wdilation: %d\n", p.Stride[0], p.Stride[1], p.Dilation[0], p.Dilation[1])
}

func (l *Layer) mapping(b *strings.Builder) {
	b.WriteString("mapping:\n")
	for i := range l.Arch.Levels {
		loops := &l.Mapping.Loops[i]
		target := name(l.Arch.Level[i].Name)
		l.bypass(b, i, target)
		fmt.Fprintf(b, "  - target: %s\n    type: temporal\n    factors: %s\n    permutation: %s\n", target, factors(&loops.Temporal), permutation(&loops.Order))
		if l.Arch.Level[i].Fanout > 1 {
			natural := [model.Dims]model.Dim{model.G, model.N, model.K, model.C, model.P, model.Q, model.R, model.S}
			fmt.Fprintf(b, "  - target: %s\n    type: spatial\n    factors: %s\n    permutation: %s\n", target, factors(&loops.Spatial), permutation(&natural))
		}
	}
}

// bypass says which operands a level keeps; the outermost keeps all.
func (l *Layer) bypass(b *strings.Builder, i int, target string) {
	var keep, pass []string
	for o := range model.Operands {
		label := strings.ToUpper(o.String()[:1]) + o.String()[1:]
		if i == 0 || l.Arch.Level[i].Keeps[o] {
			keep = append(keep, label)
		} else {
			pass = append(pass, label)
		}
	}
	fmt.Fprintf(b, "  - target: %s\n    type: datatype\n    keep: [%s]\n    bypass: [%s]\n", target, strings.Join(keep, ", "), strings.Join(pass, ", "))
}

func factors(n *[model.Dims]int64) string {
	var parts []string
	for d := range model.Dims {
		parts = append(parts, fmt.Sprintf("%s=%d", d, n[d]))
	}
	return strings.Join(parts, " ")
}

// permutation writes a loop order, which is outermost first, innermost first.
func permutation(order *[model.Dims]model.Dim) string {
	var letters []string
	for _, d := range order {
		letters = append(letters, d.String())
	}
	slices.Reverse(letters)
	return strings.Join(letters, "")
}
