package optimizer

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"apollo/optimizer/pareto"
	"apollo/optimizer/space"
	"apollo/optimizer/surrogate"
)

// Notation: m objectives; y places of labels (see scale), to be minimised, of
// length m.

// multiObjectiveGP is GP with several objectives: one process for each, one of
// feasibility for each cause, and the design of the largest expected gain in
// hypervolume. The logarithm of the probability of feasibility is added to that
// of the gain, that of a failure feasibilityWeight times. Violations weigh less: fronts often lie
// on a constraint's border (docs/decisions/0044).
//
// With three and more objectives candidates differ from a design of the front in
// one parameter: the largest gain that several models promise anywhere is mostly
// an error of theirs (docs/decisions/0006). Probes look farther, see probeOrigin. With two, and
// while nothing is feasible, candidates come from everywhere.
//
// With three and more each process has a trend, a sum of parabolas: what a parameter is
// worth everywhere is learned from all of the front.
//
// Labels are logarithms where these are the more symmetric ones, else values. The
// reference is the stated one, see state. Else it lies a range of the front behind
// its worst values, and no nearer than the median of the first designs; with three and
// more objectives a tenth of it, but the ends that the models predict count too, see follow. A pending design is believed to be at its predicted means. The start, limits and time are
// those of GP, the latter times m. Designs are bred (as NSGA2 breeds them) always with
// two objectives, else when the front has not grown for Breed trials; sorting n trials into fronts
// adds O(m·n²) at worst to a batch.
type multiObjectiveGP struct {
	sampler
	knobs      GP
	mutation   mutation
	encoder    *surrogate.Encoder
	sequence   *sobolSequence
	objectives int

	records  []solution
	x        []float64 // coordinates of records, row by row
	own      int       // records that no other study proposed
	feasible int
	causes   causes // what the others broke
	failures failureLog

	// The fits are caches: each is a function of the records before at.
	values  []fitted // by objective
	classes []fitted // by cause
	wild    []fitted // by cause
	excess  fitted
	// outliers is of values that are no part of the landscape.
	outliers fitted
	broken   fitted // by failures
}

func newMultiObjectiveGP(p Problem, knobs GP) *multiObjectiveGP {
	return &multiObjectiveGP{
		sampler: newSampler(p, knobs.MaxChecks), knobs: knobs, mutation: newMutation(&p, 0.7), // as GA
		encoder: surrogate.NewEncoder(p.Space, p.Features), sequence: newSobolSequence(p),
		objectives: p.Objectives, values: make([]fitted, p.Objectives),
	}
}

func (s *multiObjectiveGP) Tell(obs ...Observation) {
	for _, o := range obs {
		if !s.markTold(o.Point) {
			continue
		}
		if o.Status == Failed && o.Cause != "" {
			s.noteFailure(o)
		}
		r, ok := newSolution(o, s.objectives)
		if !ok {
			continue
		}
		if r.class == feasible {
			s.feasible++
			s.failures.noteRun(s.problem.Space, r.point)
		} else {
			r.cause = s.causes.number(o.Cause)
		}
		r.probe = strings.HasSuffix(o.Origin, probeOrigin)
		if !FromSource(o.Origin) {
			s.own++
		}
		s.records = append(s.records, r)
		s.x = s.encoder.Append(s.x, r.point)
	}
}

func (s *multiObjectiveGP) Ask(at uint64, n int, pending []space.Point) ([]Proposal, error) {
	b, err := s.open(at, n, pending, "gp")
	if err != nil {
		return nil, err
	}
	cover := s.knobs.Initial - s.own - len(b.pending)
	if s.feasibilityUnknown() {
		cover = n
	}
	b.begin(min(cover, 1-s.own-len(b.pending)))
	b.cover(s.sequence, min(n, cover))
	if len(b.out) < n && len(s.records) > 0 {
		if err := s.improve(b, at, n); err != nil {
			return nil, fmt.Errorf("gp: %w", err)
		}
	}
	b.fill(n)
	return b.close()
}

// feasibilityUnknown is as that of history, of several objectives.
func (s *multiObjectiveGP) feasibilityUnknown() bool {
	return s.feasible == 0 && !slices.ContainsFunc(s.records, func(r solution) bool { return r.class == violating })
}

