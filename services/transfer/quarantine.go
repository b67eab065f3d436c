package transfer

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"apollo/archiver"
	"apollo/events"
	"apollo/events/unit"
	"apollo/optimizer/space"
)

// Why a row is not used.
const (
	// BadOutcome: the outcome is no word of the format, or the trial's number
	// is missing or negative.
	BadOutcome = "outcome"
	// BadHash: the design is not the one that the row's hash was made of.
	BadHash = "design_hash"
	// BadWorkload: the row was measured on other networks than its study says.
	BadWorkload = "workload_hash"
	// OtherNetwork: the design ran a network that this study does not measure. Only
	// in studies that search the network, or of those that do.
	OtherNetwork = "other_network"
	// BadDesign: a parameter has no value, or the design lies outside its own
	// study's space.
	BadDesign = "design"
	// BadValue: an objective is missing, or a number is infinite, absurd, or
	// beyond what a double holds exactly.
	BadValue = "value"
	// BadKey: the row names no study or no run.
	BadKey = "key"
	// Contradiction: two rows say different things about one trial or design.
	Contradiction = "contradiction"
)

// ReasonText says in words why rows or files are not used; a word that it does not
// know as it is.
func ReasonText(reason string) string {
	switch reason {
	case BadOutcome:
		return "the outcome is no word of the format, or the trial's number is missing"
	case BadHash:
		return "the design is not the one that its hash was made of"
	case BadWorkload:
		return "measured on other networks than its study says"
	case OtherNetwork:
		return "of a network that this study does not measure"
	case BadDesign:
		return "a parameter is missing, or outside of its own study's space"
	case BadValue:
		return "the objective is missing, infinite, absurd or beyond a double"
	case BadKey:
		return "of no study or no run"
	case Contradiction:
		return "two rows say different things about one design"
	case "label":
		return "a label that this study does not have"
	case "outside":
		return "beyond this study's levels, and the files tell no unit"
	case "failed":
		return "the evaluation failed"
	case "same_point":
		return "another row is nearer to the same design here"
	case "voided":
		return "the source measured them anew"
	}
	return reason
}

// Quarantine counts the rows that are not used for one reason.
type Quarantine struct {
	Reason string `json:"reason"`
	Rows   int    `json:"rows"`
}

const (
	// absurdFactor is how far a value may be from the median of its metric;
	// chosen: a design space spans two or three powers of ten, a wrong unit
	// or a damaged exponent more than six.
	absurdFactor = 1e6
	// sampleSize bounds the sample that medians and strata come from.
	sampleSize = 1024
	// noisy is the factor between two answers for one design that an evaluator
	// with noise may give; chosen. A deterministic one gives the same.
	noisy = 1.5
	// few is the share of values within the study's range, one in so many, below which
	// values without a unit are taken for another count; chosen: a sweep has a
	// study's few levels among its many, values off by a factor next to none.
	few = 20
)

// screen is what the first pass over a source finds out: which rows cannot be
// true, and how the objective is distributed. It needs one bit a row.
type screen struct {
	learner *Learner
	mapping *mapping
	cols    *archiver.Columns
	own     *space.Space // the source's own space; nil when it does not tell
	params  []events.Parameter
	netHash string // where all designs run the same

	rows   int
	bad    []uint64     // bit set over rows
	voided map[int]bool // trials that the source measured anew
	who    []events.Identity
	// examples are the first rows of some reasons.
	examples map[string]string
	counts   map[string]int
	inside   []int // rows within this study's range, by guessed parameter
	sample   reservoir
	scale    []float64 // median of |objective|
	// edges divide the sound values of the first objective into strata.
	edges []float64
}

func newScreen(l *Learner, m *mapping, cols *archiver.Columns) *screen {
	s := &screen{learner: l, mapping: m, cols: cols, counts: map[string]int{}, examples: map[string]string{}, voided: map[int]bool{}, inside: make([]int, len(m.params))}
	s.sample.rng = rand.New(rand.NewPCG(l.target.Spec.Seed, 1))
	for _, p := range cols.Parameters {
		s.params = append(s.params, events.Parameter{Name: p.Name})
	}
	if cols.Spec != nil {
		if sp, err := cols.Spec.Space(); err == nil {
			s.own = &sp
		}
		if cols.Spec.Search == "" {
			s.netHash = archiver.WorkloadHash(cols.Spec.Networks)
		}
	}
	return s
}

func (s *screen) mark(row int, reason string) {
	for len(s.bad) <= row/64 {
		s.bad = append(s.bad, 0)
	}
	if s.isBad(row) {
		return
	}
	s.bad[row/64] |= 1 << (row % 64)
	s.counts[reason]++
}

