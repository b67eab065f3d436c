package draw

import (
	"errors"
	"io"
	"math"
	"slices"
	"strconv"
)

// Plot is a diagram of lines over a number of trials.
type Plot struct {
	// Title says what is drawn; X and Y name the axes with their units.
	Title, X, Y string
	// Log draws Y logarithmically; otherwise it goes from 0 to 1.
	Log bool
	// Floor is the lowest value that a logarithmic axis shows. What is below,
	// also zero, is drawn on it, and its tick says so.
	Floor float64
	Lines []Line
}

// Line is a value after 1, 2, … trials, as a share: 0.1 is labelled 10 %. A
// point that is not finite is not drawn.
type Line struct {
	Name string
	Y    []float64
	// Low and High are a band around it; nil for none.
	Low, High []float64
}

// Layout of plots, in points.
const (
	plotWidth, plotHeight = 330, 230
	plotLeft, plotRight   = 52, 10 // room beside the axes
	plotTop, plotBottom   = 30, 40
	legendHeight          = 16
	headHeight            = 30
)

// Plots writes rows of plots with one legend above in a format of Formats.
// Lines of one name have one look everywhere. The error is for another format,
// for plots without a point to draw, or from w.
func Plots(w io.Writer, format, title string, rows [][]Plot) error {
	var names []string
	columns := 0
	for _, row := range rows {
		columns = max(columns, len(row))
		for _, p := range row {
			for _, l := range p.Lines {
				if !slices.Contains(names, l.Name) && slices.ContainsFunc(l.Y, finite) {
					names = append(names, l.Name)
				}
			}
		}
	}
	if len(names) == 0 {
		return errors.New("there is nothing to plot")
	}
	s := &scene{width: max(columns, 2) * plotWidth}
	s.text(plotLeft, 20, titleSize, start, title)
	top := headHeight + s.plotLegend(names)
	for _, row := range rows {
		for i := range row {
			f := frame{plot: &row[i], left: float64(i*plotWidth) + plotLeft, top: top + plotTop}
			f.right, f.bottom = float64((i+1)*plotWidth)-plotRight, top+plotHeight-plotBottom
			s.plot(&f, names)
		}
		top += plotHeight
	}
	s.height = int(top)
	return s.write(w, format)
}

// look is how the line with an index is drawn: six colours that people with
// colour blindness tell apart, every second one dashed, so that a line under
// another is seen, and for more lines other strokes.
func (s *scene) look(i int, points ...point) {
	const width = 1.8
	strokes := [][]float64{nil, {7, 3}, {2, 2}, {8, 2, 2, 2}, {12, 3}, {4, 1.5}, {1, 3}, {10, 2, 4, 2}}
	s.lines = append(s.lines, line{points: points, width: width, color: colorOf(i), dash: strokes[(i/colorCount*2+i%2)%len(strokes)]})
}

// plotLegend draws the names with their looks, and returns its height.
func (s *scene) plotLegend(names []string) float64 {
	const sample, letter, gap = 22, 5.6, 16
	x, y := float64(plotLeft), float64(headHeight)+8
	for i, name := range names {
		width := sample + 5 + letter*float64(len(name)) + gap
		if x+width > float64(s.width) && x > plotLeft {
			x, y = plotLeft, y+legendHeight
		}
		s.look(i, point{x, y - 3}, point{x + sample, y - 3})
		s.text(x+sample+5, y, textSize+0.5, start, name)
		x += width
	}
	return y - headHeight + legendHeight/2
}

// frame is where a plot is and what its axes show.
type frame struct {
	plot                     *Plot
	left, right, top, bottom float64
	trials                   int
	low, high                float64
}

