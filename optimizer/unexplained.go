package optimizer

import (
	"fmt"
	"math"
	"slices"

	"apollo/optimizer/surrogate"
)

// unexplained is a value that many designs answer and that their neighbours contradict: a
// penalty among the values of the landscape. A process that has to go through it has
// short lengths, or takes it for noise, and is blind for what sets the best designs
// apart. The process of the objective does not learn it, and the model of outliers does.
type unexplained struct {
	at    int // the checkpoint that was looked at
	found bool
	value float64
}

func (u *unexplained) is(r *record) bool { return u.found && r.value == u.value }

const (
	// leastExplained is how many values there must be, and fewestUnexplained how many
	// designs must answer the same and lie far off. Chosen, as all of these.
	leastExplained, fewestUnexplained = 12, 3
	// farOff is how many deviations of its prediction a value lies behind then.
	farOff = 4.0
)

// explain finds the value at each checkpoint of the hyper-parameters. It is a function
// of the records.
func (g *gp) explain() error {
	at := checkpoint(len(g.records))
	if g.running == 0 || g.problem.Noisy || at == g.odd.at || at < leastExplained {
		return nil
	}
	g.odd = unexplained{}
	keep, label := g.learnValues(at)
	rows := g.taken(at, g.fitLimit, keep)
	value, out := g.tied(rows)
	found := false
	if out != nil {
		n, err := g.contradicted(rows, label(rows), out)
		if err != nil {
			return err
		}
		found = n >= fewestUnexplained
	}
	g.odd = unexplained{at, found, value}
	return nil
}

// contradicted is how many of the labels that are out lie far behind what the process of
// the others predicts.
func (g *gp) contradicted(rows []int, labels []float64, out []bool) (n int, err error) {
	var in []int
	var own []float64
	for k, i := range rows {
		if !out[k] {
			in, own = append(in, i), append(own, labels[k])
		}
	}
	own, mean, deviation := surrogate.Standardize(own)
	categorical := g.encoder.Categorical()
	hyper := surrogate.Fit{Prior: g.prior}.Hyper(categorical, g.gather(in), own)
	process, err := surrogate.NewGP(categorical, hyper, len(in))
	if err != nil {
		return 0, fmt.Errorf("what is not explained: %w", err)
	}
	for _, i := range in {
		process.Append(g.row(i))
	}
	process.SetLabels(own)
	var predicted, off [1]float64
	for k, i := range rows {
		if !out[k] {
			continue
		}
		process.Predict(g.row(i), predicted[:], off[:])
		behind := (labels[k]-mean)/deviation - predicted[0]
		if behind > farOff*math.Hypot(off[0], math.Exp(hyper.LogNoise/2)) {
			n++
		}
	}
	return n, nil
}

// tied is the value in the worse half that three or more of some designs answer, and more
// than twice as many as any other value, and which designs that are; nil where there is
// none.
func (g *gp) tied(rows []int) (value float64, out []bool) {
	if len(rows) < leastExplained {
		return 0, nil
	}
	sorted := make([]float64, len(rows))
	for k, i := range rows {
		sorted[k] = g.records[i].value
	}
	slices.Sort(sorted)
	middle := sorted[len(sorted)/2]
	most, second := 0, 0
	for i := 0; i < len(sorted); {
		n := 1
		for i+n < len(sorted) && sorted[i+n] == sorted[i] {
			n++
		}
		if n > most {
			value, most, second = sorted[i], n, most
		} else {
			second = max(second, n)
		}
		i += n
	}
	if most < fewestUnexplained || most <= 2*second || value <= middle {
		return 0, nil
	}
	out = make([]bool, len(rows))
	for k, i := range rows {
		out[k] = g.records[i].value == value
	}
	return value, out
}
