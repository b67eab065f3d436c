package draw

import (
	"image/color"
	"io"
)

// Parallel is a picture with an upright axis for every column and a line across all
// of them for every row.
type Parallel struct {
	Title   string
	Columns []Column
	// Best rows are drawn above the others, in a colour of their own.
	Best []int
	// BestName and RestName are what the legend calls the two.
	BestName, RestName string
}

// Column is an axis: one value per row, and the values that are named beside it.
type Column struct {
	Name   string
	Values []float64
	Marks  []Mark
}

// Mark is a named value of an axis.
type Mark struct {
	At   float64
	Text string
}

const columnWidth, parallelMargin, parallelTop = 74, 50, 50

// Draw writes the picture in a format of Formats. The error is for another format, for
// a picture without a row, or from w.
func (p *Parallel) Draw(w io.Writer, format string) error {
	if len(p.Columns) < 2 || len(p.Columns[0].Values) == 0 {
		return errEmpty
	}
	s := scene{width: max(chartWidth, columnWidth*(len(p.Columns)-1)+2*parallelMargin), height: chartHeight}
	s.text(parallelMargin, 20, titleSize, start, p.Title)
	axes := make([]scaleOf, len(p.Columns))
	for i := range p.Columns {
		axes[i], _ = scaled(p.Columns[i].Values, chartBottom, parallelTop+12, false)
	}
	x := func(i int) float64 {
		return parallelMargin + float64(i)*(float64(s.width)-2*parallelMargin)/float64(len(p.Columns)-1)
	}
	best := map[int]bool{}
	for _, row := range p.Best {
		best[row] = true
	}
	row := func(n int, c color.RGBA, width float64) {
		var points []point
		for i := range p.Columns {
			if v := p.Columns[i].Values[n]; finite(v) {
				points = append(points, point{x(i), axes[i].at(v)})
			}
		}
		s.line(c, width, points...)
	}
	for n := range p.Columns[0].Values {
		if !best[n] {
			row(n, pale(colorOf(0)), 0.7)
		}
	}
	for _, n := range p.Best {
		row(n, colorOf(1), 1.8)
	}
	for i := range p.Columns {
		s.line(ink(), 1, point{x(i), parallelTop + 12}, point{x(i), chartBottom})
		// Names of two neighbours stand on two lines.
		s.text(x(i), chartBottom+16+14*float64(i%2), textSize, center, p.Columns[i].Name)
		for _, m := range p.Columns[i].Marks {
			s.text(x(i)+3, axes[i].at(m.At)+3, textSize-1.5, start, m.Text)
		}
	}
	s.dot(point{parallelMargin + 4, 34}, 4, colorOf(1))
	s.text(parallelMargin+12, 37, textSize, start, p.BestName)
	s.dot(point{parallelMargin + 124, 34}, 4, pale(colorOf(0)))
	s.text(parallelMargin+132, 37, textSize, start, p.RestName)
	return s.write(w, format)
}
