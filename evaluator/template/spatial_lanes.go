package template

import (
	"cmp"
	"slices"

	"apollo/evaluator/model"
)

// split is how many lanes of an axis each of its loops takes, in the axis' order.
type split struct {
	lanes [maxAxisLoops]int64
	steps int64
}

// maxAxisLoops is room for the loops of an axis.
const maxAxisLoops = 3

// splits lists the ways in which the loops of an axis share its lanes of a layer, so that none can take more
// beside the others: those with the fewest steps first, of equal ones with most lanes for the first loop.
func (s *Spread) splits(bound *[model.Dims]int64) (list []split) {
	var x split
	var choose func(at int, left, steps int64)
	choose = func(at int, left, steps int64) {
		all := bound[s.Dims[at]]
		if at == len(s.Dims)-1 {
			size := model.CeilDiv(all, min(left, all))
			x.lanes[at], x.steps = model.CeilDiv(all, size), steps*size
			if s.full(bound, &x) {
				list = append(list, x)
			}
			return
		}
		for i := int64(1); i > 0; i = model.NextParts(all, i) {
			size := model.CeilDiv(all, i)
			n := model.CeilDiv(all, size)
			if n > left {
				break
			}
			x.lanes[at] = n
			choose(at+1, left/n, steps*size)
		}
	}
	choose(0, s.Limit, 1)
	slices.SortFunc(list, func(a, b split) int {
		return cmp.Or(cmp.Compare(a.steps, b.steps), slices.Compare(b.lanes[:], a.lanes[:]))
	})
	return list
}

// full reports whether no loop can take more lanes beside the others.
func (s *Spread) full(bound *[model.Dims]int64, x *split) bool {
	used := int64(1)
	for i := range s.Dims {
		used *= x.lanes[i]
	}
	for i, d := range s.Dims {
		size := model.CeilDiv(bound[d], x.lanes[i])
		if size > 1 && used/x.lanes[i]*model.CeilDiv(bound[d], size-1) <= s.Limit {
			return false
		}
	}
	return true
}

// chosen keeps of an axis' splits those that are tried of a large layer: some of the fewest steps, and for each
// loop that of the fewest steps which gives it most lanes.
func chosen(list []split, loops int) (few []split) {
	const most = 3 // of the fewest steps; chosen: docs/decisions/0087-axes-of-several-loops.md
	for i := range list {
		if len(few) < most && list[i].steps == list[0].steps {
			few = append(few, list[i])
		}
	}
	for at := range loops {
		first := 0
		for i := range list {
			if list[i].lanes[at] > list[first].lanes[at] {
				first = i
			}
		}
		if !slices.Contains(few, list[first]) {
			few = append(few, list[first])
		}
	}
	return few
}

// on returns the array with the ways of its wires that are tried of a layer, each once and those with the fewest
// steps first. Of a layer with few mappings these are all splits of the lanes of axes of several loops.
func (f *free) on(p *model.Problem) *free {
	if !f.several {
		return f
	}
	splits, count := f.splits(p)
	if x := f.with(p, splits, chosen); count*x.tilings(p, maxTilings) > maxTilings {
		return x
	}
	return f.with(p, splits, whole)
}

// whole keeps all splits of an axis.
func whole(list []split, _ int) []split { return list }

// splits lists those of each axis of several loops in each way of the wires; count is that of all ways with them, up
// to a bound.
func (f *free) splits(p *model.Problem) (all [][][]split, count int) {
	for _, list := range f.flows[0].spreads {
		n, own := 1, make([][]split, len(list))
		for i := range list {
			if s := &list[i]; len(s.Dims) > 1 {
				own[i] = s.splits(&p.Bound)
				n = min(n*len(own[i]), maxTilings)
			}
		}
		all = append(all, own)
		count += n
	}
	return all, count
}

// with returns the array with the splits that are chosen of each axis in each way of the wires.
func (f *free) with(p *model.Problem, splits [][][]split, choose func(list []split, loops int) []split) *free {
	type waySteps struct {
		list  []Spread
		steps int64
	}
	var ways []waySteps
	seen := map[[model.Dims]int64]bool{}
	l := &f.flows[0]
	for i, list := range f.flows[0].spreads {
		var extend func(list []Spread, at int)
		extend = func(list []Spread, at int) {
			for at < len(list) && splits[i][at] == nil {
				at++
			}
			if at == len(list) {
				var m model.Mapping
				rest := l.spread(p, list, &way{}, &m)
				if key := m.Loops[1].Spatial; !seen[key] {
					seen[key] = true
					ways = append(ways, waySteps{list, steps(&rest)})
				}
				return
			}
			for _, x := range choose(splits[i][at], len(list[at].Dims)) {
				next := slices.Clone(list)
				next[at].Most = x.lanes[:len(list[at].Dims)]
				extend(next, at+1)
			}
		}
		extend(list, 0)
	}
	slices.SortStableFunc(ways, func(a, b waySteps) int { return cmp.Compare(a.steps, b.steps) })
	spreads := make([][]Spread, len(ways))
	for i := range ways {
		spreads[i] = ways[i].list
	}
	x := &free{flows: slices.Clone(f.flows), distinct: true}
	for i := range x.flows {
		x.flows[i].spreads = spreads
	}
	return x
}
