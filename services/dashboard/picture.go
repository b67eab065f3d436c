package dashboard

import (
	"fmt"
	"html/template"
	"math"
	"slices"
	"strconv"
	"strings"

	"apollo/events"
	"apollo/services/cli"
	"apollo/services/draw"
)

// maxDots are drawn one by one; above, cells of a grid stand for them.
const maxDots = 2000

// picture is a chart as a part of a page: its names stand below it.
type picture struct {
	Title   string
	Drawing template.HTML
	Keys    []key
}

// key is what one of the colours, by its class, stands for.
type key struct{ Class, Text string }

// pictured draws a chart; nil where it has no point.
func pictured(c *draw.Chart) *picture {
	p := &picture{Title: c.Title, Drawing: inline(c.Inline)}
	if p.Drawing == "" {
		return nil
	}
	for i := range c.Series {
		if of := &c.Series[i]; of.Name != "" {
			p.Keys = append(p.Keys, key{of.Class, of.Name})
		}
	}
	if c.Dense {
		p.Keys = append(p.Keys, key{"range", "trials, darker where there are more"})
	}
	return p
}

// lineLook is the look of one of several lines.
func lineLook(i int) string { return "line" + strconv.Itoa(i%lineLooks) }

// lineLooks is how many there are.
const lineLooks = 8

// trialsAxis counts trials.
func trialsAxis(title string) draw.Axis {
	return draw.Axis{Title: title, Text: func(v float64) string { return cli.Count(int(v)) }}
}

func metricAxis(m events.Metric) draw.Axis {
	return draw.Axis{Title: m.Short(), Log: true, Text: func(v float64) string { return amount(v, m.Unit) }}
}

// byKind are the dots of trials, in a fixed order: what matters last.
type byKind map[string]*draw.Series

func (d byKind) of(kind string, foot bool) *draw.Series {
	name := kind
	if foot {
		name = "foot of " + kind
	}
	if d[name] == nil {
		d[name] = &draw.Series{Name: kindText(kind), Class: "cloud " + kind, Foot: foot}
	}
	return d[name]
}

func (d byKind) series() (out []draw.Series) {
	for _, kind := range []string{kindLow, kindStopped, kindFailed, kindInfeasible, kindOver, kindFeasible} {
		for _, s := range []*draw.Series{d["foot of "+kind], d[kind]} {
			switch {
			case s == nil:
			case len(out) > 0 && out[len(out)-1].Name == s.Name:
				s.Name = "" // once
				fallthrough
			default:
				out = append(out, *s)
			}
		}
	}
	return out
}

// stairs are a line that keeps its value until the next mark.
func stairs(name, class string, best []Mark, last int) draw.Series {
	s := draw.Series{Name: name, Class: class, Stairs: true}
	for _, m := range best {
		s.X, s.Y = append(s.X, float64(m.Trial)), append(s.Y, m.Value)
	}
	if n := len(best); n > 0 {
		s.X, s.Y = append(s.X, float64(last)), append(s.Y, best[n-1].Value)
	}
	return s
}

// drawBest draws the best so far and the trials behind it; nil where nothing has a
// value yet.
func (s *snapshot) drawBest() *picture {
	spec := s.spec
	if len(s.columns) == 0 {
		return nil
	}
	metric := spec.Metrics[s.metric]
	last := s.columns[len(s.columns)-1].First + s.width
	c := &draw.Chart{Title: "Best so far", X: trialsAxis("trial"), Y: metricAxis(metric)}
	long := s.counts.Trials > maxDots
	if long {
		for _, col := range s.columns {
			c.Rects = append(c.Rects, draw.Rect{X0: float64(col.First), X1: float64(col.First + s.width), Y0: col.Low, Y1: col.High, Opacity: 0.28, Class: "range"})
		}
	} else {
		c.Series = s.byTrial()
	}
	if base, measured := s.baseline.Metrics[metric.Name]; measured {
		c.Rules = append(c.Rules, draw.Rule{Name: "baseline " + amount(base, metric.Unit), At: base, Class: "baseline"})
	}
	if s.optimum != nil {
		c.Rules = append(c.Rules, draw.Rule{Name: "proven optimum " + amount(*s.optimum, metric.Unit), At: *s.optimum, Class: "optimum"})
	}
	if n := len(s.best); n > 0 {
		b := s.best[n-1]
		c.Series = append(c.Series, stairs("best so far", "best", s.best, last),
			draw.Series{Name: "best", Class: "found", Over: true, X: []float64{float64(b.Trial)}, Y: []float64{b.Value}, Titles: []string{fmt.Sprintf("trial %d: %s", b.Trial, amount(b.Value, metric.Unit))}})
	}
	p := pictured(c)
	if p != nil && long {
		p.Keys = append(p.Keys, key{"range", "range of the trials"})
	}
	return p
}

// byTrial draws a dot per trial with a value, and one at the foot for one without.
func (s *snapshot) byTrial() []draw.Series {
	d := byKind{}
	for i := range s.kept {
		t := &s.kept[i]
		v := t.value(s.metric)
		to := d.of(t.kind, math.IsNaN(v))
		if to.X = append(to.X, float64(t.trial)); !to.Foot {
			to.Y = append(to.Y, v)
		}
	}
	return d.series()
}

