// Package space describes design spaces: named parameters with ordered
// levels, the points of their lattice, and the values those points stand for.
//
// A point holds one level index per parameter. Points are what strategies
// work on; values (with units) are what evaluators, messages and logs carry.
// The package imports nothing of this project and does no I/O.
package space

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
	"slices"
	"strconv"
)

// Param is one parameter of a design space: a name, a unit and its levels.
//
// A numeric parameter lists Values in ascending order. A categorical parameter
// lists Labels instead; its levels have no order. Exactly one of the two is set.
type Param struct {
	// Name is snake_case and unique in its space, for example "pes_x".
	Name string
	// Unit is the SI unit of Values ("B", "B/s", "s", …), or "" for a count
	// or a label.
	Unit string
	// Values are the levels of a numeric parameter, strictly ascending, finite.
	Values []float64
	// Labels are the levels of a categorical parameter, distinct.
	Labels []string
}

// Categorical reports whether the levels are labels without an order.
func (p Param) Categorical() bool { return len(p.Labels) > 0 }

// Len returns the number of levels.
func (p Param) Len() int { return max(len(p.Values), len(p.Labels)) }

// Value returns the value of a level; it panics when level is out of range.
func (p Param) Value(level int) Value {
	if p.Categorical() {
		return Value{Label: p.Labels[level]}
	}
	return Value{Num: p.Values[level]}
}

// Level returns the level that holds v, or false when no level does. The level
// is meaningless when none does.
func (p Param) Level(v Value) (int, bool) {
	if p.Categorical() {
		i := slices.Index(p.Labels, v.Label)
		return i, i >= 0
	}
	if v.Label != "" {
		return 0, false
	}
	i, ok := slices.BinarySearch(p.Values, v.Num)
	return i, ok
}

// Value is a parameter's value in a design: a number in the parameter's unit,
// or the label of a categorical level. Label is "" for numbers.
type Value struct {
	Num   float64
	Label string
}

// String returns the label, or the number in its shortest exact form.
func (v Value) String() string {
	if v.Label != "" {
		return v.Label
	}
	return strconv.FormatFloat(v.Num, 'g', -1, 64)
}

// Point is one design as level indices: Point[i] indexes the levels of
// parameter i.
type Point []int

// Clone returns a copy that shares nothing with p.
func (p Point) Clone() Point { return slices.Clone(p) }

// Space is an immutable product of parameters.
// The zero Space has no parameter and size 1; build others with New.
type Space struct {
	params []Param
	levels []int // levels[i] is params[i].Len(), kept apart because decoding an index reads nothing else
	size   uint64
	wide   bool // 2^63 points or more, which have no index
}

// New checks the parameters and returns their space, which shares nothing with
// them. The errors name the parameter: an empty or repeated name, no level,
// levels that do not ascend, repeated labels, or numbers that are not finite.
func New(params ...Param) (Space, error) {
	s := Space{params: slices.Clone(params), levels: make([]int, len(params)), size: 1}
	seen := map[string]bool{}
	for i, p := range s.params {
		if err := check(p); err != nil {
			return Space{}, fmt.Errorf("parameter %d (%q): %w", i, p.Name, err)
		}
		if seen[p.Name] {
			return Space{}, fmt.Errorf("parameter %d (%q): the name is used twice", i, p.Name)
		}
		seen[p.Name] = true
		s.params[i].Values, s.params[i].Labels = slices.Clone(p.Values), slices.Clone(p.Labels)
		s.levels[i] = p.Len()
		hi, lo := bits.Mul64(s.size, uint64(p.Len()))
		s.wide = s.wide || hi != 0 || lo > math.MaxInt64
		s.size = lo
	}
	if s.wide {
		s.size = math.MaxUint64
	}
	return s, nil
}

func check(p Param) error {
	switch {
	case p.Name == "":
		return errors.New("the name is empty")
	case len(p.Values) > 0 && len(p.Labels) > 0:
		return errors.New("has both values and labels")
	case p.Len() == 0:
		return errors.New("has no level")
	}
	for i, v := range p.Values {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Errorf("level %d is not a finite number", i)
		}
		if i > 0 && v <= p.Values[i-1] {
			return fmt.Errorf("levels must ascend: %v after %v", v, p.Values[i-1])
		}
	}
	for i, l := range p.Labels {
		if l == "" || slices.Contains(p.Labels[:i], l) {
			return fmt.Errorf("label %q is empty or repeated", l)
		}
	}
	return nil
}

// Len returns the number of parameters.
func (s Space) Len() int { return len(s.params) }

// Param returns parameter i. Its slices belong to the space: do not write them.
func (s Space) Param(i int) Param { return s.params[i] }

// Params returns the parameters in order. They belong to the space.
func (s Space) Params() []Param { return s.params }

// Distance returns how far two points are apart: the square of the distance of
// their levels, each scaled to [0, 1]; different labels are 1 apart.
func (s Space) Distance(p, q Point) (d float64) {
	for i := range s.params {
		param := &s.params[i]
		switch {
		case p[i] == q[i]:
		case param.Categorical():
			d++
		default:
			step := float64(p[i]-q[i]) / float64(param.Len()-1)
			d += step * step
		}
	}
	return d
}

// Find returns the index of the parameter called name, or -1.
func (s Space) Find(name string) int {
	return slices.IndexFunc(s.params, func(p Param) bool { return p.Name == name })
}

// Size returns the number of points, and math.MaxUint64 for 2^63 or more: those
// have no index (Countable), and Count is their number.
func (s Space) Size() uint64 {
	if s.size == 0 {
		return 1
	}
	return s.size
}

// Values returns the values that p stands for, in parameter order.
func (s Space) Values(p Point) []Value {
	return s.AppendValues(make([]Value, 0, len(p)), p)
}

// AppendValues appends the values of p to dst.
func (s Space) AppendValues(dst []Value, p Point) []Value {
	for i, level := range p {
		dst = append(dst, s.params[i].Value(level))
	}
	return dst
}

// Point returns the point that holds the given values, or an error that names
// the first parameter whose value is not one of its levels.
func (s Space) Point(values []Value) (Point, error) {
	return s.PointOf(make(Point, 0, len(values)), values)
}

// PointOf is Point in the memory of dst, whose content it replaces.
func (s Space) PointOf(dst Point, values []Value) (Point, error) {
	if len(values) != len(s.params) {
		return nil, fmt.Errorf("the design has %d values, the space %d parameters", len(values), len(s.params))
	}
	p := slices.Grow(dst[:0], len(values))[:len(values)]
	for i, v := range values {
		level, ok := s.params[i].Level(v)
		if !ok {
			return nil, fmt.Errorf("parameter %q has no level %s", s.params[i].Name, v)
		}
		p[i] = level
	}
	return p, nil
}
