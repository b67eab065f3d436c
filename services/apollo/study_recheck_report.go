package main

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"

	"apollo/archiver"
	"apollo/events"
	"apollo/events/unit"
	"apollo/optimizer/pareto"
	"apollo/services/cli"
	"apollo/services/inspect"
)

// recheckAnswer is the answer of `study recheck -o json`.
type recheckAnswer struct {
	Study     string `json:"study"`
	Run       string `json:"run"`
	State     string `json:"state"`
	Evaluator string `json:"evaluator"`
	// Of is the study whose designs were measured again.
	Of struct {
		Study     string `json:"study"`
		Run       string `json:"run"`
		Evaluator string `json:"evaluator"`
	} `json:"of"`
	Measured   int `json:"measured"`
	Infeasible int `json:"infeasible"`
	Failed     int `json:"failed"`
	Waiting    int `json:"waiting,omitempty"`
	// Agreement has one entry an objective.
	Agreement []agreement `json:"agreement"`
	// Best is the design that is best now, null for none and with several objectives;
	// Front are the ranks of those that none of the others beats then.
	Best    *recheckedDesign  `json:"best"`
	Front   []int             `json:"front,omitempty"`
	Designs []recheckedDesign `json:"designs"`
	// Spec is that of the new study.
	Spec *events.Spec `json:"spec"`

	of *events.Spec
}

// recheckedDesign is a design with what both say of it.
type recheckedDesign struct {
	// Rank is its place in the study, from 1, and Now that among the feasible designs
	// measured again; 0 for none, and with several objectives.
	Rank  int `json:"rank"`
	Now   int `json:"rank_now,omitempty"`
	Trial int `json:"trial"`
	// Again is its trial in the new study, null while it waits there.
	Again    *int               `json:"trial_again"`
	Outcome  string             `json:"outcome"` // waiting | measured | infeasible | failed
	Feasible bool               `json:"feasible"`
	Reason   *events.Reason     `json:"reason,omitempty"`
	Design   map[string]any     `json:"design"`
	Before   map[string]float64 `json:"metrics_before"`
	// After are means where the new study measured the design several times.
	After map[string]float64 `json:"metrics_after"`
}

// recheckReport compares the winners of a study with what another one measured of
// them: its trials, in the order of the winners, are its first ones.
func recheckReport(source *ledger, winners []*trial, again *ledger) *recheckAnswer {
	r := &recheckAnswer{
		Study: again.view.Study, Run: again.view.Run, State: string(again.view.State), Evaluator: again.view.Spec.Evaluator.Name, Spec: again.view.Spec, of: source.view.Spec,
	}
	r.Of.Study, r.Of.Run, r.Of.Evaluator = source.view.Study, source.view.Run, source.view.Spec.Evaluator.Name
	for k, t := range winners {
		d := recheckedDesign{
			Rank: k + 1, Trial: t.number, Outcome: "waiting", Design: designMap(source.view.Spec, t.design), Before: inspect.Metrics(source.view.Spec, t.result.Values),
		}
		d.read(again, k)
		d.After = r.inUnits(d.After)
		switch d.Outcome {
		case events.OutcomeMeasured:
			r.Measured++
		case events.OutcomeInfeasible:
			r.Infeasible++
		case events.OutcomeFailed:
			r.Failed++
		default:
			r.Waiting++
		}
		r.Designs = append(r.Designs, d)
	}
	r.rank()
	for _, o := range r.of.Objectives {
		r.Agreement = append(r.Agreement, r.agreement(o.Metric))
	}
	return r
}

// read takes what the new study says of its k-th first design.
func (d *recheckedDesign) read(l *ledger, k int) {
	if k >= len(l.trials) {
		return
	}
	design := fmt.Sprint(l.trials[k].design)
	var first *trial
	sums, count := map[string]float64{}, 0.0
	for i := range l.trials {
		t := &l.trials[i]
		if t.voidedBy > 0 || fmt.Sprint(t.design) != design {
			continue
		}
		if first == nil || first.result == nil {
			first = t
		}
		if t.result != nil && t.result.Outcome == events.OutcomeMeasured {
			for name, v := range inspect.Metrics(l.view.Spec, t.result.Values) {
				sums[name] += v
			}
			count++
		}
	}
	if first == nil || first.result == nil {
		return
	}
	j := l.json(first)
	d.Again, d.Outcome, d.Feasible, d.Reason, d.After = &first.number, j.Outcome, j.Feasible, j.Reason, j.Metrics
	if count > 1 {
		for name := range sums {
			d.After[name] = sums[name] / count
		}
	}
}

