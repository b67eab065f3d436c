package optimizer

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"apollo/optimizer/space"
)

// NAAS is the evolution strategy of NAAS on a lattice: a normal distribution over
// vectors that encode designs, whose mean, step and covariance follow the better half
// of each generation. A label that is a set ("C+K") is encoded by the importance of
// each of its parts and by how many count: the most important ones are the set. Of
// plain labels the most important one counts. What a mapper solves is no part of the vector: order and
// tiles of each layer are the evaluator's, NAAS has an evolution of their own for them.
//
// References: Y. Lin, M. Yang, S. Han, NAAS: Neural Accelerator Architecture Search,
// DAC 2021, arXiv 2105.13258 (importances, evolution by mean and covariance);
// N. Hansen, The CMA Evolution Strategy: A Tutorial, arXiv 1604.00772 (all updates and
// their constants; the step's path is whitened by a Cholesky factor).
//
// Two things differ from CMA-ES: individuals are what was told, encoded again, so that a
// restart from the log finds the same distribution; and the step has bounds, because a
// lattice has a smallest difference. Generations are the trials in the order of telling, feasible ones first.
// The baseline, where there is one, is the first design. It searches one objective and uses neither
// Features nor Prior. An ask takes O(n·d²) time for d coordinates, a tell O(d²), and O(d³) at the end of a generation.
type NAAS struct {
	// Population is the number of designs of a generation, 4 to 65536. 0 means
	// 4 + 3·ln(d) for d coordinates.
	Population int `json:"population"`
	// Step is the deviation of a coordinate, whose range is 1, in the first generation, above 0 and up
	// to 1. 0 means 0.3.
	Step float64 `json:"step"`
	// MaxChecks bounds the search for a uniform legal point; see Random.
	MaxChecks int `json:"maxChecks"`
}

// The bounds of the step. Chosen: a fiftieth of a range is less than a level of most
// parameters, and from the middle half a range reaches both ends.
const leastStep, largestStep = 0.02, 0.5

// maxPopulation bounds what is held before the first trial. Chosen.
const maxPopulation = 1 << 16

var _ Strategy = (*naas)(nil)

func (a NAAS) validate() error {
	switch {
	case a.Population < 0 || a.Population > 0 && a.Population < 4 || a.Population > maxPopulation:
		return fmt.Errorf("population is %d, but must be 4 to %d", a.Population, maxPopulation)
	case !(a.Step >= 0 && a.Step <= 1):
		return fmt.Errorf("step is %v, but must be above 0 and at most 1", a.Step)
	}
	return Random{MaxChecks: a.MaxChecks}.validate()
}

// Start implements Algorithm. A problem with several objectives is an error.
func (a NAAS) Start(p Problem) (Strategy, error) {
	if err := a.validate(); err != nil {
		return nil, err
	}
	if p.Objectives > 1 {
		return nil, fmt.Errorf("naas searches one objective, but the problem has %d", p.Objectives)
	}
	s := &naas{sampler: newSampler(p, a.MaxChecks)}
	d := 0
	for i := range p.Space.Len() {
		param := p.Space.Param(i)
		g := newGene(&param, d)
		s.genes = append(s.genes, g)
		d += g.count
	}
	s.size = a.Population
	if s.size == 0 {
		s.size = 4 + int(3*math.Log(float64(max(d, 1))))
	}
	step := a.Step
	if step == 0 {
		step = 0.3 // of a range of 1, as the tutorial advises
	}
	s.normal = newNormal(d, s.size, step)
	return s, nil
}

type naas struct {
	sampler
	genes  []gene
	size   int
	normal normal
	// generation holds the individuals that were told since the last update.
	generation []individual
}

// Tell implements Strategy.
func (s *naas) Tell(obs ...Observation) {
	for _, o := range obs {
		if !s.markTold(o.Point) {
			continue
		}
		member, ok := newIndividual(o)
		if !ok {
			continue
		}
		if s.generation = append(s.generation, member); len(s.generation) < s.size {
			continue
		}
		slices.SortStableFunc(s.generation, compareFitness)
		rows := make([][]float64, len(s.normal.weights))
		for i := range rows {
			for g := range s.genes {
				rows[i] = s.genes[g].encode(rows[i], s.generation[i].point[g])
			}
		}
		s.normal.follow(rows)
		s.generation = s.generation[:0]
	}
}

