package dashboard

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"apollo/events"
	"apollo/services/certify"
	"apollo/services/cli"
	"apollo/services/draw"
)

// LadderAnswer is what studies found that differ in one limit: the best under each.
type LadderAnswer struct {
	Networks  []string `json:"networks"`
	Evaluator string   `json:"evaluator"`
	Metric    string   `json:"metric"`
	Unit      string   `json:"unit"`
	Goal      string   `json:"goal"`
	// Limited is the metric whose limit differs, in LimitUnit.
	Limited   string `json:"limited"`
	LimitUnit string `json:"limit_unit"`
	// Rungs are the studies, by rising limit.
	Rungs []Rung `json:"rungs"`
	// Proven are the proven optima that the server knows, by rising limit.
	Proven []ProvenRung `json:"proven"`
}

// Rung is a study's latest run on a ladder.
type Rung struct {
	Study     string  `json:"study"`
	Run       string  `json:"run"`
	State     string  `json:"state"`
	Algorithm string  `json:"algorithm"`
	Limit     float64 `json:"limit"`
	// Value is the best of the run, Used how much of the limit it takes, and Trial its
	// number; left out while nothing is feasible.
	Value *float64 `json:"value,omitempty"`
	Used  *float64 `json:"used,omitempty"`
	Trial *int     `json:"trial,omitempty"`
	// Known is the best that any of the studies found within the limit.
	Known *float64 `json:"known,omitempty"`
	// Slope is how Known changes from the next lower limit, per unit of the limit.
	Slope *float64 `json:"slope,omitempty"`
}

// ProvenRung is the proven optimum under a limit.
type ProvenRung struct {
	Limit float64 `json:"limit"`
	// Value is left out where no design is feasible.
	Value *float64 `json:"value,omitempty"`
	// Slope is how it changes from the next lower limit, per unit of the limit.
	Slope *float64 `json:"slope,omitempty"`
}

// ladder is studies that differ in the limit on a metric, and in how they search.
type ladder struct {
	key     string
	limited string
	spec    *events.Spec // of the first
	rungs   []Rung
}

// ladders are all of the studies that are listed, the longest first.
func ladders(all []Listed) []*ladder {
	found := map[string]*ladder{}
	var out []*ladder
	for i := range all {
		l := &all[i]
		if len(l.spec.Objectives) != 1 || l.State == "unreadable" {
			continue
		}
		for _, c := range l.spec.Constraints {
			if c.Max == nil || c.Metric == l.spec.Objectives[0].Metric || l.spec.MetricIndex(c.Metric) < 0 {
				continue
			}
			key := l.ladders[c.Metric]
			on := found[key]
			if on == nil {
				on = &ladder{key: key, limited: c.Metric, spec: l.spec}
				found[key], out = on, append(out, on)
			}
			on.rungs = append(on.rungs, rungOf(l, &c))
		}
	}
	for _, l := range out {
		slices.SortFunc(l.rungs, func(a, b Rung) int { return cmp.Or(cmp.Compare(a.Limit, b.Limit), cmp.Compare(a.Study, b.Study)) })
		l.know()
	}
	slices.SortStableFunc(out, func(a, b *ladder) int {
		return cmp.Or(cmp.Compare(len(b.rungs), len(a.rungs)), cmp.Compare(a.rungs[0].Study, b.rungs[0].Study))
	})
	return out
}

// ladderKey is the same for studies that measure the same designs by the same metrics,
// and differ in nothing that makes a design feasible but the limit on a metric.
func ladderKey(spec *events.Spec, limited string) string {
	others := slices.Clone(spec.Constraints)
	for i := range others {
		if others[i].Metric == limited {
			others[i].Max = nil
		}
	}
	slices.SortFunc(others, func(a, b events.Constraint) int { return cmp.Compare(a.Metric, b.Metric) })
	b, err := json.Marshal([]any{
		limited, spec.Template, spec.Parameters, spec.Rules, spec.Networks, spec.Search, spec.Metrics, spec.Objectives, others, spec.Evaluator.Name, spec.Evaluator.Version,
	})
	if err != nil {
		return ""
	}
	return sum(b)
}

