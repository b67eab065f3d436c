package dashboard

import (
	"fmt"
	"html/template"
	"maps"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"apollo/events"
	"apollo/services/cli"
	"apollo/services/inspect"
	"apollo/services/study"
)

// studyPage is what the page of a run shows.
type studyPage struct {
	*snapshot
	Study, Run, State, Reason string
	Facts                     []string
	Cards                     []card
	Best, Plane, Shares       *picture
	Links                     []choice // pages that say more of it
	Axes                      axes
	Causes, Origins           []tallyRow
	Table                     table
	Base                      []baseRow
	Reading                   bool
	Left                      int // batches that are not counted yet
	Error                     string
	Credit                    string // what is counted of an origin
	Events                    string // where changes are told
	Points                    string // where charts get the trials
	Controls                  *controls
	Exports                   []choice
	Importance                *importanceRows // nil until somebody asks
	Transfer                  string          // its page; "" without sources
	Measure                   string          // asks for it
	Feed                      []feedRow
	Work                      template.HTML   // over time, by worker
	Slices                    []template.HTML // nil until somebody asks
	Fields                    []field         // what the address says, for a form that adds to it
	Inside                    string          // how many trials lie in a brush; "" without one
	Version                   uint64          // what changes are told from
	Whole                     bool            // the best so far is that of all trials, whatever is brushed
	Sampled                   bool            // charts have a part of the trials

	inside   *snapshot // of those
	SlicesOf string
	Repair   string // asks for the smallest repairs
	Looking  int    // of those that are still looked for
}

// card is one number of the headline. Share, where it is not 0, is drawn as a bar
// of 1000.
type card struct {
	ID, Title, Value, Note string
	Share                  int
	Bad                    bool
	Link, LinkText         string
}

type tallyRow struct {
	Tallied
	Share, FeasibleShare, Improved, Link string
	Repair                               string
	Example                              int // the trial of the repair
}

// baseRow compares one metric of the best trial with the baseline.
type baseRow struct{ Name, Best, Baseline, Gain string }

// axes are the metrics to choose from.
type axes struct {
	X, Y    string
	Metrics []events.Metric
	Hidden  []field // what else the address says
}

type field struct{ Name, Value string }

// feedRow is an event for people.
type feedRow struct{ When, Kind, Text string }

// page makes the page of a snapshot for an address.
func (s *snapshot) page(v url.Values, rate string) *studyPage {
	p := &studyPage{
		snapshot: s, Study: s.view.Study, Run: s.view.Run, State: string(s.view.State), Reason: s.view.Reason, Reading: s.reading, Left: int(min(s.left, math.MaxInt32)), Version: s.version,
		Events: "/api/v1/events?" + url.Values{"study": {s.view.Study}, "run": {s.view.Run}}.Encode(),
	}
	p.Points = "/api/v1/studies/" + url.PathEscape(s.view.Study) + "/points?" + url.Values{"run": {s.view.Run}}.Encode()
	if s.view.State == study.Completed && p.Reason == "budget" {
		p.Reason = "" // the rule, no news
	}
	if s.err != nil {
		p.Error = s.err.Error()
	}
	if len(s.spec.Objectives) == 0 {
		return p
	}
	p.Facts, p.Cards = s.facts(), s.cards(rate)
	p.brushed(v)
	if p.Credit = "Improved the best"; len(s.spec.Objectives) > 1 {
		p.Credit = "On the front"
	}
	p.Base = s.against()
	p.Measure, p.Sampled = with(v, "importance", "yes"), len(s.kept) > maxPoints
	if v.Get("repairs") == "" && inspect.Known(s.spec) {
		p.Repair = with(v, "repairs", "yes")
	}
	for _, e := range slices.Backward(s.feed) {
		p.Feed = append(p.Feed, feedRow{e.Time.Format(time.DateTime), e.Kind, e.Text})
	}
	p.Table, p.Exports = s.table(v), s.exports()
	if len(s.spec.Objectives) == 1 {
		for _, c := range s.spec.Constraints {
			if c.Max != nil && c.Metric != s.objective().Metric {
				text := "Budget ladder of " + shortName(s.spec, c.Metric)
				p.Links = append(p.Links, choice{Text: text, Link: "/ladder?" + url.Values{"study": {s.view.Study}, "limit": {c.Metric}}.Encode()})
			}
		}
	}
	if len(s.view.Sources) > 0 {
		p.Transfer = "/studies/" + url.PathEscape(s.view.Study) + "/transfer?" + url.Values{"run": {s.view.Run}}.Encode()
		p.Links = append(p.Links, choice{Text: "Transfer", Link: p.Transfer})
	}
	return p
}

