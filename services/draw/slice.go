package draw

import (
	"io"
	"math"
)

// Slice is an amount over the levels of one parameter. Several stand side by side with
// one span of amounts.
type Slice struct {
	Name string
	// Levels are in order; Here is the one of the design that is looked at, -1 for none.
	Levels []SliceLevel
	Here   int
	Y      Axis
}

// SliceLevel is what there is of a level: a value, NaN for none, and the range that half
// of the values lie in where there are several.
type SliceLevel struct {
	Name             string
	Value, Low, High float64
	// Out says that the value does not count: its design is not feasible. One without a
	// value has a mark at the foot.
	Out bool
}

// The layout of a slice, in points.
const (
	sliceWidth, sliceHeight                          = 240, 138
	sliceLeft, sliceRight, sliceTop, sliceBottom     = 52.0, 232.0, 26.0, 112.0
	sliceTicks, sliceMostNames, sliceThick, sliceDot = 3, 4, 5.0, 3.0
	sliceLetter                                      = 5.4 // the width of a letter with its room, about
)

// Span is the span of amounts of slices; false where they have none.
func Span(slices []Slice) (low, high float64, ok bool) {
	low, high = math.Inf(1), math.Inf(-1)
	for i := range slices {
		for _, l := range slices[i].Levels {
			for _, v := range []float64{l.Value, l.Low, l.High} {
				if finite(v) {
					low, high, ok = min(low, v), max(high, v), true
				}
			}
		}
	}
	return low, high, ok
}

// Inline writes the slice as a part of a page, over a span of amounts, as Chart.Inline
// does.
func (c *Slice) Inline(w io.Writer, low, high float64) error {
	s := scene{width: sliceWidth, height: sliceHeight}
	y, ok := scaled([]float64{low, high}, sliceBottom, sliceTop, c.Y.Log)
	if !ok || len(c.Levels) == 0 {
		return errEmpty
	}
	s.text(4, 13, textSize+1, start, c.Name)
	ticks := y.ticks()
	for i, v := range ticks {
		if every := len(ticks)/sliceTicks + 1; i%every != 0 {
			continue
		}
		s.line(faint(), 1, point{sliceLeft, y.at(v)}, point{sliceRight, y.at(v)})
		s.text(sliceLeft-4, y.at(v)+3, textSize-1, end, c.Y.text(v))
	}
	step := (sliceRight - sliceLeft) / float64(len(c.Levels))
	at := func(i int) float64 { return sliceLeft + (float64(i)+0.5)*step }
	if c.Here >= 0 && c.Here < len(c.Levels) {
		s.boxes = append(s.boxes, box{x: at(c.Here) - step/2, y: sliceTop, width: step, height: sliceBottom - sliceTop, color: pale(colorOf(goodLook))})
	}
	var joined []point
	for i, l := range c.Levels {
		if finite(l.Low) && finite(l.High) {
			thick := min(sliceThick, step/2)
			s.boxes = append(s.boxes, box{x: at(i) - thick/2, y: y.at(l.High), width: thick, height: max(y.at(l.Low)-y.at(l.High), 1), color: pale(colorOf(0))})
		}
		if !finite(l.Value) {
			if l.Out {
				s.mark(point{at(i), sliceBottom - sliceDot}, sliceDot-1, outLook)
			}
			continue
		}
		look := 0
		if l.Out {
			look = outLook
		} else {
			joined = append(joined, point{at(i), y.at(l.Value)})
		}
		s.mark(point{at(i), y.at(l.Value)}, sliceDot, look)
	}
	if len(joined) > 1 {
		s.line(colorOf(0), 1, joined...)
	}
	s.line(ink(), 1, point{sliceLeft, sliceBottom}, point{sliceRight, sliceBottom})
	longest := 1
	for _, l := range c.Levels {
		longest = max(longest, len([]rune(l.Name)))
	}
	names := max(1, min(sliceMostNames, int((sliceRight-sliceLeft)/(sliceLetter*float64(longest)))))
	every := (len(c.Levels)-1)/names + 1
	for i := 0; i < len(c.Levels); i += every {
		s.text(at(i), sliceBottom+13, textSize-1, center, c.Levels[i].Name)
	}
	return s.inline(w, "drawing", c.Name)
}

// goodLook is the colour of the level that is looked at, outLook that of designs that
// are not feasible.
const goodLook, outLook = 3, 1
