package transfer

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"

	"apollo/archiver"
	"apollo/evaluator/workload"
	"apollo/events"
	"apollo/optimizer"
	"apollo/optimizer/space"
	"apollo/services/study"
)

// What a source is used for: the words of events.SourcePin.Use.
const (
	// UseMerge: the same measurement; its trials are judged again.
	UseMerge = "merge"
	// UseSeed: its best designs are tried first.
	UseSeed = "seed"
	// UseModel: seeds, and a prior that has to earn its weight.
	UseModel = "model"
)

// methodMerge is the method that takes no source but those that merge.
const methodMerge = "merge"

// Target is the study that learns.
type Target struct {
	Spec *events.Spec
	// Legal is the study's free check; nil means that everything passes. It is
	// called by one goroutine.
	Legal func(space.Point) bool
	// Baseline is the template's baseline in the order of Spec.Parameters: it
	// stands in for parameters that a source lacks. Nil takes middle levels.
	Baseline events.Design
	// Network returns the layers of a network; nil means that nobody knows
	// them, and networks are only told apart.
	Network func(events.Network) (*workload.Workload, error)
	// Identity is who measures an evaluator of one's own, empty where the first answer
	// decides: then nothing is merged; nil when nobody asks. A built-in one is known by its version.
	Identity *events.Identity
}

// Candidate says what a source is good for.
type Candidate struct {
	Study string `json:"study"`
	Run   string `json:"run"`
	// Use is merge, seed or model; "" when Refused says why not.
	Use     string `json:"use,omitempty"`
	Refused string `json:"refused,omitempty"`
	// Why says why the archive's search chose it.
	Why string `json:"why,omitempty"`
	// Measured says who measured, of an evaluator of one's own.
	Measured string `json:"measured,omitempty"`
	// Unordered says that the search drops the source: its values are in no order.
	Unordered bool `json:"unordered,omitempty"`
	// Rows is the number of trials in the files, Kept how many are used.
	Rows   int    `json:"rows"`
	Kept   int    `json:"kept"`
	SHA256 string `json:"sha256,omitempty"`
	// Foreign counts sound rows with a label that this study does not have, Outside
	// those with a count beyond its levels where the files tell no unit,
	// Merged designs that fell onto the same point, Failed evaluations that
	// broke: they say nothing.
	Foreign int `json:"foreign"`
	Outside int `json:"outside,omitempty"`
	Merged  int `json:"same_point"`
	// Voided are rows that the source measured anew.
	Voided int `json:"voided,omitempty"`
	// Stopped are rows whose evaluation was stopped early: nobody knows their answer.
	Stopped int `json:"stopped,omitempty"`
	// LowFidelity are rows of a fidelity that does not count in the source.
	LowFidelity int          `json:"low_fidelity,omitempty"`
	Failed      int          `json:"failed"`
	Quarantine  []Quarantine `json:"quarantine"`
	Damaged     []string     `json:"damaged_files"`
	// LeftOut are sound files that are not used, each with the reason; Empty
	// counts those without rows.
	LeftOut    []string `json:"left_out_files"`
	Empty      int      `json:"empty_files,omitempty"`
	Parameters []Match  `json:"parameters"`
	Metrics    []Match  `json:"metrics"`
	// Examples are the first rows that are not used for a reason, in words.
	Examples map[string]string `json:"examples,omitempty"`
	// WorkloadSimilarity is 1 for the same networks, towards 0 for others;
	// left out where a network's layers are not known.
	WorkloadSimilarity *float64 `json:"workload_similarity,omitempty"`
}

// Learner turns sources, one after the other, into knowledge for a study.
type Learner struct {
	target   Target
	space    space.Space
	judge    *events.Judge
	workload []float64
	units    []string // of the objectives
	taken    map[space.Key]bool

	knowledge study.Knowledge
	pins      []events.SourcePin
}

// NewLearner returns a learner that has seen nothing. The errors name what is
// wrong with the study's specification.
func NewLearner(t Target) (*Learner, error) {
	sp, err := t.Spec.Space()
	if err != nil {
		return nil, err
	}
	judge, err := events.NewJudge(t.Spec)
	if err != nil {
		return nil, err
	}
	l := &Learner{target: t, space: sp, judge: judge, taken: map[space.Key]bool{}}
	if l.target.Legal == nil {
		l.target.Legal = func(space.Point) bool { return true }
	}
	for _, o := range t.Spec.Objectives {
		l.units = append(l.units, t.Spec.Metrics[t.Spec.MetricIndex(o.Metric)].Unit)
	}
	l.workload = l.Features(t.Spec)
	l.knowledge.Workload = l.workload
	return l, nil
}

