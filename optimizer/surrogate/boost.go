package surrogate

import "math/rand/v2"

// Boost is gradient boosting of regression trees for squared errors: each tree
// is grown on what the trees before it leave, and counts for Rate of itself.
//
// Reference: J. H. Friedman, Greedy Function Approximation: A Gradient Boosting
// Machine, Annals of Statistics 29, 2001, and Stochastic Gradient Boosting,
// 2002 (the subsample). Training takes Rounds times the time of a tree.
type Boost struct {
	// Rounds is the number of trees; 0 means 60.
	Rounds int
	// Rate shrinks every tree; 0 means 0.1.
	Rate float64
	// Tree grows each; a Depth of 0 means 3 here.
	Tree Tree
	// Subsample is the part of the inputs that each tree sees; 0 means all.
	Subsample float64
}

// BoostModel is a trained sequence of trees.
type BoostModel struct {
	base, rate float64
	trees      []*tree
}

var _ Regressor = (*BoostModel)(nil)

// Train returns the model of len(y) inputs in x, row by row. rng draws
// subsamples and the coordinates of splits.
func (b Boost) Train(categorical []bool, x, y []float64, rng *rand.Rand) *BoostModel {
	b = b.withDefaults()
	m := &BoostModel{rate: b.Rate}
	for i, v := range y {
		m.base += (v - m.base) / float64(i+1)
	}
	d := len(categorical)
	rest := make([]float64, len(y))
	for i := range y {
		rest[i] = y[i] - m.base
	}
	data := newBinned(categorical, x)
	rows := make([]int, len(y))
	for range b.Rounds {
		for i := range rows {
			rows[i] = i
		}
		part := rows
		if b.Subsample < 1 && len(rows) > 0 {
			rng.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
			part = rows[:max(1, int(b.Subsample*float64(len(rows))))]
		}
		t := b.Tree.grow(data, rest, part, rng)
		m.trees = append(m.trees, t)
		for i := range rest {
			rest[i] -= b.Rate * t.Predict(x[i*d:(i+1)*d])
		}
	}
	return m
}

func (b Boost) withDefaults() Boost {
	if b.Rounds == 0 {
		b.Rounds = 60
	}
	if b.Rate == 0 {
		b.Rate = 0.1
	}
	if b.Tree.Depth == 0 {
		b.Tree.Depth = 3
	}
	if b.Subsample == 0 {
		b.Subsample = 1
	}
	return b
}

// Predict implements Regressor.
func (m *BoostModel) Predict(x []float64) float64 {
	sum := m.base
	for _, t := range m.trees {
		sum += m.rate * t.Predict(x)
	}
	return sum
}
