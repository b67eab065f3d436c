package transfer

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"apollo/optimizer"
	"apollo/optimizer/space"
	"apollo/optimizer/surrogate"
)

const (
	// seedsPerSource is how many designs one source seeds, and maxSeeds all of
	// them unless Algorithm.Seeds says otherwise. Chosen: see
	// docs/architecture.md, Transfer.
	seedsPerSource, maxSeeds = 5, 10
	// seedsPerAsked is the same of a source that can be asked for any design: seeds know
	// nothing of what the first ones came to, and its model does. Chosen on the pairs of
	// TestPriorExperiments (docs/transfer.md).
	seedsPerAsked = 2
	// shortlist is how many of the best designs of a source may become seeds.
	// Chosen.
	shortlist = 16
	// maxRepair bounds the legality checks of one seed's repair.
	maxRepair = 5_000
	// seedSuccess is the probability that a seed that is good elsewhere can be built
	// here: about half of the optima of one network are infeasible on another.
	seedSuccess = 0.5
	// minSeedDistance is how many parameters two seeds differ in while there is a choice.
	// Chosen: what makes a design infeasible here often breaks its neighbours too. The two
	// of a source that can be asked are its best: designs that it calls equal often differ
	// in one parameter, and one that is apart is worse (docs/decisions/0082).
	minSeedDistance = 2
)

// seed is a design that was good elsewhere.
type seed struct {
	key    space.Key
	point  space.Point
	origin string
	source int  // position in Problem.Prior
	asked  bool // whether the source can be asked for any design
}

// most is how many seeds the source of this one has.
func (s *seed) most() int {
	if s.asked {
		return seedsPerAsked
	}
	return seedsPerSource
}

// criterion is what a good seed is judged by: one objective of one source.
type criterion struct {
	source, objective int
	rows              []row
	values            []float64 // of feasible rows, ascending
	value, class      gpRegressor
	known             map[space.Key]float64 // score of measured designs
	told              map[int]float64       // score of told records, by position
}

// said is the score of told record i, kept from the first time.
func (c *criterion) said(i int, r *row) float64 {
	score, ok := c.told[i]
	if !ok {
		if c.told == nil {
			c.told = map[int]float64{}
		}
		score = c.score(r.key, r.x)
		c.told[i] = score
	}
	return score
}

// score is the normalised rank of a design by the criterion: 0 for its best, 1 for
// its worst or an infeasible one. Unknown designs are predicted.
func (c *criterion) score(key space.Key, x []float64) float64 {
	if s, ok := c.known[key]; ok {
		return s
	}
	predicted := c.value.Mean(x)
	rank, _ := slices.BinarySearch(c.values, predicted)
	feasible := math.Exp(surrogate.LogNormalCDF(-c.class.Mean(x) / math.Sqrt(classBlur)))
	return 1 - feasible*(1-float64(rank)/float64(len(c.values)))
}

// portfolio chooses up to n seeds, greedily, so that together they cover the
// criteria: each choice lowers the expected best rank over all of them most,
// when every seed works with probability works (M. Wistuba et al. 2015).
func portfolio(criteria []*criterion, candidates []seed, x [][]float64, n int) []seed {
	cover := slices.Repeat([]float64{1}, len(criteria))
	scores := make([][]float64, len(candidates))
	for i, c := range candidates {
		for _, k := range criteria {
			scores[i] = append(scores[i], k.score(c.key, x[i]))
		}
	}
	var out []seed
	perSource := map[int]int{}
	used := make([]bool, len(candidates))
	for len(out) < n {
		best, bestGain := -1, math.Inf(-1)
		for i, c := range candidates {
			if used[i] || perSource[c.source] >= c.most() {
				continue
			}
			gain := 0.0
			for k := range criteria {
				gain += max(0, cover[k]-scores[i][k])
			}
			if !c.asked && near(out, c.point) {
				gain -= float64(len(criteria)) // after all that are apart
			}
			if gain > bestGain {
				best, bestGain = i, gain
			}
		}
		if best < 0 {
			return out
		}
		used[best] = true
		perSource[candidates[best].source]++
		out = append(out, candidates[best])
		for k := range cover {
			cover[k] -= seedSuccess * max(0, cover[k]-scores[best][k])
		}
	}
	return out
}

func near(chosen []seed, p space.Point) bool {
	return slices.ContainsFunc(chosen, func(s seed) bool {
		different := 0
		for i, level := range s.point {
			if p[i] != level {
				different++
			}
		}
		return different < minSeedDistance
	})
}

// candidates are the best designs of every criterion, repaired to the nearest
// legal ones.
func candidates(criteria []*criterion, prior []optimizer.Task, s space.Space, legal func(space.Point) bool) []seed {
	var out []seed
	seen := map[space.Key]bool{}
	for _, c := range criteria {
		good := slices.DeleteFunc(slices.Clone(c.rows), func(r row) bool { return !r.built })
		slices.SortStableFunc(good, func(a, b row) int { return cmp.Compare(a.values[c.objective], b.values[c.objective]) })
		for _, r := range good[:min(shortlist, len(good))] {
			p := repair(s, r.point, legal)
			if p == nil || seen[s.Key(p)] {
				continue
			}
			seen[s.Key(p)] = true
			name, _, _ := strings.Cut(prior[c.source].Name, "/")
			out = append(out, seed{key: s.Key(p), point: p, origin: fmt.Sprintf("seed:%s/%d", name, r.trial), source: c.source, asked: prior[c.source].Ask != nil})
		}
	}
	return out
}

// repair returns the legal point the fewest single steps away from p, found
// breadth first, or nil when none is within reach.
func repair(s space.Space, p space.Point, legal func(space.Point) bool) space.Point {
	visited := map[space.Key]bool{s.Key(p): true}
	queue := []space.Point{p}
	for len(queue) > 0 && len(visited) < maxRepair {
		at := queue[0]
		queue = queue[1:]
		if legal(at) {
			return at
		}
		for i := range at {
			for level := range s.Param(i).Len() {
				step := max(level-at[i], at[i]-level)
				if step == 0 || step > 1 && !s.Param(i).Categorical() {
					continue
				}
				q := at.Clone()
				q[i] = level
				if key := s.Key(q); !visited[key] {
					visited[key] = true
					queue = append(queue, q)
				}
			}
		}
	}
	return nil
}