func (s *screen) isBad(row int) bool {
	return row/64 < len(s.bad) && s.bad[row/64]&(1<<(row%64)) != 0
}

// run reads the source once. It returns the hash of everything that was read.
func (s *screen) run(log *archiver.SourceLog) (string, error) {
	hash := events.NewTrialHash()
	last := -1
	for t, err := range log.Trials {
		if err != nil {
			return "", err
		}
		hash.Add(t.Trial, t.Design, t.Outcome, t.Values)
		if reason := s.check(&t); reason != "" {
			if s.mark(s.rows, reason); reason == BadOutcome && s.counts[reason] == 1 {
				s.examples[reason] = fmt.Sprintf("trial %d with the outcome %q (words are measured, infeasible, failed, stopped)", t.Trial, unit.Clip(t.Outcome, 40))
			}
		}
		if s.rows > 0 && t.Trial == last {
			s.mark(s.rows-1, Contradiction)
			s.mark(s.rows, Contradiction)
		}
		last = t.Trial
		if who := identity(log, &t); who != (events.Identity{}) && !slices.Contains(s.who, who) && len(s.who) < 2 {
			s.who = append(s.who, who)
		}
		if v, ok := events.VoidedBy(t.Origin); ok {
			s.voided[v] = true
		}
		s.measure(&t)
		s.rows++
	}
	if s.rows == 0 {
		return "", archiver.ErrNoSource
	}
	if err := s.guesses(); err != nil {
		return "", err
	}
	s.distribution()
	return hash.String(), nil
}

// identity is who measured a row; of one that does not tell the program who measures
// the run. A reused row is no measurement of the run.
func identity(log *archiver.SourceLog, t *archiver.Trial) events.Identity {
	if t.Identity.Program == "" && t.Identity.Version == log.Identity.Version && !strings.HasPrefix(t.Origin, "reuse:") {
		return log.Identity
	}
	return t.Identity
}

// allBy reports whether one evaluator measured all rows that were measured. Two of
// which nobody knows more than a name are not one.
func (s *screen) allBy(who events.Identity) bool {
	return len(s.who) == 1 && s.who[0] == who
}

func (s *screen) measuredBy() string {
	switch len(s.who) {
	case 0:
		return ""
	case 1:
		return by(s.who[0])
	}
	return "several evaluators, such as " + by(s.who[0]) + " and " + by(s.who[1])
}

// workload is the hash of what a design ran, "" where nobody knows.
func (s *screen) workload(design []space.Value) string {
	if s.cols.Spec == nil || s.cols.Spec.Search == "" {
		return s.netHash
	}
	return archiver.WorkloadHash(s.cols.Spec.NetworksOf(design))
}

// ranAnother reports whether a design of a study that searches the network ran one
// that this study does not measure.
func (s *screen) ranAnother(design []space.Value) bool {
	from, spec := s.cols.Spec, s.learner.target.Spec
	if from == nil || from.Search == "" {
		return false
	}
	ran := from.NetworksOf(design)
	if len(ran) == 0 {
		return true
	}
	ours, theirs := spec.SearchedFamily(), from.SearchedFamily()
	switch {
	case ours != nil && theirs != nil: // the parameters say which, to both
		return ours.Members != theirs.Members
	case ours != nil:
		return ours.Own != ran[0].SHA256
	}
	same := func(n events.Network) bool { return n.SHA256 == ran[0].SHA256 }
	if spec.Search == "" {
		return len(spec.Networks) != 1 || !same(spec.Networks[0])
	}
	i := slices.IndexFunc(spec.Networks, func(n events.Network) bool { return n.Name == ran[0].Name })
	return i < 0 || !same(spec.Networks[i])
}

// check returns why a row cannot be true as it stands, or "".
func (s *screen) check(t *archiver.Trial) string {
	if !events.IsOutcome(t.Outcome) || t.Trial < 0 {
		return BadOutcome
	}
	// What this study does not ask for may be missing: other files may have it.
	for i, c := range s.mapping.params {
		if c.index >= 0 && !given(t.Design[c.index], s.learner.space.Param(i).Categorical()) {
			return BadDesign
		}
	}
	// Without a specification the order of the columns says nothing.
	if s.cols.Spec != nil && t.DesignHash != "" && t.DesignHash != archiver.DesignHash(s.params, t.Design) {
		return BadHash
	}
	if s.own != nil {
		if _, err := s.own.Point(t.Design); err != nil {
			return BadDesign
		}
	}
	if hash := s.workload(t.Design); t.WorkloadHash != "" && hash != "" && t.WorkloadHash != hash {
		return BadWorkload
	}
	if s.ranAnother(t.Design) {
		return OtherNetwork
	}
	values := s.mapping.values(t.Values)
	for _, v := range values {
		if math.IsInf(v, 0) {
			return BadValue
		}
	}
	if t.Outcome == events.OutcomeMeasured && s.learner.objectives(values) == nil {
		return BadValue
	}
	return ""
}