// at maps a number of trials and a value to the picture.
func (f *frame) at(trials int, v float64) point {
	x := f.left
	if f.trials > 1 {
		x += (f.right - f.left) * math.Log(float64(trials)) / math.Log(float64(f.trials))
	}
	v = min(max(v, f.low), f.high)
	share := (v - f.low) / (f.high - f.low)
	if f.plot.Log {
		share = math.Log(v/f.low) / math.Log(f.high/f.low)
	}
	return point{x, f.bottom - (f.bottom-f.top)*share}
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// scale chooses what the axes show.
func (f *frame) scale() {
	f.low, f.high = 0, 1
	lowest, highest := math.Inf(1), 0.0
	for _, l := range f.plot.Lines {
		f.trials = max(f.trials, len(l.Y))
		for i, v := range l.Y {
			if finite(v) {
				lowest, highest = min(lowest, v), max(highest, v)
			}
			if l.High != nil && finite(l.High[i]) {
				highest = max(highest, l.High[i])
			}
			if l.Low != nil && finite(l.Low[i]) {
				lowest = min(lowest, l.Low[i])
			}
		}
	}
	if !f.plot.Log {
		return
	}
	const floor = 1e-9 // a log axis without a floor of its own
	least := max(f.plot.Floor, floor)
	f.low = max(math.Pow(10, math.Floor(math.Log10(max(lowest, least)))), least)
	f.high = max(highest, 10*f.low)
}

// plot draws one diagram.
func (s *scene) plot(f *frame, names []string) {
	f.scale()
	s.text(f.left, f.top-12, textSize+1.5, start, f.plot.Title)
	s.plotAxes(f)
	for _, l := range f.plot.Lines {
		i := slices.Index(names, l.Name)
		if i < 0 {
			continue // nothing of it is finite
		}
		s.band(f, l, i)
		for _, run := range f.runs(l.Y) {
			s.look(i, f.stairs(l.Y, run)...)
		}
	}
}

// span is trials from first to last, counted from 0.
type span struct{ first, last int }

// runs are the stretches of finite values.
func (f *frame) runs(values []float64) []span {
	var out []span
	for i, v := range values {
		switch {
		case !finite(v):
		case i > 0 && finite(values[i-1]):
			out[len(out)-1].last = i
		default:
			out = append(out, span{i, i})
		}
	}
	return out
}

// stairs are the points of a line that keeps its value until the next change. A change
// that nobody can see is left out: there may be a million.
func (f *frame) stairs(values []float64, run span) []point {
	const seen = 0.1 // of a point of 1/72 inch: a quarter of a pixel of the finest pictures here
	last, at := f.at(run.first+1, values[run.first]), run.first
	points := []point{last}
	for i := run.first + 1; i <= run.last; i++ {
		if values[i] == values[at] {
			continue
		}
		if p := f.at(i+1, values[i]); p.x-last.x >= seen || math.Abs(p.y-last.y) >= seen {
			points = append(points, point{p.x, last.y}, p)
			last, at = p, i
		}
	}
	return append(points, f.at(run.last+1, values[run.last]))
}

// band shades between the low and the high line, up to the top where the high
// one is not finite.
func (s *scene) band(f *frame, l Line, i int) {
	if l.Low == nil || l.High == nil {
		return
	}
	high := slices.Clone(l.High)
	for k, v := range high {
		if math.IsInf(v, 1) || math.IsNaN(v) {
			high[k] = f.high
		}
	}
	for _, run := range f.runs(l.Low) {
		outline := f.stairs(l.Low, run)
		top := f.stairs(high, run)
		slices.Reverse(top)
		s.areas = append(s.areas, area{append(outline, top...), colorOf(i)})
	}
}

func (s *scene) plotAxes(f *frame) {
	for _, v := range f.ticks() {
		at := f.at(1, v)
		s.line(faint(), 0.8, at, point{f.right, at.y})
		text := strconv.FormatFloat(math.Round(100*v*1e6)/1e6, 'f', -1, 64) + " %"
		if f.plot.Log && v <= f.low && f.low <= f.plot.Floor {
			text = "≤ " + text
		}
		s.text(f.left-5, at.y+3, textSize-0.5, end, text)
	}
	for _, n := range trialTicks(f.trials) {
		at := f.at(n, f.low)
		s.line(faint(), 0.8, point{at.x, f.top}, point{at.x, f.bottom})
		s.text(at.x, f.bottom+13, textSize-0.5, center, strconv.Itoa(n))
	}
	s.line(ink(), 1, point{f.left, f.top}, point{f.left, f.bottom}, point{f.right, f.bottom})
	s.text((f.left+f.right)/2, f.bottom+27, textSize, center, f.plot.X)
	s.text(f.left-5, f.top-12, textSize-0.5, end, f.plot.Y)
}

// ticks are the values that the y axis names.
func (f *frame) ticks() []float64 {
	if !f.plot.Log {
		return []float64{0, 0.25, 0.5, 0.75, 1}
	}
	var out []float64
	thirds := f.high/f.low < 200 // few decades: also 3, 30, …
	for v := f.low; v <= f.high*1.0001; v *= 10 {
		out = append(out, v)
		if thirds && 3*v <= f.high {
			out = append(out, 3*v)
		}
	}
	return out
}

// trialTicks are 1, 2, 5, 10, … and the last trial, as far as their labels do
// not touch.
func trialTicks(trials int) []int {
	out := []int{1}
	if trials == 1 {
		return out
	}
	room := math.Log(float64(trials)) / 10
	for decade := 1; decade < trials; decade *= 10 {
		for _, n := range []int{decade, 2 * decade, 5 * decade} {
			if n < trials && math.Log(float64(n)/float64(out[len(out)-1])) >= room && math.Log(float64(trials)/float64(n)) >= room {
				out = append(out, n)
			}
		}
	}
	return append(out, trials)
}
