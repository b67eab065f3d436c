package draw

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"apollo/evaluator/report"
)

// series is the parts of one breakdown.
type series struct {
	name  string
	parts []report.Part
}

// breakdown is a chart of bars. Values are multiplied by scale.
type breakdown struct {
	title       string
	left, right float64
	scale       float64
	all         []series
}

// bars draws breakdowns as horizontal bars with their values, the part that is
// largest in the first of them on top. Parts that are nowhere positive are left
// out.
func (s *scene) bars(b breakdown) {
	var totals []string
	largest := 0.0
	for _, x := range b.all {
		total := 0.0
		for _, part := range x.parts {
			total += part.Value * b.scale
			largest = max(largest, part.Value*b.scale)
		}
		totals = append(totals, fmt.Sprintf("%.4g", total))
	}
	s.text(b.left, barsTop-10, titleSize, start, b.title+": "+strings.Join(totals, " and "))
	order := partOrder(b.all)
	const valueRoom = 40
	zero, room := b.left+barNames, b.right-b.left-barNames-valueRoom
	step := (barsBottom - barsTop) / float64(max(len(order), 1))
	thick := step * 0.8 / float64(len(b.all))
	for row, i := range order {
		top := barsTop + float64(row)*step + 0.1*step
		s.text(zero-6, top+0.4*step+3, textSize, end, strings.ReplaceAll(b.all[0].parts[i].Name, "_", " "))
		for n, x := range b.all {
			value := x.parts[i].Value * b.scale
			y := top + float64(n)*thick
			s.boxes = append(s.boxes, box{zero, y, room * value / largest, thick, colorOf(n)})
			s.text(zero+room*value/largest+4, y+thick/2+2.5, min(textSize, thick*1.1), start, strconv.FormatFloat(value, 'g', 3, 64))
		}
	}
	s.line(ink(), 1, point{zero, barsTop}, point{zero, barsBottom})
}

// partOrder lists the parts to show, largest first.
func partOrder(all []series) []int {
	var order []int
	for i := range all[0].parts {
		if slices.ContainsFunc(all, func(s series) bool { return s.parts[i].Value > 0 }) {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int {
		x, y := all[0].parts[a].Value, all[0].parts[b].Value
		switch {
		case x > y:
			return -1
		case x < y:
			return 1
		}
		return 0
	})
	return order
}