// Features are nil where a network is not known.
func (l *Learner) Features(spec *events.Spec) []float64 {
	if l.target.Network == nil || spec == nil {
		return nil
	}
	f, err := Features(spec.Networks, l.target.Network)
	if err != nil {
		return nil
	}
	return f
}

// Knowledge returns what all sources gave, and their pins, in the order in
// which they were added.
func (l *Learner) Knowledge() (study.Knowledge, []events.SourcePin) {
	return l.knowledge, l.pins
}

// Add learns from a source. why says why the archive's search chose it, ""
// when the study names it. The candidate is filled in as far as it is known
// when there is an error: the source does not fit, or cannot be read.
func (l *Learner) Add(log *archiver.SourceLog, why string) (Candidate, error) {
	c := Candidate{Study: log.Study, Run: log.Run, Why: why, Quarantine: []Quarantine{}, Damaged: []string{}, LeftOut: []string{}, Empty: log.Empty}
	for _, d := range log.Damaged {
		c.Damaged = append(c.Damaged, d.Error())
	}
	for _, f := range log.LeftOut {
		c.LeftOut = append(c.LeftOut, f.Error())
	}
	if log.Unkeyed > 0 {
		c.Quarantine = append(c.Quarantine, Quarantine{BadKey, log.Unkeyed})
	}
	err := l.learnFrom(log, &c)
	if err != nil {
		c.Use, c.Refused = "", err.Error()
		return c, fmt.Errorf("source %s: %w", log.Study, err)
	}
	return c, nil
}

func (l *Learner) learnFrom(log *archiver.SourceLog, c *Candidate) error {
	m, err := l.match(renamed(log))
	if err != nil {
		return err
	}
	c.Parameters, c.Metrics = m.paramMatches, m.metricMatches
	if c.Use, err = l.use(m, log.Columns.Spec); err != nil {
		return err
	}
	features := l.Features(log.Columns.Spec)
	if features != nil && l.workload != nil {
		c.WorkloadSimilarity = new(workloadSimilarity(features, l.workload))
	}
	s := newScreen(l, m, log.Columns)
	if c.SHA256, err = s.run(log); err != nil {
		return err
	}
	if c.Use, err = l.used(log, s, c); err != nil {
		return err
	}
	picks, err := l.pick(log, s, c)
	c.Examples = s.examples
	c.Rows, c.Kept, c.Quarantine = s.rows, len(picks), append(c.Quarantine, s.quarantine()...)
	switch {
	case err != nil:
		return err
	case len(picks) == 0:
		return fmt.Errorf("none of its %d rows can be used%s", s.rows, c.worst())
	}
	if c.Use == UseMerge {
		l.merge(log, picks)
	} else {
		l.task(log, picks, m, features)
	}
	pin := events.SourcePin{
		Study: log.Study, Run: log.Run, Trials: s.rows, SHA256: c.SHA256, Use: c.Use,
		Quarantined: s.quarantined(), DamagedFiles: len(log.Damaged), LeftOut: c.leftOut(), Why: c.Why,
	}
	if s.rows-pin.Quarantined > maxKept {
		pin.Kept = len(picks)
	}
	l.pins = append(l.pins, pin)
	return nil
}

// leftOut counts what is not used, by reason.
func (c *Candidate) leftOut() []events.LeftOut {
	var all []events.LeftOut
	for _, q := range c.Quarantine {
		all = append(all, events.LeftOut{Reason: q.Reason, Rows: q.Rows})
	}
	for _, n := range []events.LeftOut{
		{Reason: "label", Rows: c.Foreign},
		{Reason: "outside", Rows: c.Outside},
		{Reason: "failed", Rows: c.Failed},
		{Reason: "same_point", Rows: c.Merged},
		{Reason: "voided", Rows: c.Voided},
		{Reason: "stopped", Rows: c.Stopped},
		{Reason: events.ReasonLowFidelity, Rows: c.LowFidelity},
		{Reason: "damaged", Files: len(c.Damaged)},
		{Reason: "unread", Files: len(c.LeftOut)},
		{Reason: "empty", Files: c.Empty},
	} {
		if n.Rows+n.Files > 0 {
			all = append(all, n)
		}
	}
	return all
}

