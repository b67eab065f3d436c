package dashboard

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"apollo/events"
	"apollo/services/cli"
)

// The frame of a picture, in its own units.
const (
	pictureWidth, pictureHeight = 640.0, 300.0
	frameLeft, frameRight       = 74.0, 628.0
	frameTop, frameBottom       = 14.0, 252.0
	// maxDots are drawn one by one; above, cells of a grid stand for them.
	maxDots         = 2000
	gridX, gridY    = 64, 30
	shades          = 5
	rugTop, rugFoot = 244.0, 251.0
)

// picture is placed for a template: it has numbers and texts only, and the template
// escapes the texts.
type picture struct {
	Title, XTitle, YTitle string
	XTicks, YTicks        []label
	Line                  string // points of the best so far
	Lines                 []line // of several studies
	Clouds                []cloud
	Bars                  []bar
	Parts                 []line // whose shares are drawn
	Shares                []share
	Limits                []limitLine
	Best                  []dot
	Marks                 []dot
	Front                 string // points of the front in a plane
	Binned                bool
}

// line is the best so far of one of several studies.
type line struct {
	Index        int
	Name, Points string
}

// cloud is the path of all dots of one kind.
type cloud struct {
	Kind, Path string
	Text       string // "" is that of its kind
}

type dot struct {
	X, Y  float64
	Trial int
	Text  string
}

type bar struct {
	X, Y, Width, Height float64
	Shade               int // 1 to shades
}

type label struct {
	X, Y float64
	Text string
}

// limitLine is a line that means something: a limit, or the baseline.
type limitLine struct {
	X1, Y1, X2, Y2 float64
	Kind, Text     string
	TextX, TextY   float64
}

func (p *picture) ticks(x, y *axis, xText, yText func(float64) string) {
	const most = 6
	for _, v := range x.ticks(most) {
		p.XTicks = append(p.XTicks, label{x.at(v), frameBottom + 16, xText(v)})
	}
	for _, v := range y.ticks(most) {
		p.YTicks = append(p.YTicks, label{frameLeft - 6, y.at(v), yText(v)})
	}
}

// across draws a line at a value of the vertical axis.
func (p *picture) across(y *axis, v float64, kind, text string) {
	if s := y.share(v); s < 0 || s > 1 {
		return
	}
	p.Limits = append(p.Limits, limitLine{frameLeft, y.at(v), frameRight, y.at(v), kind, text, frameRight - 4, y.at(v) - 4})
}

// dots writes marks as paths, one per kind, in a fixed order: what matters last.
type dots map[string]*strings.Builder

func (d dots) add(kind string, x, y float64) {
	if d[kind] == nil {
		d[kind] = &strings.Builder{}
	}
	fmt.Fprintf(d[kind], "M%g %gh0", x, y)
}

func (d dots) clouds() (out []cloud) {
	for _, kind := range []string{kindFailed, kindInfeasible, kindOver, kindFeasible} {
		if d[kind] != nil {
			out = append(out, cloud{Kind: kind, Path: d[kind].String()})
		}
	}
	return out
}

