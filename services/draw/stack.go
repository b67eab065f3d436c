package draw

import (
	"errors"
	"io"
)

// Stack is charts one below the other; those without a point are left out.
type Stack []Chart

// Draw writes the charts as one picture. The errors are those of Chart.Draw.
func (c Stack) Draw(w io.Writer, format string) error {
	all := scene{width: chartWidth}
	for i := range c {
		var one scene
		err := one.chart(&c[i])
		if errors.Is(err, errEmpty) {
			continue
		}
		if err != nil {
			return err
		}
		all.below(&one)
		all.height += chartHeight
	}
	if all.height == 0 {
		return errEmpty
	}
	return all.write(w, format)
}

// below adds a picture below what is there.
func (s *scene) below(o *scene) {
	down := func(points []point) {
		for i := range points {
			points[i].y += float64(s.height)
		}
	}
	for i := range o.lines {
		down(o.lines[i].points)
	}
	for i := range o.areas {
		down(o.areas[i].points)
	}
	for i := range o.boxes {
		o.boxes[i].y += float64(s.height)
	}
	for i := range o.dots {
		o.dots[i].y += float64(s.height)
	}
	for i := range o.labels {
		o.labels[i].y += float64(s.height)
	}
	s.lines, s.areas, s.boxes = append(s.lines, o.lines...), append(s.areas, o.areas...), append(s.boxes, o.boxes...)
	s.dots, s.labels = append(s.dots, o.dots...), append(s.labels, o.labels...)
}