// worst says why most of the rows that are not used are not, with the first example.
func (c *Candidate) worst() string {
	all := c.leftOut()
	if len(all) == 0 {
		return ""
	}
	most := slices.MaxFunc(all, func(a, b events.LeftOut) int { return a.Rows - b.Rows })
	why := fmt.Sprintf(": %d: %s", most.Rows, ReasonText(most.Reason))
	if example := c.Examples[most.Reason]; example != "" {
		why += ", as in " + example
	}
	return why
}

// use says what a source is good for. Its trials are this study's own only
// where the same version of the evaluator measured them: another one gives
// another number for the same design. Where the study does not say its version, used
// looks at who measured.
func (l *Learner) use(m *mapping, source *events.Spec) (string, error) {
	spec := l.target.Spec
	method := ""
	if spec.Transfer != nil {
		method = spec.Transfer.Method
	}
	same := m.exact && source != nil && sameMeasurement(spec, source)
	switch {
	case same && (method == "" || method == methodMerge):
		return UseMerge, nil
	case method == methodMerge:
		return "", errors.New("it is not the same measurement: merge needs the same networks, evaluator, version, parameters and metrics")
	case method == UseSeed:
		return UseSeed, nil
	}
	return UseModel, nil
}

// asks reports whether a study's specification leaves open who measures.
func (l *Learner) asks() bool {
	return l.target.Spec.Evaluator.Version == "" && !l.target.Spec.Evaluator.Manual
}

// merges reports whether the study takes no source but those that merge.
func (l *Learner) merges() bool {
	return l.target.Spec.Transfer != nil && l.target.Spec.Transfer.Method == methodMerge
}

// used is what becomes of a source once its rows are read: a name says nothing of
// who measured, so the trials of another program, or of another version of it, are no
// measurements of this study.
func (l *Learner) used(log *archiver.SourceLog, s *screen, c *Candidate) (string, error) {
	if !l.asks() {
		return c.Use, nil
	}
	c.Measured = s.measuredBy()
	ours := l.target.Identity
	switch {
	case c.Use != UseMerge || ours == nil || log.Use == UseMerge:
		return c.Use, nil
	case log.Use == "" && s.allBy(*ours):
		return UseMerge, nil
	case l.merges():
		return "", notTheSame(cmp.Or(c.Measured, by(events.Identity{})), *ours, slices.ContainsFunc(s.who, func(who events.Identity) bool { return who.Program != "" }))
	}
	return UseModel, nil
}

// notTheSame refuses to merge what another evaluator measured; told says that the log
// tells programs.
func notTheSame(measured string, ours events.Identity, told bool) error {
	why := ""
	if ours.Program != "" && !told {
		why = "; its log does not tell the program, as logs that were written before programs were recorded"
	}
	return fmt.Errorf("it is not the same measurement: it was measured by %s, this study is by %s%s: `method: auto` makes a model of it", measured, by(ours), why)
}

func by(who events.Identity) string {
	if who == (events.Identity{}) {
		return "an evaluator that nobody knows more of than its name"
	}
	return who.String()
}

func sameMeasurement(a, b *events.Spec) bool {
	sameMetric := func(x, y events.Metric) bool { return x.Name == y.Name && x.Unit == y.Unit }
	sameParameter := func(x, y events.Parameter) bool { return x.Name == y.Name && x.Unit == y.Unit }
	return a.Template == b.Template && a.Evaluator.Name == b.Evaluator.Name && a.Evaluator.Version == b.Evaluator.Version &&
		sameNetworks(a.Networks, b.Networks) && a.Search == b.Search && a.MapperGoal() == b.MapperGoal() && slices.EqualFunc(a.Measured(), b.Measured(), sameMetric) &&
		slices.EqualFunc(a.Parameters, b.Parameters, sameParameter)
}

// objectives returns the values to minimise, or nil when one is missing.
func (l *Learner) objectives(values []float64) []float64 {
	out := make([]float64, len(l.target.Spec.Objectives))
	for i, o := range l.target.Spec.Objectives {
		v := values[l.target.Spec.MetricIndex(o.Metric)]
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil
		}
		if out[i] = v; o.Goal == "maximize" {
			out[i] = -v
		}
	}
	return out
}

