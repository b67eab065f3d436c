package studyfile

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"apollo/evaluator"
	"apollo/events"
	"apollo/optimizer/space"
	"apollo/services/study"
)

// Share says which part of a space passes every check that is free: the rules,
// and the constraints on metrics that the evaluator computes cheaply.
type Share struct {
	// Size is the number of designs in the space, each counted once (events.Designs);
	// math.MaxUint64 stands for 2^63 or more.
	Size uint64
	// Checked designs were looked at, Legal of them passed.
	Checked, Legal uint64
	// Exact says that every design was looked at, each once.
	Exact bool
	// Low and High enclose the share: both are it when Exact, otherwise they
	// are the 95 % score interval of Wilson (1927).
	Low, High float64
}

// Value is the share, 0 to 1: exact, or the best estimate.
func (s Share) Value() float64 { return float64(s.Legal) / float64(max(1, s.Checked)) }

// checker applies the free checks to points.
type checker struct {
	spec  events.Spec
	space space.Space
	judge *events.Judge
	cheap evaluator.Checker
}

// bind makes the free checks of a study; what is missing has been reported.
func (b *builder) bind() *checker {
	var err error
	at, c := b.field("space"), &checker{spec: *b.spec}
	c.spec.KnownConstraints = "checked"
	c.space, err = b.spec.Space()
	if b.when(err != nil, at, codeOutOfRange, "Restrict some parameters.", "%s", err) {
		return nil
	}
	c.judge, err = events.NewJudge(b.spec)
	if b.when(err != nil, at, codeExpression, "", "%s", err) || !b.builtin() {
		return c
	}
	e, err := b.template.Backend.New(b.task(c.space.Params(), ""))
	b.when(err != nil, at, codeContradicts, "", "the evaluator %q cannot take this study: %s", b.desc.Name, err)
	c.cheap, _ = e.(evaluator.Checker)
	return c
}

// legal returns the checks as a predicate for one goroutine: with these rules
// and constraints instead of the study's.
func (c *checker) legal(rules []events.Rule, constraints []events.Constraint) func(space.Point) bool {
	spec := c.spec
	spec.Rules, spec.Constraints = rules, constraints
	// The study has been judged with all of its rules.
	if judge, err := events.NewJudge(&spec); err == nil {
		if legal := study.Legality(&spec, c.space, judge, c.cheap); legal != nil {
			return legal
		}
	}
	return func(space.Point) bool { return true }
}

// Bounds of the search for a legal design while a study is read; chosen so
// that the search ends in about a second. Longer rules take longer to check:
// beyond shortRules bytes in all, fewer designs are looked at.
const (
	provable   = 1 << 20
	shortRules = 2000
)

// LegalShare returns the share of legal designs: exact when the space has at
// most n designs, otherwise estimated from n designs drawn uniformly with a
// fixed seed. n below 1 counts as 1.
func (d *Document) LegalShare(n int) Share { return d.checker.share(uint64(max(1, n)), math.MaxUint64) }

// drawsEach is how often a point is drawn for each design that is looked at, at most: most
// points can be other names of a design. Then fewer designs are looked at.
const drawsEach = 20

// share stops early when enough legal designs were seen.
func (c *checker) share(n, enough uint64) Share {
	points := c.space.Size()
	s := Share{Size: c.designs(), Exact: points <= n}
	draw, legal := c.draws(0), c.legal(c.spec.Rules, c.spec.Constraints)
	tries, again := drawsEach*n, s.Size < points
	if s.Exact {
		tries = points
	}
	values := make([]space.Value, 0, c.space.Len())
	for i := uint64(0); i < tries && s.Checked < n && s.Legal < enough; i++ {
		var p space.Point
		if s.Exact {
			p = c.space.At(i)
		} else {
			p = draw()
		}
		if again {
			if values = c.space.AppendValues(values[:0], p); !c.judge.ConditionsOK(values) {
				continue // another name of a design
			}
		}
		if s.Checked++; legal(p) {
			s.Legal++
		}
	}
	s.Low, s.High = s.Value(), s.Value()
	if !s.Exact {
		s.Low, s.High = wilson(s.Legal, s.Checked)
	}
	return s
}

// designs is the number of designs, each counted once.
func (c *checker) designs() uint64 {
	if n, err := events.Designs(c.spec.Parameters); err == nil {
		return n
	}
	return c.space.Size() // the conditions have been compiled: there is no such error
}

