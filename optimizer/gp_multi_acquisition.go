package optimizer

import (
	"cmp"
	"math"
	"slices"

	"apollo/optimizer/pareto"
	"apollo/optimizer/surrogate"
)

// referenceMargin is the share of the front's range by which the reference point
// lies behind it, so that the ends of the front count. Chosen, as commonly.
const referenceMargin = 0.1

// referenceMarginOfTwo is that with two objectives, where the reference follows no
// predictions: by a tenth the ends that are not found yet were worth nothing, and some
// searches never went there. Chosen: docs/decisions/0083.
const referenceMarginOfTwo = 1

// trusted is the share of a deviation that a gain is expected from. Chosen on
// WFG4 with three objectives and variants of DTLZ2, five seeds: 1, 0.5 and 0.25 hardly
// differ on WFG4 (docs/decisions/0006), less is better on DTLZ2.
const trusted = 0.5

// frontAcquisition scores designs by what they would add to the front. Pending
// designs count as measured at their predicted labels.
type frontAcquisition interface {
	// score writes a number for each input: the larger the better.
	score(x, out []float64)
	// believe adds a pending design at its predicted labels.
	believe(x []float64)
}

// acquisition returns what the search of a batch maximises: the gain in
// hypervolume, or, while nothing is feasible, the improvement of the violation.
func (s *multiObjectiveGP) acquisition(b *batch, order []int, n int) (frontAcquisition, error) {
	var o frontAcquisition
	var err error
	if s.feasible == 0 {
		o, err = s.violationImprovement(order, len(b.pending)+n)
	} else {
		o, err = s.hypervolumeGain(order, len(b.pending)+n)
	}
	if err != nil {
		return nil, err
	}
	s.believeWaiting(b, o.believe)
	return o, nil
}

// believeWaiting tells of the designs that are pending or proposed.
func (s *multiObjectiveGP) believeWaiting(b *batch, believe func(x []float64)) {
	for _, key := range b.pending {
		b.point = b.problem.Space.PointInto(b.point, key)
		believe(s.encoder.Append(nil, b.point))
	}
	for _, p := range b.out {
		believe(s.encoder.Append(nil, p.Point))
	}
}

// violationImprovement is expected improvement of the violation.
type violationImprovement struct {
	model           labelledGP
	best            float64
	mean, deviation []float64
}

// labelledGP is a process with the labels it was told.
type labelledGP struct {
	gp     *surrogate.GP
	labels []float64
}

// believe adds an input at its mean, which it returns.
func (t *labelledGP) believe(x []float64) float64 {
	mean := t.gp.Mean(x)
	t.labels = append(t.labels, mean)
	t.gp.Append(x)
	t.gp.SetLabels(t.labels)
	return mean
}

func (s *multiObjectiveGP) violationImprovement(order []int, extra int) (*violationImprovement, error) {
	keep := func(i int) bool { return s.records[i].class == violating }
	label := func(rows []int) []float64 {
		values := make([]float64, len(rows))
		for k, i := range rows {
			values[k] = s.records[i].score
		}
		return standard(values)
	}
	gp, _, labels, err := s.fitGP(order, &s.excess, func(int) func(int) bool { return keep }, label, extra)
	if err != nil {
		return nil, err
	}
	r := &violationImprovement{model: labelledGP{gp, labels}}
	if len(labels) > 0 {
		r.best = slices.Min(labels)
	}
	return r, nil
}

func (r *violationImprovement) believe(x []float64) { r.model.believe(x) }

func (r *violationImprovement) score(x, out []float64) {
	r.mean, r.deviation = resize(r.mean, len(out)), resize(r.deviation, len(out))
	r.model.gp.Predict(x, r.mean, r.deviation)
	for i := range out {
		out[i] = surrogate.LogImprovement(r.best, r.mean[i], r.deviation[i])
	}
}

func resize(x []float64, n int) []float64 { return slices.Grow(x[:0], n)[:n] }

// hypervolumeGain is the expected growth of the hypervolume.
type hypervolumeGain struct {
	models    []labelledGP // by objective
	scales    []scale      // by objective
	reference []float64    // in places, see scale
	// fixed says of which objectives the problem states the reference; limit holds the
	// places of the worst value that each model was told.
	fixed []bool
	limit []float64
	// follows says that the reference follows the front of the candidates, see follow.
	follows         bool
	front           [][]float64 // in places
	boxes           *pareto.Boxes
	mean, deviation []float64 // objective by objective
	below           [][]float64
	trust           float64   // the share of a deviation that a gain is expected from
	places          []float64 // candidate by candidate
}

