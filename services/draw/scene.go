package draw

import "image/color"

// scene is a picture as shapes, in points from the top left corner.
type scene struct {
	width, height int
	areas         []area
	lines         []line
	boxes         []box
	dots          []dot
	labels        []label
}

type point struct{ x, y float64 }

// line is a polyline. A dash is the length of its strokes and of the gaps
// between them; none draws it through.
type line struct {
	points []point
	width  float64
	color  color.RGBA
	dash   []float64
}

// area is a polygon that lets what is below shine through.
type area struct {
	points []point
	color  color.RGBA
}

// opacity of areas.
const opacity = 0.18

type box struct {
	x, y, width, height float64
	color               color.RGBA
}

type dot struct {
	point
	radius float64
	color  color.RGBA
}

// Anchors of a label: which of its points its position is.
const (
	start = iota
	center
	end
)

// label is a line of text with its base line at y.
type label struct {
	point
	text   string
	size   float64
	anchor int
}

func (s *scene) line(c color.RGBA, width float64, points ...point) {
	s.lines = append(s.lines, line{points: points, width: width, color: c})
}

func (s *scene) text(x, y, size float64, anchor int, text string) {
	s.labels = append(s.labels, label{point{x, y}, text, size, anchor})
}

func (s *scene) dot(at point, radius float64, c color.RGBA) {
	s.dots = append(s.dots, dot{at, radius, c})
}