// drawVolume draws what the front of a run with several objectives dominates.
func (s *snapshot) drawVolume() *picture {
	if len(s.best) == 0 {
		return nil
	}
	last := max(s.counts.Trials, s.best[len(s.best)-1].Trial+1)
	shares := slices.Clone(s.best)
	for i := range shares {
		shares[i].Value = 100 * s.best[i].Value / max(s.best[len(s.best)-1].Value, math.SmallestNonzeroFloat64)
	}
	return pictured(&draw.Chart{
		Title: "Hypervolume of the front up to " + signs(cli.Corner(s.spec, s.view.Reference)), X: trialsAxis("trial"), Y: shareAxis("of the last"),
		Series: []draw.Series{stairs("hypervolume so far", "best", shares, last)},
	})
}

func shareAxis(title string) draw.Axis {
	return draw.Axis{Title: title, Text: func(v float64) string { return cli.Significant(v) + " %" }}
}

// drawPlane draws a metric against another one; nil where no trial has both.
func (s *snapshot) drawPlane(mx, my int) *picture {
	d := byKind{}
	var xs, ys []float64
	for i := range s.kept {
		if vx, vy := s.kept[i].value(mx), s.kept[i].value(my); !math.IsNaN(vx) && !math.IsNaN(vy) {
			to := d.of(s.kept[i].kind, false)
			to.X, to.Y = append(to.X, vx), append(to.Y, vy)
			xs, ys = append(xs, vx), append(ys, vy)
		}
	}
	if len(xs) == 0 {
		return nil
	}
	a, b := s.spec.Metrics[mx], s.spec.Metrics[my]
	c := &draw.Chart{Title: b.Short() + " against " + a.Short(), X: metricAxis(a), Y: metricAxis(b), Series: d.series(), Dense: len(xs) > maxDots}
	if c.Dense {
		for i := range c.Series {
			c.Series[i].Name = ""
		}
	}
	c.Rules = slices.Concat(s.limits(a, true, xs), s.limits(b, false, ys))
	c.Series = append(c.Series, s.answers(a.Name, b.Name)...)
	return pictured(c)
}

// limits are the constraints on a metric of a plane, as far as they are near its values.
func (s *snapshot) limits(m events.Metric, vertical bool, values []float64) (out []draw.Rule) {
	for _, c := range s.spec.Constraints {
		for _, v := range []*float64{c.Max, c.Min} {
			if c.Metric == m.Name && v != nil && isNear(*v, slices.Min(values), slices.Max(values)) {
				out = append(out, draw.Rule{Name: "limit " + amount(*v, m.Unit), At: *v, Vertical: vertical, Class: "limit"})
			}
		}
	}
	return out
}

// isNear says whether a limit lies on the axis of values from low to high as it is widened on
// both sides by its own length, or by a factor of two where it is shorter: a limit far away
// would leave the values no room.
func isNear(limit, low, high float64) bool {
	least := max(math.Abs(low), math.Abs(high))
	if low > 0 { // the axis is logarithmic
		if limit <= 0 {
			return false
		}
		limit, low, high, least = math.Log10(limit), math.Log10(low), math.Log10(high), math.Log10(2)
	}
	room := max(high-low, least)
	return low-room <= limit && limit <= high+room
}

// answers are the best trial, or the front, in a plane.
func (s *snapshot) answers(a, b string) []draw.Series {
	found := draw.Series{Name: "best", Class: "found", Over: true}
	var front []events.BestTrial
	for _, t := range s.answer {
		vx, okX := t.Metrics[a]
		vy, okY := t.Metrics[b]
		if okX && okY {
			front = append(front, t)
			found.X, found.Y = append(found.X, vx), append(found.Y, vy)
			found.Titles = append(found.Titles, fmt.Sprintf("trial %d: %s, %s", t.Trial, metricText(s.spec, a, vx), metricText(s.spec, b, vy)))
		}
	}
	if len(front) == 0 {
		return nil
	}
	out := []draw.Series{found}
	if len(s.spec.Objectives) == 2 && len(front) > 1 {
		out[0].Name = "front"
		slices.SortFunc(front, func(s, t events.BestTrial) int {
			if s.Metrics[a] < t.Metrics[a] {
				return -1
			}
			return 1
		})
		line := draw.Series{Class: "front", Line: true}
		for _, t := range front {
			line.X, line.Y = append(line.X, t.Metrics[a]), append(line.Y, t.Metrics[b])
		}
		out = append([]draw.Series{line}, out...)
	}
	return out
}

// sparkline draws a series in a word's room: points of a line of 120 by 24.
func sparkline(values []float64) string {
	if len(values) < 2 {
		return ""
	}
	low, high := slices.Min(values), slices.Max(values)
	var points []string
	for i, v := range values {
		share := 0.5
		if !draw.Alike(low, high) {
			share = (v/2 - low/2) / (high/2 - low/2) // halves, so that no span is without an end
		}
		points = append(points, fmt.Sprintf("%.1f,%.1f", 118*float64(i)/float64(len(values)-1)+1, 22-20*share))
	}
	return strings.Join(points, " ")
}
