package evaluator

import (
	"fmt"
	"math"
	"slices"

	"apollo/optimizer/space"
)

// Feature is a number that follows from a design's parameters by arithmetic: a
// sum of products and quotients, such as the multipliers of the whole chip.
// Models of a search see its logarithm beside the parameters.
//
// It is data and not a function on purpose: a feature must not know what the
// cost model knows, or a search would find what it was told.
type Feature struct {
	// Name is snake_case and unique in its template: "on_chip_bytes".
	Name string
	// Unit is the unit of the sum, "" for a count.
	Unit string
	// Terms are added up. There is at least one.
	Terms []Term
}

// Term is Scale times the parameters Times, divided by the parameters Over, and 0
// where a condition does not hold.
type Term struct {
	// Scale is a conversion of units, above 0; 0 means 1.
	Scale float64
	// Times and Over name numeric parameters; a name may come twice.
	Times, Over []string
	// Where are the conditions; all must hold.
	Where []Condition
}

// Condition is that a categorical parameter has one of some labels.
type Condition struct {
	Param  string
	Labels []string
}

// Ratio is a feature of one term.
func Ratio(name, unit string, scale float64, times, over []string) Feature {
	return Feature{name, unit, []Term{{Scale: scale, Times: times, Over: over}}}
}

// LogFeatures returns a function that appends to dst the natural logarithm of
// each feature of a design, which has one value per parameter. A feature that
// is not positive there has no logarithm and gives NaN. The error names the
// feature, and the parameter that is missing, or is a number or none where the other is wanted.
func LogFeatures(features []Feature, params []space.Param) (func(dst []float64, design []space.Value) []float64, error) {
	sums := make([][]boundTerm, len(features))
	var asked []askedLabels
	for i, f := range features {
		if len(f.Terms) == 0 {
			return nil, fmt.Errorf("feature %s: there is no term", f.Name)
		}
		for _, t := range f.Terms {
			b, err := t.bind(params, &asked)
			if err != nil {
				return nil, fmt.Errorf("feature %s: %w", f.Name, err)
			}
			sums[i] = append(sums[i], b)
		}
	}
	return func(dst []float64, design []space.Value) []float64 {
		const few = 8 // more are seldom asked for
		labels := make([]int, 0, few)
		for i := range asked {
			labels = append(labels, asked[i].of(design))
		}
		for _, terms := range sums {
			sum := 0.0
			for i := range terms {
				sum += terms[i].of(design, labels)
			}
			dst = append(dst, logarithm(sum))
		}
		return dst
	}, nil
}

// logarithm is NaN where there is none.
func logarithm(x float64) float64 {
	if !(x > 0) {
		return math.NaN()
	}
	return math.Log(x)
}

// boundTerm holds positions of parameters instead of names.
type boundTerm struct {
	scale       float64
	times, over []int
	where       []boundCondition
}

// boundCondition is the place of a parameter among those that are asked for, and which of its labels are meant.
type boundCondition struct {
	asked int
	holds []bool
}

// askedLabels numbers the labels of a parameter that conditions name, so that a design's is looked up once and not in
// each condition.
type askedLabels struct {
	at      int
	numbers map[string]int
}

// of returns the number of a design's label, which is not below that of any list where no condition names it.
func (a *askedLabels) of(design []space.Value) int {
	if n, ok := a.numbers[design[a.at].Label]; ok {
		return n
	}
	return math.MaxInt
}

func (t Term) bind(params []space.Param, asked *[]askedLabels) (boundTerm, error) {
	b := boundTerm{scale: t.Scale}
	if b.scale == 0 {
		b.scale = 1
	}
	for _, list := range []struct {
		names []string
		into  *[]int
	}{{t.Times, &b.times}, {t.Over, &b.over}} {
		for _, name := range list.names {
			at := slices.IndexFunc(params, func(p space.Param) bool { return p.Name == name })
			if at < 0 || params[at].Categorical() {
				return boundTerm{}, fmt.Errorf("there is no numeric parameter %s", name)
			}
			*list.into = append(*list.into, at)
		}
	}
	for _, w := range t.Where {
		at := slices.IndexFunc(params, func(p space.Param) bool { return p.Name == w.Param })
		if at < 0 || !params[at].Categorical() {
			return boundTerm{}, fmt.Errorf("there is no categorical parameter %s", w.Param)
		}
		b.where = append(b.where, w.bind(at, asked))
	}
	return b, nil
}

// bind numbers the labels of the parameter that stands at a place.
func (w Condition) bind(at int, asked *[]askedLabels) boundCondition {
	b := boundCondition{asked: slices.IndexFunc(*asked, func(a askedLabels) bool { return a.at == at })}
	if b.asked < 0 {
		b.asked = len(*asked)
		*asked = append(*asked, askedLabels{at, map[string]int{}})
	}
	numbers := (*asked)[b.asked].numbers
	for _, l := range w.Labels {
		n, known := numbers[l]
		if !known {
			n = len(numbers)
			numbers[l] = n
		}
		if n >= len(b.holds) {
			b.holds = append(b.holds, make([]bool, n+1-len(b.holds))...)
		}
		b.holds[n] = true
	}
	return b
}

func (t *boundTerm) of(design []space.Value, labels []int) float64 {
	for i := range t.where {
		w := &t.where[i]
		if n := labels[w.asked]; n >= len(w.holds) || !w.holds[n] {
			return 0
		}
	}
	v := t.scale
	for _, i := range t.times {
		v *= design[i].Num
	}
	for _, i := range t.over {
		v /= design[i].Num
	}
	return v
}
