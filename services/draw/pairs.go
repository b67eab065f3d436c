package draw

import (
	"errors"
	"io"
	"math"
	"strconv"
)

// Pair is one case measured twice.
type Pair struct {
	Name string
	// Before and After hold a share for each column: 0.1 is labelled 10 %. What
	// is not finite is drawn at the end of the axis, as none.
	Before, After []float64
}

// PairChart compares two ways over many cases: in every column a dot for each
// way, and a line from one to the other.
type PairChart struct {
	Title string
	// Before and After name the two ways, Columns what each column shows.
	Before, After string
	Columns       []string
	// Floor is the lowest value of the axes, which are logarithmic. What is
	// below, also zero, is drawn on it, and its tick says so.
	Floor float64
	Pairs []Pair
}

// Layout of pair charts, in points.
const (
	pairNames, pairColumn, pairRow = 180, 200, 15
	pairGap, pairDot               = 34, 3.6
)

// Draw writes the chart in a format of Formats. The error is for another
// format, for a chart without pairs or columns, or from w.
func (c *PairChart) Draw(w io.Writer, format string) error {
	if len(c.Pairs) == 0 || len(c.Columns) == 0 {
		return errors.New("there is nothing to compare")
	}
	const foot = 40
	s := &scene{width: pairNames + len(c.Columns)*(pairColumn+pairGap)}
	s.text(plotLeft, 20, titleSize, start, c.Title)
	x := float64(plotLeft)
	const letter, gap = 5.6, 26
	for i, name := range []string{c.Before, c.After} {
		s.dot(point{x, headHeight + 5}, pairDot, colorOf(i))
		s.text(x+8, headHeight+8, textSize+0.5, start, name)
		x += letter*float64(len(name)) + gap
	}
	const top = headHeight + 40
	bottom := top + float64(len(c.Pairs)*pairRow)
	for i, p := range c.Pairs {
		s.text(pairNames-8, top+(float64(i)+0.5)*pairRow+3, textSize, end, p.Name)
	}
	for k := range c.Columns {
		left := float64(pairNames + k*(pairColumn+pairGap))
		f := frame{plot: &Plot{Log: true, Floor: c.Floor}, left: left, right: left + pairColumn, top: top, bottom: bottom}
		s.pairs(c, &f, k)
	}
	s.height = int(bottom) + foot
	return s.write(w, format)
}

// pairs draws one column.
func (s *scene) pairs(c *PairChart, f *frame, k int) {
	for _, p := range c.Pairs {
		f.plot.Lines = append(f.plot.Lines, Line{Y: []float64{p.Before[k], p.After[k]}})
	}
	f.scale()
	across := func(v float64) float64 {
		if !finite(v) {
			return f.right
		}
		return f.left + (f.right-f.left)*math.Log(min(max(v, f.low), f.high)/f.low)/math.Log(f.high/f.low)
	}
	s.text(f.left, f.top-8, textSize+1, start, c.Columns[k])
	s.line(ink(), 1, point{f.left, f.top}, point{f.left, f.bottom}, point{f.right, f.bottom})
	for v := f.low; v <= f.high*1.0001; v *= 10 {
		s.line(faint(), 0.8, point{across(v), f.top}, point{across(v), f.bottom})
		text := strconv.FormatFloat(math.Round(100*v*1e6)/1e6, 'f', -1, 64) + " %"
		if v <= f.low && f.low <= f.plot.Floor {
			text = "≤ " + text
		}
		s.text(across(v), f.bottom+13, textSize-1, center, text)
	}
	for i, p := range c.Pairs {
		y := f.top + (float64(i)+0.5)*pairRow
		before, after := point{across(p.Before[k]), y}, point{across(p.After[k]), y}
		s.line(faint(), 2.5, before, after)
		s.dot(before, pairDot, colorOf(0))
		s.dot(after, pairDot, colorOf(1))
		if !finite(p.Before[k]) || !finite(p.After[k]) {
			s.text(f.right+5, y+3, textSize-1.5, start, "none")
		}
	}
}
