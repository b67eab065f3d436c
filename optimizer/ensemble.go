package optimizer

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"apollo/optimizer/surrogate"
)

// newStream is a random stream of its own, apart from those of asks: ask
// streams use at below 2^63.
func newStream(seed, purpose uint64) *rand.Rand {
	return rand.New(rand.NewPCG(seed, purpose|1<<63))
}

// trainingSet is what models learn from: inputs, with a one-hot twin for linear
// models, and labels to be maximised.
type trainingSet struct {
	categorical []bool
	levels      []int // of each coordinate that is a category
	d           int
	x, y        []float64
}

func newTrainingSet(h *history, rows []int, failures []failure) *trainingSet {
	t := &trainingSet{categorical: h.encoder.Categorical(), d: h.encoder.Len(), x: h.gather(rows)}
	for _, f := range failures {
		t.x = append(t.x, f.x...)
	}
	t.levels = make([]int, t.d)
	for i, p := range h.problem.Space.Params() {
		t.levels[i] = p.Len()
	}
	good := make([]bool, len(rows)+len(failures))
	var values []float64
	for k, i := range rows {
		if good[k] = h.records[i].class == feasible; good[k] {
			values = append(values, h.records[i].value)
		}
	}
	values = standard(values)
	for i := range values {
		values[i] = -values[i]
	}
	t.y = surrogate.FillInfeasible(good, values)
	return t
}

// pick returns the part of the set whose position modulo folds is, or is not,
// fold.
func (t *trainingSet) pick(fold, folds int, in bool) *trainingSet {
	part := *t
	part.x, part.y = nil, nil
	for i := range t.y {
		if (i%folds == fold) == in {
			part.x = append(part.x, t.x[i*t.d:(i+1)*t.d]...)
			part.y = append(part.y, t.y[i])
		}
	}
	return &part
}

// recipe trains one configuration of one kind of model.
type recipe func(t *trainingSet, rng *rand.Rand) (surrogate.Regressor, error)

// configurations is how many of each kind random search draws. Chosen.
const configurations = 3

// recipes draws configurations of every kind.
func recipes(rng *rand.Rand) []recipe {
	var all []recipe
	for range configurations {
		penalty := math.Pow(10, -2+4*rng.Float64())
		forest := surrogate.Forest{Trees: 20, Tree: surrogate.Tree{Leaf: 1 + rng.IntN(4), Share: 0.4 + 0.6*rng.Float64()}}
		boost := surrogate.Boost{Rounds: 40 + rng.IntN(60), Rate: 0.05 + 0.2*rng.Float64(), Subsample: 0.6 + 0.4*rng.Float64(), Tree: surrogate.Tree{Depth: 2 + rng.IntN(4)}}
		scale := math.Log(0.3) + rng.Float64()*math.Log(10)
		noise := math.Log(1e-4) + rng.Float64()*math.Log(1e3)
		all = append(all,
			func(t *trainingSet, _ *rand.Rand) (surrogate.Regressor, error) { return trainRidge(t, penalty), nil },
			func(t *trainingSet, rng *rand.Rand) (surrogate.Regressor, error) {
				return forest.Train(t.categorical, t.x, t.y, rng), nil
			},
			func(t *trainingSet, rng *rand.Rand) (surrogate.Regressor, error) {
				return boost.Train(t.categorical, t.x, t.y, rng), nil
			},
			func(t *trainingSet, _ *rand.Rand) (surrogate.Regressor, error) { return trainGP(t, scale, noise) },
		)
	}
	return all
}

// linear is a ridge on one-hot categories.
type linear struct {
	ridge       *surrogate.Ridge
	categorical []bool
	levels      []int
}

func (l *linear) Predict(x []float64) float64 {
	return l.ridge.Predict(surrogate.OneHot(nil, x, l.categorical, l.levels))
}

func trainRidge(t *trainingSet, penalty float64) *linear {
	var x []float64
	for i := range t.y {
		x = surrogate.OneHot(x, t.x[i*t.d:(i+1)*t.d], t.categorical, t.levels)
	}
	width := 0
	for i, c := range t.categorical {
		if c {
			width += t.levels[i]
		} else {
			width++
		}
	}
	return &linear{surrogate.NewRidge(width, x, t.y, penalty), t.categorical, t.levels}
}

// centred is a Gaussian process about the mean of its labels.
type centred struct {
	gp   *surrogate.GP
	mean float64
}

func (c *centred) Predict(x []float64) float64 { return c.mean + c.gp.Mean(x) }

// trainGP takes its hyper-parameters from the random search like the others:
// one length scale for all coordinates, and the labels' variance as the signal.
func trainGP(t *trainingSet, scale, noise float64) (surrogate.Regressor, error) {
	labels, mean, deviation := surrogate.Standardize(t.y)
	for i := range labels {
		labels[i] *= deviation
	}
	signal := 2 * math.Log(deviation)
	h := surrogate.Hyper{LogScale: slices.Repeat([]float64{scale}, t.d), LogSignal: signal, LogNoise: signal + noise}
	gp, err := surrogate.NewGP(t.categorical, h, len(labels))
	if err != nil {
		return nil, err
	}
	for i := range labels {
		gp.Append(t.x[i*t.d : (i+1)*t.d])
	}
	gp.SetLabels(labels)
	return &centred{gp, mean}, nil
}

// ensemble is the models that predict well enough.
type ensemble struct {
	d      int
	models []surrogate.Regressor
}

// folds of the cross-validation (Angermueller et al. 2020).
const folds = 5

// tune scores configurations by cross-validation and trains those above the
// threshold, and the best of all, on the whole set.
func (t *trainingSet) tune(rng *rand.Rand, threshold float64) (*ensemble, error) {
	all := recipes(rng)
	scores := make([]float64, len(all))
	for i, r := range all {
		var err error
		if scores[i], err = t.validate(r, rng); err != nil {
			return nil, fmt.Errorf("train model %d: %w", i, err)
		}
	}
	best := slices.Index(scores, slices.Max(scores))
	e := &ensemble{d: t.d}
	for i, r := range all {
		if i != best && !(scores[i] >= threshold) {
			continue
		}
		m, err := r(t, rng)
		if err != nil {
			return nil, fmt.Errorf("train model %d: %w", i, err)
		}
		e.models = append(e.models, m)
	}
	return e, nil
}

// validate is the share of the variance that is explained on unseen folds; 0
// where there are too few labels, or none that differ.
func (t *trainingSet) validate(r recipe, rng *rand.Rand) (float64, error) {
	_, mean, _ := surrogate.Standardize(t.y)
	var wrong, variance float64
	if len(t.y) < 2*folds {
		return 0, nil
	}
	for fold := range folds {
		m, err := r(t.pick(fold, folds, false), rng)
		if err != nil {
			return 0, err
		}
		unseen := t.pick(fold, folds, true)
		for i, y := range unseen.y {
			e := m.Predict(unseen.x[i*t.d:(i+1)*t.d]) - y
			wrong += e * e
			variance += (y - mean) * (y - mean)
		}
	}
	if !(variance > 0) {
		return 0, nil
	}
	return 1 - wrong/variance, nil
}

// acquire writes mean plus spread times deviation of the models' predictions.
func (e *ensemble) acquire(x, score []float64, spread float64) {
	for i := range score {
		var mean, squares float64
		for k, m := range e.models {
			v := m.Predict(x[i*e.d : (i+1)*e.d])
			step := v - mean
			mean += step / float64(k+1)
			squares += step * (v - mean)
		}
		score[i] = mean + spread*math.Sqrt(squares/float64(len(e.models)))
	}
}
