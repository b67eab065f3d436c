package suite

import (
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"slices"

	"apollo/events"
	"apollo/lab/bench"
	"apollo/optimizer/space"
)

// node is a parameter of a tree. It counts where when holds, which is where the
// categories at the positions of under have those labels.
type node struct {
	name, when string
	under      []choice
	// costs are those of the labels of a category; a number has none, and costs
	// weight times the square of how far it is from best, over all its levels.
	costs        []float64
	levels, best int
	weight       float64
}

// choice is a label of the category at a position of the space.
type choice struct{ param, label int }

// caches has three kinds of memory with parameters of their own, one of them with
// a prefetcher that has two more. The kind with the best optimum has the narrowest
// bowls.
func caches() odd {
	const cache, stream, pad = `kind == "k1"`, `kind == "k1" and fetch == "k2"`, `kind == "k2"`
	isCache, isStream, isPad := []choice{{0, 1}}, []choice{{0, 1}, {1, 2}}, []choice{{0, 2}}
	return tree("tree-caches", bench.Development, []node{
		{name: "kind", costs: []float64{9, 7, 8}},
		{name: "fetch", when: cache, under: isCache, costs: []float64{1, 0.8, 0}},
		{name: "ways", when: cache, under: isCache, levels: 8, best: 5, weight: 6},
		{name: "sets", when: cache, under: isCache, levels: 12, best: 8, weight: 8},
		{name: "line", when: cache, under: isCache, levels: 6, best: 2, weight: 4},
		{name: "depth", when: stream, under: isStream, levels: 10, best: 7, weight: 9},
		{name: "distance", when: stream, under: isStream, levels: 10, best: 3, weight: 9},
		{name: "size", when: pad, under: isPad, levels: 16, best: 11, weight: 1},
		{name: "banks", when: pad, under: isPad, levels: 6, best: 1, weight: 1},
		{name: "lanes", levels: 12, best: 9, weight: 3},
		{name: "clock", levels: 20, best: 13, weight: 3},
		{name: "ports", levels: 8, best: 2, weight: 2},
	})
}

// engines has four engines, two of which choose a mode with parameters.
func engines() odd {
	const vector, gather = `engine == "k1"`, `engine == "k1" and gather == "k1"`
	const array, tile, table = `engine == "k2"`, `engine == "k2" and order == "k2"`, `engine == "k3"`
	isVector, isGather := []choice{{0, 1}}, []choice{{0, 1}, {2, 1}}
	isArray, isTile, isTable := []choice{{0, 2}}, []choice{{0, 2}, {1, 2}}, []choice{{0, 3}}
	return tree("tree-engines", bench.Test, []node{
		{name: "engine", costs: []float64{8, 6.5, 7, 7.5}},
		{name: "order", when: array, under: isArray, costs: []float64{0.5, 0.7, -1}},
		{name: "gather", when: vector, under: isVector, costs: []float64{0.3, 0}},
		{name: "width", when: vector, under: isVector, levels: 16, best: 12, weight: 2},
		{name: "stride", when: gather, under: isGather, levels: 8, best: 3, weight: 2},
		{name: "rows", when: array, under: isArray, levels: 16, best: 10, weight: 8},
		{name: "columns", when: array, under: isArray, levels: 16, best: 6, weight: 8},
		{name: "tile_rows", when: tile, under: isTile, levels: 12, best: 7, weight: 6},
		{name: "tile_columns", when: tile, under: isTile, levels: 12, best: 4, weight: 6},
		{name: "entries", when: table, under: isTable, levels: 20, best: 15, weight: 1},
		{name: "depth", levels: 16, best: 5, weight: 3},
		{name: "clock", levels: 24, best: 17, weight: 3},
	})
}

// tree is a sum over the nodes that count; numbers that follow each other pull at
// each other too. Categories come first. Every number can be at its best, so that the optimum is
// the cheapest choice of categories.
func tree(name string, split bench.Split, nodes []node) odd {
	o := odd{name: name, split: split}
	var categories []int
	for _, n := range nodes {
		p := numbered(n.name, n.levels)
		if len(n.costs) > 0 {
			categories = append(categories, len(n.costs))
			p = labelled(n.name, len(n.costs))
		}
		p.When = n.when
		o.params = append(o.params, p)
	}
	o.of = func(p space.Point) (sum float64) {
		before := 0.0
		for i, n := range nodes {
			switch {
			case slices.ContainsFunc(n.under, func(c choice) bool { return p[c.param] != c.label }):
			case len(n.costs) > 0:
				sum += n.costs[p[i]]
			default:
				d := float64(p[i]-n.best) / float64(n.levels-1)
				sum += n.weight * (d*d + (d+before)*(d+before)/2)
				before = d
			}
		}
		return sum
	}
	o.best = func() float64 {
		p := make(space.Point, len(nodes))
		for i, n := range nodes {
			p[i] = n.best
		}
		best := math.Inf(1)
		for chosen := range combinations(categories, func([]int) bool { return true }) {
			copy(p, chosen)
			best = min(best, o.of(p))
		}
		return best
	}
	return o
}

// combinations yields every choice of a level for each count for which no prefix
// is refused. The slice is written again.
func combinations(counts []int, allowed func(prefix []int) bool) iter.Seq[[]int] {
	return func(yield func([]int) bool) {
		p := []int{-1}
		for len(p) > 0 {
			last := len(p) - 1
			p[last]++
			switch {
			case p[last] == counts[last]:
				p = p[:last]
			case !allowed(p):
			case len(p) < len(counts):
				p = append(p, -1)
			case !yield(p):
				return
			}
		}
	}
}

// permuted has one order of things for each count: which thing is where costs, and
// so does how far apart things of all orders are that belong together.
func permuted(name string, split bench.Split, counts ...int) odd {
	o := odd{name: name, split: split}
	var levels, starts []int // of each parameter
	for part, n := range counts {
		start := len(levels)
		for i := range n {
			levels, starts = append(levels, n), append(starts, start)
			o.params = append(o.params, labelled(fmt.Sprintf("p%d_%d", part, i), n))
			for k := range i {
				o.rules = append(o.rules, events.Rule{
					ID: fmt.Sprintf("apart-%d-%d-%d", part, k, i), Expr: fmt.Sprintf("p%d_%d != p%d_%d", part, k, part, i),
				})
			}
		}
	}
	total := len(levels)
	rng := rand.New(rand.NewPCG(uint64(len(counts)), uint64(total)))
	flow, wish := make([]float64, total*total), make([]float64, total*total)
	for i := range flow {
		flow[i], wish[i] = rng.Float64()*rng.Float64(), rng.Float64()
	}
	o.of = func(p space.Point) float64 {
		sum := 1.0
		for i, a := range p {
			sum += wish[i*total+a]
			for k, b := range p[:i] {
				sum += flow[i*total+k] * math.Abs(float64(a-b))
			}
		}
		return sum
	}
	o.best = func() float64 {
		best := math.Inf(1)
		unlike := func(prefix []int) bool {
			i := len(prefix) - 1
			return !slices.Contains(prefix[starts[i]:i], prefix[i])
		}
		for p := range combinations(levels, unlike) {
			best = min(best, o.of(p))
		}
		return best
	}
	return o
}
