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
	// Rects lie behind the series.
	Rects []Rect
	// Rules are lines that mean something: a limit, the baseline.
	Rules []Rule
	// Dense draws no dots but cells of a grid, darker where more points are.
	Dense bool
}

// Rect is a rectangle between values of the axes.
type Rect struct {
	X0, X1, Y0, Y1 float64
	Look           int
	// Opacity is how much it hides, 0 all.
	Opacity float64
	// Class is that of a page; see Series.
	Class string
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
	// Over draws the points over all else.
	Over bool
	// Foot puts the points at the foot of the picture: they have no Y.
	Foot bool
	// Class is what a page that the chart is drawn in takes the colours by, and Titles are
	// said there of each point.
	Class  string
	Titles []string
}

// Rule is a line across the picture at X, or at Y.
type Rule struct {
	Name     string
	At       float64
	Vertical bool
	Class    string // of a page; see Series
}

// The layout of a chart, in points.
const (
	chartWidth, chartHeight                         = 640, 390
	chartLeft, chartRight, chartTop, chartBottom    = 84.0, 620.0, 84.0, 342.0
	chartDot, chartSmallDot, chartTicks, chartShare = 3.0, 2.0, 6, 0.04
	chartHuge                                       = 1e290 // so that a span has an end
	inlineTop                                       = 62    // what is above is the page's
	footRim                                         = 2.5
	manyTicks                                       = 2 * chartTicks
	cellsX, cellsY, cellShades                      = 64, 30, 5
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

// Inline writes the chart as a part of a page, which has the title and the names of the
// series beside it. The error is for a chart without a point, or from w.
func (c *Chart) Inline(w io.Writer) error {
	s := scene{width: chartWidth, height: chartHeight, top: inlineTop}
	if err := s.plane(c); err != nil {
		return err
	}
	return s.inline(w, "drawing picture", c.Title)
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
	v = max(-chartHuge, min(v, chartHuge))
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
	bounded := func(v float64) float64 { return max(-chartHuge, min(v, chartHuge)) }
	l.low, l.high = bounded(l.low), bounded(l.high)
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
	low, high := max(math.Pow(10, l.low), math.SmallestNonzeroFloat64), min(math.Pow(10, l.high), math.MaxFloat64)
	if all := Decades(low, high); len(all) > 2 {
		var some []float64
		for i := 0; i < len(all); i += 1 + len(all)/manyTicks {
			some = append(some, all[i])
		}
		return some
	}
	return Ticks(low, high, chartTicks) // the span is short
}

// pale is a colour that stays behind others.
func pale(c color.RGBA) color.RGBA {
	mix := func(v uint8) uint8 { return uint8((int(v) + 0xFF) / 2) }
	return color.RGBA{mix(c.R), mix(c.G), mix(c.B), 0xFF}
}

func (s *scene) chart(c *Chart) error {
	if err := s.plane(c); err != nil {
		return err
	}
	s.text(chartLeft, 20, titleSize, start, c.Title)
	s.chartLegend(c)
	return nil
}

// plane draws all but the title and the legend.
func (s *scene) plane(c *Chart) error {
	var xs, ys []float64
	for i := range c.Series {
		xs, ys = append(xs, c.Series[i].X...), append(ys, c.Series[i].Y...)
	}
	for _, b := range c.Rects {
		xs, ys = append(xs, b.X0, b.X1), append(ys, b.Y0, b.Y1)
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
	s.chartAxes(c, &x, &y)
	for _, b := range c.Rects {
		left, top := x.at(b.X0), y.at(b.Y1)
		s.boxes = append(s.boxes, box{left, top, max(x.at(b.X1)-left, 1), max(y.at(b.Y0)-top, 1), colorOf(b.Look), b.Opacity, said{class: b.Class}})
	}
	if c.Dense {
		s.cells(c.Series, &x, &y)
	}
	for i := range c.Series {
		if of := &c.Series[i]; !c.Dense || of.Line || of.Stairs || of.Over {
			s.series(of, &x, &y)
		}
	}
	s.rules(c.Rules, &x, &y)
	return nil
}

// cells counts the points of series in a grid.
func (s *scene) cells(all []Series, x, y *scaleOf) {
	var counts [cellsX][cellsY]int
	most := 0
	const width, height = (chartRight - chartLeft) / cellsX, (chartBottom - chartTop) / cellsY
	for i := range all {
		of := &all[i]
		for k := range of.Y {
			if of.Line || of.Stairs || of.Over || !finite(of.X[k]) || !finite(of.Y[k]) {
				continue
			}
			n := &counts[min(int((x.at(of.X[k])-chartLeft)/width), cellsX-1)][min(int((chartBottom-y.at(of.Y[k]))/height), cellsY-1)]
			*n++
			most = max(most, *n)
		}
	}
	for i := range counts {
		for k, n := range counts[i] {
			if n > 0 {
				shade := 1 + int((cellShades-1)*math.Log(float64(n))/max(math.Log(float64(most)), 1e-9))
				s.boxes = append(s.boxes, box{chartLeft + float64(i)*width, chartBottom - float64(k+1)*height, width, height, colorOf(0), float64(shade) / cellShades, said{class: "range"}})
			}
		}
	}
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
			s.lines = append(s.lines, line{points: []point{{at, chartTop}, {at, chartBottom}}, width: 1, color: ink(), dash: dash, over: true, said: said{class: r.Class}})
			s.text(at+side, chartTop+textSize*(1+1.2*float64(i%2)), textSize, anchor, r.Name)
			s.labels[len(s.labels)-1].class = r.Class
			continue
		}
		at := y.at(r.At)
		s.lines = append(s.lines, line{points: []point{{chartLeft, at}, {chartRight, at}}, width: 1, color: ink(), dash: dash, over: true, said: said{class: r.Class}})
		base := at - 4
		if slices.ContainsFunc(named, func(other float64) bool { return math.Abs(other-base) < textSize+1 }) {
			base = at + textSize + 2
		}
		named = append(named, base)
		s.text(chartRight-3, base, textSize, end, r.Name)
		s.labels[len(s.labels)-1].class = r.Class
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
	hidden := hiding(of)
	for i := range of.X {
		p := point{y: chartBottom - footRim}
		if !of.Foot {
			if p.y = y.at(of.Y[i]); !finite(of.Y[i]) {
				continue
			}
		}
		if p.x = x.at(of.X[i]); !finite(of.X[i]) || hidden(p) && i < len(of.X)-1 {
			continue
		}
		if n := len(points); of.Stairs && n > 0 {
			points = append(points, point{p.x, points[n-1].y})
		}
		points = append(points, p)
		if !of.Stairs {
			s.mark(p, dotSize(of), of.Look)
			d := &s.dots[len(s.dots)-1]
			d.color, d.over, d.said = shade, of.Over, said{class: of.Class}
			if i < len(of.Titles) {
				d.title = of.Titles[i]
			}
		}
	}
	if of.Line || of.Stairs {
		s.look(of.Look, points...)
		l := &s.lines[len(s.lines)-1]
		l.over, l.said = true, said{of.Class, of.Name}
	}
}

// manyPoints are more than a page should hold where others hide them.
const manyPoints = 4000

// hiding returns what says whether a point of a series hides behind one before it, within
// a pixel: of dots any, of lines the last one. Of few points none does.
func hiding(of *Series) func(p point) bool {
	if len(of.X) <= manyPoints || len(of.Titles) > 0 {
		return func(point) bool { return false }
	}
	type pixel struct{ x, y int16 }
	seen := map[pixel]bool{}
	return func(p point) bool {
		at := pixel{int16(p.x), int16(p.y)}
		if seen[at] {
			return true
		}
		if of.Line || of.Stairs {
			clear(seen)
		}
		seen[at] = true
		return false
	}
}

func dotSize(of *Series) float64 {
	if of.Faint || of.Foot {
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