// scale says what labels of an objective mean. Volumes are measured in places,
// which are values but for a factor and an offset. Of ranks they are not: those
// stretch what was measured often, and gains there draw further designs.
type scale struct {
	// spread is the deviation of the logarithms that labels are; 0 where they are
	// no logarithms.
	spread float64
	// least is a place that nothing is below: that of 0 where no value is negative;
	// -Inf where nothing is known.
	least float64
	// best is the best value, first its place, and unit how many places a value is.
	best, first, unit float64
}

// of is the place of a value.
func (s scale) of(value float64) float64 {
	const end = 1e60 // volumes of four objectives are numbers up to there
	return min(max(s.first+s.unit*(value-s.best), -end), end)
}

// scaled returns labels of mean 0 and deviation 1 and what they mean: logarithms
// or values, whichever are the more symmetric ones. The logarithms are those of
// what values are behind the best one where not all are positive, or the smallest
// ones are zeros but for rounding: these would be all that a model sees.
func scaled(values []float64) ([]float64, scale) {
	if len(values) == 0 {
		return nil, scale{least: math.Inf(-1)}
	}
	s := scale{least: math.Inf(-1), best: slices.Min(values)}
	shrunk := 1 / max(-s.best, slices.Max(values), 1e-300)
	values = bounded(slices.Clone(values))
	best := slices.Min(values)
	plain, mean, deviation := surrogate.Standardize(values)
	var logs []float64
	if best > 0 && slices.Max(values) < widest*best {
		logs = surrogate.Compress(values)
	} else {
		logs = surrogate.LogBehind(values)
	}
	labels, middle, spread := surrogate.Standardize(logs)
	if math.Abs(skewness(labels)) > math.Abs(skewness(plain)) {
		if best >= 0 {
			s.least = -mean / deviation
		}
		s.first, s.unit = slices.Min(plain), shrunk/deviation
		return plain, s
	}
	s.spread = spread
	s.first, s.unit = s.place(slices.Min(labels)), shrunk*math.Exp(-middle)
	if best >= 0 {
		// Values and places differ by a factor and an offset.
		s.least = s.first - best*math.Exp(-middle)
	}
	return labels, s
}

// widest is the largest ratio of values that logarithms are taken of. Chosen.
const widest = 1e4

// skewness is the third moment of standard labels.
func skewness(labels []float64) float64 {
	var sum float64
	for _, y := range labels {
		sum += y * y * y
	}
	return sum / float64(max(1, len(labels)))
}

// place is where a label lies when volumes are measured.
func (s scale) place(label float64) float64 {
	if s.spread > 0 {
		return math.Exp(s.spread * label)
	}
	return label
}

// below appends to dst, for each level, a place, the expected value of what the
// objective is less than it by, when its label is normal.
func (s scale) below(dst, levels []float64, mean, deviation float64) []float64 {
	for _, level := range levels {
		level = max(level, s.least)
		if s.spread > 0 {
			dst = append(dst, surrogate.LogShortfall(level, s.spread*mean, s.spread*deviation))
		} else {
			dst = append(dst, surrogate.Shortfall(level, mean, deviation))
		}
	}
	return dst
}

func (s *multiObjectiveGP) hypervolumeGain(order []int, extra int) (*hypervolumeGain, error) {
	m := s.objectives
	g := &hypervolumeGain{trust: trusted, models: make([]labelledGP, m), scales: make([]scale, m), below: make([][]float64, m)}
	keep := func(n int) func(i int) bool {
		usual := s.usual(n)
		some := slices.ContainsFunc(s.records[:n], func(r solution) bool { return r.class == feasible && usual(r.values) })
		return func(i int) bool { return s.records[i].values != nil && (!some || usual(s.records[i].values)) }
	}
	var rows []int
	for k := range m {
		label := func(rows []int) []float64 {
			values := make([]float64, len(rows))
			for j, i := range rows {
				values[j] = s.records[i].values[k]
			}
			var labels []float64
			labels, g.scales[k] = scaled(values)
			return labels
		}
		gp, kept, labels, err := s.fitGP(order, &s.values[k], keep, label, extra)
		if err != nil {
			return nil, err
		}
		g.models[k], rows = labelledGP{gp, labels}, kept
	}
	var points [][]float64
	for j, i := range rows {
		if s.records[i].class != feasible {
			continue
		}
		y := make([]float64, m)
		for k := range y {
			y[k] = g.scales[k].place(g.models[k].labels[j])
		}
		points = append(points, y)
	}
	g.level(points)
	for _, i := range pareto.Front(points) {
		g.front = append(g.front, points[i])
	}
	g.setReference(s.referenceFloor(g, rows), s.problem.Reference)
	g.follows = s.many() && slices.Contains(g.fixed, false)
	return g, nil
}

