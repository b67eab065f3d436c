package dashboard

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"maps"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"apollo/events"
	"apollo/services/cli"
	"apollo/services/compare"
	"apollo/services/draw"
	"apollo/services/inspect"
)

// mostCompared is how many studies are set side by side, and mostArms how many kinds of
// them: more colours can not be told apart.
const mostCompared, mostArms = 24, lineLooks

// comparePage sets studies side by side.
type comparePage struct {
	Names   []string
	Events  string
	Error   string
	Goal    string
	Level   string // what all reached
	Several bool   // objectives
	Curve   *picture
	Studies []comparedRow
	Arms    []seedsRow // nil where none has several studies
	Designs []sideRow  // the best designs
	Fields  []sideRow  // in which the study files differ
}

type comparedRow struct {
	Link, Name, State, Algorithm      string
	Seed                              uint64
	Trials, Feasible, Best, TrialLink string
	Trial                             string
	Front, Joint, ToLevel             string
	Line                              int // its colour
}

// seedsRow is the studies that differ in their seeds alone.
type seedsRow struct {
	Name, Seeds, Best, Within, ToLevel, Between, Sure, Won string
	Line                                                   int
}

// sideRow is one thing of all studies.
type sideRow struct {
	Name    string
	Cells   []string
	Differs bool
}

// compareAnswer works out what `apollo compare` prints, of the named studies. The
// status is for an error.
func (s *Server) compareAnswer(r *http.Request) (*compare.Report, []*snapshot, int, error) {
	words := r.URL.Query()["study"]
	switch {
	case len(words) < 2:
		return nil, nil, http.StatusBadRequest, errors.New("name two studies or more: study=A&study=B")
	case len(words) > mostCompared:
		return nil, nil, http.StatusBadRequest, fmt.Errorf("%d studies: want %d at most", len(words), mostCompared)
	}
	s.settle(r)
	var shots []*snapshot
	var studies []*compare.Study
	for _, word := range words {
		name, run, _ := strings.Cut(word, "/")
		view, there := s.index.latest(name, run)
		if !there || !events.IsName(name) {
			return nil, nil, http.StatusNotFound, fmt.Errorf("there is no study or run %.60q: / lists the studies", word)
		}
		if view.Err != nil {
			return nil, nil, http.StatusUnprocessableEntity, fmt.Errorf("%s cannot be read: %w", word, view.Err)
		}
		watch := s.look(&view) //nolint:contextcheck // a watch outlives the request that began it
		if watch == nil {
			return nil, nil, http.StatusServiceUnavailable, fmt.Errorf("%d studies are looked at already: try again later", maxWatches)
		}
		watch.ready(r.Context(), follows(r))
		shots = append(shots, watch.snapshot())
	}
	done := s.mayDraw(r)
	if done == nil {
		return nil, nil, http.StatusServiceUnavailable, context.Cause(r.Context())
	}
	defer done()
	for _, shot := range shots {
		one, err := shot.compared()
		if err != nil {
			return nil, nil, http.StatusUnprocessableEntity, err
		}
		studies = append(studies, one)
	}
	report, err := compare.Of(studies)
	if err == nil && len(report.Arms) > mostArms {
		err = fmt.Errorf("%d studies that differ in more than their seeds: want %d at most", len(report.Arms), mostArms)
	}
	if err != nil {
		return nil, nil, http.StatusUnprocessableEntity, err
	}
	return report, shots, 0, nil
}

// compared is a snapshot for a comparison. The error is for a run of which not every
// trial is kept: its curve would begin too late.
func (s *snapshot) compared() (*compare.Study, error) {
	v := &s.view
	switch {
	case s.err != nil:
		return nil, fmt.Errorf("%s is no longer followed: %w", v.Study, s.err)
	case s.reading:
		return nil, fmt.Errorf("%s is still being read: try again in a moment", v.Study)
	case len(s.kept) < s.counts.Trials-s.counts.Voided:
		return nil, fmt.Errorf("%s has %s trials, more than a page holds: `apollo compare` compares it", v.Study, cli.Count(s.counts.Trials))
	}
	one := &compare.Study{Study: v.Study, Run: v.Run, State: string(v.State), Spec: s.spec}
	voided := slices.Sorted(maps.Keys(s.voided)) // not kept, but each cost something
	addVoided := func(below int) {
		for ; len(voided) > 0 && voided[0] < below; voided = voided[1:] {
			one.Add(compare.Trial{Number: voided[0], Voided: true})
		}
	}
	for _, t := range s.ordered() {
		addVoided(t.trial)
		one.Add(compare.Trial{Number: t.trial, Feasible: t.kind == kindFeasible, LowFidelity: t.lowFidelity, Values: t.values})
	}
	addVoided(math.MaxInt)
	return one, nil
}

