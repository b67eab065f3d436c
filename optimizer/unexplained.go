package optimizer

import (
	"fmt"
	"math"
	"slices"

	"apollo/optimizer/surrogate"
)

// unexplained is the records whose values are far worse than the process of all others
// says: penalties that lie among the values of the landscape, or a factor on some of them.
// A process that has to go through them has short lengths, or takes them for noise, and
// is blind for what sets the best designs apart.
//
// Reference: S. Ament et al., Robust Gaussian Processes via Relevance Pursuit, NeurIPS
// 2024, which weighs outliers by the evidence too. Here the process is fitted without
// them, and they have a uniform density.
type unexplained struct {
	at, upTo int   // the checkpoint, and the number of records that were judged
	rows     []int // in order
	early    int   // how many of them are before the checkpoint
}

func (u *unexplained) has(row int) bool {
	_, found := slices.BinarySearch(u.rows, row)
	return found
}

const (
	// leastExplained is how many values there must be, and fewestUnexplained how many of
	// them are no chance. At most half are unexplained. Chosen, as all of these.
	leastExplained, fewestUnexplained = 12, 3
	// doubtful is how much larger the logarithm of the evidence must be without them, and
	// wayOff how many deviations of its prediction the middle one of them must be behind:
	// rough landscapes have tails of three to eight, which evidence alone takes for
	// answers of another kind (docs/decisions/0090).
	doubtful, wayOff = 12.0, 10.0
	// rounds bounds the fits at a checkpoint.
	rounds = 4
	// suspect is how many deviations, as the median distance has them, a value lies behind
	// its prediction before the process is fitted without it. farOff is how many deviations
	// of its own prediction a single one does.
	suspect, farOff = 2.5, 4.0
	// normalMedian is the deviation of normal numbers over their median distance from 0.
	normalMedian = 1.4826
)

// explain finds what the process of the values does not explain, and fits it without. It
// is a function of the records.
func (g *gp) explain() error {
	n := len(g.records)
	if g.running == 0 || g.problem.Noisy || g.odd.upTo == n {
		return nil
	}
	if at := checkpoint(n); at != g.odd.at {
		g.odd = unexplained{at: at}
		g.hyper(&g.values, n, g.prior, g.learnValues)
		if err := g.trim(at); err != nil {
			return err
		}
	}
	g.odd.rows = g.odd.rows[:g.odd.early]
	if g.odd.upTo = n; g.odd.early == 0 || g.odd.at == n {
		return nil
	}
	return g.judge(n, func(i int) bool { return i >= g.odd.at })
}

// trim fits the process of the first at records without suspects where the evidence is for
// that. Those that are farthest off hide others, so that it looks again at what is left.
func (g *gp) trim(at int) error {
	keep, label := g.learnValues(at)
	rows := g.taken(at, g.fitLimit, keep)
	if len(rows) < leastExplained {
		return nil
	}
	labels, best := label(rows), g.bestOf(at, rows)
	whole, err := g.heldAgainst(g.values.hyper, rows, labels, make([]bool, len(rows)))
	if err != nil {
		return err
	}
	found, same := whole, false
	if out := tied(labels); slices.Contains(out, true) {
		f, err := g.fitWithout(rows, labels, out)
		if err != nil {
			return err
		}
		if same = f.contradicted() >= fewestUnexplained; same {
			found = f
		}
	}
	for range rounds {
		out := suspects(found.behind)
		if best >= 0 {
			out[best] = false
		}
		if n := count(out); n < fewestUnexplained || 2*n > len(rows) || slices.Equal(out, found.out) {
			break
		}
		f, err := g.fitWithout(rows, labels, out)
		if err != nil {
			return err
		}
		if f.evidence <= found.evidence {
			break
		}
		found = f
	}
	if count(found.out) == 0 || !same && (found.evidence < whole.evidence+doubtful || found.middle() < wayOff) {
		return nil
	}
	g.values.hyper, g.values.gp = found.hyper, nil
	for k, i := range rows {
		if found.out[k] {
			g.odd.rows = append(g.odd.rows, i)
		}
	}
	if len(rows) == g.fitLimit { // there are others
		if err := g.judge(at, func(i int) bool { _, known := slices.BinarySearch(rows, i); return !known }); err != nil {
			return err
		}
	}
	g.odd.early = len(g.odd.rows)
	return nil
}

// bestOf is the position in rows of the best of the first n records, which are labels
// always; -1 where none is feasible.
func (g *gp) bestOf(n int, rows []int) int {
	best := slices.IndexFunc(g.ranked, func(i int) bool { return i < n })
	if best < 0 || g.records[g.ranked[best]].class != feasible {
		return -1
	}
	return slices.Index(rows, g.ranked[best])
}

// explanation is a process of some labels held against all of them.
type explanation struct {
	hyper surrogate.Hyper
	out   []bool // what it was not fitted to
	// behind is how far each label lies behind what the process of the others that are not
	// out predicts, and off the same in deviations of that prediction.
	behind, off []float64
	evidence    float64
}

func count(out []bool) (n int) {
	for _, o := range out {
		if o {
			n++
		}
	}
	return n
}

