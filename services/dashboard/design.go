package dashboard

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"apollo/evaluator/report"
	"apollo/events"
	"apollo/services/cli"
	"apollo/services/draw"
	"apollo/services/inspect"
	"apollo/services/study"
)

// looking is how many designs a server evaluates at a time: pages must not take the
// processor from studies.
const looking = 2

// aroundTime is how long the page of a design waits for the designs around it: the design
// itself is shown at once, and what takes longer when it is asked for.
const aroundTime = 50 * time.Millisecond

// aroundWord asks in an address for the designs around a design, however long they take;
// aroundPart does in a header.
const (
	aroundWord = "around"
	aroundPart = "around"
)

// designPage is what the page of a trial shows: the trial, or what it would be with
// some parameters changed.
type designPage struct {
	Study, Run, Back, Kind string
	Trial                  int
	Changed                bool // by the reader
	Here, Picture          string
	Params                 []paramRow
	Metrics                []metricRow
	Origin                 string
	Lineage                []choice
	Reason                 *events.Reason
	Shortage               string
	Parts                  []partsOf
	Layers                 []layerRow
	Nearby                 []nearRow
	NearbyTitle            string
	Older                  string // the version that measured the study, where it is another one
	Unknown                string // why nothing is known of what is inside
	Events                 string
	Hidden                 []field
	Raw, RawEvents         string // the trial as JSON, and its events
	Add                    *addition
	Area, Energy, Time     template.HTML // by parts, at the scale of the trial as it was measured
	Array                  template.HTML // as it is wired; "" of templates whose wires are not parameters
	Nest                   *nestOf
	Slices                 []template.HTML
	SlicesOf               string
	Repair                 *choice // the smallest; nil for a feasible design
	More                   string  // asks for the designs around it; "" where they are here
}

// addition asks for the changed design in the study.
type addition struct{ Action, Run, Design string }

type paramRow struct {
	Word, Name, Best, Baseline string
	Idle                       bool // it means nothing in the design
	Levels                     []levelChoice
}

type levelChoice struct {
	Index int
	Text  string
	Here  bool
}

type metricRow struct {
	Name, Value, Measured, Best, Baseline, Goal string
	Broken                                      bool
}

// partsOf is where a quantity goes.
type partsOf struct {
	Title string
	Rows  []partRow
}

type partRow struct {
	Name, Value, Share string
	Size               int // of barSize
	Look               int // a number of a colour
}

type layerRow struct {
	Name, Op, Latency, Share, Waits, Used, Energy string
	Size, Look                                    int
	Link                                          string // to its loop nest; "" for a layer without one
}

type nearRow struct {
	Name, From, To, Link string
	Cells                []string
	Gain                 string
}

// levelWord is how an address says a changed parameter: "set.cores=3" is its level.
const levelWord = "set."

// changed is a trial's design with what an address changes.
func (s *snapshot) changed(t *kept, v url.Values) (levels []int, changed bool) {
	for i, p := range s.params {
		level := int(t.levels[i])
		if n, err := strconv.Atoi(v.Get(levelWord + p.Name)); err == nil && n >= 0 && n < p.Len() && n != level {
			level, changed = n, true
		}
		levels = append(levels, level)
	}
	return levels, changed
}

// designOf is the design of levels; false where one is none of the space.
func (s *snapshot) designOf(levels []int) (d events.Design, known bool) {
	for i, p := range s.params {
		if levels[i] >= p.Len() {
			return nil, false
		}
		d = append(d, p.Value(levels[i]))
	}
	return d, true
}

// wanted returns the trial that a request names; nil when the answer was given.
func (s *Server) wanted(w http.ResponseWriter, r *http.Request) (*snapshot, *kept) {
	shot := s.shot(w, r)
	if shot == nil {
		return nil, nil
	}
	n, err := strconv.Atoi(r.PathValue("trial"))
	if err == nil {
		if t := shot.trial(n); t != nil {
			return shot, t
		}
	}
	http.Error(w, fmt.Sprintf("there is no such trial among the last %s that finished: `apollo trial show` reads all", cli.Count(maxTrials)), http.StatusNotFound)
	return nil, nil
}

