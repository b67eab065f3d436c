package surrogate

import (
	"math"
	"math/rand/v2"
)

// Forest is a random forest: trees on bootstrap samples, averaged.
//
// Reference: L. Breiman, Random Forests, Machine Learning 45, 2001; F. Hutter,
// H. Hoos, K. Leyton-Brown, Algorithm runtime prediction, Artificial
// Intelligence 206, 2014 (the spread of trees as a deviation). Training takes
// Trees times the time of a tree, a prediction O(Trees·depth).
type Forest struct {
	// Trees is their number; 0 means 30.
	Trees int
	// Tree grows each; a Share of 0 means 5/6 here, as in Hutter et al.
	Tree Tree
}

// ForestModel is a trained forest.
type ForestModel struct{ trees []*tree }

var _ Regressor = (*ForestModel)(nil)

// Train returns the forest of len(y) inputs in x, row by row. All randomness
// comes from rng.
func (f Forest) Train(categorical []bool, x, y []float64, rng *rand.Rand) *ForestModel {
	if f.Trees == 0 {
		f.Trees = 30
	}
	if f.Tree.Share == 0 {
		f.Tree.Share = 5.0 / 6
	}
	m := &ForestModel{}
	data := newBinned(categorical, x)
	rows := make([]int, len(y))
	for range f.Trees {
		for i := range rows {
			rows[i] = rng.IntN(len(rows))
		}
		m.trees = append(m.trees, f.Tree.grow(data, y, rows, rng))
	}
	return m
}

// Predict implements Regressor.
func (m *ForestModel) Predict(x []float64) float64 {
	mean, _ := m.PredictSpread(x)
	return mean
}

// PredictSpread returns the mean of the trees and their standard deviation.
func (m *ForestModel) PredictSpread(x []float64) (mean, deviation float64) {
	var squares float64
	for i, t := range m.trees {
		v := t.Predict(x)
		step := v - mean
		mean += step / float64(i+1)
		squares += step * (v - mean)
	}
	return mean, math.Sqrt(squares / float64(len(m.trees)))
}
