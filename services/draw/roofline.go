package draw

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"

	"apollo/evaluator/report"
)

const giga = 1e9

// labelled is how many of the layers that take longest are named.
const labelled = 8

// axes map data to the picture, logarithmically.
type axes struct {
	lowX, highX, lowY, highY float64
}

func (a *axes) at(x, y float64) point {
	return point{
		left + (right-left)*math.Log(x/a.lowX)/math.Log(a.highX/a.lowX),
		roofBottom - (roofBottom-roofTop)*math.Log(y/a.lowY)/math.Log(a.highY/a.lowY),
	}
}

// roofline draws every layer with multiplications, and what the peak rate and
// the off-chip bandwidth allow. A layer can be above the bandwidth's slope: the
// chip fetches its weights while earlier layers compute. A network cannot.
func (s *scene) roofline(r *report.Design) error {
	peak := float64(r.MACsPerCycle) * float64(r.ClockHz) / giga
	slope := float64(r.IOBandwidth) / giga
	ridge := peak / slope
	a := axes{lowX: ridge, highX: ridge, lowY: peak, highY: 2 * peak}
	any := false
	for i := range r.Layers {
		if l := &r.Layers[i]; drawable(l) {
			any = true
			a.lowX, a.highX = min(a.lowX, l.Roofline.Intensity), max(a.highX, l.Roofline.Intensity)
			a.lowY = min(a.lowY, l.Roofline.Achieved/giga)
		}
	}
	if !any {
		return errors.New("there is no layer with multiplications to draw")
	}
	a.lowX, a.highX = a.lowX/1.5, a.highX*2
	a.lowY = min(a.lowY/1.5, a.lowX*slope)
	s.text(left, 22, titleSize, start, fmt.Sprintf("Roofline of %s: %d MACs per cycle, %.4g GMAC/s, %.4g GB/s off chip",
		r.Template, r.MACsPerCycle, peak, slope))
	s.grid(&a)
	s.line(ink(), 1.8, a.at(a.lowX, a.lowX*slope), a.at(ridge, peak), a.at(a.highX, peak))
	for i := range r.Layers {
		if l := &r.Layers[i]; drawable(l) {
			s.mark(a.at(l.Roofline.Intensity, l.Roofline.Achieved/giga), 3, networkOf(r, l))
		}
	}
	s.names(&a, r, a.at(ridge, peak).y)
	s.roofLegend(r)
	return nil
}

func drawable(l *report.Layer) bool {
	return l.MACs > 0 && l.Roofline.Intensity > 0 && l.Roofline.Achieved > 0
}

func networkOf(r *report.Design, l *report.Layer) int {
	return slices.IndexFunc(r.Networks, func(n report.Network) bool { return n.Name == l.Network })
}

// grid draws a line per power of ten, and where these are few twice and five times them.
func (s *scene) grid(a *axes) {
	for _, x := range Decades(a.lowX, a.highX) {
		s.line(faint(), 0.8, a.at(x, a.lowY), a.at(x, a.highY))
		s.text(a.at(x, 1).x, roofBottom+14, textSize, center, strconv.FormatFloat(x, 'g', 6, 64))
	}
	for _, y := range Decades(a.lowY, a.highY) {
		s.line(faint(), 0.8, a.at(a.lowX, y), a.at(a.highX, y))
		s.text(left-6, a.at(1, y).y+3, textSize, end, strconv.FormatFloat(y, 'g', 6, 64))
	}
	s.line(ink(), 1, point{left, roofTop}, point{left, roofBottom}, point{right, roofBottom})
	s.text(left, roofTop-8, textSize, end, "GMAC/s")
	s.text((left+right)/2, roofBottom+30, textSize, center, "MAC per byte that crosses the chip's border")
}

// names labels the layers that take longest, leaving out those whose label
// would cover another's. Those of layers at the roof stand below it.
func (s *scene) names(a *axes, r *report.Design, roof float64) {
	var longest []*report.Layer
	for i := range r.Layers {
		if l := &r.Layers[i]; drawable(l) {
			longest = append(longest, l)
		}
	}
	slices.SortStableFunc(longest, func(x, y *report.Layer) int {
		switch {
		case x.LatencySeconds > y.LatencySeconds:
			return -1
		case x.LatencySeconds < y.LatencySeconds:
			return 1
		}
		return 0
	})
	const wide, high, size = 90, 9, 8 // of a label, about
	var placed []point
	for _, l := range longest {
		at, anchor, side := a.at(l.Roofline.Intensity, l.Roofline.Achieved/giga), start, 1.0
		if at.x+wide > right {
			anchor, side = end, -1
		}
		if math.Abs(at.y-roof) < high {
			at.y = roof + high + 2
		}
		middle := point{at.x + side*wide/2, at.y}
		covers := func(p point) bool { return math.Abs(p.x-middle.x) < wide && math.Abs(p.y-middle.y) < high }
		if len(placed) == labelled || slices.ContainsFunc(placed, covers) {
			continue
		}
		placed = append(placed, middle)
		s.text(at.x+5*side, at.y+3, size, anchor, l.ID)
	}
}

func (s *scene) roofLegend(r *report.Design) {
	x := float64(left)
	for i := range r.Networks {
		s.mark(point{x + 6, roofBottom + 45}, 3, i)
		s.text(x+13, roofBottom+48, textSize, start, r.Networks[i].Name)
		x += 24 + 5.5*float64(len(r.Networks[i].Name)) // about the width of the name
	}
	const exact = 1 + 1e-9
	if slices.ContainsFunc(r.Layers, func(l report.Layer) bool { return l.Roofline.Achieved > exact*l.Roofline.Attainable }) {
		s.text(left, roofBottom+62, textSize, start, "Marks above the line: weights came while earlier layers ran.")
	}
}