// Ask implements Strategy.
func (s *naas) Ask(at uint64, n int, pending []space.Point) ([]Proposal, error) {
	b, err := s.open(at, n, pending, "naas")
	if err != nil {
		return nil, err
	}
	if base := s.problem.Baseline; base != nil {
		if key, ok := s.problem.Space.KeyOf(base); ok {
			b.offer(key, base)
		}
	}
	for len(b.out) < n && s.draw(b) {
	}
	b.fill(n)
	return b.close()
}

// draw proposes a new legal design of the distribution, whose step grows where it
// holds none, or returns false.
func (s *naas) draw(b *batch) bool {
	const growth = 1.25 // of the step after so many attempts; chosen
	step := s.normal.step
	for attempt := range breedAttempts {
		if attempt%escalation == escalation-1 {
			step *= growth
		}
		x := s.normal.draw(step, b.rng)
		b.point = b.point[:0]
		for g := range s.genes {
			b.point = append(b.point, s.genes[g].decode(x))
		}
		s.problem.Settle(b.point)
		if b.offer(s.problem.Space.Key(b.point), b.point) {
			return true
		}
	}
	return false
}

// gene is how a parameter stands in a vector: count coordinates from at on.
type gene struct {
	at, count, levels int
	// members are, of each label, the parts that it is made of, by index: a plain label
	// is its own part. Nil for numbers.
	members [][]int
	// sizes are the numbers of parts that labels have, ascending; one coordinate in
	// front of the parts says which where there are several.
	sizes []int
}

func newGene(p *space.Param, at int) gene {
	g := gene{at: at, count: 1, levels: p.Len()}
	if !p.Categorical() {
		return g
	}
	var parts []string
	for _, label := range p.Labels {
		var own []int
		for part := range strings.SplitSeq(label, "+") {
			i := slices.Index(parts, part)
			if i < 0 {
				i, parts = len(parts), append(parts, part)
			}
			own = append(own, i)
		}
		g.members = append(g.members, own)
		if !slices.Contains(g.sizes, len(own)) {
			g.sizes = append(g.sizes, len(own))
		}
	}
	slices.Sort(g.sizes)
	if g.count = len(parts); len(g.sizes) > 1 {
		g.count++
	}
	return g
}

// levelAt is the level of a coordinate among n.
func levelAt(x float64, n int) int { return max(0, min(int(x*float64(n)), n-1)) }

// middle is the coordinate of a level among n.
func middle(level, n int) float64 { return (float64(level) + 0.5) / float64(n) }

func (g *gene) decode(x []float64) int {
	x = x[g.at : g.at+g.count]
	if g.members == nil {
		return levelAt(x[0], g.levels)
	}
	size := g.sizes[0]
	if len(g.sizes) > 1 {
		size, x = g.sizes[levelAt(x[0], len(g.sizes))], x[1:]
	}
	best, most := 0, math.Inf(-1)
	for label, parts := range g.members {
		if len(parts) != size {
			continue
		}
		sum := 0.0
		for _, i := range parts {
			sum += x[i]
		}
		if sum > most {
			best, most = label, sum
		}
	}
	return best
}

// The importance of a part that counts, and of another, in a design that was told. About what
// drawing them from the first generation's distribution would have made of them; with 1 and 0 their
// variance would swamp that of numbers. Chosen of three pairs by the problem "mixed" of optimizertest,
// so that its being better than random there is no evidence.
const counts, countsNot = 0.75, 0.25

// encode appends the coordinates of a level.
func (g *gene) encode(x []float64, level int) []float64 {
	if g.members == nil {
		return append(x, middle(level, g.levels))
	}
	parts := g.count
	if len(g.sizes) > 1 {
		x = append(x, middle(slices.Index(g.sizes, len(g.members[level])), len(g.sizes)))
		parts--
	}
	for i := range parts {
		importance := countsNot
		if slices.Contains(g.members[level], i) {
			importance = counts
		}
		x = append(x, importance)
	}
	return x
}

// normal is the distribution of CMA-ES.
//
// Notation of the tutorial: mean m, step σ, covariance C = factor·factorᵀ, paths p_c
// and p_σ, weights w of the best individuals, mu µ_eff, rates c_c, c_1, c_µ, c_σ, damping d_σ,
// expected E‖N(0,I)‖.
type normal struct {
	mean                            []float64
	step                            float64
	cov, factor                     [][]float64
	path, stepPath                  []float64
	weights                         []float64
	mu                              float64
	rate, rankOne, rankMu           float64
	stepRate, stepDamping, expected float64
	generations                     float64
}

