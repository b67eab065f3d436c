package dashboard

import (
	"fmt"
	"math"
	"strings"

	"apollo/services/cli"
)

// The picture's frame, in its own units.
const (
	pictureWidth, pictureHeight = 720.0, 280.0
	pictureLeft, pictureBottom  = 90.0, 30.0
	pictureTop                  = 10.0
)

// picture is the best so far and the trials behind it, placed for a template: it
// has numbers and texts only, and the template escapes the texts.
type picture struct {
	Line   string // points of the best so far
	Dots   []dot
	Bars   []bar
	Ticks  []label
	Trials []label
	Title  string
}

type dot struct {
	X, Y  float64
	Kind  string
	Trial int
	Text  string
}

type bar struct{ X, Y, Width, Height float64 }

type label struct {
	X, Y float64
	Text string
}

// draw places what a fold has. It is nil where no trial has a value. The axis of
// the values is logarithmic where they allow it.
func draw(f *Fold) *picture {
	if len(f.columns) == 0 {
		return nil
	}
	low, high := math.Inf(1), math.Inf(-1)
	for _, c := range f.columns {
		low, high = min(low, c.Low), max(high, c.High)
	}
	spec := f.View.Spec
	metric := spec.Metrics[f.metric]
	scale := func(v float64) float64 { return v }
	back := scale
	if low > 0 {
		scale, back = math.Log, math.Exp
	}
	from, to := scale(low), scale(high)
	if to == from {
		from, to = from-0.5, to+0.5
	}
	last := f.columns[len(f.columns)-1].First + f.width
	x := func(trial int) float64 {
		return round(pictureLeft + (pictureWidth-pictureLeft-10)*float64(trial)/float64(max(last, 1)))
	}
	y := func(v float64) float64 {
		return round(pictureHeight - pictureBottom - (pictureHeight-pictureBottom-pictureTop)*(scale(v)-from)/(to-from))
	}
	p := &picture{Title: metric.Short() + " by trial"}
	if len(f.Marks) <= maxMarks {
		for _, m := range f.Marks {
			p.Dots = append(p.Dots, dot{x(m.Trial), y(m.Value), m.Kind, m.Trial, cli.Metric(m.Value, metric.Unit)})
		}
	} else {
		for _, c := range f.columns {
			p.Bars = append(p.Bars, bar{x(c.First), y(c.High), max(round(x(c.First+f.width)-x(c.First)), 1), max(y(c.Low)-y(c.High), 1)})
		}
	}
	p.Line = stairs(f.Best, last, x, y)
	const ticks = 4
	for i := range ticks + 1 {
		v := back(from + (to-from)*float64(i)/ticks)
		p.Ticks = append(p.Ticks, label{pictureLeft - 6, y(v), cli.Metric(v, metric.Unit)})
		n := last * i / ticks
		p.Trials = append(p.Trials, label{x(n), pictureHeight - 8, cli.Count(n)})
	}
	return p
}

// stairs are the points of a line that keeps its value until the next mark.
func stairs(best []Mark, last int, x func(int) float64, y func(float64) float64) string {
	var points []string
	for i, m := range best {
		if i > 0 {
			points = append(points, fmt.Sprintf("%g,%g", x(m.Trial), y(best[i-1].Value)))
		}
		points = append(points, fmt.Sprintf("%g,%g", x(m.Trial), y(m.Value)))
	}
	if n := len(best); n > 0 {
		points = append(points, fmt.Sprintf("%g,%g", x(last), y(best[n-1].Value)))
	}
	return strings.Join(points, " ")
}

func round(v float64) float64 { return math.Round(v*10) / 10 }