// ordered are the kept trials by their number; they come nearly so.
func (s *snapshot) ordered() []kept {
	byTrial := func(a, b kept) int { return cmp.Compare(a.trial, b.trial) }
	if slices.IsSortedFunc(s.kept, byTrial) {
		return s.kept
	}
	return slices.SortedFunc(slices.Values(s.kept), byTrial)
}

func (s *Server) apiCompare(w http.ResponseWriter, r *http.Request) {
	report, _, status, err := s.compareAnswer(r)
	if err != nil {
		http.Error(w, err.Error(), status)
		return
	}
	answer(w, r, report)
}

func (s *Server) compare(w http.ResponseWriter, r *http.Request, pages *template.Template) {
	p := &comparePage{Names: r.URL.Query()["study"], Events: "/api/v1/events"}
	report, shots, status, err := s.compareAnswer(r)
	if err != nil {
		p.Error = err.Error()
		refuse(w, r, pages, status, "compare", p)
		return
	}
	p.fill(report, shots)
	render(w, r, pages, "compare", p)
}

func (p *comparePage) fill(r *compare.Report, shots []*snapshot) {
	p.Goal, p.Several = signs(r.GoalText()), len(r.Objectives) > 1
	if r.Level != nil {
		p.Level = signs(r.ValueText(r.Level))
	}
	for i := range r.Studies {
		c := &r.Studies[i]
		row := comparedRow{
			Link: "/studies/" + url.PathEscape(c.Study) + "?" + url.Values{"run": {c.Run}}.Encode(), Name: c.Name, State: c.State, Algorithm: c.Algorithm, Seed: c.Seed,
			Trials: cli.Count(c.Trials), Feasible: signs(c.FeasibleShare()), Best: "–", Trial: "–", ToLevel: "–",
			Front: cli.Count(c.FrontSize), Joint: cli.Count(c.Joint), Line: c.Arm,
		}
		if c.Value != nil {
			row.Best, row.Trial = signs(r.ValueText(c.Value)), cli.Count(*c.Trial)
			row.TrialLink = "/studies/" + url.PathEscape(c.Study) + fmt.Sprintf("/trials/%d?", *c.Trial) + url.Values{"run": {c.Run}}.Encode()
		}
		if c.TrialsToLevel != nil {
			row.ToLevel = cli.Count(*c.TrialsToLevel)
		}
		p.Studies = append(p.Studies, row)
	}
	if r.Repeated() {
		p.Arms = armRows(r)
	}
	p.Curve = drawCompared(r, shots)
	p.Designs = bestDesigns(shots)
	for _, d := range r.Differences {
		row := sideRow{Name: d.Field, Differs: true}
		for _, v := range d.Values {
			var text string
			if json.Unmarshal([]byte(v), &text) != nil {
				text = v
			}
			row.Cells = append(row.Cells, cmp.Or(text, "–"))
		}
		p.Fields = append(p.Fields, row)
	}
}

func armRows(r *compare.Report) (rows []seedsRow) {
	for i := range r.Arms {
		a := &r.Arms[i]
		row := seedsRow{Name: a.Name, Seeds: cli.Count(len(a.Studies)), Sure: signs(a.ConfidenceText()), Won: a.WonText(), Line: i}
		row.Best, row.Within = compare.SpreadText(a.Best, func(v float64) string { return signs(r.ValueText(&v)) })
		row.ToLevel, row.Between = compare.SpreadText(a.ToLevel, compare.TrialsText)
		rows = append(rows, row)
	}
	return rows
}

