package transfer

import (
	"math"
	"slices"

	"apollo/optimizer/surrogate"
)

// ZeroShot is one Gaussian process over designs and workloads together, trained
// on all sources, for a target that was never measured. It is conservative:
// designs that were infeasible elsewhere count as bad ones, and a design far
// from all data is as bad as the model is unsure of it.
type ZeroShot struct {
	// Caution weighs the deviation that is added to a prediction; 0 means 1.
	Caution float64
}

// Name implements Method.
func (ZeroShot) Name() string { return "zero-shot" }

// zeroShotRows is how many designs of all sources the model holds. Chosen: a
// prediction with its deviation takes 20 µs.
const zeroShotRows = 160

type conservative struct {
	gp              *surrogate.GP
	workload        []float64
	caution         float64
	x               []float64
	mean, deviation [1]float64
}

// Predict implements surrogate.Regressor.
func (c *conservative) Predict(x []float64) float64 {
	c.x = append(append(c.x[:0], x...), c.workload...)
	c.gp.Predict(c.x, c.mean[:], c.deviation[:])
	return c.mean[0] + c.caution*c.deviation[0]
}

// Train implements Method. Where the target or a source has no workload the
// model knows designs alone.
func (z ZeroShot) Train(s *Sources) ([]Expert, error) {
	if len(s.Tables) == 0 {
		return nil, nil
	}
	if z.Caution == 0 {
		z.Caution = 1
	}
	target, sources := workloads(s)
	model := &conservative{workload: target, caution: z.Caution}
	var x, y []float64
	quota := max(zeroShotRows/len(s.Tables), 1)
	for i := range s.Tables {
		x, y = gather(x, y, &s.Tables[i], sources[i], len(s.Categorical), quota)
	}
	categorical := append(slices.Clone(s.Categorical), make([]bool, len(target))...)
	scales := s.Scales()
	for range target {
		// Workloads are scaled to [0, 1] over few points: they are near in all
		// but what the data tell apart.
		scales = append(scales, surrogate.Normal{Mean: math.Log(1), Deviation: 0.5})
	}
	h := surrogate.Fit{Scales: scales, Evaluations: 15}.Hyper(categorical, x, y)
	p, err := newGPRegressor(categorical, h, x, y)
	if err != nil {
		return nil, err
	}
	model.gp = p.GP
	return []Expert{{Model: model, Source: -1}}, nil
}

// gather appends up to quota designs of a table, of which at most a quarter are
// infeasible ones with the label of the worst tenth.
func gather(x, y []float64, t *Table, workload []float64, d, quota int) (xs, ys []float64) {
	bad := min(len(t.Bad)/max(d, 1), quota/4)
	good := min(len(t.Y), quota-bad)
	add := func(from []float64, rows, take int, label func(int) float64) {
		for k := range take {
			i := k * rows / take
			x = append(append(x, from[i*d:(i+1)*d]...), workload...)
			y = append(y, label(i))
		}
	}
	add(t.X, len(t.Y), good, func(i int) float64 { return t.Y[i] })
	if good > 0 && bad > 0 {
		sorted := slices.Sorted(slices.Values(t.Y))
		worst := sorted[len(sorted)*9/10]
		add(t.Bad, len(t.Bad)/d, bad, func(int) float64 { return worst })
	}
	return x, y
}

// workloads scales every statistic to [0, 1] over target and sources. It
// returns empty ones unless all have the same length.
func workloads(s *Sources) (target []float64, sources [][]float64) {
	sources = make([][]float64, len(s.Tables))
	n := len(s.Workload)
	for i := range s.Tables {
		if len(s.Tables[i].Workload) != n {
			return nil, sources
		}
	}
	for k, v := range s.Workload {
		low, high := v, v
		for i := range s.Tables {
			low, high = min(low, s.Tables[i].Workload[k]), max(high, s.Tables[i].Workload[k])
		}
		if !(high > low) || math.IsInf(high-low, 0) {
			continue
		}
		target = append(target, (v-low)/(high-low))
		for i := range s.Tables {
			sources[i] = append(sources[i], (s.Tables[i].Workload[k]-low)/(high-low))
		}
	}
	return target, sources
}