// brushed fills what shows the trials that lie in the intervals of an address, which are
// all without one.
func (p *studyPage) brushed(v url.Values) {
	s := p.within(readIntervals(v["in"]))
	if p.inside = s; s != p.snapshot {
		p.Inside = cli.Count(len(s.kept)) + " of " + cli.Plural(len(p.kept), "trial")
	}
	if p.Shares, p.Work, p.Whole = s.drawShares(), s.drawWork(), len(s.spec.Objectives) > 1; p.Whole {
		p.Best = p.drawVolume()
	} else {
		p.Best = s.drawBest()
	}
	p.Axes = s.axes(v)
	for _, k := range slices.Sorted(maps.Keys(v)) {
		for _, text := range v[k] {
			p.Fields = append(p.Fields, field{k, text})
		}
	}
	p.Plane = s.drawPlane(s.spec.MetricIndex(p.Axes.X), s.spec.MetricIndex(p.Axes.Y))
	for _, c := range s.causes {
		p.Causes = append(p.Causes, tallyRow{Tallied: c, Share: cli.Share(c.Trials, s.counts.Trials), Link: with(v, "why", c.Code, "by", "", "kind", "", "page", "")})
	}
	for _, o := range s.origins {
		p.Origins = append(p.Origins, tallyRow{
			Tallied: o, Share: cli.Share(o.Trials, s.counts.Trials), FeasibleShare: cli.Share(o.Feasible, o.Trials-o.LowFidelity),
			Improved: strconv.Itoa(s.improvedBy(o.Code)), Link: with(v, "by", o.Code, "why", "", "kind", "", "page", ""),
		})
	}
}

// improvedBy counts the steps of the best so far that an origin made, or its designs
// on the front.
func (s *snapshot) improvedBy(origin string) (n int) {
	if len(s.spec.Objectives) > 1 {
		for _, b := range s.answer {
			if t := s.trial(b.Trial); t != nil && group(t.origin) == origin {
				n++
			}
		}
		return n
	}
	for _, m := range s.best {
		if m.Origin == origin {
			n++
		}
	}
	return n
}

// with is an address with some words changed; "" takes a word out.
func with(v url.Values, changes ...string) string {
	out := maps.Clone(v)
	for i := 0; i+1 < len(changes); i += 2 {
		out.Del(changes[i])
		if changes[i+1] != "" {
			out.Set(changes[i], changes[i+1])
		}
	}
	return "?" + out.Encode()
}

// facts say what is searched, in a few words.
func (s *snapshot) facts() (out []string) {
	for _, n := range s.spec.Networks {
		out = append(out, n.Name)
	}
	if s.spec.Template != "" {
		out = append(out, "template "+s.spec.Template)
	} else {
		out = append(out, "evaluator "+s.spec.Evaluator.Name)
	}
	out = append(out, "algorithm "+s.spec.Algorithm.Name, "seed "+strconv.FormatUint(s.spec.Seed, 10))
	for _, k := range slices.Sorted(maps.Keys(s.spec.Labels)) {
		out = append(out, k+"="+s.spec.Labels[k])
	}
	return out
}

// barSize is the whole of a card's bar.
const barSize = 1000

func (s *snapshot) cards(rate string) []card {
	var out []card
	if len(s.spec.Objectives) > 1 {
		out = s.frontCards()
	} else {
		out = s.bestCards()
	}
	done := card{ID: "trials", Title: "Trials", Value: cli.Count(s.counts.Trials), Note: "of " + cli.Count(s.view.Budget), Share: part(s.counts.Trials, s.view.Budget)}
	if rate != "" {
		done.Note += ", " + rate
	}
	could := s.counts.Trials - s.counts.Voided - s.counts.LowFidelity
	feasible := card{ID: "feasible", Title: "Feasible", Value: signs(cli.Share(s.counts.Feasible, could)), Share: part(s.counts.Feasible, could)}
	feasible.Note = fmt.Sprintf("%s over a limit, %s cannot run, %s failed",
		cli.Count(s.counts.Over), cli.Count(s.counts.Infeasible), cli.Count(s.counts.Failed))
	if n := s.counts.Stopped; n > 0 {
		feasible.Note += fmt.Sprintf(", %s stopped early", cli.Count(n))
	}
	if n := s.counts.LowFidelity; n > 0 {
		feasible.Note = fmt.Sprintf("of %s; %s of low fidelity. Of all: %s", cli.Plural(could, "trial"), cli.Count(n), feasible.Note)
	}
	return append(out, done, feasible)
}

func part(n, whole int) int {
	if whole <= 0 {
		return 0
	}
	return min(n*barSize/whole, barSize)
}

func (s *snapshot) bestCards() []card {
	o := s.objective()
	best := card{ID: "best", Title: "Best " + shortName(s.spec, o.Metric), Value: "none yet", Note: "no trial is feasible yet"}
	if s.view.State.Terminal() {
		best.Value, best.Note = "none", "no trial is feasible"
	}
	b := s.view.Best
	if b == nil {
		return []card{best}
	}
	best.Value, best.Note = bestText(s.spec, b, o.Metric), fmt.Sprintf("trial %d", b.Trial)
	if gain := s.gain(o, b.Metrics[o.Metric]); gain > 0 {
		best.Note += fmt.Sprintf(", %.2f× the baseline of %s", gain, metricText(s.spec, o.Metric, s.baseline.Metrics[o.Metric]))
	}
	best.Note += s.predicted(o.Metric, b)
	if s.optimum != nil {
		best.Note += ", " + s.distance(b.Metrics[o.Metric])
	}
	return append([]card{best}, s.limitCards(b)...)
}

