package transfer

import (
	"math/rand/v2"
	"testing"

	"apollo/optimizer"
	"apollo/optimizer/space"
)

// ballot is a sequence of labels with models of them: the truth, its negation,
// noise, and a constant.
func ballot(seed uint64, n int, own func(i int, y float64) float64) rankWeighting {
	rng := rand.New(rand.NewPCG(8, seed))
	e := rankWeighting{priorCount: minRanked, experts: make([][]float64, 4), prior: []float64{0.25, 0.25, 0.25, 0.25}}
	for i := range n {
		y := rng.NormFloat64()
		e.y = append(e.y, y)
		e.own = append(e.own, own(i, y))
		for k, p := range []float64{2*y + 5, -y, rng.NormFloat64(), 3} {
			e.experts[k] = append(e.experts[k], p)
		}
	}
	return e
}

func TestOnlyAModelThatRanksTheTargetHasWeight(t *testing.T) {
	t.Parallel()
	lucky := 0
	for seed := range uint64(100) {
		e := ballot(seed, 20, func(int, float64) float64 { return 0 })
		w := e.weights(rand.New(rand.NewPCG(1, 1)))
		// 4/24 of the weight are still what was believed before: a quarter each.
		if w[0] < 20.0/24 {
			t.Errorf("the weight of the truth is %v, want nearly all", w[0])
		}
		if w[1] != 0 || w[3] != 0 {
			t.Errorf("the weights of a negated and a constant model are %v and %v, want 0", w[1], w[3])
		}
		if w[2] > 0 {
			lucky++
		}
	}
	// Expected are 5; 12 and more happen once in 200 times.
	if lucky > 11 {
		t.Errorf("noise has a weight in %d of 100 elections, want about 5", lucky)
	}
}

// A target that its own model knows better needs no source: what is left of the
// weights is what evidence does not yet outweigh.
func TestOwnModelTakesOver(t *testing.T) {
	t.Parallel()
	e := ballot(1, 60, func(_ int, y float64) float64 { return y })
	rng := rand.New(rand.NewPCG(3, 3))
	for i := range e.experts[0] {
		e.experts[0][i] += 8 * rng.NormFloat64()
	}
	var sum float64
	for _, w := range e.weights(rand.New(rand.NewPCG(1, 1))) {
		sum += w
	}
	if sum > 4.0/64*0.25 {
		t.Errorf("experts keep %v of the weight beside a perfect model of the target", sum)
	}
}

func TestWithoutEvidenceWeightsAreThePrior(t *testing.T) {
	t.Parallel()
	few := ballot(1, minRanked-1, func(int, float64) float64 { return 0 })
	equal := ballot(1, 20, func(int, float64) float64 { return 0 })
	clear(equal.y)
	for name, e := range map[string]rankWeighting{"few": few, "equal": equal} {
		for i, w := range e.weights(rand.New(rand.NewPCG(1, 1))) {
			if w != e.prior[i] {
				t.Errorf("%s labels: weight %d is %v, want the prior %v", name, i, w, e.prior[i])
			}
		}
	}
}

func TestFewKeepsTheSum(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ in, want []float64 }{
		{nil, []float64{}},
		{[]float64{0, 0}, []float64{0, 0}},
		{[]float64{0.25, 0, 0.5}, []float64{0.25, 0, 0.5}},
		{[]float64{0.125, 0.25, 0.125, 0.5, 0}, []float64{0.125 * 8 / 7, 0.25 * 8 / 7, 0, 0.5 * 8 / 7, 0}},
	} {
		got := keepLargest(c.in, 3)
		for i := range c.want {
			// 1e-15: one rounding.
			if d := got[i] - c.want[i]; d > 1e-15 || d < -1e-15 {
				t.Errorf("few(%v) = %v, want %v", c.in, got, c.want)
			}
		}
	}
}

// The base's last trials say which sources order them in reverse, and no source is
// asked of a trial twice. A source that says the same of all is not one of them.
func TestDisagreeingSources(t *testing.T) {
	const trials = 500
	levels := make([]float64, trials)
	for i := range levels {
		levels[i] = float64(i)
	}
	sp, err := space.New(space.Param{Name: "a", Values: levels})
	if err != nil {
		t.Fatal(err)
	}
	s := newStrategy(optimizer.Problem{Space: sp})
	scores := []func(level float64) float64{
		func(level float64) float64 { return level },
		func(level float64) float64 { return -level },
		func(float64) float64 { return 0.5 },
	}
	for i := range scores {
		s.criteria = append(s.criteria, &criterion{source: i, known: map[space.Key]float64{}})
	}
	tell := func(level int) {
		o := optimizer.Observation{Point: space.Point{level}, Trial: level, Values: []float64{float64(level)}}
		s.note(o)
		for i, score := range scores {
			s.criteria[i].known[sp.Key(o.Point)] = score(float64(level))
		}
	}
	for level := range trials {
		tell(level)
	}
	for range 2 {
		if got := s.disagreeing(1); got[0] || !got[1] || got[2] {
			t.Errorf("sources in reverse are %v, want the second one", got)
		}
		for i, c := range s.criteria {
			if len(c.told) != evidenceRows {
				t.Errorf("source %d was asked of %d trials, want %d", i, len(c.told), evidenceRows)
			}
			c.known = nil // a second question would have no answer
		}
	}
}