// given reports whether a parameter has a value.
func given(v space.Value, categorical bool) bool {
	if categorical {
		return v.Label != ""
	}
	return !math.IsNaN(v.Num) && !math.IsInf(v.Num, 0)
}

// measure takes a sound row into the statistics.
func (s *screen) measure(t *archiver.Trial) {
	if s.isBad(s.rows) {
		return
	}
	for i, c := range s.mapping.params {
		p := s.learner.space.Param(i)
		if !c.guessed || p.Categorical() {
			continue
		}
		if !outside(p, t.Design[c.index].Num) {
			s.inside[i]++
		}
	}
	if t.Outcome == events.OutcomeMeasured {
		s.sample.offer(s.learner.objectives(s.mapping.values(t.Values)))
	}
}

// guesses refuses units that were assumed and cannot be right.
func (s *screen) guesses() error {
	sound := s.rows - s.quarantined()
	for i, c := range s.mapping.params {
		p := s.learner.space.Param(i)
		least, hint := 2, "write the unit into the metadata apollo.units"
		if p.Unit == "" {
			least, hint = few, "rename it in the source, or bring its values to this study's"
		}
		if c.guessed && !p.Categorical() && least*s.inside[i] < sound {
			return fmt.Errorf("parameter %q: the files tell no unit, and %d of %d values lie outside this study's %s to %s: %s",
				p.Name, sound-s.inside[i], sound, text(p, 0), text(p, p.Len()-1), hint)
		}
	}
	return nil
}

// distribution computes medians and strata from the sample.
func (s *screen) distribution() {
	if len(s.sample.items) == 0 {
		return
	}
	for i := range s.sample.items[0] {
		var all []float64
		for _, item := range s.sample.items {
			if item[i] != 0 {
				all = append(all, math.Abs(item[i]))
			}
		}
		slices.Sort(all)
		median := 0.0
		if len(all) > 0 {
			median = all[len(all)/2]
		}
		s.scale = append(s.scale, median)
	}
	var first []float64
	for _, item := range s.sample.items {
		if !s.absurd(item) {
			first = append(first, item[0])
		}
	}
	slices.Sort(first)
	for i := 1; i < strata && len(first) > 0; i++ {
		s.edges = append(s.edges, first[i*len(first)/strata])
	}
}

// absurd reports values that no design of this kind has: six powers of ten
// away from the median. Zero is one where the metric has a unit: nothing is
// computed in no time, on no area.
func (s *screen) absurd(objectives []float64) bool {
	for i, v := range objectives {
		scale, size := s.scale[i], math.Abs(v)
		if scale == 0 {
			continue
		}
		if size > scale*absurdFactor || size < scale/absurdFactor && (size > 0 || s.learner.units[i] != "") {
			return true
		}
	}
	return false
}

func (s *screen) quarantined() int {
	n := 0
	for _, c := range s.counts {
		n += c
	}
	return n
}

// quarantine lists the counts, most rows first.
func (s *screen) quarantine() []Quarantine {
	var out []Quarantine
	for reason, n := range s.counts {
		out = append(out, Quarantine{reason, n})
	}
	slices.SortFunc(out, func(a, b Quarantine) int {
		return cmp.Or(cmp.Compare(b.Rows, a.Rows), cmp.Compare(a.Reason, b.Reason))
	})
	return out
}

// agree reports whether two answers for one design can both be true. What one
// of them does not say is no contradiction.
func agree(deterministic bool, a, b []float64) bool {
	for i := range a {
		x, y := a[i], b[i]
		if math.IsNaN(x) || math.IsNaN(y) || x == y {
			continue
		}
		d := math.Abs(x-y) / math.Max(math.Abs(x), math.Abs(y))
		if deterministic && d > closeEnough || d > 1-1/noisy {
			return false
		}
	}
	return true
}

// reservoir is a uniform sample of what it was given (Vitter's algorithm R).
type reservoir struct {
	rng   *rand.Rand
	seen  int
	items [][]float64
}

func (r *reservoir) offer(item []float64) {
	r.seen++
	if len(r.items) < sampleSize {
		r.items = append(r.items, item)
		return
	}
	if i := r.rng.IntN(r.seen); i < sampleSize {
		r.items[i] = item
	}
}