// improve adds proposals by gain in hypervolume, the last ones of a large batch
// by breeding, until there are n.
func (s *multiObjectiveGP) improve(b *batch, at uint64, n int) error {
	order := constrainedRank(s.records)
	good := s.withoutOutliers(order)
	parents := s.breederOfBest(good)
	modelled := min(n, len(b.out)+modelProposals)
	acquisition, err := s.acquisition(b, order, modelled)
	if err != nil {
		return err
	}
	classifier, err := s.classifier(order, len(b.pending)+n)
	if err != nil {
		return err
	}
	s.believeWaiting(b, classifier.believe)
	believe := func() {
		x := s.encoder.Append(nil, b.out[len(b.out)-1].Point)
		acquisition.believe(x)
		classifier.believe(x)
	}
	many := s.many()
	near, breed := many && s.feasible > 0, s.knobs.Breed > 0 && (!many || s.stale(good))
	gain, _ := acquisition.(*hypervolumeGain)
	every := uint64(0)
	if near {
		every = uint64(s.interval(gain))
	}
	for len(b.out) < modelled {
		number := at + uint64(len(b.out)) + 1
		if breed && number%uint64(s.knobs.Breed) == 0 && parents.breed(b) {
			believe()
			continue
		}
		search := latticeSearch{
			batch: b, encoder: s.encoder, mutate: s.mutation, score: acquisition.score, chance: classifier, weight: 1,
			pool: s.knobs.Pool, climbs: 2, steps: 8, sparse: true, near: near, elite: points(parents.members[:min(elites, len(parents.members))]),
		}
		if near && number%every == 0 {
			s.probe(&search, gain, good)
		}
		if !search.proposeBest() {
			return nil
		}
		if near {
			gain.trust, b.origin = trusted, "gp"
		}
		believe()
	}
	for len(b.out) < n && parents.breed(b) {
	}
	return nil
}

// stale reports whether more than Breed trials brought the front nothing.
func (s *multiObjectiveGP) stale(order []int) bool {
	newest := 0
	feasibles := s.feasibles(order)
	for _, i := range feasibles {
		if i > newest && !slices.ContainsFunc(feasibles, func(j int) bool { return pareto.Dominates(s.records[j].values, s.records[i].values) }) {
			newest = i
		}
	}
	return len(s.records)-1-newest > s.knobs.Breed
}

// withoutOutliers returns order without those that are outliers: a penalty may be on the
// front, and nothing good is near it. Where all that is feasible is one it is order.
func (s *multiObjectiveGP) withoutOutliers(order []int) []int {
	usual := s.usual(len(s.records))
	out := slices.DeleteFunc(slices.Clone(order), func(i int) bool {
		return s.records[i].class == feasible && !usual(s.records[i].values)
	})
	if len(s.feasibles(out)) == 0 {
		return order
	}
	return out
}

// feasibles are the first of an order, which are feasible.
func (s *multiObjectiveGP) feasibles(order []int) []int {
	n := slices.IndexFunc(order, func(i int) bool { return s.records[i].class != feasible })
	if n < 0 {
		n = len(order)
	}
	return order[:n]
}

// breederOfBest returns NSGA2 on the best designs.
func (s *multiObjectiveGP) breederOfBest(order []int) *nsga2 {
	a := NSGA2{}.withDefaults()
	parents := &nsga2{sampler: s.sampler, knobs: a, mutation: s.mutation, objectives: s.objectives}
	for place, i := range order[:min(len(order), elites)] {
		parents.members = append(parents.members, s.records[i])
		parents.standing = append(parents.standing, place)
	}
	return parents
}

// elites is how many of the best designs are bred and mutated. As GP's.
const elites = 16

func points(members []solution) []space.Point {
	var out []space.Point
	for i := range members {
		out = append(out, members[i].point)
	}
	return out
}

// active returns which records a model of at most limit takes, see thinned. order
// ranks them.
func active(order []int, limit int, keep func(i int) bool) []int {
	var rows []int
	for _, i := range order {
		if keep(i) {
			rows = append(rows, i)
		}
	}
	return thinned(rows, limit)
}

func (s *multiObjectiveGP) gather(rows []int) []float64 {
	x := make([]float64, 0, len(rows)*s.encoder.Len())
	for _, i := range rows {
		x = append(x, s.row(i)...)
	}
	return x
}

// row returns the coordinates of a record.
func (s *multiObjectiveGP) row(i int) []float64 {
	d := s.encoder.Len()
	return s.x[i*d : (i+1)*d]
}

// hyper brings the hyper-parameters of a model up to the last checkpoint: they are fitted
// to the records before it, of which keepOf says which count, given their number.
func (s *multiObjectiveGP) hyper(cache *fitted, prior surrogate.Prior, keepOf func(n int) func(i int) bool, label func(rows []int) []float64) {
	at := checkpoint(len(s.records))
	if at != cache.at {
		rows := active(constrainedRank(s.records[:at]), min(200, s.knobs.Limit), keepOf(at))
		// One start: a second one for every objective costs half as much again, and
		// the fronts of optimizertest were no better for it.
		near := prior.Mode(s.encoder.Len())
		for k := range near.LogScale {
			near.LogScale[k] -= math.Ln2
		}
		fit := surrogate.Fit{Prior: prior, Starts: []surrogate.Hyper{near}}
		*cache = fitted{at: at, hyper: fit.Hyper(s.encoder.Categorical(), s.gather(rows), label(rows))}
	}
}

// prior is that of the models of objectives. With two a trend was no better
// (docs/decisions/0044).
func (s *multiObjectiveGP) prior() surrogate.Prior {
	p := surrogate.DefaultPrior()
	if s.many() {
		p.Trend = surrogate.Normal{Deviation: 1}
	}
	return p
}

func (s *multiObjectiveGP) many() bool { return s.objectives > 2 }

