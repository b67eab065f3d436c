package transfer

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"apollo/events"
)

// Tried is a finished trial of a run, as the report needs it.
type Tried struct {
	Trial  int
	Origin string
	// Feasible trials have a Value: that of the study's first objective.
	Feasible bool
	Value    float64
}

// What the comparison of the arms says.
const (
	// Helped: the arm that knew of the sources was as good in fewer trials.
	Helped = "helped"
	// Hurt: the control arm was as good in fewer trials.
	Hurt = "hurt"
	// unclear: neither can be claimed.
	unclear = "~"
	// NoControl: there is nothing to compare with.
	NoControl = "no control"
)

// Report says what transfer brought to a run.
type Report struct {
	Study  string `json:"study"`
	Run    string `json:"run"`
	Metric string `json:"metric"`
	Unit   string `json:"unit"`
	Goal   string `json:"goal"`
	// Search knew of the sources, Control did not.
	Search  Arm `json:"search"`
	Control Arm `json:"control"`
	// Compared is the number of trials of each arm that are compared.
	Compared int `json:"compared"`
	// Saved is the number of those trials that the sources saved, negative
	// where they cost some; nil without a control arm.
	Saved *Interval `json:"saved" jsonschema:"nullable"`
	// P is the two-sided p-value of the test that swaps paired trials.
	P *float64 `json:"p" jsonschema:"nullable"`
	// Verdict is helped, hurt, ~ or no control.
	Verdict string `json:"verdict"`
	// Alarms say in words what went wrong; empty when nothing did.
	Alarms []string `json:"alarms"`
	// Credit is what each source did, in pinned order.
	Credit []Credit `json:"credit"`
}

// Interval is an estimate with its 95 % interval.
type Interval struct {
	Estimate float64 `json:"estimate"`
	Low      float64 `json:"low"`
	High     float64 `json:"high"`
}

// Arm is the trials of one arm.
type Arm struct {
	// Trials were evaluated; Known were taken over from a source and cost
	// nothing.
	Trials   int `json:"trials"`
	Known    int `json:"known"`
	Feasible int `json:"feasible"`
	// Best is the best value; nil when none is feasible.
	Best *float64 `json:"best" jsonschema:"nullable"`
	// Curve is the best value after each trial; null before the first feasible
	// one. Curve[0] is what was known before the first trial.
	Curve []*float64 `json:"curve"`
}

// Credit is what one source brought.
type Credit struct {
	events.SourcePin
	// Origins counts its trials by what they came from: "seed", "reuse",
	// "transfer:rgpe", …
	Origins  []OriginCount `json:"origins"`
	Trials   int           `json:"trials"`
	Feasible int           `json:"feasible"`
	// Improved is how many of its trials were the run's best so far.
	Improved int `json:"improved"`
	// Share of the run's whole improvement, from the first feasible trial to
	// the best one, that came with its trials.
	Share float64 `json:"share"`
	// FoundBest: the run's best trial is one of them.
	FoundBest bool `json:"found_best"`
}

// OriginCount counts trials.
type OriginCount struct {
	Origin string `json:"origin"`
	Trials int    `json:"trials"`
}

// controlPrefix begins the origins of the control arm.
const controlPrefix = "control/"

// NewReport compares the arms of a run and credits its sources. tried is in the
// order of the trials. With several objectives it looks at the first one.
func NewReport(spec *events.Spec, run string, pins []events.SourcePin, tried []Tried) *Report {
	o := spec.Objectives[0]
	r := &Report{Study: spec.Study, Run: run, Metric: o.Metric, Goal: o.Goal, Verdict: NoControl, Alarms: []string{}}
	if i := spec.MetricIndex(o.Metric); i >= 0 {
		r.Unit = spec.Metrics[i].Unit
	}
	sign := 1.0
	if o.Goal == "maximize" {
		sign = -1
	}
	var search, control armValues
	for _, t := range tried {
		v := math.Inf(1)
		if t.Feasible {
			v = sign * t.Value
		}
		origin, _ := events.OriginBeforeFork(t.Origin)
		switch {
		case strings.HasPrefix(origin, controlPrefix):
			control.record(v)
		case strings.HasPrefix(origin, "reuse:"):
			search.know(v)
		default:
			search.record(v)
		}
	}
	r.Search, r.Control = search.summary(sign), control.summary(sign)
	r.compare(spec.Seed, &search, &control)
	r.credit(pins, tried, sign)
	r.alarm()
	return r
}