// evaluated is a design as the cost model sees it.
type evaluated struct {
	subject *inspect.Subject
	design  events.Design
	report  report.Design
	judged  events.Judgement
}

// admit waits until a request may evaluate designs, a few at a time, or is over.
func (s *Server) admit(r *http.Request) bool {
	select {
	case s.eyes <- struct{}{}:
		return true
	case <-r.Context().Done():
		return false
	}
}

func (s *Server) leave() { <-s.eyes }

// evaluate asks the cost model of a study on a template of this build. The error is
// for people.
func evaluate(shot *snapshot, levels []int) (*evaluated, error) {
	design, known := shot.designOf(levels)
	if !known {
		return nil, fmt.Errorf("the design has a value that the study's space does not have")
	}
	subject, err := inspect.Of(shot.spec)
	if err != nil {
		return nil, err
	}
	e := &evaluated{subject: subject, design: design}
	if e.report, err = subject.Inspect(subject.Point(design), nil); err != nil {
		return nil, err
	}
	e.judged, err = subject.Kept(design, &e.report)
	return e, err
}

func (s *Server) design(w http.ResponseWriter, r *http.Request, pages *template.Template) {
	shot, t := s.wanted(w, r)
	if t == nil {
		return
	}
	v := r.URL.Query()
	levels, changed := shot.changed(t, v)
	p := shot.designPage(t, levels, changed, v)
	if !s.examine(r, p, shot, t, levels) {
		return
	}
	render(w, r, pages, "design", p)
}

// examine fills the page with what the cost model says of a design and of those around it;
// false when the client is gone.
func (s *Server) examine(r *http.Request, p *designPage, shot *snapshot, t *kept, levels []int) bool {
	e := s.examineOne(r, p, shot, t, levels)
	if e == nil {
		return r.Context().Err() == nil
	}
	v := r.URL.Query()
	patient := r
	if v.Get(aroundWord) == "" && r.Header.Get(partHeader) != aroundPart {
		ctx, done := context.WithTimeout(r.Context(), aroundTime)
		defer done()
		patient = r.WithContext(ctx)
	}
	if !s.around(patient, p, shot, e, levels) && patient.Context().Err() != nil {
		p.More = with(v, aroundWord, "yes")
	}
	return r.Context().Err() == nil
}

// around fills the page with the single changes of a design and the smallest repair of one
// that is not feasible; false where there was not the time.
func (s *Server) around(r *http.Request, p *designPage, shot *snapshot, e *evaluated, levels []int) bool {
	v := r.URL.Query()
	v.Del(aroundWord) // of the design, not of those that it leads to
	if !s.admit(r) {
		return false
	}
	changes, err := e.subject.Changes(r.Context(), e.design)
	s.leave()
	if err != nil {
		return false
	}
	p.near(shot, e, changes, v)
	p.Slices, p.SlicesOf = slicesThrough(shot, e, levels, changes), shortName(shot.spec, shot.objective().Metric)
	if p.Kind == kindFeasible {
		return true
	}
	found, err := s.repairOf(r, shot, levels)
	switch {
	case err != nil && r.Context().Err() != nil:
		return false
	case err != nil:
		p.Repair = &choice{Text: "none was found: " + err.Error()}
	case found.text != "":
		p.Repair = &choice{Text: found.text}
		if len(found.words) > 0 {
			p.Repair.Link = with(v, found.words...)
		}
	}
	return true
}

