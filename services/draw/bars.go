package draw

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"apollo/evaluator/report"
)

// series is the parts of one breakdown.
type series struct {
	name  string
	parts report.Breakdown
}

// breakdown is a chart of bars. Values are in units of unit, times scale.
type breakdown struct {
	title, unit string
	left, right float64
	top         float64
	scale       float64
	all         []series
}

// thin is the least height of a bar, so that its value can be read beside it.
const thin = 10.0

// height is the room that the bars take.
func (b *breakdown) height() float64 {
	return float64(len(partOrder(b.all))) * max((thin*float64(len(b.all)))/barShare, 15)
}

// barShare of a row is bars.
const barShare = 0.85

// bars draws breakdowns as horizontal bars with their values, the part that is
// largest in the first of them on top. Parts that are nowhere positive are left
// out.
func (s *scene) bars(b breakdown) {
	largest := 0.0
	for i, x := range b.all {
		total := 0.0
		for _, part := range x.parts {
			total += part.Value * b.scale
			largest = max(largest, part.Value*b.scale)
		}
		title := b.title + ": " + amount(total) + " " + b.unit
		if len(b.all) > 1 {
			title += " in " + x.name
		}
		s.text(b.left, b.top-10-titleSize*float64(len(b.all)-1-i), titleSize-min(float64(len(b.all)-1), 2), start, title)
	}
	order := partOrder(b.all)
	const valueRoom = 40
	zero, room := b.left+barNames, b.right-b.left-barNames-valueRoom
	step := b.height() / float64(max(len(order), 1))
	thick := step * barShare / float64(len(b.all))
	for row, name := range order {
		top := b.top + float64(row)*step + (1-barShare)/2*step
		s.text(zero-6, top+barShare/2*step+3, textSize, end, strings.ReplaceAll(name, "_", " "))
		for n, x := range b.all {
			value := x.value(name) * b.scale
			y := top + float64(n)*thick
			s.boxes = append(s.boxes, box{x: zero, y: y, width: room * value / largest, height: thick, color: colorOf(n)})
			s.text(zero+room*value/largest+4, y+thick/2+3, textSize-1, start, amount(value))
		}
	}
	s.line(ink(), 1, point{zero, b.top}, point{zero, b.top + b.height()})
}

// amount writes a number with three digits and without an exponent, as far as bars
// reach.
func amount(v float64) string {
	if v >= 1000 {
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.3g", v)
}

// value is that of a part, 0 where there is none.
func (s *series) value(name string) float64 {
	if v := s.parts.Of(name); v != nil {
		return *v
	}
	return 0
}

// partOrder lists the parts to show, largest first.
func partOrder(all []series) (order []string) {
	for _, s := range all {
		for _, p := range s.parts {
			if p.Value > 0 && !slices.Contains(order, p.Name) {
				order = append(order, p.Name)
			}
		}
	}
	slices.SortStableFunc(order, func(a, b string) int { return cmp.Compare(all[0].value(b), all[0].value(a)) })
	return order
}