// armValues is the values of an arm in order, minimised; +Inf where a trial is not
// feasible.
type armValues struct {
	known  float64 // best value that cost nothing
	knew   int
	values []float64
}

func (a *armValues) record(v float64) { a.values = append(a.values, v) }

func (a *armValues) know(v float64) {
	if a.knew == 0 || v < a.known {
		a.known = v
	}
	a.knew++
}

// start is what the arm begins with.
func (a *armValues) start() float64 {
	if a.knew == 0 {
		return math.Inf(1)
	}
	return a.known
}

func (a *armValues) summary(sign float64) Arm {
	out := Arm{Trials: len(a.values), Known: a.knew, Curve: make([]*float64, 0, len(a.values)+1)}
	best := a.start()
	at := func() *float64 {
		if math.IsInf(best, 1) {
			return nil
		}
		return new(sign * best)
	}
	out.Curve = append(out.Curve, at())
	for _, v := range a.values {
		if !math.IsInf(v, 1) {
			out.Feasible++
		}
		best = min(best, v)
		out.Curve = append(out.Curve, at())
	}
	out.Best = at()
	return out
}

// source returns the study that a trial's origin credits, and what kind of
// origin it is.
func source(origin string) (study, kind string, ok bool) {
	kind, rest, found := strings.Cut(origin, ":")
	if !found {
		return "", "", false
	}
	switch kind {
	case "seed", "reuse":
		i := strings.LastIndexByte(rest, '/')
		return rest[:max(i, 0)], kind, i > 0
	case "transfer":
		method, from, _ := strings.Cut(rest, ":")
		study, _, _ = strings.Cut(from, "/")
		return study, kind + ":" + method, true
	}
	return "", "", false
}

// together is the name of credit that no single source has.
const together = "(several sources)"

// credit follows the run's best value and says which source each step came from.
func (r *Report) credit(pins []events.SourcePin, tried []Tried, sign float64) {
	index := map[string]int{}
	for _, p := range pins {
		if _, twice := index[p.Study]; !twice {
			index[p.Study] = len(r.Credit)
			r.Credit = append(r.Credit, Credit{SourcePin: p, Origins: []OriginCount{}})
		}
	}
	best, total, owner := math.Inf(1), 0.0, -1
	for _, t := range tried {
		i := -1
		first, _ := events.OriginBeforeFork(t.Origin)
		if study, kind, ok := source(first); ok {
			i = r.creditOf(index, study)
			r.Credit[i].count(kind, t.Feasible)
		}
		v := sign * t.Value
		if !t.Feasible || v >= best {
			continue
		}
		gain := step(best, v)
		total += gain
		best, owner = v, i
		if i >= 0 {
			r.Credit[i].Improved++
			r.Credit[i].Share += gain
		}
	}
	for i := range r.Credit {
		c := &r.Credit[i]
		c.FoundBest = i == owner
		if total > 0 {
			c.Share /= total
		}
		slices.SortFunc(c.Origins, func(a, b OriginCount) int { return cmp.Compare(a.Origin, b.Origin) })
	}
	if r.Credit == nil {
		r.Credit = []Credit{}
	}
}

// step is how much an improvement is worth: logarithmic where both values are
// positive, so that halving counts the same wherever it happens.
func step(from, to float64) float64 {
	switch {
	case math.IsInf(from, 1):
		return 0
	case to > 0:
		return math.Log(from / to)
	case from < 0:
		return math.Log(to / from)
	}
	return (from - to) / math.Max(math.Abs(from), math.Abs(to))
}

func (r *Report) creditOf(index map[string]int, study string) int {
	switch {
	case study == "" && len(index) == 1 && len(r.Credit) == 1:
		return 0 // all of them together are one
	case study == "":
		study = together
	}
	i, ok := index[study]
	if !ok {
		i = len(r.Credit)
		index[study] = i
		r.Credit = append(r.Credit, Credit{SourcePin: events.SourcePin{Study: study}, Origins: []OriginCount{}})
	}
	return i
}

func (c *Credit) count(kind string, feasible bool) {
	c.Trials++
	if feasible {
		c.Feasible++
	}
	i := slices.IndexFunc(c.Origins, func(o OriginCount) bool { return o.Origin == kind })
	if i < 0 {
		i = len(c.Origins)
		c.Origins = append(c.Origins, OriginCount{Origin: kind})
	}
	c.Origins[i].Trials++
}