// sameWithin is the share of an objective's range within which values are the
// same: by rounding errors alone nothing is better.
const sameWithin = 1e-9

// level makes values of an objective equal that differ by rounding errors.
func (g *hypervolumeGain) level(points [][]float64) {
	order := make([]int, len(points))
	for i := range order {
		order[i] = i
	}
	for k := range g.models {
		slices.SortFunc(order, func(i, j int) int { return cmp.Compare(points[i][k], points[j][k]) })
		reach := sameWithin * (points[order[len(order)-1]][k] - points[order[0]][k])
		for j := 1; j < len(order); j++ {
			if before := points[order[j-1]][k]; points[order[j]][k]-before <= reach {
				points[order[j]][k] = before
			}
		}
	}
}

// referenceFloor returns the places that the reference is at least: those of the median
// of the first Initial feasible records, which were not chosen for their values. A
// reference that follows the front alone gives no credit to what lies beyond
// its ends, so that a search which first met one end of the front stays there.
// Where that median is not among the rows it is the next worse one that is.
func (s *multiObjectiveGP) referenceFloor(g *hypervolumeGain, rows []int) []float64 {
	var first []int
	for i := range s.records {
		if s.records[i].class == feasible && len(first) < s.knobs.Initial {
			first = append(first, i)
		}
	}
	least := make([]float64, len(g.models))
	for k, model := range g.models {
		var values []float64
		for _, i := range first {
			values = append(values, s.records[i].values[k])
		}
		slices.Sort(values)
		median := values[len(values)/2]
		least[k] = slices.Max(model.labels)
		for j, i := range rows {
			if s.records[i].values[k] >= median {
				least[k] = min(least[k], model.labels[j])
			}
		}
		least[k] = g.scales[k].place(least[k])
	}
	return least
}

// setReference sets the reference point and cuts what the front leaves into boxes. It
// is the stated one, in values, where there is one, and else at least floor.
func (g *hypervolumeGain) setReference(floor, stated []float64) {
	g.reference = pareto.Nadir(g.front)
	span := make([]float64, len(g.reference))
	margin := referenceMargin
	if len(span) == 2 {
		margin = referenceMarginOfTwo
	}
	for k := range g.reference {
		span[k] = g.reference[k] - g.least(k)
		g.reference[k] = max(floor[k], g.reference[k]+margin*span[k])
	}
	g.fixed = make([]bool, len(g.reference))
	if stated != nil {
		g.state(stated, span)
	}
	g.limit = nil
	for k, model := range g.models {
		g.limit = append(g.limit, g.scales[k].place(slices.Max(model.labels)))
	}
	g.boxes = pareto.Uncovered(g.front, g.reference)
}

// least is the least place of an objective on the front.
func (g *hypervolumeGain) least(k int) float64 {
	least := math.Inf(1)
	for _, y := range g.front {
		least = min(least, y[k])
	}
	return least
}