// drawBest draws the best so far and the trials behind it; nil where nothing has a
// value yet.
func (s *snapshot) drawBest() *picture {
	spec := s.spec
	if len(spec.Objectives) > 1 {
		return s.drawVolume()
	}
	if len(s.columns) == 0 {
		return nil
	}
	metric := spec.Metrics[s.metric]
	low, high := math.Inf(1), math.Inf(-1)
	for _, c := range s.columns {
		low, high = min(low, c.Low), max(high, c.High)
	}
	base, measured := s.baseline.Metrics[metric.Name]
	if measured {
		low, high = min(low, base), max(high, base)
	}
	if s.optimum != nil {
		low, high = min(low, *s.optimum), max(high, *s.optimum)
	}
	last := s.columns[len(s.columns)-1].First + s.width
	x, y := newAxis(0, float64(last), frameLeft, frameRight), newAxis(low, high, frameBottom-10, frameTop)
	p := &picture{Title: "Best so far", XTitle: "trial", YTitle: metric.Short()}
	p.ticks(&x, &y, func(v float64) string { return cli.Count(int(v)) }, func(v float64) string { return amount(v, metric.Unit) })
	if s.counts.Trials <= maxDots {
		p.Clouds = s.byTrial(&x, &y)
	} else {
		p.Binned = true
		for _, c := range s.columns {
			left := x.at(float64(c.First))
			p.Bars = append(p.Bars, bar{left, y.at(c.High), max(x.at(float64(c.First+s.width))-left, 1), max(y.at(c.Low)-y.at(c.High), 1), 2})
		}
	}
	if measured {
		p.across(&y, base, "baseline", "baseline "+amount(base, metric.Unit))
	}
	if s.optimum != nil {
		p.across(&y, *s.optimum, "optimum", "proven optimum "+amount(*s.optimum, metric.Unit))
	}
	p.Line = stairs(s.best, last, &x, &y)
	if n := len(s.best); n > 0 {
		p.Best = []dot{{x.at(float64(s.best[n-1].Trial)), y.at(s.best[n-1].Value), s.best[n-1].Trial, amount(s.best[n-1].Value, metric.Unit)}}
	}
	return p
}

// byTrial draws a dot per trial with a value, and a stroke at the foot for one without.
func (s *snapshot) byTrial(x, y *axis) []cloud {
	d := dots{}
	for i := range s.kept {
		t := &s.kept[i]
		if v := t.value(s.metric); !math.IsNaN(v) {
			d.add(t.kind, x.at(float64(t.trial)), y.at(v))
			continue
		}
		d.add(t.kind, x.at(float64(t.trial)), rugFoot-3)
	}
	return d.clouds()
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
	x, y := newAxis(0, float64(last), frameLeft, frameRight), newAxis(0, 100, frameBottom, frameTop)
	p := &picture{Title: "Hypervolume of the front", XTitle: "trial", YTitle: "of the last"}
	p.ticks(&x, &y, func(v float64) string { return cli.Count(int(v)) }, func(v float64) string { return cli.Significant(v) + " %" })
	p.Line = stairs(shares, last, &x, &y)
	return p
}

// stairs are the points of a line that keeps its value until the next mark.
func stairs(best []Mark, last int, x, y *axis) string {
	var points []string
	add := func(trial int, v float64) {
		points = append(points, fmt.Sprintf("%g,%g", x.at(float64(trial)), y.at(v)))
	}
	for i, m := range best {
		if i > 0 {
			add(m.Trial, best[i-1].Value)
		}
		add(m.Trial, m.Value)
	}
	if n := len(best); n > 0 {
		add(last, best[n-1].Value)
	}
	return strings.Join(points, " ")
}

// drawPlane draws a metric against another one; nil where no trial has both.
func (s *snapshot) drawPlane(mx, my int) *picture {
	lowX, highX, lowY, highY := math.Inf(1), math.Inf(-1), math.Inf(1), math.Inf(-1)
	drawn := 0
	for i := range s.kept {
		if vx, vy := s.kept[i].value(mx), s.kept[i].value(my); !math.IsNaN(vx) && !math.IsNaN(vy) {
			lowX, highX, lowY, highY = min(lowX, vx), max(highX, vx), min(lowY, vy), max(highY, vy)
			drawn++
		}
	}
	if drawn == 0 {
		return nil
	}
	a, b := s.spec.Metrics[mx], s.spec.Metrics[my]
	for _, c := range s.spec.Constraints { // a limit that is near is drawn
		if c.Metric == a.Name && c.Max != nil && *c.Max < 2*highX {
			highX = max(highX, *c.Max)
		}
		if c.Metric == b.Name && c.Max != nil && *c.Max < 2*highY {
			highY = max(highY, *c.Max)
		}
	}
	x, y := newAxis(lowX, highX, frameLeft, frameRight), newAxis(lowY, highY, frameBottom, frameTop)
	p := &picture{Title: b.Short() + " against " + a.Short(), XTitle: a.Short(), YTitle: b.Short(), Binned: drawn > maxDots}
	p.ticks(&x, &y, func(v float64) string { return amount(v, a.Unit) }, func(v float64) string { return amount(v, b.Unit) })
	if p.Binned {
		p.Bars = s.grid(mx, my, &x, &y)
	} else {
		d := dots{}
		for i := range s.kept {
			if vx, vy := s.kept[i].value(mx), s.kept[i].value(my); !math.IsNaN(vx) && !math.IsNaN(vy) {
				d.add(s.kept[i].kind, x.at(vx), y.at(vy))
			}
		}
		p.Clouds = d.clouds()
	}
	s.limits(p, &x, &y, a, b)
	s.answers(p, &x, &y, a.Name, b.Name)
	return p
}

