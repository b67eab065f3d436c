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
	// Size is the number of designs in the space.
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
func (s Share) Value() float64 {
	if s.Checked == 0 {
		return 0
	}
	return float64(s.Legal) / float64(s.Checked)
}

// checker applies the free checks to points. It is used by one goroutine.
type checker struct {
	space  space.Space
	judge  *events.Judge
	cheap  evaluator.Checker
	values []space.Value
	dst    []float64
}

func (c *checker) legal(p space.Point) bool {
	c.values = c.space.AppendValues(c.values[:0], p)
	if !c.judge.RulesOK(c.values) {
		return false
	}
	if c.cheap == nil {
		return true
	}
	c.cheap.Check(c.values, c.dst)
	return c.judge.MetricsOK(c.dst)
}

// bind makes the free checks of a study.
func (b *builder) bind(doc *Document) *checker {
	var err error
	c := &checker{dst: make([]float64, len(b.spec.Metrics))}
	if c.space, err = b.spec.Space(); err != nil {
		b.add(b.field("space"), codeOutOfRange, "Restrict some parameters.", "%s", err)
		return nil
	}
	if c.judge, err = events.NewJudge(b.spec); err != nil {
		b.add(b.field("space"), codeExpression, "", "%s", err)
		return nil
	}
	doc.checker = c
	if !b.builtin() {
		return c
	}
	e, err := b.template.Backend.New(evaluator.Task{Params: c.space.Params(), Networks: b.networks})
	if err != nil {
		b.add(b.field("space"), codeContradicts, "", "the evaluator %q cannot take this study: %s", b.desc.Name, err)
		return nil
	}
	c.cheap, _ = e.(evaluator.Checker)
	return c
}

// Bounds of the search for a legal design while a study is read; chosen so
// that the search ends in about a second. Longer rules take longer to check:
// beyond shortRules bytes in all, fewer designs are looked at.
const (
	provable   = 200_000
	shortRules = 2000
)

// LegalShare returns the share of legal designs: exact when the space has at
// most n designs, otherwise estimated from n designs drawn uniformly with a
// fixed seed. n below 1 counts as 1.
func (d *Document) LegalShare(n int) Share {
	c := *d.checker
	c.values, c.dst = nil, make([]float64, len(c.dst))
	return c.share(uint64(max(1, n)), math.MaxUint64)
}

// share stops early when enough legal designs were seen.
func (c *checker) share(n, enough uint64) Share {
	s := Share{Size: c.space.Size()}
	s.Exact = s.Size <= n
	draw := c.draws(0)
	for s.Checked < min(n, s.Size) && s.Legal < enough {
		p := draw
		if s.Exact {
			p = func() space.Point { return c.space.At(s.Checked) }
		}
		if c.legal(p()) {
			s.Legal++
		}
		s.Checked++
	}
	s.Low, s.High = s.Value(), s.Value()
	if !s.Exact {
		s.Low, s.High = wilson(s.Legal, s.Checked)
	}
	return s
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
	const z = 1.959964 // the 97.5 % point of the normal distribution
	f, p := float64(n), float64(k)/float64(n)
	centre := p + z*z/(2*f)
	half := z * math.Sqrt(p*(1-p)/f+z*z/(4*f*f))
	return max(0, (centre-half)/(1+z*z/f)), min(1, (centre+half)/(1+z*z/f))
}

// findLegal reports a space in which no legal design could be found.
func (b *builder) findLegal(c *checker) {
	if c == nil {
		return
	}
	var baseline []space.Value
	also := ""
	if b.template != nil {
		baseline, also = b.template.Baseline, "the baseline, "
	}
	corners := study.Corners(c.space, c.judge, baseline)
	if slices.ContainsFunc(corners, c.legal) {
		return
	}
	length := 0
	for _, r := range b.spec.Rules {
		length += len(r.Expr)
	}
	slower := uint64(1 + length/shortRules)
	s := c.share(provable/slower, 1)
	if !s.Exact {
		s.Checked, s.Legal = 0, 0
		for p := range study.Sample(c.space, c.judge, int(study.Sampled/slower)) {
			if s.Checked++; c.legal(p) {
				return
			}
		}
	}
	if s.Legal > 0 {
		return
	}
	hint := fmt.Sprintf("Loosen %s.", cmp.Or(b.worst(c), "the rules or the constraints"))
	at := b.field("space")
	b.when(s.Exact, at, codeNoLegal, hint, "none of the %d designs passes the rules and constraints", s.Size)
	b.when(!s.Exact, at, codeNoLegal, hint, "none of %d sampled designs (of %d), and neither %sthe smallest nor the largest design, passes the rules and constraints", s.Checked, c.space.Count(), also)
}

// worst names the rule or constraint that stops most of a thousand designs.
func (b *builder) worst(c *checker) string {
	bare := *b.spec
	bare.Rules, bare.Constraints = nil, nil
	conditions, err := events.NewJudge(&bare)
	if err != nil {
		return "" // reported
	}
	most, name := 0, ""
	try := func(label string, rules []events.Rule, constraints []events.Constraint) {
		one := bare
		one.Rules, one.Constraints = rules, constraints
		j, err := events.NewJudge(&one)
		if err != nil {
			return
		}
		draw, n := c.draws(1), 0
		for range 1000 {
			c.values = c.space.AppendValues(c.values[:0], draw())
			// What a condition refuses is not the rule's.
			broken := conditions.RulesOK(c.values) && !j.RulesOK(c.values)
			if constraints != nil && c.cheap != nil {
				c.cheap.Check(c.values, c.dst)
				broken = !j.MetricsOK(c.dst)
			}
			if broken {
				n++
			}
		}
		if n > most {
			most, name = n, fmt.Sprintf("%s, which refuses %.3g %% of the designs", label, float64(n)/10)
		}
	}
	for _, r := range b.spec.Rules {
		try(fmt.Sprintf("the rule %q", r.ID), []events.Rule{r}, nil)
	}
	for _, k := range b.spec.Constraints {
		try(fmt.Sprintf("the constraint on %s", short(b.spec.Metrics[b.spec.MetricIndex(k.Metric)])), nil, []events.Constraint{k})
	}
	return name
}