// contradicted is how many of those that are out lie far behind their prediction.
func (e *explanation) contradicted() (n int) {
	for k, out := range e.out {
		if out && e.off[k] > farOff {
			n++
		}
	}
	return n
}

// middle is how far the middle one of those that are out is off.
func (e *explanation) middle() float64 {
	var off []float64
	for k, out := range e.out {
		if out {
			off = append(off, e.off[k])
		}
	}
	slices.Sort(off)
	return off[len(off)/2]
}

// fitWithout fits a process to the labels that are not out. Its evidence has which ones are out,
// and these anywhere in the extent of all.
func (g *gp) fitWithout(rows []int, labels []float64, out []bool) (explanation, error) {
	var in []int
	var own []float64
	for k, i := range rows {
		if !out[k] {
			in, own = append(in, i), append(own, labels[k])
		}
	}
	own, mean, deviation := surrogate.Standardize(own)
	scaled := make([]float64, len(labels))
	for k, y := range labels {
		scaled[k] = (y - mean) / deviation
	}
	hyper := surrogate.Fit{Prior: g.prior}.Hyper(g.encoder.Categorical(), g.gather(in), own)
	e, err := g.heldAgainst(hyper, rows, scaled, out)
	if err != nil {
		return explanation{}, err
	}
	kept, left := float64(len(in)), float64(len(rows)-len(in))
	extent := slices.Max(labels) - slices.Min(labels)
	e.evidence += left*math.Log(left/(kept+left)/extent) + kept*math.Log(kept/(kept+left)) - kept*math.Log(deviation)
	return e, nil
}

// heldAgainst is the process of those that are not out, against all labels.
func (g *gp) heldAgainst(h surrogate.Hyper, rows []int, labels []float64, out []bool) (explanation, error) {
	var in []int
	var own []float64
	for k, i := range rows {
		if !out[k] {
			in, own = append(in, i), append(own, labels[k])
		}
	}
	process, err := g.processOf(h, in, own)
	if err != nil {
		return explanation{}, err
	}
	e := explanation{h, out, slices.Clone(labels), make([]float64, len(labels)), process.Evidence(own)}
	means, deviations := make([]float64, len(in)), make([]float64, len(in))
	process.LeaveOneOut(own, means, deviations)
	next := 0
	var mean, deviation [1]float64
	for k, i := range rows {
		if out[k] {
			process.Predict(g.row(i), mean[:], deviation[:])
			deviation[0] = math.Hypot(deviation[0], math.Exp(h.LogNoise/2))
		} else {
			mean[0], deviation[0] = means[next], deviations[next]
			next++
		}
		e.behind[k] -= mean[0]
		e.off[k] = e.behind[k] / deviation[0]
	}
	return e, nil
}

// suspects are the labels that lie far behind what is predicted, by the median distance.
func suspects(behind []float64) []bool {
	distance := make([]float64, len(behind))
	for k, v := range behind {
		distance[k] = math.Abs(v)
	}
	slices.Sort(distance)
	off := suspect * normalMedian * distance[len(distance)/2]
	out := make([]bool, len(behind))
	for k, v := range behind {
		out[k] = v > off
	}
	return out
}

// tied are the labels in the worse half that are all the same, as those of three designs
// or more and of more than twice as many as any other.
func tied(labels []float64) []bool {
	sorted := slices.Sorted(slices.Values(labels))
	middle := sorted[len(sorted)/2]
	var worst float64
	most, second := 0, 0
	for i := 0; i < len(sorted); {
		n := 1
		for i+n < len(sorted) && sorted[i+n] == sorted[i] {
			n++
		}
		if n > most {
			worst, most, second = sorted[i], n, most
		} else {
			second = max(second, n)
		}
		i += n
	}
	out := make([]bool, len(labels))
	if most < fewestUnexplained || most <= 2*second || worst <= middle {
		return out
	}
	for k, v := range labels {
		out[k] = v == worst
	}
	return out
}

func (g *gp) processOf(h surrogate.Hyper, rows []int, labels []float64) (*surrogate.GP, error) {
	process, err := surrogate.NewGP(g.encoder.Categorical(), h, len(rows))
	if err != nil {
		return nil, fmt.Errorf("what is not explained: %w", err)
	}
	for _, i := range rows {
		process.Append(g.row(i))
	}
	process.SetLabels(labels)
	return process, nil
}

// judge adds those of the first n records that are far off, of those that of says.
func (g *gp) judge(n int, of func(i int) bool) error {
	keep, label := g.learnValues(n)
	rows := g.taken(n, g.limit, keep)
	labels := label(rows)
	process, err := g.processOf(g.values.hyper, rows, labels)
	if err != nil {
		return err
	}
	mean, deviation := make([]float64, len(rows)), make([]float64, len(rows))
	process.LeaveOneOut(labels, mean, deviation)
	best := g.bestOf(n, rows)
	for k, i := range rows {
		if of(i) && k != best && labels[k]-mean[k] > farOff*deviation[k] {
			g.odd.rows = append(g.odd.rows, i)
		}
	}
	slices.Sort(g.odd.rows)
	return nil
}