// inUnits are metrics of the new study by the names, and in the units, of the one that
// was searched.
func (r *recheckAnswer) inUnits(metrics map[string]float64) map[string]float64 {
	if metrics == nil {
		return nil
	}
	out := make(map[string]float64, len(metrics))
	for name, v := range metrics {
		if i := r.Spec.MetricIndex(name); i >= 0 {
			m := r.Spec.Metrics[i]
			if to := sameMetric(r.of, m); to != "" {
				ratio, _ := unit.Ratio(m.Unit, r.metric(to).Unit)
				name, v = to, v*ratio
			}
		}
		out[name] = v
	}
	return out
}

// sameMetric is the metric of a study that is the same quantity as another study's, in
// whatever unit; "" for none.
func sameMetric(of *events.Spec, m events.Metric) string {
	for _, o := range of.Metrics {
		if _, err := unit.Ratio(m.Unit, o.Unit); err == nil && o.Short() == m.Short() {
			return o.Name
		}
	}
	return ""
}

// rank orders the feasible designs by what was measured now.
func (r *recheckAnswer) rank() {
	var feasible []int
	var points [][]float64
	for i := range r.Designs {
		if d := &r.Designs[i]; d.Feasible {
			feasible, points = append(feasible, i), append(points, minimisedOf(r.of, d.After))
		}
	}
	order := make([]int, len(feasible))
	for i := range order {
		order[i] = i
	}
	if len(r.of.Objectives) > 1 {
		for _, i := range pareto.Front(points) {
			r.Front = append(r.Front, r.Designs[feasible[i]].Rank)
		}
		slices.Sort(r.Front)
		return
	}
	// Stable, so that of equal ones the design that was better before goes first.
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(points[a][0], points[b][0]) })
	for place, i := range order {
		r.Designs[feasible[i]].Now = place + 1
	}
	if len(order) > 0 {
		r.Best = &r.Designs[feasible[order[0]]]
	}
}

// agreement compares the order by a metric, of the designs that both measured.
func (r *recheckAnswer) agreement(metric string) agreement {
	var before, after []float64
	for i := range r.Designs {
		d := &r.Designs[i]
		a, have := d.Before[metric]
		b, measured := d.After[metric]
		if have && measured && d.Outcome == events.OutcomeMeasured {
			before, after = append(before, a), append(after, b)
		}
	}
	return kendall(metric, before, after)
}

func (a *app) printRecheck(r *recheckAnswer) error {
	items := make([]any, len(r.Designs))
	for i := range r.Designs {
		items[i] = r.Designs[i]
	}
	return a.Print(cli.Answer{Value: r, Items: items, Sheet: r.sheet(), Text: func(w io.Writer, p cli.Paint) {
		r.text(w, p)
		a.nextLine(w, r.next())
	}})
}

func (r *recheckAnswer) text(w io.Writer, p cli.Paint) {
	fmt.Fprintf(w, "%s run %s: %s\n", p.Bold(r.Study), r.Run, r.State)
	fmt.Fprintf(w, "%s of %s on evaluator %s\n", cli.Plural(len(r.Designs), "design"), r.Of.Study, r.Evaluator)
	fmt.Fprintf(w, "%d measured, %d infeasible, %d failed", r.Measured, r.Infeasible, r.Failed)
	if r.Waiting > 0 {
		fmt.Fprintf(w, ", %d waiting", r.Waiting)
	}
	fmt.Fprint(w, "\n\n")
	for i := range r.Agreement {
		fmt.Fprintf(w, "order  %s\n", r.orderText(&r.Agreement[i]))
	}
	fmt.Fprintf(w, "best   %s\n\n", r.bestText())
	g := &cli.Grid{Header: []string{">RANK", ">NOW", ">TRIAL", ">AGAIN"}}
	for _, o := range r.of.Objectives {
		m := r.metric(o.Metric)
		name := cli.Bare(m.Name, m.Unit)
		g.Header = append(g.Header, ">"+name, ">"+name+" NOW", ">NOW / BEFORE")
	}
	g.Header = append(g.Header, "OUTCOME")
	for i := range r.Designs {
		d := &r.Designs[i]
		row := []string{strconv.Itoa(d.Rank), r.nowText(d), strconv.Itoa(d.Trial), againText(d)}
		for _, o := range r.of.Objectives {
			m := r.metric(o.Metric)
			before, after, ratio := cli.Quantity(d.Before[o.Metric], m.Unit), "-", "-"
			if v, ok := d.After[o.Metric]; ok {
				after = cli.Quantity(v, m.Unit)
				if q := v / d.Before[o.Metric]; !math.IsNaN(q) && !math.IsInf(q, 0) {
					ratio = cli.Significant(q) + "x"
				}
			}
			row = append(row, before, after, ratio)
		}
		g.Add(append(row, r.outcomeText(d))...)
	}
	g.Text(w, p)
}