// state takes the stated reference. With three and more objectives it lies just behind
// the design that lacks the least while none of the front is better than it everywhere,
// so that there is something to gain on the way. With two only what is nearer than the
// front's own reference is taken, once a design is better: a far one, and the way there,
// cost up to a tenth of the volume after 40 trials (docs/decisions/0071).
func (g *hypervolumeGain) state(stated, span []float64) {
	own := slices.Clone(g.reference)
	lack := slices.Repeat([]float64{math.Inf(-1)}, len(g.front))
	for k, value := range stated {
		if g.fixed[k] = !math.IsNaN(value); !g.fixed[k] {
			continue
		}
		g.reference[k] = g.scales[k].of(value)
		for i, y := range g.front {
			lack[i] = max(lack[i], (y[k]-g.reference[k])/max(own[k]-g.least(k), math.SmallestNonzeroFloat64))
		}
	}
	least := slices.Min(lack)
	nearest := g.front[slices.Index(lack, least)]
	for k := range g.reference {
		switch {
		case !g.fixed[k]:
		case len(g.reference) > 2:
			if nearest[k] >= g.reference[k] {
				g.reference[k] = nearest[k] + referenceMargin*span[k]
			}
		case least >= 0:
			g.reference[k] = own[k]
		default:
			g.reference[k] = min(own[k], g.reference[k])
		}
	}
}

// follow moves the reference behind the ends of the front that the models predict
// among n candidates, no farther than the worst value that was measured. What was
// measured ends where a search has been: beyond it there would be nothing to gain, and
// parts of a front that lie apart would be left out (docs/decisions/0071).
func (g *hypervolumeGain) follow(n int) {
	m := len(g.models)
	least, near := make([]float64, m), make([]float64, m)
	for k := range m {
		least[k] = g.least(k)
		near[k] = alike * (g.reference[k] - least[k])
	}
	g.places = resize(g.places, m*n)
	for i := range n {
		for k, s := range g.scales {
			g.places[i*m+k] = max(s.place(g.mean[k*n+i]), s.least)
		}
	}
	at := func(i int) []float64 { return g.places[i*m : (i+1)*m] }
	// covers: d is nowhere worse than p, and better somewhere, by more than what is alike.
	covers := func(d, p []float64) bool {
		better := false
		for k := range m {
			if d[k] > p[k]+near[k] {
				return false
			}
			better = better || d[k] < p[k]-2*near[k]
		}
		return better
	}
	reference := slices.Clone(g.reference)
	for i := range n {
		p := at(i)
		ends := func(k int) float64 { return min(g.limit[k], p[k]+referenceMargin*(p[k]-least[k])) }
		beyond := false
		for k := range m {
			beyond = beyond || !g.fixed[k] && ends(k) > reference[k]
		}
		if !beyond || slices.ContainsFunc(g.front, func(d []float64) bool { return covers(d, p) }) {
			continue
		}
		for j := 0; beyond && j < n; j++ {
			beyond = !covers(at(j), p)
		}
		for k := range m {
			if beyond && !g.fixed[k] {
				reference[k] = max(reference[k], ends(k))
			}
		}
	}
	if !slices.Equal(reference, g.reference) {
		g.reference = reference
		g.boxes = pareto.Uncovered(g.front, g.reference)
	}
}

// alike is the share of the front's range within which predictions are alike: a design
// that is better by less than it is no end of a front. Chosen: with 0.02 to 0.1 the
// same parts are found.
const alike = 0.05

func (g *hypervolumeGain) believe(x []float64) {
	y := make([]float64, len(g.models))
	for k := range g.models {
		y[k] = g.scales[k].place(g.models[k].believe(x))
	}
	g.front = append(g.front, y)
	g.boxes = pareto.Uncovered(g.front, g.reference)
}

// score is the logarithm of the gain. Where there is none that a number can hold,
// designs still have an order, below all that gain: by how likely each objective
// alone is better than the reference. Where the reference follows the candidates, it is
// that of all that are scored together.
func (g *hypervolumeGain) score(x, out []float64) {
	m, n := len(g.models), len(out)
	g.mean, g.deviation = resize(g.mean, m*n), resize(g.deviation, m*n)
	for k := range m {
		g.models[k].gp.Predict(x, g.mean[k*n:(k+1)*n], g.deviation[k*n:(k+1)*n])
	}
	if g.follows {
		g.follow(n)
	}
	for i := range out {
		far := 0.0
		for k := range m {
			mean, deviation := g.mean[k*n+i], g.trust*g.deviation[k*n+i]
			g.below[k] = g.scales[k].below(g.below[k][:0], g.boxes.Levels[k], mean, deviation)
			far += mean
		}
		gain := g.boxes.Gain(g.below)
		out[i] = math.Log(gain)
		if !(gain > math.SmallestNonzeroFloat64) {
			out[i] = noGain - far
		}
	}
}

// noGain is below the logarithm of every gain.
const noGain = -1000
