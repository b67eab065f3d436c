package draw

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"apollo/evaluator/report"
	"apollo/events/unit"
)

// The layout of the drawing of an array, in points.
const (
	memoryWidth, memoryHeight = 118, 54
	trunkAt                   = left + memoryWidth + 26
	cellsLeft, cellsTop       = trunkAt + 40, 62
	cellSlots, unitSlots      = 4, 3 // places for cells of an axis, and for units in a cell
	cellPitch                 = (right - cellsLeft) / cellSlots
	besideCell                = 56 // room for wires between rows of cells
	wireGap                   = 5
	treeDepth                 = 16
	trunkWidth                = 5
	panelWidth                = (right - left) / 3
	panelLine                 = 13
)

// Array writes the array of a design as it is wired, as a part of a page. The error is
// for a design without one, or from w.
func Array(w io.Writer, r *report.Design) error {
	if len(r.Array) == 0 {
		return errEmpty
	}
	s := scene{width: pageWidth}
	s.array(r, 8)
	return s.inline(w, "drawing", "Array as it is wired")
}

// place is where a cell or a unit stands along an axis, or those that are not shown.
type place struct {
	low, high float64
	at        int64
	gap       bool
}

// places are those of n units in so many slots: all of them, or the first and the last
// ones and a gap.
func places(n int64, slots int, from, pitch, size float64) (list []place) {
	for i := range min(int64(slots), n) {
		p := place{low: from + float64(i)*pitch, at: i}
		p.high = p.low + size
		if n > int64(slots) {
			p.gap = i == int64(slots)-2
			if i == int64(slots)-1 {
				p.at = n - 1
			}
		}
		list = append(list, p)
	}
	return list
}

// lane is a line of cells or units along an axis, and how it lies on the page.
type lane struct {
	*report.Axis
	at            func(along, across float64) point
	places        []place
	before, after float64 // the sides of cells, across the line
	depth         float64 // of a tree
	// from is where the wires of weights, inputs and sums begin.
	from [3]float64
}

// summed reports whether a tree adds up what the units of a line give.
func summed(wire string) bool { return wire == report.Tree || wire == report.Trees }

// feed is where the wire of weights (0) or inputs (1) runs before cells, sums where that
// of sums runs behind them.
func feed(before float64, i int) float64 { return before - wireGap*(2.5-float64(i)) }

func (l *lane) sums() float64 {
	if summed(l.Outputs) {
		return l.after + l.depth + wireGap/2
	}
	return l.after + l.depth/2
}

// array draws the array of a design: the memories before it, its cells as a grid of the
// first by the second axis, the units of a third one side by side in a cell, and the
// wires of every line that is shown. Below stands what each axis spreads and what its
// wires do.
func (s *scene) array(r *report.Design, top float64) {
	var counts []string
	units := int64(1)
	for i := range r.Array {
		counts = append(counts, countText(r.Array[i].Units))
		units *= r.Array[i].Units
	}
	title := "Array as it is wired: "
	if len(counts) > 1 {
		title += strings.Join(counts, " × ") + " = "
	}
	s.text(left, top+titleSize, titleSize, start, title+countText(units)+" units")
	one := report.Axis{Units: 1}
	axes := []*report.Axis{&one, &one, &one}
	for i := range min(len(axes), len(r.Array)) {
		axes[i] = &r.Array[i]
	}
	width, height := 36.0, 36.0
	if len(r.Array) > 2 {
		width, height = 82, 60
	}
	columns := places(axes[0].Units, cellSlots, cellsLeft, cellPitch, width)
	rows := places(axes[1].Units, cellSlots, top+cellsTop, height+besideCell, height)
	for _, y := range rows {
		for _, x := range columns {
			if x.gap || y.gap {
				s.ellipsis(x, y)
			} else {
				s.cell(r, axes[2], x, y)
			}
		}
	}
	across := func(y place) *lane {
		return &lane{axes[0], func(a, c float64) point { return point{a, c} }, columns, y.low, y.high, treeDepth, [3]float64{trunkAt, trunkAt, trunkAt}}
	}
	for _, y := range rows {
		if !y.gap {
			s.wires(across(y))
		}
	}
	for _, x := range columns {
		if !x.gap && len(r.Array) > 1 {
			first := rows[0]
			s.wires(&lane{
				axes[1], func(a, c float64) point { return point{c, a} }, rows, x.low, x.high, treeDepth,
				[3]float64{feed(first.low, 0), feed(first.low, 1), across(first).sums()},
			})
		}
	}
	head := rows[0].low - 4*wireGap
	y, enters := s.memories(r, units, head)
	foot := max(rows[len(rows)-1].high+treeDepth+wireGap, enters)
	s.line(ink(), trunkWidth, point{trunkAt, head}, point{trunkAt, foot})
	y = max(y, foot) + 26
	for i := range r.Array {
		s.panel(&r.Array[i], i, point{left + float64(i)*panelWidth, y})
	}
	const panelLines = 5
	y += panelLines*panelLine + 10
	for i, text := range []string{
		"Solid: all units of a line at once, or some of them. Dashed: one unit at a time. Thick: from neighbour to neighbour. Dots: adders.",
		"All lines of an axis are alike. A word pays for a line of each axis; where lines of two axes meet is not modelled, and nothing is to scale.",
	} {
		s.text(left, y+float64(i)*11, textSize-1, start, text)
	}
	s.height = int(y) + 24
}