func (r *recheckAnswer) metric(name string) events.Metric {
	return r.of.Metrics[r.of.MetricIndex(name)]
}

func (r *recheckAnswer) nowText(d *recheckedDesign) string {
	switch {
	case d.Now > 0:
		return strconv.Itoa(d.Now)
	case slices.Contains(r.Front, d.Rank):
		return "front"
	}
	return "-"
}

func againText(d *recheckedDesign) string {
	if d.Again == nil {
		return "-"
	}
	return strconv.Itoa(*d.Again)
}

func (r *recheckAnswer) outcomeText(d *recheckedDesign) string {
	text := d.Outcome
	switch {
	case d.Feasible:
		text = "feasible"
	case d.Outcome == events.OutcomeMeasured:
		text = "over limit"
	}
	if d.Reason != nil {
		text += ": " + d.Reason.Code
	}
	return text
}

func (r *recheckAnswer) orderText(a *agreement) string {
	name := cli.Bare(a.Metric, r.metric(a.Metric).Unit)
	if a.Tau == nil {
		return fmt.Sprintf("by %s: nothing to compare in %s", name, cli.Plural(a.Designs, "design"))
	}
	verdict := "does not hold beyond chance"
	if a.Holds {
		verdict = "holds"
	}
	text := fmt.Sprintf("by %s %s: Kendall's tau-b %.2f (by chance in %s)\n       %d of %s of %s are as before", name, verdict, *a.Tau,
		chanceText(*a.Chance), a.Same, cli.Plural(a.Same+a.Reversed+a.Ties, "pair"), cli.Plural(a.Designs, "design"))
	if a.Ties > 0 {
		text += fmt.Sprintf(", %d equal", a.Ties)
	}
	return text
}

// chanceText is a chance as a percentage; one that would round to none is none of that.
func chanceText(p float64) string {
	if p < 0.001 {
		return "less than 0.1 %"
	}
	return cli.Percent(p)
}

func (r *recheckAnswer) bestText() string {
	switch {
	case len(r.Front) > 0:
		return fmt.Sprintf("%d of the %s are on the front now", len(r.Front), cli.Plural(len(r.Designs), "design"))
	case r.Best == nil:
		return "none is feasible"
	case r.Best.Rank == 1:
		return fmt.Sprintf("stays: trial %d of %s", r.Best.Trial, r.Of.Study)
	}
	return fmt.Sprintf("is another: trial %d of %s, number %d there;\n       the best there is %s", r.Best.Trial, r.Of.Study, r.Best.Rank, r.place(&r.Designs[0]))
}

func (r *recheckAnswer) place(d *recheckedDesign) string {
	if d.Now > 0 {
		return fmt.Sprintf("number %d now", d.Now)
	}
	return r.outcomeText(d) + " now"
}

// next is what follows: failures first, then the best.
func (r *recheckAnswer) next() string {
	switch {
	case r.State == "paused":
		return "apollo study resume " + r.Study
	case r.Failed > 0:
		return "apollo study retry " + r.Study + " --failed"
	case r.Best != nil:
		return fmt.Sprintf("apollo trial show %s %d", r.Study, *r.Best.Again)
	}
	return "apollo trial ls " + r.Study
}

// sheet is the table for programs: plain numbers, under the names that json has.
func (r *recheckAnswer) sheet() *cli.Grid {
	g := &cli.Grid{Header: []string{"rank", "rank_now", "trial", "trial_again", "outcome", "feasible", inspect.ReasonColumn}}
	for _, m := range r.of.Metrics {
		g.Header = append(g.Header, archiver.MetricColumn(m.Name), archiver.MetricColumn(m.Name)+"_after")
	}
	g.Header = append(g.Header, inspect.ParameterColumns(r.of)...)
	number := func(v float64, ok bool) string {
		if !ok {
			return ""
		}
		return inspect.Plain(v)
	}
	of := inspect.MeaningOf(r.of)
	for i := range r.Designs {
		d := &r.Designs[i]
		reason, now, again := "", "", ""
		if d.Reason != nil {
			reason = d.Reason.Code
		}
		if d.Now > 0 {
			now = strconv.Itoa(d.Now)
		}
		if d.Again != nil {
			again = strconv.Itoa(*d.Again)
		}
		row := []string{strconv.Itoa(d.Rank), now, strconv.Itoa(d.Trial), again, d.Outcome, strconv.FormatBool(d.Feasible), reason}
		for _, m := range r.of.Metrics {
			a, has := d.Before[m.Name]
			b, measured := d.After[m.Name]
			row = append(row, number(a, has), number(b, measured))
		}
		g.Add(append(row, of.Cells(inspect.DesignOf(r.of, d.Design))...)...)
	}
	return g
}
