package dashboard

import (
	"context"
	"fmt"
	"html/template"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"apollo/events"
	"apollo/services/cli"
	"apollo/services/draw"
	"apollo/services/transfer"
)

// transferPage says what a run's sources brought to it.
type transferPage struct {
	Study, Run, Back, State, Events string
	None                            bool // it has no sources
	Partly                          string
	Cards                           []card
	Alarms                          []string
	Arms                            []armRow
	Metric                          string
	Curve, Shares                   *picture
	Sources                         []sourceRow
	Aside                           []asideRow
	Measure                         string // asks what is matched
	Matched                         []matchedRow
	Unmatched                       string // why that is not known
}

type armRow struct {
	Name, Trials, Known, Feasible, Best string
	Line                                int
}

type sourceRow struct {
	Study, Link, Run, Use, Trials, Used, Share, Why string
	Tried, Feasible, Improved, Origins              string
	Size                                            int
	FoundBest                                       bool
}

// asideRow is why rows or files of a source are not used.
type asideRow struct{ Study, Count, Reason string }

// matchedRow is a parameter or a metric of a source.
type matchedRow struct{ Study, Kind, Use, Name, Note string }

// brought is the report of a run as it was made last.
type brought struct {
	trials int // then
	ended  bool
	report *transfer.Report
}

// report says what the sources of a run brought, nil where it has none. It is made anew
// when a twentieth more trials are there: it resamples both arms thousands of times.
func (s *Server) report(r *http.Request, w *watch, shot *snapshot) (*transfer.Report, error) {
	if len(shot.view.Sources) == 0 || len(shot.spec.Objectives) == 0 {
		return nil, nil
	}
	const growth = 1.05
	w.mu.Lock()
	last := w.brought
	w.mu.Unlock()
	ended := shot.view.State.Terminal() && !shot.reading
	if last.report != nil && ended == last.ended && float64(shot.counts.Trials) < growth*float64(last.trials) && (shot.counts.Trials == last.trials || !ended) {
		return last.report, nil
	}
	if !s.admit(r) {
		return nil, r.Context().Err()
	}
	defer s.leave()
	now := brought{shot.counts.Trials, ended, transfer.NewReport(shot.spec, shot.view.Run, shot.view.Sources, shot.tried())}
	w.mu.Lock()
	w.brought = now
	w.mu.Unlock()
	return now.report, nil
}

// tried are the kept trials as a report takes them.
func (s *snapshot) tried() (out []transfer.Tried) {
	for _, t := range s.ordered() {
		if t.lowFidelity {
			continue
		}
		one := transfer.Tried{Trial: t.trial, Origin: t.origin, Value: t.value(s.metric)}
		one.Feasible = t.kind == kindFeasible && !math.IsNaN(one.Value)
		out = append(out, one)
	}
	return out
}

func (s *Server) apiTransfer(w http.ResponseWriter, r *http.Request) {
	found := s.find(w, r) //nolint:contextcheck // a watch outlives the request that began it
	if found == nil {
		return
	}
	found.ready(r.Context(), follows(r))
	report, err := s.report(r, found, found.snapshot())
	switch {
	case err != nil: // the client is gone
	case report == nil:
		http.Error(w, "the study has no sources: it learns from no other one", http.StatusConflict)
	default:
		answer(w, r, report)
	}
}

// transferNow serves the page of what a run's sources brought.
func (s *Server) transferNow(w http.ResponseWriter, r *http.Request, pages *template.Template) {
	found := s.find(w, r) //nolint:contextcheck // a watch outlives the request that began it
	if found == nil {
		return
	}
	found.ready(r.Context(), follows(r))
	shot := found.snapshot()
	report, err := s.report(r, found, shot)
	if err != nil {
		return // the client is gone
	}
	p := shot.transferPage(report)
	if report != nil {
		p.link(s.index)
		p.Measure = with(r.URL.Query(), "matched", "yes")
		if r.URL.Query().Get("matched") != "" {
			if p.Matched, p.Unmatched, err = s.matched(r, found, shot); err != nil {
				return
			}
		}
	}
	render(w, r, pages, "transfer", p)
}