// examineOne fills the page with what the cost model says of a design; nil when it knows
// nothing, or the client is gone.
func (s *Server) examineOne(r *http.Request, p *designPage, shot *snapshot, t *kept, levels []int) *evaluated {
	if !s.admit(r) {
		return nil
	}
	defer s.leave()
	v := r.URL.Query()
	e, err := evaluate(shot, levels)
	if err != nil {
		p.Unknown = err.Error()
		p.Metrics = shot.metricRows(t, t.values)
		return nil
	}
	p.fill(shot, t, e)
	p.link(e, v)
	both := []beside{{"this design", &e.report}}
	if p.Changed {
		before := make([]int, len(t.levels))
		for i := range before {
			before[i] = int(t.levels[i])
		}
		if was, err := evaluate(shot, before); err == nil {
			both = append(both, beside{fmt.Sprintf("trial %d", t.trial), &was.report})
		}
	}
	p.Area, p.Energy, p.Time = areas(both)
	p.Array = inline(func(w io.Writer) error { return draw.Array(w, &e.report) })
	if latest, _ := s.index.latest(shot.view.Study, ""); p.Changed && s.mayControl() && latest.Run == shot.view.Run {
		p.Add = shot.addition(e.design)
	}
	return e
}

// link leads to the loop nest of each layer that has one, and shows the one that the
// address names.
func (p *designPage) link(e *evaluated, v url.Values) {
	for i := range e.report.Layers {
		if l := &e.report.Layers[i]; l.Mapping != "" {
			p.Layers[i].Link = with(v, "layer", l.Network+"/"+l.ID) + "#nest"
		}
	}
	p.Nest = nest(&e.report, v.Get("layer"))
	if layer := v.Get("layer"); layer != "" {
		p.Hidden = append(p.Hidden, field{"layer", layer})
	}
}

// designPicture draws the roofline of a design and where area and energy go.
func (s *Server) designPicture(w http.ResponseWriter, r *http.Request) {
	shot, t := s.wanted(w, r)
	if t == nil {
		return
	}
	levels, _ := shot.changed(t, r.URL.Query())
	if !s.admit(r) {
		return
	}
	defer s.leave()
	e, err := evaluate(shot, levels)
	var b bytes.Buffer
	if err == nil {
		e.report.Array = nil // the page has a drawing of it
		err = draw.Design(&b, "svg", &e.report)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	}
	send(w, r, "image/svg+xml", b.Bytes())
}

// addition is nil for a run that takes no designs any more.
func (s *snapshot) addition(design events.Design) *addition {
	if s.view.State == study.Cancelled || s.view.State == study.Failed {
		return nil
	}
	named := map[string]any{}
	for i, p := range s.spec.Parameters {
		if named[p.Name] = design[i].Num; design[i].Label != "" {
			named[p.Name] = design[i].Label
		}
	}
	b, err := json.Marshal(named)
	if err != nil {
		return nil
	}
	return &addition{"/api/v1/studies/" + url.PathEscape(s.view.Study) + "/control", s.view.Run, string(b)}
}

func (s *snapshot) designPage(t *kept, levels []int, changed bool, v url.Values) *designPage {
	place := "/studies/" + url.PathEscape(s.view.Study)
	p := &designPage{
		Study: s.view.Study, Run: s.view.Run, Trial: t.trial, Kind: t.kind, Changed: changed, Origin: t.origin,
		Back: place + "?" + url.Values{"run": {s.view.Run}}.Encode(), Here: place + "/trials/" + strconv.Itoa(t.trial),
	}
	of := "?" + url.Values{"run": {s.view.Run}}.Encode()
	p.Raw, p.RawEvents = "/api/v1"+p.Here+of, "/api/v1"+p.Here+"/events"+of
	p.Picture = p.Here + "/picture.svg" + with(v)
	for _, word := range []string{"run", aroundWord} {
		if text := v.Get(word); text != "" {
			p.Hidden = append(p.Hidden, field{word, text})
		}
	}
	meaning := inspect.MeaningOf(s.spec)
	design, _ := s.designOf(levels)
	idle, base := meaning.Inactive(design), meaning.Texts(s.baseline.Design, none, levelText)
	best := make([]string, len(s.params))
	if s.view.Best != nil {
		best = meaning.Texts(inspect.DesignOf(s.spec, s.view.Best.Design), none, levelText)
	}
	for i, param := range s.params {
		row := paramRow{Word: param.Name, Name: breakable(param.Name), Best: best[i], Baseline: base[i], Idle: slices.Contains(idle, param.Name)}
		for k := range param.Len() {
			row.Levels = append(row.Levels, levelChoice{k, levelText(param.Value(k), param.Unit), k == levels[i]})
		}
		p.Params = append(p.Params, row)
	}
	p.Lineage = s.lineage(t)
	if t.cause != "" {
		p.Reason = &events.Reason{Code: t.cause, Message: t.message}
	}
	return p
}

