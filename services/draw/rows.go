package draw

import (
	"io"
	"math"
)

// Rows is a picture of named amounts as bars, each of one part or of several.
type Rows struct {
	Title string
	// X writes amounts, which are not negative.
	X Axis
	// Parts are what the legend calls the parts of a bar; none where there is one.
	Parts []string
	Rows  []Row
}

// Row is an amount in parts, and the interval that it lies in: none where High is 0.
type Row struct {
	Name      string
	Parts     []float64
	Low, High float64
}

// Layout of rows, in points.
const (
	rowNames, rowHeight, rowTop = 190.0, 20.0, 58.0
)

func (r *Row) total() (sum float64) {
	for _, v := range r.Parts {
		sum += v
	}
	return sum
}

// Draw writes the picture in a format of Formats. The error is for another format, for
// rows without an amount, or from w.
func (c *Rows) Draw(w io.Writer, format string) error {
	largest := 0.0
	for i := range c.Rows {
		largest = max(largest, c.Rows[i].total(), c.Rows[i].High)
	}
	if !(largest > 0) || math.IsInf(largest, 0) {
		return errEmpty
	}
	bottom := rowTop + rowHeight*float64(len(c.Rows))
	s := scene{width: chartWidth, height: int(bottom) + 48}
	s.text(8, 20, titleSize, start, c.Title)
	x := scaleOf{low: 0, high: largest * (1 + chartShare), from: rowNames, to: chartRight - 30}
	for _, v := range x.ticks() {
		s.line(faint(), 1, point{x.at(v), rowTop}, point{x.at(v), bottom})
		s.text(x.at(v), bottom+15, textSize, center, c.X.text(v))
	}
	s.text((rowNames+chartRight-30)/2, bottom+36, textSize+1, center, c.X.Title)
	for i := range c.Rows {
		s.row(&c.Rows[i], rowTop+rowHeight*float64(i), &x, &c.X)
	}
	s.line(ink(), 1, point{rowNames, rowTop}, point{rowNames, bottom})
	const letter, gap = 5.4, 26
	at := 8.0
	for i, name := range c.Parts {
		s.boxes = append(s.boxes, box{x: at, y: 34, width: 9, height: 9, color: colorOf(i)})
		s.text(at+13, 42, textSize, start, name)
		at += gap + letter*float64(len(name))
	}
	return s.write(w, format)
}

func (s *scene) row(r *Row, top float64, x *scaleOf, axis *Axis) {
	const rim = 3.0
	middle := top + rowHeight/2
	s.text(rowNames-6, middle+3, textSize, end, r.Name)
	sum := 0.0
	for i, v := range r.Parts {
		s.boxes = append(s.boxes, box{x: x.at(sum), y: top + rim, width: x.at(sum+v) - x.at(sum), height: rowHeight - 2*rim, color: colorOf(i)})
		sum += v
	}
	last := sum
	if r.High > 0 {
		const thick = 1.2 // boxes, which lie above the bar
		s.boxes = append(s.boxes, box{x: x.at(r.Low), y: middle - thick/2, width: x.at(r.High) - x.at(r.Low), height: thick, color: ink()})
		for _, v := range []float64{r.Low, r.High} {
			s.boxes = append(s.boxes, box{x: x.at(v) - thick/2, y: middle - rim, width: thick, height: 2 * rim, color: ink()})
		}
		last = max(last, r.High)
	}
	s.text(x.at(last)+5, middle+3, textSize, start, axis.text(sum))
}