func (s *snapshot) transferPage(r *transfer.Report) *transferPage {
	v := &s.view
	p := &transferPage{
		Study: v.Study, Run: v.Run, State: string(v.State), Back: "/studies/" + url.PathEscape(v.Study) + "?" + url.Values{"run": {v.Run}}.Encode(),
		Events: "/api/v1/events?" + url.Values{"study": {v.Study}, "run": {v.Run}}.Encode(), None: r == nil,
	}
	if r == nil {
		return p
	}
	if len(s.kept) < s.counts.Trials-s.counts.Voided {
		p.Partly = fmt.Sprintf("This is said of the last %s trials, which a page holds: `apollo transfer report` reads all.", cli.Count(len(s.kept)))
	}
	p.Metric, p.Alarms = shortName(s.spec, r.Metric), r.Alarms
	p.Cards = transferCards(s.spec, r)
	p.Arms = []armRow{armOf(s.spec, r, "with the sources", &r.Search, 0), armOf(s.spec, r, "control arm, without", &r.Control, 1)}
	p.Curve, p.Shares = s.drawArms(r), s.drawShares()
	for i := range r.Credit {
		p.source(&r.Credit[i])
	}
	return p
}

// savedCard is the verdict of a report in a card.
func savedCard(r *transfer.Report) card {
	c := card{ID: "saved", Title: "Trials saved by transfer", Value: "not known", Note: "no control arm tells: transfer: {control: 10%} gives one"}
	if r.Saved == nil {
		return c
	}
	say := func(estimate, low, high float64) (value, note string) {
		minus := strings.NewReplacer("-", "−")
		return minus.Replace(fmt.Sprintf("%.0f of %s", estimate, cli.Count(r.Compared))), minus.Replace(fmt.Sprintf("%.0f to %.0f with 95\u00a0%%, ", low, high)) + fmt.Sprintf("p %.2g", *r.P)
	}
	c.Value, c.Note = say(r.Saved.Estimate, r.Saved.Low, r.Saved.High)
	switch r.Verdict {
	case transfer.Helped:
	case transfer.Hurt:
		c.Title = "Trials that transfer cost"
		c.Value, c.Note = say(-r.Saved.Estimate, -r.Saved.High, -r.Saved.Low)
	default:
		c.Value = "~ " + c.Value
		c.Note = "nothing can be claimed: " + c.Note
	}
	return c
}

func transferCards(spec *events.Spec, r *transfer.Report) []card {
	best := func(id, title string, arm *transfer.Arm) card {
		c := card{ID: id, Title: title, Value: "none", Note: cli.Plural(arm.Trials, "trial")}
		if arm.Best != nil {
			c.Value = metricText(spec, r.Metric, *arm.Best)
		}
		return c
	}
	share := 0.0
	for i := range r.Credit {
		share += r.Credit[i].Share
	}
	return []card{
		savedCard(r),
		best("with", "Best with the sources", &r.Search), best("without", "Best of the control arm", &r.Control),
		{ID: "credit", Title: "Of the improvement", Value: signs(cli.Percent(share)), Note: "came with trials of the sources", Share: int(min(max(share, 0), 1) * barSize)},
	}
}

func armOf(spec *events.Spec, r *transfer.Report, name string, a *transfer.Arm, line int) armRow {
	row := armRow{Name: name, Trials: cli.Count(a.Trials), Known: cli.Count(a.Known), Feasible: cli.Count(a.Feasible), Best: "–", Line: line}
	if a.Best != nil {
		row.Best = metricText(spec, r.Metric, *a.Best)
	}
	return row
}

// source adds a source: what was used of it, what it brought, and what was set aside.
func (p *transferPage) source(c *transfer.Credit) {
	used := c.Kept
	if used == 0 {
		used = c.SourcePin.Trials - c.Quarantined
	}
	row := sourceRow{
		Study: c.Study, Run: c.Run, Use: dash(c.Use), Trials: cli.Count(c.SourcePin.Trials), Used: cli.Count(used), Why: c.Why,
		Share: signs(cli.Percent(c.Share)), Size: int(min(max(c.Share, 0), 1) * barSize),
		Tried: cli.Count(c.Trials), Feasible: signs(cli.Share(c.Feasible, c.Trials)), Improved: cli.Count(c.Improved), FoundBest: c.FoundBest,
	}
	var parts []string
	for _, o := range c.Origins {
		parts = append(parts, cli.Count(o.Trials)+" "+o.Origin)
	}
	row.Origins = dash(strings.Join(parts, ", "))
	p.Sources = append(p.Sources, row)
	for _, l := range c.LeftOut {
		aside := asideRow{Study: c.Study, Count: cli.Plural(l.Rows, "row"), Reason: transfer.ReasonText(l.Reason)}
		if l.Files > 0 {
			aside.Count = cli.Plural(l.Files, "file")
		}
		p.Aside = append(p.Aside, aside)
	}
}