// distance says how far a value is from the proven optimum.
func (s *snapshot) distance(v float64) string {
	gap := math.Abs(v - *s.optimum)
	if *s.optimum != 0 {
		gap /= math.Abs(*s.optimum)
	}
	if gap == 0 {
		return "optimal, proven"
	}
	return signs(cli.Percent(gap)) + " from the proven optimum"
}

// predicted marks an accuracy that nobody measured; "" for everything else.
func (s *snapshot) predicted(metric string, t *events.BestTrial) string {
	const interval = "accuracy_interval_percent"
	if half := t.Metrics[interval]; metric == "accuracy_percent" && half > 0 {
		return ", predicted within ±" + metricText(s.spec, interval, half)
	}
	return ""
}

// limitCards say how much of each constraint the best trial takes.
func (s *snapshot) limitCards(b *events.BestTrial) (out []card) {
	const most = 3
	for _, c := range s.spec.Constraints {
		v, measured := b.Metrics[c.Metric]
		if !measured || len(out) == most {
			continue
		}
		limit := card{Title: "Its " + shortName(s.spec, c.Metric), Value: metricText(s.spec, c.Metric, v)}
		if c.Max != nil {
			limit.Note = "of at most " + metricText(s.spec, c.Metric, *c.Max)
			if *c.Max > 0 && v > 0 {
				limit.Share = int(min(v/(*c.Max), 1) * barSize)
			}
		}
		if c.Min != nil {
			limit.Note = strings.TrimPrefix(limit.Note+", at least "+metricText(s.spec, c.Metric, *c.Min), ", ")
		}
		limit.Note += s.predicted(c.Metric, b)
		out = append(out, limit)
	}
	return out
}

// frontCards say how large the front is, and how far it reaches.
func (s *snapshot) frontCards() []card {
	out := []card{{ID: "best", Title: "Pareto front", Value: "none yet", Note: "no trial is feasible yet"}}
	if len(s.answer) == 0 {
		return out
	}
	out[0].Value, out[0].Note = cli.Plural(len(s.answer), "design"), "that no other one beats"
	for _, o := range s.spec.Objectives {
		found, least := events.BestTrial{}, math.Inf(1)
		for _, t := range s.answer {
			v, measured := t.Metrics[o.Metric]
			if o.Goal == "maximize" {
				v = -v
			}
			if measured && v < least {
				found, least = t, v
			}
		}
		if math.IsInf(least, 1) {
			continue
		}
		c := card{Title: "Best " + shortName(s.spec, o.Metric), Value: bestText(s.spec, &found, o.Metric), Note: fmt.Sprintf("trial %d", found.Trial)}
		if gain := s.gain(o, found.Metrics[o.Metric]); gain > 0 {
			c.Note += fmt.Sprintf(", %.2f× the baseline", gain)
		}
		c.Note += s.predicted(o.Metric, &found)
		out = append(out, c)
	}
	return out
}

// against compares the metrics of the best trial with the baseline's.
func (s *snapshot) against() (out []baseRow) {
	if s.view.Best == nil || s.baseline.Metrics == nil {
		return nil
	}
	for _, m := range s.spec.Metrics {
		v, measured := s.view.Best.Metrics[m.Name]
		base, known := s.baseline.Metrics[m.Name]
		if !measured || !known {
			continue
		}
		row := baseRow{m.Short(), amount(v, m.Unit), amount(base, m.Unit), "–"}
		if base != 0 {
			row.Gain = changeText(v/base - 1)
		}
		out = append(out, row)
	}
	return out
}

// axes are the metrics that an address asks for. Where it does not, they are the
// first objective and what limits it.
func (s *snapshot) axes(v url.Values) axes {
	a := axes{X: v.Get("x"), Y: v.Get("y"), Metrics: s.spec.Metrics}
	if s.spec.MetricIndex(a.Y) < 0 {
		a.Y = s.spec.Objectives[0].Metric
	}
	var likely []string
	for _, c := range s.spec.Constraints {
		likely = append(likely, c.Metric)
	}
	for _, o := range s.spec.Objectives {
		likely = append(likely, o.Metric)
	}
	for _, m := range s.spec.Metrics {
		likely = append(likely, m.Name)
	}
	for _, name := range likely {
		if s.spec.MetricIndex(a.X) < 0 && name != a.Y {
			a.X = name
		}
	}
	if s.spec.MetricIndex(a.X) < 0 {
		a.X = a.Y
	}
	for _, k := range slices.Sorted(maps.Keys(v)) {
		for _, text := range v[k] {
			if k != "x" && k != "y" {
				a.Hidden = append(a.Hidden, field{k, text})
			}
		}
	}
	return a
}

// rateText is the rate, and when the run will have ended.
func (l *Listed) rateText() string {
	if l.TrialsPerSecond <= 0 {
		return ""
	}
	text := cli.Significant(l.TrialsPerSecond) + "/s"
	if left := l.Budget - l.Trials; left > 0 {
		text += ", " + cli.Duration(time.Duration(float64(left)/l.TrialsPerSecond*float64(time.Second))) + " left"
	}
	return text
}