func newNormal(d, population int, step float64) normal {
	n := normal{step: step, mean: make([]float64, d), path: make([]float64, d), stepPath: make([]float64, d)}
	for i := range n.mean {
		n.mean[i] = 0.5
		row := make([]float64, d)
		row[i] = 1
		n.cov, n.factor = append(n.cov, row), append(n.factor, slices.Clone(row))
	}
	var sum, squares float64
	for i := range population / 2 {
		n.weights = append(n.weights, math.Log(float64(population+1)/2)-math.Log(float64(i+1)))
		sum += n.weights[i]
	}
	for i := range n.weights {
		n.weights[i] /= sum
		squares += n.weights[i] * n.weights[i]
	}
	dim, mu := float64(max(d, 1)), 1/squares
	// Table 1 of the tutorial.
	n.mu = mu
	n.stepRate = (mu + 2) / (dim + mu + 5)
	n.stepDamping = 1 + 2*max(0, math.Sqrt((mu-1)/(dim+1))-1) + n.stepRate
	n.rate = (4 + mu/dim) / (dim + 4 + 2*mu/dim)
	n.rankOne = 2 / ((dim+1.3)*(dim+1.3) + mu)
	n.rankMu = min(1-n.rankOne, 2*(mu-2+1/mu)/((dim+2)*(dim+2)+mu))
	n.expected = math.Sqrt(dim) * (1 - 1/(4*dim) + 1/(21*dim*dim))
	return n
}

// draw returns a vector of the distribution with another step.
func (n *normal) draw(step float64, rng *rand.Rand) []float64 {
	z, x := make([]float64, len(n.mean)), make([]float64, len(n.mean))
	for i := range z {
		z[i] = rng.NormFloat64()
		x[i] = n.mean[i]
		for j := range i + 1 {
			x[i] += step * n.factor[i][j] * z[j]
		}
	}
	return x
}

// follow moves the distribution to the best individuals of a generation, best first.
func (n *normal) follow(best [][]float64) {
	d := len(n.mean)
	move := make([]float64, d)
	for i, x := range best {
		for k := range x {
			x[k] = (x[k] - n.mean[k]) / n.step
			move[k] += n.weights[i] * x[k]
		}
	}
	white := make([]float64, d)
	length := 0.0
	for i := range d {
		n.mean[i] += n.step * move[i]
		white[i] = move[i]
		for j := range i {
			white[i] -= n.factor[i][j] * white[j]
		}
		white[i] /= n.factor[i][i]
		n.stepPath[i] = (1-n.stepRate)*n.stepPath[i] + math.Sqrt(n.stepRate*(2-n.stepRate)*n.mu)*white[i]
		length += n.stepPath[i] * n.stepPath[i]
	}
	length = math.Sqrt(length)
	n.generations++
	// Without this the path would run away while the step grows (tutorial, h_σ).
	const stall = 1.4
	steady := 0.0
	if length/math.Sqrt(1-math.Pow(1-n.stepRate, 2*n.generations)) < (stall+2/(float64(d)+1))*n.expected {
		steady = 1
	}
	lost := (1 - steady) * n.rate * (2 - n.rate)
	for i := range d {
		n.path[i] = (1-n.rate)*n.path[i] + steady*math.Sqrt(n.rate*(2-n.rate)*n.mu)*move[i]
	}
	for i := range d {
		for j := range i + 1 {
			next := (1-n.rankOne-n.rankMu+n.rankOne*lost)*n.cov[i][j] + n.rankOne*n.path[i]*n.path[j]
			for k, x := range best {
				next += n.rankMu * n.weights[k] * x[i] * x[j]
			}
			n.cov[i][j], n.cov[j][i] = next, next
		}
	}
	n.step *= math.Exp(n.stepRate / n.stepDamping * (length/n.expected - 1))
	n.step = max(leastStep, min(n.step, largestStep))
	n.decompose()
}

// decompose computes the Cholesky factor of the covariance. What rounding makes
// negative is a coordinate that no longer varies by itself: it keeps a little.
func (n *normal) decompose() {
	const least = 1e-8
	for i := range n.cov {
		for j := range i + 1 {
			v := n.cov[i][j]
			for k := range j {
				v -= n.factor[i][k] * n.factor[j][k]
			}
			if i == j {
				n.factor[i][i] = math.Sqrt(max(v, least))
			} else {
				n.factor[i][j] = v / n.factor[j][j]
			}
		}
	}
}
