package draw

import (
	"errors"
	"image/color"
	"io"
	"math"
	"slices"
	"strconv"
)

// Chart is a picture of points and lines in a plane.
type Chart struct {
	Title  string
	X, Y   Axis
	Series []Series
	// Rules are lines that mean something: a limit, the baseline.
	Rules []Rule
}

// Axis says what an axis shows; Text writes a value of it with its unit. Nil writes
// the number.
type Axis struct {
	Title string
	Text  func(v float64) string
	// Log spreads values by their ratios, where all of them are positive.
	Log bool
}

// Series are points of one kind. Those that are not finite are left out.
type Series struct {
	Name string
	X, Y []float64
	// Look is a number of a colour, the same in all pictures.
	Look int
	// Line joins the points, Stairs keeps a value until the next one; without them
	// the points are dots. Faint ones lie below.
	Line, Stairs, Faint bool
}

// Rule is a line across the picture at X, or at Y.
type Rule struct {
	Name     string
	At       float64
	Vertical bool
}

// The layout of a chart, in points.
const (
	chartWidth, chartHeight                         = 640, 390
	chartLeft, chartRight, chartTop, chartBottom    = 84.0, 620.0, 84.0, 342.0
	chartDot, chartSmallDot, chartTicks, chartShare = 3.0, 2.0, 6, 0.04
	chartHuge                                       = 1e290 // so that a span has an end
)

// errEmpty says that a chart has no point.
var errEmpty = errors.New("there is no point to draw")

// Draw writes the chart in a format of Formats. The error is for another format, for a
// chart without a point, or from w.
func (c *Chart) Draw(w io.Writer, format string) error {
	s := scene{width: chartWidth, height: chartHeight}
	if err := s.chart(c); err != nil {
		return err
	}
	return s.write(w, format)
}

// scaleOf is a span of values that an axis shows, and where it stands; of a
// logarithmic one low and high are logarithms.
type scaleOf struct {
	low, high, from, to float64
	log                 bool
}

func (l *scaleOf) at(v float64) float64 {
	if l.log {
		v = math.Log10(v)
	}
	return l.from + (l.to-l.from)*(v-l.low)/(l.high-l.low)
}

// scaled spans values with a little room around them.
func scaled(values []float64, from, to float64, log bool) (l scaleOf, ok bool) {
	l = scaleOf{math.Inf(1), math.Inf(-1), from, to, log}
	for _, v := range values {
		l.log = l.log && !(v <= 0)
	}
	if l.log {
		values = slices.Clone(values)
		for i, v := range values {
			values[i] = math.Log10(v)
		}
	}
	for _, v := range values {
		if finite(v) {
			l.low, l.high, ok = min(l.low, v), max(l.high, v), true
		}
	}
	l.low, l.high = max(l.low, -chartHuge), min(l.high, chartHuge)
	room := chartShare * (l.high - l.low)
	if Alike(l.low, l.high) {
		room = max(math.Abs(l.low)*chartShare, math.SmallestNonzeroFloat64*1e9)
	}
	if !l.log && l.low >= 0 && l.low-room < 0 {
		l.low = room // begins at 0
	}
	l.low, l.high = l.low-room, l.high+room
	return l, ok
}

// ticks are round values of the span.
func (l *scaleOf) ticks() []float64 {
	if !l.log {
		return Ticks(l.low, l.high, chartTicks)
	}
	low, high := math.Pow(10, l.low), math.Pow(10, l.high)
	if all := Decades(low, high); len(all) > 2 {
		return all
	}
	return Ticks(low, high, chartTicks) // the span is short
}

// pale is a colour that stays behind others.
func pale(c color.RGBA) color.RGBA {
	mix := func(v uint8) uint8 { return uint8((int(v) + 0xFF) / 2) }
	return color.RGBA{mix(c.R), mix(c.G), mix(c.B), 0xFF}
}

