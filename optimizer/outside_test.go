package optimizer_test

import (
	"math/rand/v2"
	"testing"

	"apollo/optimizer"
	"apollo/optimizer/optimizertest"
	"apollo/optimizer/space"
)

// outside is a strategy as another module writes one: it has the exported
// methods of Algorithm and Strategy alone, and needs nothing else of the package.
// It asks for neighbours of the best design, and for chance elsewhere.
type outside struct{}

var _ optimizer.Algorithm = outside{}

func (outside) Start(p optimizer.Problem) (optimizer.Strategy, error) {
	return &outsideRun{problem: p}, nil
}

type outsideRun struct {
	problem optimizer.Problem
	told    space.Set
	best    space.Point
	value   float64
}

func (o *outsideRun) Tell(obs ...optimizer.Observation) {
	for _, x := range obs {
		key, ok := o.problem.Space.KeyOf(x.Point)
		if !ok || !o.told.Add(key) || x.Status != optimizer.Measured || len(x.Values) == 0 {
			continue
		}
		if o.best == nil || x.Values[0] < o.value {
			o.best, o.value = x.Point.Clone(), x.Values[0]
		}
	}
}

func (o *outsideRun) Ask(at uint64, n int, pending []space.Point) ([]optimizer.Proposal, error) {
	s, rng := o.problem.Space, rand.New(rand.NewPCG(o.problem.Seed, at))
	var taken space.Set
	for _, p := range pending {
		if key, ok := s.KeyOf(p); ok {
			taken.Add(key)
		}
	}
	var out []optimizer.Proposal
	offer := func(key space.Key, p space.Point) {
		legal := o.problem.Legal == nil || o.problem.Legal(p)
		if len(out) < n && legal && !o.told.Has(key) && taken.Add(key) {
			out = append(out, optimizer.Proposal{Point: p.Clone(), Origin: "outside"})
		}
	}
	draw := func() {
		p := s.Draw(nil, rng)
		if o.problem.Settle != nil {
			o.problem.Settle(p)
		}
		offer(s.Key(p), p)
	}
	if o.best != nil && at%2 == 0 {
		for key, p := range s.Neighbors(o.best) {
			offer(key, p)
		}
	}
	const tries, scanned = 1 << 13, 1 << 16 // chosen: few enough for a test
	for had, misses := len(out), 0; len(out) < n && misses < tries; misses++ {
		if draw(); len(out) > had {
			had, misses = len(out), 0
		}
	}
	small := s.Size() <= scanned
	if len(out) < n && small {
		for _, p := range s.All() {
			offer(s.Key(p), p)
		}
	}
	switch {
	case len(out) > 0:
		return out, nil
	case small:
		return nil, optimizer.ErrExhausted
	}
	return nil, optimizer.ErrGaveUp
}

func TestOutsideStrategyKeepsTheContract(t *testing.T) {
	t.Parallel()
	optimizertest.Run(t, outside{}, optimizertest.Options{
		Programs: 40, Large: 1000,
		NotBetter: map[string]string{"*": "it shows the interface and searches little"},
	})
}