func dash(text string) string {
	if text == "" {
		return "–"
	}
	return text
}

// link links the sources that the bus still has.
func (p *transferPage) link(x *index) {
	for i := range p.Sources {
		row := &p.Sources[i]
		if _, there := x.latest(row.Study, row.Run); there && events.IsName(row.Study) {
			row.Link = "/studies/" + url.PathEscape(row.Study) + "?" + url.Values{"run": {row.Run}}.Encode()
		}
	}
}

// drawArms draws the best so far of both arms; nil where neither has anything feasible.
func (s *snapshot) drawArms(r *transfer.Report) *picture {
	c := &draw.Chart{Title: "Best so far of both arms", X: trialsAxis("trials of the arm"), Y: draw.Axis{Title: shortName(s.spec, r.Metric), Log: true, Text: func(v float64) string { return metricText(s.spec, r.Metric, v) }}}
	arms := []*transfer.Arm{&r.Search, &r.Control}
	for i, name := range []string{"with the sources", "control arm, without"} {
		var marks []Mark
		for k, v := range arms[i].Curve {
			if v != nil && (len(marks) == 0 || marks[len(marks)-1].Value != *v) {
				marks = append(marks, Mark{Trial: k, Value: *v})
			}
		}
		if len(marks) > 0 {
			line := stairs(name, lineLook(i), marks, len(arms[i].Curve)-1)
			line.Look = i
			c.Series = append(c.Series, line)
		}
	}
	return pictured(c)
}

// matched works out once what of the sources is matched, as `apollo transfer candidates`
// does. The error is for a client that is gone.
func (s *Server) matched(r *http.Request, w *watch, shot *snapshot) (rows []matchedRow, why string, err error) {
	if s.Candidates == nil {
		return nil, "this server reads no trial log: `apollo transfer candidates` says it", nil
	}
	w.mu.Lock()
	all := w.matched
	w.mu.Unlock()
	if all == nil {
		if !s.admit(r) {
			return nil, "", r.Context().Err()
		}
		defer s.leave()
		if all, err = s.Candidates(r.Context(), shot.pinned()); err != nil {
			return nil, events.Redact(err.Error()), context.Cause(r.Context())
		}
		w.mu.Lock()
		w.matched = all
		w.mu.Unlock()
	}
	for i := range all {
		rows = append(rows, matchesOf(&all[i])...)
	}
	if len(rows) == 0 {
		why = "the sources cannot be read here any more"
	}
	return rows, why, nil
}

// pinned is the study with the sources that the run began with: a search of the archive
// would find others today.
func (s *snapshot) pinned() *events.Spec {
	spec := *s.spec
	of := events.Transfer{}
	if spec.Transfer != nil {
		of = *spec.Transfer
	}
	of.Sources = slices.DeleteFunc(slices.Clone(of.Sources), func(x events.Source) bool { return x.Auto })
	for i := range s.view.Sources {
		if pin := &s.view.Sources[i]; pin.Why != "" {
			of.Sources = append(of.Sources, events.Source{Study: pin.Study, Run: pin.Run})
		}
	}
	spec.Transfer = &of
	return &spec
}

// matchesOf are the parameters and metrics of a source, those that are as they were last.
func matchesOf(c *transfer.Candidate) (rows []matchedRow) {
	if c.Refused != "" {
		return []matchedRow{{Study: c.Study, Use: "refused", Note: c.Refused}}
	}
	for _, of := range []struct {
		kind    string
		matches []transfer.Match
	}{{"parameter", c.Parameters}, {"metric", c.Metrics}} {
		for _, m := range of.matches {
			row := matchedRow{c.Study, of.kind, m.Use, m.Name, m.Note}
			if m.Use == transfer.Converted {
				row.Note = strings.TrimSpace(fmt.Sprintf("%s to %s %s", m.SourceUnit, m.Unit, m.Note))
			}
			rows = append(rows, row)
		}
	}
	slices.SortStableFunc(rows, func(a, b matchedRow) int { return plainness(a) - plainness(b) })
	return rows
}

func plainness(r matchedRow) int {
	if r.Use == transfer.Mapped && r.Note == "" {
		return 1
	}
	return 0
}
