package draw

import (
	"fmt"
	"math"

	"apollo/evaluator/report"
)

// The layout of the panels of an array, in points from their top.
const (
	arrayHeight = 204
	panelWidth  = (right - left) / 3
	unitSize    = 18
	unitsTop    = 62
	sumsAt      = 122
	wiresText   = 142
	shownUnits  = 5
)

// array draws each axis of an array as it is wired: a few of its units, with the
// lines of weights and inputs above and those of sums below them.
func (s *scene) array(axes []report.Axis, top float64) {
	s.text(left, top, titleSize, start, "Array as it is wired")
	for i := range axes {
		s.axis(&axes[i], point{left + float64(i)*panelWidth, top})
	}
}

func (s *scene) axis(a *report.Axis, at point) {
	count := fmt.Sprintf("%d units", a.Units)
	if a.Groups {
		count += ", groups past the loop"
	}
	cycles := "1 cycle"
	if a.Cycles != 1 {
		cycles = fmt.Sprintf("%d cycles", a.Cycles)
	}
	s.text(at.x, at.y+16, textSize, start, fmt.Sprintf("%s: %s", a.Loop, count))
	const lineHeight = 14
	at.y += lineHeight
	s.text(at.x, at.y+16, textSize, start, fmt.Sprintf("%.2g mm, %s", a.LengthMM, cycles))
	n := int(min(a.Units, shownUnits))
	const step = (panelWidth - 40) / shownUnits
	middle := func(i int) float64 { return at.x + unitSize/2 + float64(i)*step }
	y := at.y + unitsTop
	for i := range n {
		if int64(n) < a.Units && i == n-2 { // the units that are not shown
			s.text(middle(i), y+unitSize/2+3, textSize, center, "…")
			continue
		}
		x := middle(i) - unitSize/2
		s.line(ink(), 1, point{x, y}, point{x + unitSize, y}, point{x + unitSize, y + unitSize}, point{x, y + unitSize}, point{x, y})
	}
	last := middle(n - 1)
	s.feed(a.Weights, 0, at.y+30, y, last, n, middle)
	s.feed(a.Inputs, 1, at.y+46, y, last, n, middle)
	if a.Inputs == report.Links {
		for i := range n - 1 {
			s.line(colorOf(1), 2, point{middle(i) + unitSize/2, y + unitSize/2}, point{middle(i+1) - unitSize/2, y + unitSize/2})
		}
	}
	s.gather(a.Outputs, at.y, y+unitSize, n, middle)
	for i, text := range []string{"weights: " + wireText(a.Weights), "inputs: " + wireText(a.Inputs), "sums: " + wireText(a.Outputs)} {
		s.boxes = append(s.boxes, box{x: at.x, y: at.y + wiresText + 13*float64(i) - 6, width: 6, height: 6, color: colorOf(i)})
		s.text(at.x+10, at.y+wiresText+13*float64(i), textSize-1, start, text)
	}
}

// feed draws the line of an operand with its taps: to each unit at once, or to one of
// them at a time.
func (s *scene) feed(wire string, color int, from, to, last float64, n int, middle func(int) float64) {
	offset := float64(color)*6 - 3 // so that the taps of two operands stand side by side
	s.line(colorOf(color), 1.5, point{middle(0) - unitSize/2, from}, point{last + offset, from})
	for i := range n {
		x := middle(i) + offset
		s.line(colorOf(color), 1.2, point{x, from}, point{x, to})
		if wire != report.Broadcast && i > 0 {
			s.lines[len(s.lines)-1].dash = []float64{2, 2}
		}
	}
}

// gather draws the way of sums: a tree of adders, or the line that each unit takes in
// turn.
func (s *scene) gather(wire string, top, from float64, n int, middle func(int) float64) {
	c := colorOf(2)
	if wire != report.Tree {
		s.line(c, 1.5, point{middle(0) - unitSize/2, top + sumsAt}, point{middle(n - 1), top + sumsAt})
		for i := range n {
			s.line(c, 1.2, point{middle(i), from}, point{middle(i), top + sumsAt})
			if i > 0 {
				s.lines[len(s.lines)-1].dash = []float64{2, 2}
			}
		}
		return
	}
	var nodes []point
	for i := range n {
		nodes = append(nodes, point{middle(i), from})
	}
	stages := math.Ceil(math.Log2(float64(n)))
	down := (top + sumsAt - from) / max(stages, 1)
	for len(nodes) > 1 {
		var next []point
		for i := 0; i < len(nodes); i += 2 {
			if i+1 == len(nodes) {
				sum := point{nodes[i].x, nodes[i].y + down}
				s.line(c, 1.2, nodes[i], sum)
				next = append(next, sum)
				continue
			}
			sum := point{(nodes[i].x + nodes[i+1].x) / 2, nodes[i].y + down}
			s.line(c, 1.2, nodes[i], sum, nodes[i+1])
			s.dot(sum, 2.5, c)
			next = append(next, sum)
		}
		nodes = next
	}
}

// wireText says what a wire does.
func wireText(wire string) string {
	switch wire {
	case report.Broadcast:
		return "broadcast, all units at once"
	case report.Links:
		return "bus, and links between neighbours"
	case report.Tree:
		return "reduction tree"
	}
	return "bus, one unit at a time"
}