// ladderKeys are the keys of the ladders that a study is on, by the metric whose limit
// differs.
func ladderKeys(spec *events.Spec) map[string]string {
	keys := map[string]string{}
	for _, c := range spec.Constraints {
		if c.Max != nil {
			keys[c.Metric] = ladderKey(spec, c.Metric)
		}
	}
	return keys
}

func rungOf(l *Listed, c *events.Constraint) Rung {
	r := Rung{Study: l.Study, Run: l.Run, State: l.State, Algorithm: l.Algorithm, Limit: *c.Max}
	if l.Best == nil {
		return r
	}
	if v, measured := l.Best.Metrics[l.spec.Objectives[0].Metric]; measured {
		r.Value, r.Trial = &v, new(l.Best.Trial)
	}
	if v, measured := l.Best.Metrics[c.Metric]; measured {
		r.Used = &v
	}
	return r
}

// know works out what is known under each limit, of all studies, and what a unit of the
// limit is worth.
func (l *ladder) know() {
	sign := 1.0
	if l.spec.Objectives[0].Goal == "maximize" {
		sign = -1
	}
	var below *Rung // the last one under the next lower limit
	for i := range l.rungs {
		r := &l.rungs[i]
		for k := range l.rungs {
			o := &l.rungs[k]
			within := o.Limit <= r.Limit || o.Used != nil && *o.Used <= r.Limit
			if o.Value != nil && within && (r.Known == nil || sign**o.Value < sign**r.Known) {
				r.Known = o.Value
			}
		}
		if i > 0 && l.rungs[i-1].Limit < r.Limit {
			below = &l.rungs[i-1]
		}
		if below != nil && below.Known != nil && r.Known != nil {
			r.Slope = new((*r.Known - *below.Known) / (r.Limit - below.Limit))
		}
	}
}

// limits are the different ones, rising.
func (l *ladder) limits() (out []float64) {
	for i := range l.rungs {
		if i == 0 || l.rungs[i].Limit != l.rungs[i-1].Limit {
			out = append(out, l.rungs[i].Limit)
		}
	}
	return out
}

// provenFor is how long what is proven is not looked up again: a page that follows
// studies asks every second.
const provenFor = 20 * time.Second

// provenRungs are what was proven of a ladder, as it was looked up last.
type provenRungs struct {
	at     time.Time
	limits []float64
	steps  []certify.Optimum
}

// proven looks up what is proven of a ladder.
func (s *Server) proven(r *http.Request, l *ladder) ([]ProvenRung, error) {
	if s.Proven == nil {
		return nil, nil
	}
	limits := l.limits()
	s.mu.Lock()
	last := s.provens[l.key]
	s.mu.Unlock()
	if time.Since(last.at) > provenFor || !slices.Equal(last.limits, limits) {
		if !s.admit(r) {
			return nil, r.Context().Err()
		}
		defer s.leave()
		last = provenRungs{time.Now(), limits, s.Proven(r.Context(), l.spec, l.limited, limits)}
		s.mu.Lock()
		if len(s.provens) >= maxWatches {
			clear(s.provens)
		}
		s.provens[l.key] = last
		s.mu.Unlock()
	}
	var out []ProvenRung
	for i, step := range last.steps {
		rung := ProvenRung{Limit: step.Limit, Value: step.Value}
		if i > 0 && step.Value != nil && last.steps[i-1].Value != nil {
			rung.Slope = new((*step.Value - *last.steps[i-1].Value) / (step.Limit - last.steps[i-1].Limit))
		}
		out = append(out, rung)
	}
	return out, nil
}

// errNoLadder says that no study has what a ladder needs.
var errNoLadder = errors.New("no study has one objective and a limit on another metric: with studies under several limits there is a ladder here")