// cell draws the unit of two axes, or a cell with the units of the third.
func (s *scene) cell(r *report.Design, third *report.Axis, x, y place) {
	name := countText(x.at)
	if len(r.Array) > 1 {
		name += ", " + countText(y.at)
	}
	if len(r.Array) < 3 {
		s.unit(x.low, y.low, x.high-x.low, name)
		return
	}
	s.line(faint(), 1.5, point{x.low, y.low}, point{x.high, y.low}, point{x.high, y.high}, point{x.low, y.high}, point{x.low, y.low})
	s.text(x.low+3, y.low+9, textSize-2, start, name)
	const size, pitch = 15, 26
	from, across := x.low+9, y.low+29
	line := places(third.Units, unitSlots, from, pitch, size)
	for _, p := range line {
		if p.gap {
			s.ellipsis(p, place{low: across, high: across + size})
		} else {
			s.unit(p.low, across, size, "")
		}
	}
	s.wires(&lane{third, func(a, c float64) point { return point{a, c} }, line, across, across + size, treeDepth / 2, [3]float64{x.low, x.low, x.low}})
}

// unit draws a unit: its multiplier, and its memory at the bottom.
func (s *scene) unit(x, y, size float64, name string) {
	s.line(ink(), 1, point{x, y}, point{x + size, y}, point{x + size, y + size}, point{x, y + size}, point{x, y})
	s.boxes = append(s.boxes, box{x: x + 1, y: y + size*0.78, width: size - 2, height: size*0.22 - 1, color: colorOf(memoryLook), opacity: 0.6})
	s.text(x+size/2, y+size/2+2, textSize-2, center, name)
}

const memoryLook = 4 // the colour of memories

// ellipsis stands for cells that are not shown.
func (s *scene) ellipsis(x, y place) {
	const apart = 6
	middle := point{(x.low + x.high) / 2, (y.low + y.high) / 2}
	for i := -1.0; i <= 1; i++ {
		at := middle
		if x.gap {
			at.x += apart * i
		}
		if y.gap {
			at.y += apart * i
		}
		s.boxes = append(s.boxes, box{x: at.x - 1, y: at.y - 1, width: 2, height: 2, color: ink()})
	}
}

// wires draws those of a line: weights and inputs before it, sums behind.
func (s *scene) wires(l *lane) {
	for i, wire := range []string{l.Weights, l.Inputs} {
		color, across := colorOf(i), feed(l.before, i)
		var dash []float64
		if wire != report.Broadcast && wire != report.Multicast {
			dash = []float64{3, 2}
		}
		end := l.from[i]
		for _, p := range l.places {
			if !p.gap {
				end = p.low + (0.25+0.25*float64(i))*(p.high-p.low)
				s.lines = append(s.lines, line{points: []point{l.at(end, across), l.at(end, l.before)}, width: 1.2, color: color, dash: dash})
			}
		}
		s.lines = append(s.lines, line{points: []point{l.at(l.from[i], across), l.at(end, across)}, width: 1.4, color: color, dash: dash})
		for k := 1; wire == report.Links && k < len(l.places); k++ {
			between := l.before + 0.85*(l.after-l.before)
			s.line(color, 2.6, l.at(l.places[k-1].high, between), l.at(l.places[k].low, between))
		}
	}
	s.gather(l)
}

// gather draws the way of sums: a tree of adders, or the line that each unit takes in
// turn.
func (s *scene) gather(l *lane) {
	const sums = 2
	c, across := colorOf(sums), l.sums()
	var nodes []point // along the line, across it
	for _, p := range l.places {
		nodes = append(nodes, point{p.low + 0.75*(p.high-p.low), l.after})
	}
	if !summed(l.Outputs) {
		for i, n := range nodes {
			if !l.places[i].gap {
				s.lines = append(s.lines, line{points: []point{l.at(n.x, l.after), l.at(n.x, across)}, width: 1.2, color: c, dash: []float64{3, 2}})
			}
		}
		s.lines = append(s.lines, line{points: []point{l.at(l.from[sums], across), l.at(nodes[len(nodes)-1].x, across)}, width: 1.4, color: c, dash: []float64{3, 2}})
		return
	}
	stages := math.Ceil(math.Log2(float64(len(nodes))))
	down := l.depth / max(stages, 1)
	for len(nodes) > 1 {
		var next []point
		for i := 0; i < len(nodes); i += 2 {
			sum := point{nodes[i].x, nodes[i].y + down}
			if i+1 < len(nodes) {
				sum.x = (nodes[i].x + nodes[i+1].x) / 2
				s.line(c, 1.2, l.at(nodes[i].x, nodes[i].y), l.at(nodes[i].x, sum.y), l.at(nodes[i+1].x, sum.y), l.at(nodes[i+1].x, nodes[i+1].y))
				s.dot(l.at(sum.x, sum.y), 2, c)
			} else {
				s.line(c, 1.2, l.at(nodes[i].x, nodes[i].y), l.at(sum.x, sum.y))
			}
			next = append(next, sum)
		}
		nodes = next
	}
	root := nodes[0]
	s.line(c, 1.4, l.at(root.x, root.y), l.at(root.x, across), l.at(l.from[sums], across))
}

