package draw

import (
	"fmt"
	"io"
	"math"
	"strconv"
)

// Curve is a value after each of a number of trials; nil while there is none.
type Curve struct {
	Name   string
	Values []*float64
}

// Bar is a labelled share of a whole, 0 to 1.
type Bar struct {
	Name  string
	Value float64
	Label string
}

// Comparison is a picture of searches side by side: the best value after each
// trial, and bars below.
type Comparison struct {
	Title string
	// Value names what the curves show; Text writes one with its unit, nil the number.
	Value    string
	Text     func(v float64) string
	Curves   []Curve
	BarTitle string
	Bars     []Bar
}

// Compare writes the picture in a format of Formats. The error is for another
// format, for curves without a value, or from w.
func Compare(w io.Writer, format string, c *Comparison) error {
	s := scene{width: pageWidth, height: pageHeight}
	if err := s.curves(c); err != nil {
		return err
	}
	s.shares(c)
	return s.write(w, format)
}

// curves draws the upper chart: linear trials, values on a logarithmic axis
// where all are positive.
func (s *scene) curves(c *Comparison) error {
	low, high, trials := math.Inf(1), math.Inf(-1), 1
	for _, curve := range c.Curves {
		trials = max(trials, len(curve.Values)-1)
		for _, v := range curve.Values {
			if v != nil {
				low, high = min(low, *v), max(high, *v)
			}
		}
	}
	if math.IsInf(low, 1) {
		return fmt.Errorf("there is nothing to draw: no trial is feasible")
	}
	scale := func(v float64) float64 { return v }
	if low > 0 {
		scale = math.Log
	}
	span := scale(high) - scale(low)
	if span == 0 {
		span = 1
	}
	at := func(trial int, v float64) point {
		return point{
			left + (right-left)*float64(trial)/float64(trials),
			roofBottom - (roofBottom-roofTop)*(0.05+0.9*(scale(v)-scale(low))/span),
		}
	}
	s.text(left, roofTop-20, titleSize, start, c.Title)
	s.line(ink(), 1, point{left, roofTop}, point{left, roofBottom}, point{right, roofBottom})
	s.text((left+right)/2, roofBottom+32, textSize, center, "trials of each arm")
	s.text(left, roofTop-6, textSize, start, "best "+c.Value)
	for _, v := range []float64{low, high} {
		y := at(0, v).y
		s.line(faint(), 1, point{left, y}, point{right, y})
		s.text(left-5, y+3, textSize, end, (&Axis{Text: c.Text}).text(v))
	}
	for _, n := range []int{0, trials / 4, trials / 2, 3 * trials / 4, trials} {
		s.text(at(n, low).x, roofBottom+15, textSize, center, strconv.Itoa(n))
	}
	shown := 0
	for i, curve := range c.Curves {
		if !s.steps(curve, i, at) {
			continue // an arm without a feasible trial has no curve
		}
		y := roofTop + 8 + 14*float64(shown)
		shown++
		s.line(colorOf(i), 2, point{right - 190, y - 3}, point{right - 170, y - 3})
		s.text(right-164, y, textSize, start, curve.Name)
	}
	return nil
}

// steps draws a curve that stays where it is until it gets better, and reports whether
// there is one.
func (s *scene) steps(curve Curve, i int, at func(trial int, v float64) point) bool {
	var points []point
	for n, v := range curve.Values {
		if v == nil {
			continue
		}
		p := at(n, *v)
		if k := len(points); k > 0 && points[k-1].y != p.y {
			points = append(points, point{p.x, points[k-1].y})
		}
		points = append(points, p)
	}
	if len(points) > 0 {
		s.line(colorOf(i), 2, points...)
	}
	return len(points) > 0
}

// maxBars is how many bars the lower chart has room for.
const maxBars = 10

// shares draws the lower chart.
func (s *scene) shares(c *Comparison) {
	if len(c.Bars) == 0 {
		return
	}
	s.text(left, barsTop-10, titleSize, start, c.BarTitle)
	bars := c.Bars[:min(len(c.Bars), maxBars)]
	const names, labels = 2 * barNames, 180
	zero, room := float64(left+names), float64(right-left-names-labels)
	step := min(float64(barsBottom-barsTop)/float64(len(bars)), 30)
	for i, b := range bars {
		y := barsTop + float64(i)*step
		s.text(zero-6, y+step/2+3, textSize, end, b.Name)
		s.boxes = append(s.boxes, box{x: zero, y: y + 0.15*step, width: room * min(max(b.Value, 0), 1), height: 0.7 * step, color: colorOf(0)})
		s.text(zero+room*min(max(b.Value, 0), 1)+6, y+step/2+3, textSize, start, b.Label)
	}
	s.line(ink(), 1, point{zero, barsTop}, point{zero, barsTop + float64(len(bars))*step})
}
