package dashboard

import (
	"cmp"
	"net/url"
	"slices"
	"strings"
	"time"

	"apollo/services/cli"
)

// listPage is what the list of studies shows.
type listPage struct {
	Rows               []listRow
	Head               []head
	States             []choice
	Text, State, Sort  string
	All, Shown         int
	Letters            uint64
	Attention, Running int
	Events             string
}

type listRow struct {
	Listed
	Attention         bool
	BestText, Metric  string
	RateText, Spark   string
	TrialsText, Since string
}

// page makes the list for an address.
func listOf(all []Listed, letters uint64, v url.Values, now time.Time) *listPage {
	p := &listPage{Letters: letters, Text: v.Get("q"), State: v.Get("state"), Sort: v.Get("sort"), All: len(all), Events: "/api/v1/events"}
	counted := map[string]int{}
	for i := range all {
		l := &all[i]
		counted[l.State]++
		if needsAttention(l.State) {
			p.Attention++
		}
		if l.State == "running" {
			p.Running++
		}
		if (p.State == "" || p.State == l.State) && l.matches(p.Text) {
			p.Rows = append(p.Rows, l.row(now))
		}
	}
	p.Shown = len(p.Rows)
	for _, state := range append([]string{""}, sortedKeys(counted)...) {
		text := state
		if state == "" {
			text = "all"
		}
		p.States = append(p.States, choice{text, with(v, "state", state), p.State == state})
	}
	p.sort(v)
	return p
}

func sortedKeys(m map[string]int) (out []string) {
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// matches reports whether a study has every word of a text in its name, its
// labels, its networks or its algorithm.
func (l *Listed) matches(text string) bool {
	all := strings.ToLower(strings.Join(slices.Concat([]string{l.Study, l.State, l.Algorithm}, l.Networks, labels(l.Labels)), " "))
	for word := range strings.FieldsSeq(strings.ToLower(text)) {
		if !strings.Contains(all, word) {
			return false
		}
	}
	return true
}

func labels(m map[string]string) (out []string) {
	for k, v := range m {
		out = append(out, k+"="+v)
	}
	slices.Sort(out)
	return out
}

func (l *Listed) row(now time.Time) listRow {
	r := listRow{
		Listed: *l, Attention: needsAttention(l.State), RateText: l.rateText(), Spark: sparkline(l.Trend),
		TrialsText: cli.Count(l.Trials) + " of " + cli.Count(l.Budget), Since: ago(l.Updated, now), BestText: "–",
	}
	switch {
	case len(l.spec.Objectives) > 1:
		for _, o := range l.spec.Objectives {
			r.Metric = strings.TrimPrefix(r.Metric+", "+shortName(l.spec, o.Metric), ", ")
		}
		if l.FrontSize > 0 {
			r.BestText = "front of " + cli.Count(l.FrontSize)
		}
	case len(l.spec.Objectives) == 1:
		r.Metric = shortName(l.spec, l.spec.Objectives[0].Metric)
		r.BestText = bestText(l.spec, l.Best, l.spec.Objectives[0].Metric)
	}
	return r
}

// sort sorts the rows by the word of the address; without one they stay as they
// come: what needs attention first.
func (p *listPage) sort(v url.Values) {
	word, down := strings.CutPrefix(p.Sort, "-")
	by := map[string]func(a, b *listRow) int{
		"study":  func(a, b *listRow) int { return cmp.Compare(a.Study, b.Study) },
		"state":  func(a, b *listRow) int { return cmp.Compare(a.State, b.State) },
		"trials": func(a, b *listRow) int { return cmp.Compare(a.Trials, b.Trials) },
		"rate":   func(a, b *listRow) int { return cmp.Compare(a.TrialsPerSecond, b.TrialsPerSecond) },
		"age":    func(a, b *listRow) int { return b.Updated.Compare(a.Updated) },
	}
	if order := by[word]; order != nil {
		slices.SortStableFunc(p.Rows, func(a, b listRow) int {
			if down {
				return order(&b, &a)
			}
			return order(&a, &b)
		})
	}
	q := query{Sort: word, Descending: down}
	p.Head = []head{
		q.head(v, "study", "Study", false), q.head(v, "state", "State", false),
		{Name: "Best", Number: true},
		{Name: "So far"},
		q.head(v, "trials", "Trials", true), q.head(v, "rate", "Rate", false),
		{Name: "Search"},
		q.head(v, "age", "Last news", false),
	}
}