// memories draws what stands before an array, from the border to its trunk, and says
// what each unit has. It returns where that ends, and how far down the trunk has to reach.
func (s *scene) memories(r *report.Design, units int64, y float64) (bottom, trunk float64) {
	stops, rates := [][]string{{"off-chip memory"}}, []string{unit.Format(float64(r.IOBandwidth), "B/s")}
	var inUnits []string
	for i, m := range r.Memories {
		size := unit.Format(float64(m.Bytes), "B")
		if i > 0 && m.Instances == units {
			inUnits = append(inUnits, m.Name+" "+size)
			continue
		}
		stops = append(stops, []string{m.Name, size})
		rates = append(rates, fmt.Sprintf("%g B a cycle each way", m.BytesPerCycle))
	}
	const apart = 30
	for i, texts := range stops {
		s.line(ink(), 1, point{left, y}, point{left + memoryWidth, y}, point{left + memoryWidth, y + memoryHeight}, point{left, y + memoryHeight}, point{left, y})
		if i > 0 {
			s.boxes = append(s.boxes, box{x: left + 1, y: y + 1, width: memoryWidth - 2, height: memoryHeight - 2, color: colorOf(memoryLook), opacity: 0.35})
		}
		for k, text := range texts {
			s.text(left+memoryWidth/2, y+memoryHeight/2+3+float64(k)*12-float64(len(texts)-1)*6, textSize, center, text)
		}
		if i+1 < len(stops) {
			s.line(ink(), 2, point{left + 12, y + memoryHeight}, point{left + 12, y + memoryHeight + apart})
			s.text(left+20, y+memoryHeight+apart/2+3, textSize-1, start, rates[i])
			y += memoryHeight + apart
		}
	}
	trunk = y + memoryHeight/2
	s.line(ink(), trunkWidth, point{left + memoryWidth, trunk}, point{trunkAt, trunk})
	trunk += trunkWidth / 2.0
	y += memoryHeight + 14
	if len(stops) > 1 {
		s.text(left, y, textSize-1, start, "trunk: "+rates[len(rates)-1])
	}
	for _, text := range inUnits {
		y += panelLine
		s.text(left, y, textSize-1, start, "a unit: "+text)
	}
	return y, trunk
}

// panel says what an axis spreads and what its wires do.
func (s *scene) panel(a *report.Axis, i int, at point) {
	const letters = "xyz"
	name := fmt.Sprintf("%s: %s, %s unit", letters[i%3:i%3+1], a.Loop, countText(a.Units))
	if a.Units != 1 {
		name += "s"
	}
	if a.Groups {
		name += ", groups past the loop"
	}
	s.text(at.x, at.y, textSize, start, name)
	cycles := "1 cycle"
	if a.Cycles != 1 {
		cycles = countText(a.Cycles) + " cycles"
	}
	s.text(at.x, at.y+panelLine, textSize-1, start, fmt.Sprintf("a line: %.2g mm, %s", a.LengthMM, cycles))
	for k, w := range []struct {
		operand, wire string
		bits          int64
	}{{"weights", a.Weights, a.WeightBits}, {"inputs", a.Inputs, a.InputBits}, {"sums", a.Outputs, a.SumBits}} {
		y := at.y + panelLine*float64(k+2)
		s.boxes = append(s.boxes, box{x: at.x, y: y - 6, width: 6, height: 6, color: colorOf(k)})
		text := fmt.Sprintf("%s, %d bit: %s", w.operand, w.bits, wireText(w.wire))
		if summed(w.wire) {
			text = fmt.Sprintf("%s, %d bit: tree of %s adders", w.operand, w.bits, countText(max(a.Units-1, 0)))
		}
		if w.wire == report.Trees {
			text += ", and a bus"
		}
		s.text(at.x+10, y, textSize-1, start, text)
	}
}

// wireText says what a wire does.
func wireText(wire string) string {
	switch wire {
	case report.Broadcast:
		return "broadcast, all units at once"
	case report.Links:
		return "bus, links between neighbours"
	case report.Tree:
		return "reduction tree"
	case report.Bus:
		return "bus, one unit at a time"
	case report.Multicast:
		return "multicast, some units at once"
	}
	return wire
}

// countText writes a whole number with commas.
func countText(n int64) string {
	const thousand = 1000
	if n < thousand {
		return strconv.FormatInt(n, 10)
	}
	return countText(n/thousand) + fmt.Sprintf(",%03d", n%thousand)
}