// grid counts the trials per cell of a picture.
func (s *snapshot) grid(mx, my int, x, y *axis) (out []bar) {
	var cells [gridX][gridY]int
	most := 0
	for i := range s.kept {
		vx, vy := s.kept[i].value(mx), s.kept[i].value(my)
		if math.IsNaN(vx) || math.IsNaN(vy) {
			continue
		}
		c := &cells[min(int(x.share(vx)*gridX), gridX-1)][min(int(y.share(vy)*gridY), gridY-1)]
		*c++
		most = max(most, *c)
	}
	const width, height = (frameRight - frameLeft) / gridX, (frameBottom - frameTop) / gridY
	for i := range cells {
		for k, n := range cells[i] {
			if n > 0 {
				shade := 1 + int(float64(shades-1)*math.Log(float64(n))/max(math.Log(float64(most)), 1e-9))
				out = append(out, bar{round(frameLeft + float64(i)*width), round(frameBottom - float64(k+1)*height), round(width), round(height), shade})
			}
		}
	}
	return out
}

func round(v float64) float64 { return math.Round(v*10) / 10 }

// limits draws the constraints on the two metrics of a plane.
func (s *snapshot) limits(p *picture, x, y *axis, a, b events.Metric) {
	for _, c := range s.spec.Constraints {
		for _, v := range []*float64{c.Max, c.Min} {
			switch {
			case v == nil:
			case c.Metric == b.Name:
				p.across(y, *v, "limit", "limit "+amount(*v, b.Unit))
			case c.Metric == a.Name && x.share(*v) >= 0 && x.share(*v) <= 1:
				at := x.at(*v)
				p.Limits = append(p.Limits, limitLine{at, frameTop, at, frameBottom, "limit", "limit " + amount(*v, a.Unit), at - 5, frameTop + 10})
			}
		}
	}
}

// answers draws the best trial, the front and the baseline in a plane.
func (s *snapshot) answers(p *picture, x, y *axis, a, b string) {
	var front []events.BestTrial
	for _, t := range s.answer {
		vx, okX := t.Metrics[a]
		vy, okY := t.Metrics[b]
		if okX && okY {
			front = append(front, t)
			p.Best = append(p.Best, dot{x.at(vx), y.at(vy), t.Trial, metricText(s.spec, a, vx) + ", " + metricText(s.spec, b, vy)})
		}
	}
	if len(s.spec.Objectives) == 2 && len(front) > 1 {
		slices.SortFunc(front, func(s, t events.BestTrial) int {
			if s.Metrics[a] < t.Metrics[a] {
				return -1
			}
			return 1
		})
		var points []string
		for _, t := range front {
			points = append(points, fmt.Sprintf("%g,%g", x.at(t.Metrics[a]), y.at(t.Metrics[b])))
		}
		p.Front = strings.Join(points, " ")
	}
}

// sparkline draws a series in a word's room: points of a line of 120 by 24.
func sparkline(values []float64) string {
	if len(values) < 2 {
		return ""
	}
	low, high := slices.Min(values), slices.Max(values)
	y := newAxis(low, high, 22, 2)
	var points []string
	for i, v := range values {
		points = append(points, fmt.Sprintf("%g,%g", round(118*float64(i)/float64(len(values)-1)+1), y.at(v)))
	}
	return strings.Join(points, " ")
}