// pick reads the source a second time for the trials that are used, and a
// third time for rows that contradict those.
func (l *Learner) pick(log *archiver.SourceLog, s *screen, c *Candidate) ([]*pick, error) {
	chosen := newSelection(len(l.units), s.rows-s.quarantined(), s.edges)
	row := -1
	for t, err := range log.Trials {
		if err != nil {
			return nil, err
		}
		if row++; s.isBad(row) {
			continue
		}
		if s.voided[t.Trial] {
			c.Voided++
			continue
		}
		if t.Outcome == events.OutcomeStopped {
			c.Stopped++
			continue
		}
		if spec := log.Columns.Spec; spec != nil && !spec.Full(t.Design) {
			c.LowFidelity++
			continue
		}
		if t.Outcome == events.OutcomeFailed {
			c.Failed++
			continue
		}
		point, moved, ok := s.mapping.point(l.space, l.judge, t.Design)
		if !ok {
			reason, example := s.mapping.unknown(l.space, t.Design)
			if s.examples[reason] == "" {
				s.examples[reason] = example
			}
			if reason == "outside" {
				c.Outside++
			} else {
				c.Foreign++
			}
			continue
		}
		p := &pick{trial: t, point: point, moved: moved, values: s.mapping.values(t.Values), priority: priority(t.Trial)}
		if t.Outcome == events.OutcomeMeasured {
			if p.objectives = l.objectives(p.values); s.absurd(p.objectives) {
				s.mark(row, BadValue)
				continue
			}
		}
		l.rejudge(p)
		chosen.offer(p)
	}
	picks, err := l.uncontested(log, s, chosen.all())
	if err != nil {
		return nil, err
	}
	distinct := l.distinct(picks, c)
	return distinct, nil
}

// rejudge applies this study's rules, constraints and free checks.
func (l *Learner) rejudge(p *pick) {
	r := events.TrialResult{Outcome: p.trial.Outcome, Values: p.values, Reason: p.trial.Reason}
	j := l.judge.Judge(l.space.Values(p.point), &r)
	p.status, p.violation = optimizer.Infeasible, j.Violation
	if j.Reason != nil {
		p.cause = j.Reason.Code
	}
	if j.Feasible && l.target.Legal(p.point) {
		p.status = optimizer.Measured
	}
}

// uncontested drops the picks that another row of the source contradicts, and
// marks the rows.
func (l *Learner) uncontested(log *archiver.SourceLog, s *screen, picks []*pick) ([]*pick, error) {
	deterministic := s.cols.Spec != nil && s.cols.Spec.Evaluator.Deterministic
	chosen := make(map[string]*pick, len(picks))
	var key []byte
	for _, p := range picks {
		key = designKey(key[:0], p.trial.Design)
		if chosen[string(key)] == nil {
			chosen[string(key)] = p
		}
	}
	contested := map[*pick]bool{}
	// said[p] are the rows that agree with p: they fall with it.
	said := map[*pick][]int{}
	row := -1
	for t, err := range log.Trials {
		if err != nil {
			return nil, err
		}
		if row++; s.isBad(row) || s.voided[t.Trial] || t.Outcome == events.OutcomeFailed || t.Outcome == events.OutcomeStopped {
			continue
		}
		key = designKey(key[:0], t.Design)
		p := chosen[string(key)]
		if p == nil {
			continue
		}
		if len(said[p]) < maxKept {
			said[p] = append(said[p], row)
		}
		one, two := p.trial.Values, t.Values
		if s.cols.Spec == nil {
			// Any other number may be an index or a clock: it contradicts nothing.
			one, two = p.values, s.mapping.values(t.Values)
		}
		if p.trial.Outcome != t.Outcome && deterministic || p.trial.Outcome == t.Outcome && !agree(deterministic, one, two) {
			contested[p] = true
		}
	}
	for p := range contested {
		for _, row := range said[p] {
			s.mark(row, Contradiction)
		}
	}
	return slices.DeleteFunc(picks, func(p *pick) bool {
		key = designKey(key[:0], p.trial.Design)
		return contested[chosen[string(key)]]
	}), nil
}

func designKey(b []byte, design []space.Value) []byte {
	for _, v := range design {
		b = append(events.AppendValue(b, v), ' ')
	}
	return b
}

// distinct keeps one pick a point: the one that moved least on its way there,
// then the earliest.
func (l *Learner) distinct(picks []*pick, c *Candidate) []*pick {
	at := make(map[space.Key]int, len(picks))
	var out []*pick
	for _, p := range picks {
		i, seen := at[l.space.Key(p.point)]
		if !seen {
			at[l.space.Key(p.point)] = len(out)
			out = append(out, p)
			continue
		}
		c.Merged++
		if p.moved < out[i].moved {
			out[i] = p
		}
	}
	slices.SortStableFunc(out, func(a, b *pick) int { return a.trial.Trial - b.trial.Trial })
	return out
}
