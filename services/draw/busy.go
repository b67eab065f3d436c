package draw

import (
	"io"
)

// Busy is what each of several did over time, as a row of bars.
type Busy struct {
	Title string
	// X writes moments; Low and High are the first and the last.
	X         Axis
	Low, High float64
	Rows      []BusyRow
}

// BusyRow is what one did: an amount for each of the equal parts of the time, and what is
// said of each.
type BusyRow struct {
	Name    string
	Amounts []float64
	Texts   []string
}

// The layout of the rows, in points.
const busyHeight, busyTop, busyRim = 26.0, 8.0, 3.0

// Inline writes the rows as a part of a page, as Chart.Inline does. The error is for rows
// without an amount, or from w.
func (b *Busy) Inline(w io.Writer) error {
	largest := 0.0
	for i := range b.Rows {
		for _, v := range b.Rows[i].Amounts {
			largest = max(largest, v)
		}
	}
	if !(largest > 0) || !(b.High > b.Low) {
		return errEmpty
	}
	bottom := busyTop + busyHeight*float64(len(b.Rows))
	s := scene{width: chartWidth, height: int(bottom) + 24}
	x := scaleOf{low: b.Low, high: b.High, from: rowNames, to: chartRight}
	for i := range b.Rows {
		row := &b.Rows[i]
		foot := busyTop + busyHeight*float64(i+1)
		s.text(rowNames-6, foot-busyHeight/2+4, textSize, end, row.Name)
		s.line(faint(), 1, point{rowNames, foot}, point{chartRight, foot})
		width := (chartRight - rowNames) / float64(len(row.Amounts))
		for k, v := range row.Amounts {
			if v > 0 {
				high := max((busyHeight-busyRim)*v/largest, 1)
				s.boxes = append(s.boxes, box{x: rowNames + float64(k)*width, y: foot - high, width: width, height: high, color: colorOf(0), said: said{title: row.Texts[k]}})
			}
		}
	}
	for _, v := range x.ticks() {
		s.text(x.at(v), bottom+15, textSize, center, b.X.text(v))
	}
	return s.inline(w, "drawing", b.Title)
}