// fitGP returns the model of the records that keep takes, with room for extra
// inputs, and what it was told.
func (s *multiObjectiveGP) fitGP(order []int, cache *fitted, keepOf func(n int) func(i int) bool, label func(rows []int) []float64, extra int) (*surrogate.GP, []int, []float64, error) {
	s.hyper(cache, s.prior(), keepOf, label)
	rows := active(order, s.knobs.Limit, keepOf(len(s.records)))
	gp, err := cache.grow(s.encoder.Categorical(), s.row, rows, extra)
	if err != nil {
		return nil, nil, nil, err
	}
	labels := label(rows)
	gp.SetLabels(labels)
	return gp, rows, labels, nil
}

// classifier returns the models of feasibility, one for each cause, one of outliers
// and one of failures; none while nothing is feasible. It has room to believe in so many designs.
func (s *multiObjectiveGP) classifier(order []int, room int) (feasibility, error) {
	if s.feasible == 0 {
		return nil, nil
	}
	for len(s.classes) < len(s.causes) {
		s.classes, s.wild = append(s.classes, fitted{}), append(s.wild, fitted{})
	}
	var all feasibility
	for cause := range s.causes {
		of := outcomes(s.outcomes)
		m, err := s.verdictModel(order, &s.classes[cause], surrogate.FeasibilityPrior(), of.border(cause))
		if err != nil {
			return nil, fmt.Errorf("feasibility: %w", err)
		}
		all = append(all, m)
		if math.IsInf(of.wildFrom(len(s.records), cause), 1) {
			continue
		}
		if m, err = s.verdictModel(order, &s.wild[cause], surrogate.FeasibilityPrior(), of.wild(cause)); err != nil {
			return nil, fmt.Errorf("feasibility: %w", err)
		}
		all = append(all, m)
	}
	if usual := s.usual(len(s.records)); slices.ContainsFunc(s.records, func(r solution) bool { return r.values != nil && !usual(r.values) }) {
		m, err := s.outlierModel(order)
		if err != nil {
			return nil, fmt.Errorf("outliers: %w", err)
		}
		all = append(all, m)
	}
	if m, err := s.failureModel(room); err != nil {
		return nil, err
	} else if m != nil {
		for range feasibilityWeight {
			all = append(all, m)
		}
	}
	return all, nil
}

// usual returns which values are outliers in no objective, as the first n records
// have them; see outliersFrom. Mostly no design of the front is one, as the best design is
// none with one objective: what is no better in an objective than the worst of
// these belongs to the landscape. But one that is behind a wide gap in an objective is on
// the front for another one only: the reference would follow it there.
func (s *multiObjectiveGP) usual(n int) func(values []float64) bool {
	limits, gaps := make([]float64, s.objectives), make([]float64, s.objectives)
	for k := range limits {
		var values []float64
		for i := range s.records[:n] {
			if v := s.records[i].values; v != nil {
				values = append(values, v[k])
			}
		}
		limits[k], gaps[k] = surrogate.OutlierLimit(values), surrogate.GapLimit(values)
	}
	var feasibles [][]float64
	for i := range s.records[:n] {
		if r := &s.records[i]; r.values != nil && r.class == feasible {
			feasibles = append(feasibles, r.values)
		}
	}
	for _, i := range pareto.Front(feasibles) {
		for k, v := range feasibles[i] {
			if v < gaps[k] {
				limits[k] = max(limits[k], math.Nextafter(v, math.Inf(1)))
			}
		}
	}
	return func(values []float64) bool {
		for k, v := range values {
			if v >= limits[k] {
				return false
			}
		}
		return true
	}
}

// outcomes are those of all records.
func (s *multiObjectiveGP) outcomes(i int) outcome {
	r := &s.records[i]
	return outcome{r.class == feasible, r.cause, r.individual}
}

// outlierModel is as that of gpModels.
func (s *multiObjectiveGP) outlierModel(order []int) (*surrogate.Feasibility, error) {
	return s.verdictModel(order, &s.outliers, surrogate.ScatterPrior(), func(n int) (func(i int) bool, func(rows []int) []float64) {
		usual := s.usual(n)
		wasMeasured := func(i int) bool { return s.records[i].values != nil }
		return wasMeasured, func(rows []int) []float64 {
			good := make([]bool, len(rows))
			for k, i := range rows {
				good[k] = usual(s.records[i].values)
			}
			return surrogate.Verdicts(good, nil)
		}
	})
}

// verdictModel returns the model of feasibility that learns verdicts.
func (s *multiObjectiveGP) verdictModel(order []int, cache *fitted, prior surrogate.Prior, learn lesson) (*surrogate.Feasibility, error) {
	keepOf := func(n int) func(i int) bool {
		keep, _ := learn(n)
		return keep
	}
	s.hyper(cache, prior, keepOf, func(rows []int) []float64 {
		_, verdicts := learn(checkpoint(len(s.records)))
		labels, _ := surrogate.FeasibilityLabels(verdicts(rows))
		return labels
	})
	keep, verdicts := learn(len(s.records))
	rows := active(order, s.knobs.Limit, keep)
	gp, err := cache.grow(s.encoder.Categorical(), s.row, rows, 0)
	if err != nil {
		return nil, err
	}
	return surrogate.FeasibilityOf(gp, verdicts(rows)), nil
}
