package template

import (
	"slices"

	"apollo/evaluator/model"
)

// maxPolished is the number of steps on chip up to which the mapping of a layer is polished.
// Chosen: no layer of MobileNetV2 has as few on the baseline of spatial.
const maxPolished = 1024

// polish looks for a mapping that costs less: from the one that is known, and from that with
// the loops over the window as loops over tiles, which the search never has.
func (l *loops) polish(p *model.Problem, g goal, m *model.Mapping, cost *Cost) {
	apart := *m
	l.descend(p, g, m, cost)
	moved := false
	for _, d := range [...]model.Dim{model.R, model.S} {
		for i := 1; i < l.arch.Levels; i++ {
			n := &apart.Loops[i].Temporal[d]
			moved = moved || *n > 1
			apart.Loops[0].Temporal[d], *n = apart.Loops[0].Temporal[d]**n, 1
		}
	}
	if !moved || apart.Validate(p, &l.arch) != nil {
		return
	}
	r := model.Eval(p, &l.arch, &apart)
	other := l.cost(p, &apart, &r)
	if l.descend(p, g, &apart, &other); g.of(&other) < g.of(cost)*margin {
		*m, *cost = apart, other
	}
}

// descend goes from a mapping to the one next to it that costs least, while that costs less:
// the steps of one dimension shared out otherwise among the loops over tiles, of the buffer
// and of the inner level, or two loops over tiles exchanged. First tiles are most of a small
// layer, and the search tries few that are smaller than they have to be.
func (l *loops) descend(p *model.Problem, g goal, m *model.Mapping, cost *Cost) {
	fixed, value, best := l.fixed(m), g.of(cost), *m
	try := func(x *model.Mapping) {
		if x.Validate(p, &l.arch) != nil {
			return
		}
		r := model.Eval(p, &l.arch, x)
		c := l.costOf(p, x, &r, fixed)
		if v := g.of(&c); v < value*margin {
			best, *cost, value = *x, c, v
		}
	}
	for {
		from := best
		for d := range model.Dims {
			l.share(p, &from, d, try)
		}
		exchange(&from, try)
		if best == from {
			*m = best
			return
		}
	}
}

// share tries every way to share the steps of a dimension out.
func (l *loops) share(p *model.Problem, from *model.Mapping, d model.Dim, try func(*model.Mapping)) {
	units := int64(1)
	for i := range l.arch.Levels {
		units *= from.Loops[i].Spatial[d]
	}
	steps := model.CeilDiv(p.Bound[d], units)
	sizes := []int64{1}
	if slices.Contains(l.innerDims, d) {
		sizes = parts(steps)
	}
	x := *from
	outer, tile, inner := &x.Loops[0].Temporal[d], &x.Loops[1].Temporal[d], &x.Loops[l.inner].Temporal[d]
	for _, *inner = range sizes {
		left := model.CeilDiv(steps, *inner)
		for _, *tile = range parts(left) {
			*outer = model.CeilDiv(left, *tile)
			try(&x)
		}
	}
}

// exchange tries every two loops over tiles in each other's place.
func exchange(from *model.Mapping, try func(*model.Mapping)) {
	n := &from.Loops[0].Temporal
	for i, a := range from.Loops[0].Order {
		for k, b := range from.Loops[0].Order[:i] {
			if n[a] > 1 && n[b] > 1 {
				x := *from
				x.Loops[0].Order[i], x.Loops[0].Order[k] = b, a
				try(&x)
			}
		}
	}
}

// parts lists the sizes ceil(n/i), the largest first.
func parts(n int64) (list []int64) {
	for i := int64(1); ; {
		size := model.CeilDiv(n, i)
		list = append(list, size)
		if size == 1 {
			return list
		}
		for i++; model.CeilDiv(n, i) == size; i++ {
		}
	}
}
