package validate

import (
	"fmt"
	"strconv"
	"strings"

	"apollo/evaluator/model"
)

// nest is a loop nest of another tool, ready for the core.
type nest struct {
	problem model.Problem
	arch    model.Arch
	mapping model.Mapping
}

// newNest has n levels that keep everything, and unit loops.
func newNest(n int) *nest {
	x := &nest{}
	x.problem = model.Problem{Stride: [2]int64{1, 1}, Dilation: [2]int64{1, 1}, Bytes: [model.Operands]int64{1, 1, 1}, PartialBytes: 1}
	for d := range model.Dims {
		x.problem.Bound[d] = 1
	}
	x.arch.Levels = n
	for i := range n {
		x.arch.Level[i] = model.Level{Keeps: [model.Operands]bool{true, true, true}, DoubleBuffered: true, Fanout: 1}
		x.mapping.Loops[i] = model.Ones()
	}
	return x
}

// dimNamed returns the dimension of a letter.
func dimNamed(letter string) (model.Dim, error) {
	for d := range model.Dims {
		if d.String() == letter {
			return d, nil
		}
	}
	return 0, fmt.Errorf("there is no dimension %q", letter)
}

// factors reads "K=2,C=4" into v; factors must be at least 1.
func factors(text string, v *[model.Dims]int64) error {
	for part := range strings.SplitSeq(text, ",") {
		letter, number, ok := strings.Cut(strings.TrimSpace(part), "=")
		n, err := strconv.ParseInt(number, 10, 64)
		if !ok || err != nil || n < 1 || n > maxFactor {
			return fmt.Errorf("factor %q: want a letter, = and a number from 1 to 2^24", part)
		}
		d, err := dimNamed(letter)
		if err != nil {
			return err
		}
		v[d] = n
	}
	return nil
}

// order reads a permutation that lists the innermost loop first. Dimensions
// that it does not name have one step and stand outermost.
func order(innerFirst string, v *[model.Dims]model.Dim) error {
	var seen [model.Dims]bool
	at := int(model.Dims)
	for _, letter := range innerFirst {
		d, err := dimNamed(string(letter))
		if err != nil {
			return err
		}
		if seen[d] {
			return fmt.Errorf("permutation %q names %s twice", innerFirst, d)
		}
		seen[d] = true
		at--
		v[at] = d
	}
	for d := range model.Dims {
		if !seen[d] {
			at--
			v[at] = d
		}
	}
	return nil
}

// cover makes the problem as large as its loops.
func (x *nest) cover() {
	for d := range model.Dims {
		x.problem.Bound[d] = 1
		for i := range x.arch.Levels {
			x.problem.Bound[d] *= x.mapping.Loops[i].Temporal[d] * x.mapping.Loops[i].Spatial[d]
		}
	}
	for i := range x.arch.Levels {
		for d := range model.Dims {
			x.arch.Level[i].Fanout *= x.mapping.Loops[i].Spatial[d]
		}
	}
}

// instances returns the number of instances of a level that take part.
func (x *nest) instances(level int) int64 {
	n := int64(1)
	for i := range level {
		for d := range model.Dims {
			n *= x.mapping.Loops[i].Spatial[d]
		}
	}
	return n
}

// operandNamed returns the operand that the tool calls a data space.
func operandNamed(name string) (model.Operand, error) {
	for o := range model.Operands {
		if strings.EqualFold(o.String(), name) {
			return o, nil
		}
	}
	return 0, fmt.Errorf("there is no tensor %q", name)
}

// counts compares the counts of one level and tensor, per instance.
type counts struct {
	capacity, weightFills, inputFills, outputFills, reads, updates agreement
}

func newCounts() *counts {
	return &counts{
		capacity:    agreement{metric: "capacities"},
		weightFills: agreement{metric: "fills of weights"},
		inputFills:  agreement{metric: "fills of inputs"},
		outputFills: agreement{metric: "fills of outputs"},
		reads:       agreement{metric: "reads"},
		updates:     agreement{metric: "updates"},
	}
}

// theirs holds what the tool counts per instance.
type theirs struct{ capacity, reads, fills, updates int64 }

func (c *counts) compare(name string, x *nest, r *model.Result, level int, o model.Operand, want theirs) {
	got := r.Access[level][o]
	per := x.instances(level)
	c.capacity.compare(name, want.capacity, got.Tile)
	fills := [model.Operands]*agreement{&c.weightFills, &c.inputFills, &c.outputFills}
	fills[o].compare(name, want.fills, got.Fills/per)
	c.reads.compare(name, want.reads, got.Reads/per)
	c.updates.compare(name, want.updates, got.Updates/per)
}

func (c *counts) rows() []Row {
	return []Row{
		c.capacity.row(1), c.weightFills.row(1), c.outputFills.row(1), c.inputFills.row(0.99),
		c.reads.row(0.99), c.updates.row(1),
	}
}

// timeloopRandom compares random mappings on three levels with a fan-out of 16
// below the first.
func timeloopRandom(t *table) ([]Row, error) {
	c := newCounts()
	cycles := agreement{metric: "cycles"}
	levels := map[string]int{"MainMemory": 0, "GlobalBuffer": 1, "RegisterFile": 2}
	last := ""
	for i := range t.rows {
		l := t.line(i)
		x, err := randomNest(l)
		if err != nil {
			return nil, err
		}
		r := model.Eval(&x.problem, &x.arch, &x.mapping)
		if name := l.text("case"); name != last {
			cycles.compare("case "+name, l.int("cycles"), r.ComputeCycles)
			last = name
		}
		level, ok := levels[l.text("level")]
		o, err := operandNamed(l.text("tensor"))
		if !ok || err != nil {
			return nil, t.bad(i, fmt.Errorf("level %q or tensor %q is unknown", l.text("level"), l.text("tensor")))
		}
		c.compare(fmt.Sprintf("case %s %s %s", last, l.text("level"), o), x, &r, level, o, theirs{
			capacity: l.int("util_capacity"), reads: l.int("reads_per_inst"), fills: l.int("fills_per_inst"), updates: l.int("updates_per_inst"),
		})
		if l.err != nil {
			return nil, l.err
		}
	}
	return append([]Row{cycles.row(1)}, c.rows()...), nil
}

func randomNest(l *line) (*nest, error) {
	x := newNest(3)
	stride := l.size("stride")
	x.problem.Stride = [2]int64{stride, stride}
	for i, name := range []string{"dram", "glb", "rf"} {
		if err := factors(l.text(name+"_factors"), &x.mapping.Loops[i].Temporal); err != nil {
			l.fail(err)
		}
		if err := order(l.text(name+"_perm_inner_first"), &x.mapping.Loops[i].Order); err != nil {
			l.fail(err)
		}
	}
	if err := factors(l.text("spatial_factors(16 PEs)"), &x.mapping.Loops[0].Spatial); err != nil {
		l.fail(err)
	}
	x.cover()
	for d := range model.Dims {
		if i, ok := l.t.column[d.String()]; ok && l.t.rows[l.n][i] != strconv.FormatInt(x.problem.Bound[d], 10) {
			l.fail(fmt.Errorf("the loops over %s cover %d, the layer has %s", d, x.problem.Bound[d], l.t.rows[l.n][i]))
		}
	}
	return x, l.err
}
