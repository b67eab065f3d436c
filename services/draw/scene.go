package draw

import (
	"image/color"
	"math"
)

// scene is a picture as shapes, in points from the top left corner.
type scene struct {
	width, height int
	top           int // what is above is not drawn
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
	over   bool // what else is drawn
	said
}

// said is what a page knows a shape by: a class, which has its colours there, and a
// title.
type said struct{ class, title string }

// area is a polygon that lets what is below shine through.
type area struct {
	points []point
	color  color.RGBA
}

// opacity of areas.
const opacity = 0.18

// box is a rectangle; its title is said of it where somebody points at it.
type box struct {
	x, y, width, height float64
	color               color.RGBA
	opacity             float64 // 0 hides all that is below
	said
}

// dot is a mark around its point. Its shape is a number of corners, 0 for a disc.
type dot struct {
	point
	radius float64
	color  color.RGBA
	shape  shape
	over   bool // what else is drawn
	said
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
	class  string
}

func (s *scene) line(c color.RGBA, width float64, points ...point) {
	s.lines = append(s.lines, line{points: points, width: width, color: c})
}

func (s *scene) text(x, y, size float64, anchor int, text string) {
	s.labels = append(s.labels, label{point: point{x, y}, text: text, size: size, anchor: anchor})
}

func (s *scene) dot(at point, radius float64, c color.RGBA) {
	s.dots = append(s.dots, dot{point: at, radius: radius, color: c})
}

// mark is a dot that is told from those of other numbers by its shape too, not by
// its colour alone.
func (s *scene) mark(at point, radius float64, i int) {
	shapes := []shape{{}, {corners: 4, turn: 0.125}, {corners: 3}, {corners: 4}, {corners: 3, turn: 0.5}, {corners: 6}}
	s.dots = append(s.dots, dot{point: at, radius: radius, color: colorOf(i), shape: shapes[i%len(shapes)]})
}

// shape is a regular polygon with its first corner up, turned by a share of a circle;
// one without corners is a disc.
type shape struct {
	corners int
	turn    float64
}

// discCorners are round enough at a few pixels.
const discCorners = 24

// outline are the corners of a dot. A polygon is larger than a disc of its radius, so
// that both look as large.
func (d *dot) outline() []point {
	n, radius := d.shape.corners, 1.25*d.radius
	if n == 0 {
		n, radius = discCorners, d.radius
	}
	around := make([]point, n)
	for i := range around {
		sin, cos := math.Sincos(2 * math.Pi * (float64(i)/float64(n) + d.shape.turn))
		around[i] = point{d.x + radius*sin, d.y - radius*cos}
	}
	return around
}