// ladderOf finds the ladder that an address asks for. The study "" is that of the longest
// one; the limit "" is the study's first.
func (s *Server) ladderOf(r *http.Request) (l *ladder, all []*ladder, status int, err error) {
	s.settle(r)
	all = ladders(s.index.list(time.Now()))
	study, limit := r.URL.Query().Get("study"), r.URL.Query().Get("limit")
	if len(all) == 0 {
		return nil, nil, http.StatusNotFound, errNoLadder
	}
	var best *ladder
	for _, l := range all {
		has := study == "" || slices.ContainsFunc(l.rungs, func(r Rung) bool { return r.Study == study })
		if has && (limit == "" || l.limited == limit) {
			if best == nil || limit == "" && study != "" && firstLimit(l.spec) == l.limited && firstLimit(best.spec) != best.limited {
				best = l
			}
		}
	}
	if best == nil {
		return nil, all, http.StatusNotFound, fmt.Errorf("study %.60q has no limit %.60q at most on a metric beside its one objective", study, limit)
	}
	return best, all, http.StatusOK, nil
}

func studiesText(n int) string {
	if n == 1 {
		return "1 study"
	}
	return cli.Count(n) + " studies"
}

func firstLimit(spec *events.Spec) string {
	for _, c := range spec.Constraints {
		if c.Max != nil {
			return c.Metric
		}
	}
	return ""
}

func (s *Server) ladderAnswer(r *http.Request) (*LadderAnswer, *ladder, []*ladder, int, error) {
	l, all, status, err := s.ladderOf(r)
	if err != nil {
		return nil, nil, all, status, err
	}
	proven, err := s.proven(r, l)
	if err != nil {
		return nil, nil, all, http.StatusServiceUnavailable, err
	}
	o := l.spec.Objectives[0]
	a := &LadderAnswer{
		Networks: networksOf(l.spec), Evaluator: l.spec.Evaluator.Name, Metric: o.Metric, Goal: o.Goal, Limited: l.limited, Rungs: l.rungs, Proven: append([]ProvenRung{}, proven...),
		Unit: l.spec.Metrics[l.spec.MetricIndex(o.Metric)].Unit, LimitUnit: l.spec.Metrics[l.spec.MetricIndex(l.limited)].Unit,
	}
	return a, l, all, http.StatusOK, nil
}

func networksOf(spec *events.Spec) []string {
	names := []string{}
	for i := range spec.Networks {
		names = append(names, spec.Networks[i].Name)
	}
	return names
}

func (s *Server) apiLadder(w http.ResponseWriter, r *http.Request) {
	a, _, _, status, err := s.ladderAnswer(r)
	switch {
	case context.Cause(r.Context()) != nil: // the client is gone
	case err != nil:
		http.Error(w, err.Error(), status)
	default:
		answer(w, r, a)
	}
}

// ladderPage is what the page of a ladder shows.
type ladderPage struct {
	Events, Error   string
	None            bool
	Title, Facts    string
	Choices         []choice
	Cards           []card
	Picture         *picture
	Metric, Limited string
	PerUnit         string
	Rows            []rungRow
	Proven          []provenRow
	Sweep           string // what proves more
}

type rungRow struct {
	Study, Link, State, Algorithm, Limit, Used, Value, Trial, TrialLink, Known, Slope, Gap string
	Here                                                                                   bool
}

type provenRow struct{ Limit, Value, Slope string }

func (s *Server) ladderNow(w http.ResponseWriter, r *http.Request, pages *template.Template) {
	a, l, all, status, err := s.ladderAnswer(r)
	if context.Cause(r.Context()) != nil {
		return // the client is gone
	}
	p := &ladderPage{Events: "/api/v1/events"}
	if err != nil {
		p.Error, p.None = err.Error(), errors.Is(err, errNoLadder)
		if p.None {
			status = http.StatusOK
		}
		refuse(w, r, pages, status, "ladder", p)
		return
	}
	p.fill(a, l.spec, r.URL.Query().Get("study"))
	for _, other := range all {
		text := strings.Join(networksOf(other.spec), ", ") + ", " + cmp.Or(other.spec.Template, other.spec.Evaluator.Name) + ": " +
			shortName(other.spec, other.spec.Objectives[0].Metric) + " against " + shortName(other.spec, other.limited) + ", " + studiesText(len(other.rungs))
		link := "/ladder?" + url.Values{"study": {other.rungs[0].Study}, "limit": {other.limited}}.Encode()
		p.Choices = append(p.Choices, choice{strings.TrimPrefix(text, ", "), link, other == l})
	}
	render(w, r, pages, "ladder", p)
}