// draws returns what draws points uniformly, each in the same memory.
func (c *checker) draws(seed uint64) func() space.Point {
	rng := rand.New(rand.NewPCG(seed, c.space.Size()))
	p := make(space.Point, c.space.Len())
	return func() space.Point {
		for i := range p {
			p[i] = rng.IntN(c.space.Param(i).Len())
		}
		return p
	}
}

// wilson is the score interval for a share at 95 % confidence.
func wilson(k, n uint64) (low, high float64) {
	if n == 0 {
		return 0, 1
	}
	const z = 1.959964 // the 97.5 % point of the normal distribution
	f, p := float64(n), float64(k)/float64(n)
	centre := p + z*z/(2*f)
	half := z * math.Sqrt(p*(1-p)/f+z*z/(4*f*f))
	return max(0, (centre-half)/(1+z*z/f)), min(1, (centre+half)/(1+z*z/f))
}

// legalAtFull reports a space with legal designs of which none counts: all of them are of
// cheaper values of the study's fidelity.
func (b *builder) legalAtFull(c *checker) {
	at := b.spec.FidelityColumn()
	if len(b.found) > 0 || at < 0 {
		return
	}
	full := *c
	full.spec.Parameters = slices.Clone(c.spec.Parameters)
	p := &full.spec.Parameters[at]
	p.Values, p.Labels = p.Values[max(0, len(p.Values)-1):], p.Labels[max(0, len(p.Labels)-1):]
	var err error
	if full.space, err = full.spec.Space(); err != nil {
		return // c has one
	}
	if full.judge, err = events.NewJudge(&full.spec); err != nil {
		return
	}
	b.findLegal(&full, fmt.Sprintf(" at %s %s, which alone counts,", p.Name, full.space.Param(at).Value(0)))
}

// findLegal reports a space in which no legal design could be found; where says which
// part of the study's it is.
func (b *builder) findLegal(c *checker, where string) {
	if len(b.found) > 0 {
		return
	}
	var baseline []space.Value
	also := ""
	if b.template != nil {
		baseline, also = b.template.Baseline, "the baseline, "
	}
	legal := c.legal(b.spec.Rules, b.spec.Constraints)
	length := 0
	for _, r := range b.spec.Rules {
		length += len(r.Expr)
	}
	slower := uint64(1 + length/shortRules)
	if slices.ContainsFunc(study.Corners(c.space, c.judge, baseline), legal) {
		return
	}
	var s Share
	if points := c.space.Size(); points <= provable/slower {
		s = c.share(points, 1)
	} else {
		for p := range study.Sample(c.space, c.judge, int(study.Sampled/slower)) {
			if s.Checked++; legal(p) {
				return
			}
		}
	}
	if s.Legal > 0 {
		return
	}
	at, hint := b.field("space"), fmt.Sprintf("Loosen %s.", cmp.Or(c.worst(), "the rules or the constraints"))
	b.when(s.Exact, at, codeNoLegal, hint, "none of the %d designs%s passes the rules and constraints", s.Size, where)
	all, err := c.spec.DesignCount()
	if err != nil {
		all = c.space.Count()
	}
	b.when(!s.Exact, at, codeNoLegal, hint, "none of %d sampled designs (of %d)%s, and neither %sthe smallest nor the largest design, passes the rules and constraints", s.Checked, all, where, also)
}

// worst names the rule or constraint that stops most of a thousand designs.
func (c *checker) worst() string {
	most, name := 0, ""
	conditions := c.legal(nil, nil)
	try := func(label string, rules []events.Rule, constraints []events.Constraint) {
		draw, legal, n := c.draws(1), c.legal(rules, constraints), 0
		for range 1000 {
			// What a condition refuses is not the rule's.
			if p := draw(); conditions(p) && !legal(p) {
				n++
			}
		}
		if n > most {
			most, name = n, fmt.Sprintf("%s, which refuses %.3g %% of the designs", label, float64(n)/10)
		}
	}
	for _, r := range c.spec.Rules {
		try(fmt.Sprintf("the rule %q", r.ID), []events.Rule{r}, nil)
	}
	for _, k := range c.spec.Constraints {
		try("the constraint on "+short(c.spec.Metrics[c.spec.MetricIndex(k.Metric)]), nil, []events.Constraint{k})
	}
	return name
}
