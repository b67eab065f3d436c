package surrogate

import (
	"cmp"
	"math/rand/v2"
	"slices"
)

// Tree grows regression trees: each split is the one that lowers the sum of
// squared errors most. Categories are split one against the rest, ordinal
// coordinates between two neighbouring values.
//
// Reference: L. Breiman, J. Friedman, R. Olshen, C. Stone, Classification and
// Regression Trees, Wadsworth 1984. Growing takes O(p·n·log n) time a level for
// n inputs of p coordinates.
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

// grower holds what is the same for all nodes of a tree.
type grower struct {
	knobs       Tree
	categorical []bool
	d           int
	x, y        []float64
	rng         *rand.Rand
	order       []int // coordinates in the order they are looked at
	sorted      []int // scratch
	out         tree
}

// grow returns a tree for the given rows, which may repeat and are reordered.
// rng is used when Share is below 1.
func (t Tree) grow(categorical []bool, x, y []float64, rows []int, rng *rand.Rand) *tree {
	g := &grower{knobs: t.withDefaults(), categorical: categorical, d: len(categorical), x: x, y: y, rng: rng}
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
	slices.SortStableFunc(rows, func(a, b int) int {
		return cmp.Compare(side(&best, g.x[a*g.d+best.coordinate]), side(&best, g.x[b*g.d+best.coordinate]))
	})
	middle, _ := slices.BinarySearchFunc(rows, 1, func(r, want int) int {
		return cmp.Compare(side(&best, g.x[r*g.d+best.coordinate]), want)
	})
	best.left = g.node(rows[:middle], depth+1)
	best.right = g.node(rows[middle:], depth+1)
	g.out.nodes[own] = best
	return own
}

func side(n *node, v float64) int {
	if n.goesLeft(v) {
		return 0
	}
	return 1
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
		g.sorted = append(g.sorted[:0], rows...)
		slices.SortStableFunc(g.sorted, func(a, b int) int { return cmp.Compare(g.x[a*g.d+c], g.x[b*g.d+c]) })
		for candidate, score := range g.cuts(c, sum) {
			if score > least {
				best, least, found = candidate, score, true
			}
		}
	}
	return best, found
}

// cuts yields the splits of one coordinate with their scores.
func (g *grower) cuts(c int, sum float64) func(func(node, float64) bool) {
	return func(yield func(node, float64) bool) {
		n := len(g.sorted)
		var below float64 // sum of the labels left of the cut
		first := 0
		for i := range n {
			below += g.y[g.sorted[i]]
			here := g.x[g.sorted[i]*g.d+c]
			if i+1 < n && g.x[g.sorted[i+1]*g.d+c] == here {
				continue
			}
			left := i + 1 - first
			cut := node{coordinate: c, equal: g.categorical[c], at: here}
			if !g.categorical[c] && i+1 < n {
				cut.at = (here + g.x[g.sorted[i+1]*g.d+c]) / 2
			}
			if right := n - left; left >= g.knobs.Leaf && right >= g.knobs.Leaf && right > 0 {
				rest := sum - below
				if !yield(cut, below*below/float64(left)+rest*rest/float64(right)) {
					return
				}
			}
			if g.categorical[c] {
				first, below = i+1, 0
			}
		}
	}
}