func (p *ladderPage) fill(a *LadderAnswer, spec *events.Spec, here string) {
	value := func(v *float64) string {
		if v == nil {
			return "–"
		}
		return amount(*v, a.Unit)
	}
	p.Metric, p.Limited = shortName(spec, a.Metric), shortName(spec, a.Limited)
	p.Title = "Best " + p.Metric + " against the limit on " + p.Limited
	p.Facts = strings.Join(append(slices.Clone(a.Networks), a.Evaluator), ", ")
	p.PerUnit = perUnit(a.LimitUnit)
	proven := map[float64]*float64{}
	for _, step := range a.Proven {
		proven[step.Limit] = step.Value
		p.Proven = append(p.Proven, provenRow{amount(step.Limit, a.LimitUnit), value(step.Value), a.slope(step.Slope)})
	}
	for i := range a.Rungs {
		r := &a.Rungs[i]
		row := rungRow{
			Study: r.Study, State: r.State, Algorithm: r.Algorithm, Limit: amount(r.Limit, a.LimitUnit), Used: "–", Value: value(r.Value), Trial: "–", Known: value(r.Known), Gap: "–",
			Link: "/studies/" + url.PathEscape(r.Study) + "?" + url.Values{"run": {r.Run}}.Encode(), Here: r.Study == here,
		}
		if r.Used != nil {
			row.Used = amount(*r.Used, a.LimitUnit)
		}
		if r.Trial != nil {
			row.Trial, row.TrialLink = cli.Count(*r.Trial), "/studies/"+url.PathEscape(r.Study)+fmt.Sprintf("/trials/%d?", *r.Trial)+url.Values{"run": {r.Run}}.Encode()
		}
		if row.Slope = "–"; i == 0 || a.Rungs[i-1].Limit != r.Limit {
			row.Slope = a.slope(r.Slope)
		}
		if best := proven[r.Limit]; best != nil && r.Value != nil {
			row.Gap = "optimal"
			if *best != *r.Value {
				row.Gap = signs(cli.Percent(math.Abs(*r.Value-*best) / max(math.Abs(*best), math.SmallestNonzeroFloat64)))
			}
			if maximize := spec.Objectives[0].Goal == "maximize"; maximize && *r.Value > *best || !maximize && *r.Value < *best {
				row.Gap = "better than proven: please report it"
			}
		}
		p.Rows = append(p.Rows, row)
	}
	p.Cards = a.prices(here)
	p.Picture = a.draw(spec, here)
	p.Sweep = fmt.Sprintf("apollo certify STUDY.yaml --sweep %s=LOW..HIGH", p.Limited)
}

// perUnit is what a slope is per.
func perUnit(unit string) string {
	if unit == "" {
		return ""
	}
	return "per " + strings.ReplaceAll(unit, "mm2", "mm²")
}

func (a *LadderAnswer) slope(v *float64) string {
	if v == nil {
		return "–"
	}
	text := amount(math.Abs(*v), a.Unit)
	switch {
	case *v < 0:
		return "−" + text
	case *v > 0:
		return "+" + text
	}
	return text
}