// drawCompared draws the best so far of every study, that of the median of each arm with
// several over it, and the baselines; nil where nothing is feasible yet.
func drawCompared(r *compare.Report, shots []*snapshot) *picture {
	o := r.Objectives[0]
	c := &draw.Chart{Title: "Best so far", X: trialsAxis("trials"), Y: draw.Axis{Title: shortName(shots[0].spec, o.Metric), Log: true, Text: func(v float64) string { return signs(r.ValueText(&v)) }}}
	if len(r.Objectives) > 1 {
		c.Title, c.Y.Title = "Hypervolume so far up to "+signs(cli.Corner(shots[0].spec, r.Reference)), "hypervolume"
	}
	line := func(name string, arm int, curve []compare.Point, last int) draw.Series {
		var marks []Mark
		for _, point := range curve {
			marks = append(marks, Mark{Trial: point.Trials, Value: point.Value})
		}
		s := stairs(name, lineLook(arm), marks, last)
		s.Look = arm
		return s
	}
	least := make([]int, len(r.Arms)) // trials that all studies of an arm have
	for i := range r.Studies {
		of := &r.Studies[i]
		arm := &r.Arms[of.Arm]
		one := line(arm.Name, of.Arm, of.Curve, of.Trials)
		if len(arm.Studies) > 1 {
			one.Name, one.Faint = "", true // its median has the name
			one.Class += " one"
		}
		if least[of.Arm] == 0 || of.Trials < least[of.Arm] {
			least[of.Arm] = of.Trials
		}
		c.Series = append(c.Series, one)
	}
	for i := range r.Arms {
		if arm := &r.Arms[i]; len(arm.Studies) > 1 {
			c.Series = append(c.Series, line("median of "+arm.Name, i, arm.Curve, least[i]))
		}
	}
	if !slices.ContainsFunc(c.Series, func(s draw.Series) bool { return len(s.X) > 0 }) {
		return nil
	}
	bases := map[float64]bool{}
	if len(r.Objectives) == 1 {
		for _, shot := range shots {
			if v, measured := shot.baseline.Metrics[o.Metric]; measured {
				bases[v] = true
			}
		}
	}
	for _, base := range slices.Sorted(maps.Keys(bases)) {
		c.Rules = append(c.Rules, draw.Rule{Name: "baseline " + signs(r.ValueText(&base)), At: base, Class: "baseline"})
	}
	return pictured(c)
}

// bestDesigns sets the best design of every study side by side: metrics, then
// parameters. With several objectives it is the best by the first one.
func bestDesigns(shots []*snapshot) (rows []sideRow) {
	best := make([]*events.BestTrial, len(shots))
	found := false
	for i, s := range shots {
		if best[i] = s.view.Best; best[i] == nil {
			best[i] = s.leader()
		}
		found = found || best[i] != nil
	}
	if !found {
		return nil
	}
	at := map[string]int{}
	set := func(study int, name, text string) {
		i, known := at[name]
		if !known {
			i = len(rows)
			at[name] = i
			rows = append(rows, sideRow{Name: name, Cells: slices.Repeat([]string{"–"}, len(shots))})
		}
		rows[i].Cells[study] = text
	}
	for i, s := range shots {
		for _, m := range s.spec.Metrics {
			set(i, m.Short(), bestText(s.spec, best[i], m.Name))
		}
	}
	for i, s := range shots {
		if best[i] == nil {
			continue
		}
		for k, text := range inspect.MeaningOf(s.spec).Texts(inspect.DesignOf(s.spec, best[i].Design), none, levelText) {
			set(i, s.spec.Parameters[k].Name, text)
		}
	}
	for i := range rows {
		rows[i].Differs = slices.ContainsFunc(rows[i].Cells, func(c string) bool { return c != rows[i].Cells[0] })
	}
	return rows
}

// leader is the best of a front by the first objective; nil for none.
func (s *snapshot) leader() (best *events.BestTrial) {
	o := s.objective()
	for i := range s.answer {
		if v := s.answer[i].Metrics[o.Metric]; best == nil || v != best.Metrics[o.Metric] && (v > best.Metrics[o.Metric]) == (o.Goal == "maximize") {
			best = &s.answer[i]
		}
	}
	return best
}
