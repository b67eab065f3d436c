package dashboard

import (
	"fmt"
	"maps"
	"math"
	"net/url"
	"slices"
	"strconv"

	"apollo/events"
	"apollo/services/cli"
	"apollo/services/inspect"
)

// TrialRow is a trial of the table, as `trial ls -o jsonl` prints it.
type TrialRow struct {
	Trial    int                `json:"trial"`
	Batch    int                `json:"batch"`
	Outcome  string             `json:"outcome"`
	Feasible bool               `json:"feasible"`
	Design   map[string]any     `json:"design"`
	Inactive []string           `json:"inactive,omitempty"` // parameters that mean nothing in it
	Metrics  map[string]float64 `json:"metrics"`
	Origin   string             `json:"origin"`
	Reason   *events.Reason     `json:"reason,omitempty"`
	Seconds  float64            `json:"seconds,omitempty"`
	Worker   string             `json:"worker,omitempty"`
}

// table is a page of the trials.
type table struct {
	Head    []head
	Rows    []tableRow
	Kinds   []choice
	Filters []choice // what narrows it, each with where it does not
	Found   string
	Prev    string
	Next    string
}

type head struct {
	Name, Link, Order string // Order is ascending, descending or none
	Number            bool
}

type tableRow struct {
	Trial        int
	Kind         string
	Best         bool
	Cells        []string
	Origin       string
	Why, Message string
}

type choice struct {
	Text, Link string
	Here       bool
}

// table makes the page of the trials that an address asks for.
func (s *snapshot) table(v url.Values) table {
	q := readQuery(v)
	rows, found := q.of(s.spec, s.kept)
	t := table{Found: cli.Plural(found, "trial")}
	t.Head = append(t.Head, q.head(v, "trial", "Trial", true), head{Name: "Outcome"})
	for _, m := range s.spec.Metrics {
		t.Head = append(t.Head, q.head(v, m.Name, m.Short(), true))
	}
	for _, p := range s.spec.Parameters {
		t.Head = append(t.Head, q.head(v, p.Name, p.Name, len(p.Labels) == 0))
	}
	best := map[int]bool{}
	for _, b := range s.answer {
		best[b.Trial] = true
	}
	of := inspect.MeaningOf(s.spec)
	for _, k := range rows {
		t.Rows = append(t.Rows, tableRow{Trial: k.trial, Kind: k.kind, Best: best[k.trial], Cells: s.cells(of, k), Origin: k.origin, Why: k.cause, Message: k.message})
	}
	t.pages(v, &q, found)
	for _, k := range []field{{"", "all"}, {kindFeasible, "feasible"}, {kindOver, "over a limit"}, {kindInfeasible, "infeasible"}, {kindFailed, "failed"}, {kindStopped, "stopped"}, {kindLow, "low fidelity"}} {
		t.Kinds = append(t.Kinds, choice{k.Value, with(v, "kind", k.Name, "page", ""), q.Kind == k.Name})
	}
	if q.Why != "" {
		t.Filters = append(t.Filters, choice{Text: "cause " + q.Why, Link: with(v, "why", "", "page", "")})
	}
	if q.By != "" {
		t.Filters = append(t.Filters, choice{Text: "proposed by " + q.By, Link: with(v, "by", "", "page", "")})
	}
	for _, n := range q.In {
		rest := maps.Clone(v)
		rest["in"] = slices.DeleteFunc(slices.Clone(v["in"]), func(text string) bool { return text == n.text })
		t.Filters = append(t.Filters, choice{Text: n.describe(s.spec), Link: with(rest, "page", "")})
	}
	return t
}

// pages says where the pages before and after are.
func (t *table) pages(v url.Values, q *query, found int) {
	from := (q.Page - 1) * pageSize
	if len(t.Rows) > 0 && found > len(t.Rows) {
		t.Found = fmt.Sprintf("%s–%s of %s", cli.Count(from+1), cli.Count(from+len(t.Rows)), cli.Plural(found, "trial"))
	}
	if q.Page > 1 {
		t.Prev = with(v, "page", strconv.Itoa(q.Page-1))
	}
	if from+len(t.Rows) < found && len(t.Rows) > 0 {
		t.Next = with(v, "page", strconv.Itoa(q.Page+1))
	}
}

// head is a column that can be sorted by: first best first, then the other way.
func (q *query) head(v url.Values, word, name string, number bool) head {
	h := head{Name: breakable(name), Number: number, Order: "none", Link: with(v, "sort", word, "page", "")}
	if q.Sort != word {
		return h
	}
	if h.Order = "ascending"; q.Descending {
		h.Order = "descending"
		return h
	}
	h.Link = with(v, "sort", "-"+word, "page", "")
	return h
}

// cells are the metrics and parameters of a trial for people.
func (s *snapshot) cells(of *inspect.Meaning, t *kept) []string {
	out := make([]string, 0, len(s.spec.Metrics)+len(s.spec.Parameters))
	for i, m := range s.spec.Metrics {
		text := "–"
		if v := t.value(i); !math.IsNaN(v) {
			text = amount(v, m.Unit)
		}
		out = append(out, text)
	}
	settings := of.Texts(t.design(s.params), none, levelText)
	for i := range settings {
		if _, on := t.setting(s.params, i); !on {
			settings[i] = "?"
		}
	}
	return append(out, settings...)
}

// row is a trial as the API says it.
func (s *snapshot) row(of *inspect.Meaning, t *kept) TrialRow {
	r := TrialRow{
		Trial: t.trial, Batch: t.batch, Outcome: t.kind, Feasible: t.kind == kindFeasible, Design: map[string]any{}, Inactive: of.Inactive(t.design(s.params)), Metrics: map[string]float64{},
		Origin: t.origin, Seconds: float64(t.seconds), Worker: t.worker,
	}
	if t.kind == kindFeasible || t.kind == kindOver || t.kind == kindLow {
		r.Outcome = events.OutcomeMeasured
	}
	if t.cause != "" {
		r.Reason = &events.Reason{Code: t.cause, Message: t.message}
	}
	for i, m := range s.spec.Metrics {
		if v := t.value(i); !math.IsNaN(v) {
			r.Metrics[m.Name] = v
		}
	}
	for i, p := range s.spec.Parameters {
		switch v, on := t.setting(s.params, i); {
		case !on:
		case v.Label != "":
			r.Design[p.Name] = v.Label
		default:
			r.Design[p.Name] = v.Num
		}
	}
	return r
}