// prices say what a unit of the limit is worth below and above the limit of a study, or
// of the middle one: by what is proven where that is known on both sides.
func (a *LadderAnswer) prices(here string) (out []card) {
	if len(a.Rungs) == 0 {
		return nil
	}
	at := &a.Rungs[len(a.Rungs)/2]
	for i := range a.Rungs {
		if a.Rungs[i].Study == here {
			at = &a.Rungs[i]
		}
	}
	known := card{ID: "known", Title: "Best known at " + amount(at.Limit, a.LimitUnit), Value: "none", Note: "no design is feasible yet"}
	if at.Known != nil {
		known.Value, known.Note = amount(*at.Known, a.Unit), "found by any of the studies within that limit"
	}
	out = append(out, known)
	kind, steps := "proven", a.Proven
	below, above := around(steps, at.Limit)
	if below == nil && above == nil {
		kind, steps = "of what was found", nil
		for i := range a.Rungs {
			if r := &a.Rungs[i]; i == 0 || a.Rungs[i-1].Limit != r.Limit {
				steps = append(steps, ProvenRung{Limit: r.Limit, Value: r.Known, Slope: r.Slope})
			}
		}
		below, above = around(steps, at.Limit)
	}
	for _, side := range []struct {
		id, title string
		step      *ProvenRung
	}{{"price-below", "Price %s, below", below}, {"price-above", "Price %s, above", above}} {
		if side.step != nil {
			at := slices.IndexFunc(steps, func(s ProvenRung) bool { return s.Limit == side.step.Limit })
			from := steps[max(at-1, 0)].Limit // a slope is from the step before
			title := fmt.Sprintf(side.title, perUnit(a.LimitUnit))
			out = append(out, card{ID: side.id, Title: title, Value: a.slope(side.step.Slope), Note: kind + ", from " + amount(from, a.LimitUnit) + " to " + amount(side.step.Limit, a.LimitUnit)})
		}
	}
	return out
}

// around returns the step that ends at a limit or spans it, and the one after it; nil
// where there is none with a slope.
func around(steps []ProvenRung, limit float64) (below, above *ProvenRung) {
	i := slices.IndexFunc(steps, func(s ProvenRung) bool { return s.Limit >= limit })
	if i >= 0 && steps[i].Slope != nil {
		below = &steps[i]
	}
	if i >= 0 && i+1 < len(steps) && steps[i+1].Slope != nil {
		above = &steps[i+1]
	}
	return below, above
}

// draw draws what studies found against their limits, what is known, and what is proven.
func (a *LadderAnswer) draw(spec *events.Spec, here string) *picture {
	limited := shortName(spec, a.Limited)
	text := func(unit string) func(float64) string { return func(v float64) string { return amount(v, unit) } }
	c := &draw.Chart{
		Title: "Best " + shortName(spec, a.Metric) + " against the limit on " + limited,
		X:     draw.Axis{Title: "limit on " + limited, Text: text(a.LimitUnit), Log: true}, Y: draw.Axis{Title: shortName(spec, a.Metric), Text: text(a.Unit), Log: true},
	}
	found := draw.Series{Name: "best of a study", Class: "cloud " + kindFeasible}
	mine := draw.Series{Name: "this study", Class: "found", Over: true}
	known := draw.Series{Name: "best known", Class: lineLook(0), Line: true}
	for i := range a.Rungs {
		r := &a.Rungs[i]
		if r.Value != nil {
			found.X, found.Y = append(found.X, r.Limit), append(found.Y, *r.Value)
			if r.Study == here {
				mine.X, mine.Y = append(mine.X, r.Limit), append(mine.Y, *r.Value)
				mine.Titles = append(mine.Titles, fmt.Sprintf("trial %d: %s, %s", *r.Trial, r.Study, amount(*r.Value, a.Unit)))
			}
		}
		if r.Known != nil && (i == 0 || a.Rungs[i-1].Limit != r.Limit) {
			known.X, known.Y = append(known.X, r.Limit), append(known.Y, *r.Known)
		}
	}
	proven := draw.Series{Name: "proven optimum", Class: lineLook(2), Look: 1, Line: true}
	for _, s := range a.Proven {
		if s.Value != nil {
			proven.X, proven.Y = append(proven.X, s.Limit), append(proven.Y, *s.Value)
			proven.Titles = append(proven.Titles, "proven optimum "+amount(*s.Value, a.Unit))
		}
	}
	for _, s := range []draw.Series{found, known, proven, mine} {
		if len(s.X) > 0 {
			c.Series = append(c.Series, s)
		}
	}
	return pictured(c)
}
