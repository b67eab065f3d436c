package surrogate

import (
	"math/rand/v2"
	"slices"
)

// Tree grows regression trees: each split is the one that lowers the sum of
// squared errors most. Categories are split one against the rest, ordinal
// coordinates between two neighbouring values.
//
// Reference: L. Breiman, J. Friedman, R. Olshen, C. Stone, Classification and
// Regression Trees, Wadsworth 1984. Growing takes O(p·n) time a level for n
// inputs of p coordinates.
type Tree struct {
	// Depth is the largest number of splits on a path; 0 means 12.
	Depth int
	// Leaf is the smallest number of inputs in a leaf; 0 means 1.
	Leaf int
	// Share is the part of the coordinates that each split looks at; 0 means
	// all. Fewer make the trees of a forest differ.
	Share float64
}

func (t Tree) withDefaults() Tree {
	if t.Depth == 0 {
		t.Depth = 12
	}
	if t.Leaf == 0 {
		t.Leaf = 1
	}
	if t.Share == 0 {
		t.Share = 1
	}
	return t
}

// tree is a grown tree; node 0 is the root.
type tree struct{ nodes []node }

type node struct {
	// coordinate is −1 for a leaf.
	coordinate  int
	equal       bool    // a category: left where x is at, else left where x is below at
	at          float64 // threshold or category; the label of a leaf
	left, right int
}

var _ Regressor = (*tree)(nil)

// Predict implements Regressor.
func (t *tree) Predict(x []float64) float64 {
	i := 0
	for {
		n := &t.nodes[i]
		switch {
		case n.coordinate < 0:
			return n.at
		case n.goesLeft(x[n.coordinate]):
			i = n.left
		default:
			i = n.right
		}
	}
}

func (n *node) goesLeft(v float64) bool {
	if n.equal {
		return v == n.at
	}
	return v < n.at
}

// binned is a training set whose coordinates are replaced by their rank among
// the distinct values: a design lattice has few, so sums by rank find the best
// split in O(n) where sorting would take O(n·log n).
type binned struct {
	categorical []bool
	d           int
	values      [][]float64 // distinct values of each coordinate, ascending
	bins        []int       // rank of each input's coordinate, row by row
}

func newBinned(categorical []bool, x []float64) *binned {
	b := &binned{categorical: categorical, d: len(categorical), bins: make([]int, len(x))}
	for c := range b.d {
		var column []float64
		for i := c; i < len(x); i += b.d {
			column = append(column, x[i])
		}
		slices.Sort(column)
		column = slices.Compact(column)
		b.values = append(b.values, column)
		for i := c; i < len(x); i += b.d {
			b.bins[i], _ = slices.BinarySearch(column, x[i])
		}
	}
	return b
}

// grower holds what is the same for all nodes of a tree.
type grower struct {
	*binned
	knobs  Tree
	y      []float64
	rng    *rand.Rand
	order  []int // coordinates in the order they are looked at
	sums   []float64
	counts []int
	out    tree
}

// grow returns a tree for the given rows, which may repeat and are reordered.
// rng is used when Share is below 1.
func (t Tree) grow(data *binned, y []float64, rows []int, rng *rand.Rand) *tree {
	g := &grower{binned: data, knobs: t.withDefaults(), y: y, rng: rng}
	for i := range g.d {
		g.order = append(g.order, i)
	}
	g.node(rows, 0)
	return &g.out
}

func (g *grower) node(rows []int, depth int) int {
	own := len(g.out.nodes)
	var sum float64
	for _, r := range rows {
		sum += g.y[r]
	}
	g.out.nodes = append(g.out.nodes, node{coordinate: -1, at: sum / float64(max(1, len(rows)))})
	if depth == g.knobs.Depth || len(rows) < 2*g.knobs.Leaf {
		return own
	}
	best, ok := g.split(rows, sum)
	if !ok {
		return own
	}
	middle := g.part(rows, &best)
	best.left = g.node(rows[:middle], depth+1)
	best.right = g.node(rows[middle:], depth+1)
	g.out.nodes[own] = best
	return own
}

// part moves the rows that go left to the front and returns their number.
func (g *grower) part(rows []int, n *node) int {
	middle := 0
	for i, r := range rows {
		if n.goesLeft(g.values[n.coordinate][g.bins[r*g.d+n.coordinate]]) {
			rows[i], rows[middle] = rows[middle], r
			middle++
		}
	}
	return middle
}

// split finds the split of the largest sum of squared sums over counts, which
// is that of the smallest squared error; the first found wins among equals.
func (g *grower) split(rows []int, sum float64) (node, bool) {
	looks := g.d
	if g.knobs.Share < 1 {
		looks = max(1, int(g.knobs.Share*float64(g.d)))
		g.rng.Shuffle(g.d, func(i, j int) { g.order[i], g.order[j] = g.order[j], g.order[i] })
	}
	var best node
	n := float64(len(rows))
	// A gain of rounding errors is none.
	least := sum*sum/n + 1e-12*(1+sum*sum/n)
	found := false
	for _, c := range g.order[:looks] {
		if cut, score := g.cut(rows, c, sum); score > least {
			best, least, found = cut, score, true
		}
	}
	return best, found
}

// cut returns the best split by one coordinate with its score, 0 for none.
func (g *grower) cut(rows []int, c int, sum float64) (best node, most float64) {
	values := g.values[c]
	g.sums = append(g.sums[:0], make([]float64, len(values))...)
	g.counts = append(g.counts[:0], make([]int, len(values))...)
	for _, r := range rows {
		bin := g.bins[r*g.d+c]
		g.sums[bin] += g.y[r]
		g.counts[bin]++
	}
	if g.categorical[c] {
		for bin, count := range g.counts {
			if score := g.score(g.sums[bin], count, sum, len(rows)); score > most {
				best, most = node{coordinate: c, equal: true, at: values[bin]}, score
			}
		}
		return best, most
	}
	var leftSum float64
	left, last := 0, 0
	for bin, count := range g.counts {
		if count == 0 {
			continue
		}
		if score := g.score(leftSum, left, sum, len(rows)); score > most {
			best, most = node{coordinate: c, at: (values[last] + values[bin]) / 2}, score
		}
		leftSum += g.sums[bin]
		left += count
		last = bin
	}
	return best, most
}

// score is 0 for a split that leaves a side too small.
func (g *grower) score(leftSum float64, left int, sum float64, n int) float64 {
	right := n - left
	if left < g.knobs.Leaf || right < g.knobs.Leaf {
		return 0
	}
	rest := sum - leftSum
	return leftSum*leftSum/float64(left) + rest*rest/float64(right)
}
