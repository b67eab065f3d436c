package dashboard

import (
	"cmp"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"apollo/evaluator/report"
	"apollo/optimizer/space"
	"apollo/services/cli"
	"apollo/services/inspect"
)

func layer(l *report.Layer, several bool, total float64) layerRow {
	name := l.ID
	if several {
		name = l.Network + "/" + l.ID
	}
	share := l.LatencySeconds / max(total, math.SmallestNonzeroFloat64)
	return layerRow{
		Name: name, Op: l.Op, Latency: amount(l.LatencySeconds, "s"), Share: cli.Percent(share), Waits: l.Bottleneck, Used: cli.Percent(l.Utilisation),
		Energy: amount(l.EnergyJ, "J"), Size: int(share * barSize), Look: waitsFor(l.Bottleneck),
	}
}

// looks is how many colours a page has for parts.
const looks = 6

// parts are the parts of a quantity, the largest first.
func parts(title string, all []report.Part, unit string) partsOf {
	sum := 0.0
	for _, x := range all {
		sum += x.Value
	}
	out := partsOf{Title: title + ": " + amount(sum, unit)}
	for i, x := range all {
		if x.Value > 0 {
			out.Rows = append(out.Rows, partRow{strings.ReplaceAll(x.Name, "_", " "), amount(x.Value, unit), cli.Percent(x.Value / sum), int(x.Value / sum * barSize), i % looks})
		}
	}
	slices.SortStableFunc(out.Rows, func(a, b partRow) int { return cmp.Compare(b.Size, a.Size) })
	return out
}

// near shows the single changes that help: those that repair a design which is not
// feasible, or that better the first objective of one that is.
func (p *designPage) near(s *snapshot, e *evaluated, changes []inspect.Change, v url.Values) {
	o := s.objective()
	at := s.spec.MetricIndex(o.Metric)
	sign := 1.0
	if o.Goal == "maximize" {
		sign = -1
	}
	here := e.subject.Values(&e.report)[at]
	p.NearbyTitle = "Single changes that make " + shortName(s.spec, o.Metric) + " better"
	if !e.judged.Feasible {
		p.NearbyTitle = "Single changes that repair it"
	}
	changes = slices.DeleteFunc(slices.Clone(changes), func(c inspect.Change) bool {
		return !c.Feasible || e.judged.Feasible && !(sign*c.Values[at] < sign*here)
	})
	slices.SortStableFunc(changes, func(a, b inspect.Change) int { return cmp.Compare(sign*a.Values[at], sign*b.Values[at]) })
	const most = 8
	for _, c := range changes[:min(len(changes), most)] {
		param := s.params[c.Parameter]
		from := e.design[c.Parameter]
		row := nearRow{
			Name: breakable(param.Name), From: levelText(from, param.Unit),
			To: levelText(c.To, param.Unit), Link: with(v, levelWord+param.Name, strconv.Itoa(c.Level)),
		}
		for i, m := range s.spec.Metrics {
			row.Cells = append(row.Cells, amount(c.Values[i], m.Unit))
		}
		if e.judged.Feasible && here != 0 {
			row.Gain = changeText(c.Values[at]/here - 1)
		}
		p.Nearby = append(p.Nearby, row)
	}
}

// none stands for what is not there.
const none = "–"

func levelText(v space.Value, unit string) string {
	if v.Label != "" {
		return v.Label
	}
	return signs(cli.Quantity(v.Num, unit))
}