// lineage are the trials that a design was made of, as links.
func (s *snapshot) lineage(t *kept) (out []choice) {
	for _, n := range t.parents {
		out = append(out, choice{Text: fmt.Sprintf("trial %d", n), Link: "/studies/" + url.PathEscape(s.view.Study) + "/trials/" + strconv.FormatInt(n, 10) + "?" + url.Values{"run": {s.view.Run}}.Encode()})
	}
	word, source, has := strings.Cut(t.origin, ":")
	name, number, numbered := strings.Cut(source, "/")
	if has && numbered && (word == "seed" || word == "reuse") && events.IsName(name) {
		out = append(out, choice{Text: name + ", trial " + number, Link: "/studies/" + url.PathEscape(name) + "/trials/" + url.PathEscape(number)})
	}
	return out
}

// metricRows compares values with what was measured, the best and the baseline.
func (s *snapshot) metricRows(t *kept, values []float64) (out []metricRow) {
	for i, m := range s.spec.Metrics {
		row := metricRow{Name: m.Short(), Value: "–", Measured: "–", Best: bestText(s.spec, s.view.Best, m.Name), Baseline: "–"}
		if v, known := s.baseline.Metrics[m.Name]; known {
			row.Baseline = amount(v, m.Unit)
		}
		if v := t.value(i); !math.IsNaN(v) {
			row.Measured = amount(v, m.Unit)
		}
		v := math.NaN()
		if i < len(values) {
			v = values[i]
		}
		if !math.IsNaN(v) {
			row.Value = amount(v, m.Unit)
		}
		for _, o := range s.spec.Objectives {
			if o.Metric == m.Name {
				row.Goal = o.Goal
			}
		}
		for _, c := range s.spec.Constraints {
			if c.Metric == m.Name && c.Max != nil {
				row.Goal += " at most " + amount(*c.Max, m.Unit)
				row.Broken = row.Broken || v > *c.Max
			}
			if c.Metric == m.Name && c.Min != nil {
				row.Goal += " at least " + amount(*c.Min, m.Unit)
				row.Broken = row.Broken || v < *c.Min
			}
		}
		out = append(out, row)
	}
	return out
}

// fill shows what the cost model says.
func (p *designPage) fill(s *snapshot, t *kept, e *evaluated) {
	r := &e.report
	p.Metrics = s.metricRows(t, e.subject.Values(r))
	p.Reason, p.Kind = e.judged.Reason, kindFeasible
	if !e.judged.Feasible {
		if p.Kind = kindOver; !r.Feasible {
			p.Kind = kindInfeasible
		}
	}
	if p.Reason != nil && p.Reason.Need > 0 {
		p.Shortage = "needs " + amount(p.Reason.Need, p.Reason.Unit) + ", has " + amount(p.Reason.Have, p.Reason.Unit)
	}
	if v := s.spec.Evaluator.Version; v != "" && v != r.Version {
		p.Older = v
	}
	p.Parts = append(p.Parts, parts("Area", r.Area.Parts(), "mm2"))
	total := 0.0
	for i := range r.Networks {
		n := &r.Networks[i]
		of := ""
		if len(r.Networks) > 1 {
			of = " of " + n.Name
		}
		p.Parts = append(p.Parts, parts("Time"+of, n.Latency.Parts(), "s"), parts("Energy"+of, n.Energy.Parts(), "J"))
	}
	for i := range r.Layers {
		total += r.Layers[i].LatencySeconds
	}
	for i := range r.Layers {
		p.Layers = append(p.Layers, layer(&r.Layers[i], len(r.Networks) > 1, total))
	}
	if !r.Feasible || len(r.Layers) == 0 {
		p.Picture = ""
	}
}