func (s *scene) chart(c *Chart) error {
	var xs, ys []float64
	for i := range c.Series {
		xs, ys = append(xs, c.Series[i].X...), append(ys, c.Series[i].Y...)
	}
	for _, r := range c.Rules {
		if r.Vertical {
			xs = append(xs, r.At)
		} else {
			ys = append(ys, r.At)
		}
	}
	x, okX := scaled(xs, chartLeft, chartRight, c.X.Log)
	y, okY := scaled(ys, chartBottom, chartTop, c.Y.Log)
	if !okX || !okY {
		return errEmpty
	}
	s.text(chartLeft, 20, titleSize, start, c.Title)
	s.chartAxes(c, &x, &y)
	for i := range c.Series {
		s.series(&c.Series[i], &x, &y)
	}
	s.rules(c.Rules, &x, &y)
	s.chartLegend(c)
	return nil
}

// rules draws the lines that mean something. Names of neighbours stand on both sides
// of their lines, and those of upright lines on the side that has more room.
func (s *scene) rules(rules []Rule, x, y *scaleOf) {
	dash := []float64{4, 3}
	var named []float64
	for i, r := range rules {
		if r.Vertical {
			at, side, anchor := x.at(r.At), 3.0, start
			if at > (chartLeft+chartRight)/2 {
				side, anchor = -3, end
			}
			s.lines = append(s.lines, line{points: []point{{at, chartTop}, {at, chartBottom}}, width: 1, color: ink(), dash: dash})
			s.text(at+side, chartTop+textSize*(1+1.2*float64(i%2)), textSize, anchor, r.Name)
			continue
		}
		at := y.at(r.At)
		s.lines = append(s.lines, line{points: []point{{chartLeft, at}, {chartRight, at}}, width: 1, color: ink(), dash: dash})
		base := at - 4
		if slices.ContainsFunc(named, func(other float64) bool { return math.Abs(other-base) < textSize+1 }) {
			base = at + textSize + 2
		}
		named = append(named, base)
		s.text(chartRight-3, base, textSize, end, r.Name)
	}
}

func (s *scene) chartAxes(c *Chart, x, y *scaleOf) {
	for _, v := range x.ticks() {
		s.line(faint(), 1, point{x.at(v), chartTop}, point{x.at(v), chartBottom})
		s.text(x.at(v), chartBottom+15, textSize, center, c.X.text(v))
	}
	for _, v := range y.ticks() {
		s.line(faint(), 1, point{chartLeft, y.at(v)}, point{chartRight, y.at(v)})
		s.text(chartLeft-6, y.at(v)+3, textSize, end, c.Y.text(v))
	}
	s.line(ink(), 1, point{chartLeft, chartTop}, point{chartLeft, chartBottom}, point{chartRight, chartBottom})
	s.text((chartLeft+chartRight)/2, chartBottom+36, textSize+1, center, c.X.Title)
	s.text(8, chartTop-10, textSize+1, start, c.Y.Title)
}

func (a *Axis) text(v float64) string {
	if a.Text == nil {
		return strconv.FormatFloat(v, 'g', 6, 64)
	}
	return a.Text(v)
}

func (s *scene) series(of *Series, x, y *scaleOf) {
	shade := colorOf(of.Look)
	if of.Faint {
		shade = pale(shade)
	}
	var points []point
	for i := range of.X {
		if !finite(of.X[i]) || !finite(of.Y[i]) {
			continue
		}
		p := point{x.at(of.X[i]), y.at(of.Y[i])}
		if n := len(points); of.Stairs && n > 0 {
			points = append(points, point{p.x, points[n-1].y})
		}
		points = append(points, p)
		if !of.Stairs {
			s.mark(p, dotSize(of), of.Look)
			s.dots[len(s.dots)-1].color = shade
		}
	}
	if of.Line || of.Stairs {
		s.look(of.Look, points...)
	}
}

func dotSize(of *Series) float64 {
	if of.Faint {
		return chartSmallDot
	}
	return chartDot
}

func (s *scene) chartLegend(c *Chart) {
	const letter, gap, row = 5.4, 26, 13
	at, y := float64(chartLeft), 34.0
	for i := range c.Series {
		of := &c.Series[i]
		if of.Name == "" {
			continue
		}
		shade := colorOf(of.Look)
		if of.Faint {
			shade = pale(shade)
		}
		width := gap + letter*float64(len(of.Name))
		if at+width > chartRight && at > chartLeft {
			at, y = chartLeft, y+row
		}
		s.mark(point{at + 4, y}, 4, of.Look)
		s.dots[len(s.dots)-1].color = shade
		s.text(at+12, y+3, textSize, start, of.Name)
		at += width
	}
}
