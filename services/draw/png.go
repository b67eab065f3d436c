package draw

import (
	"cmp"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"io"
	"math"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"
	"golang.org/x/image/vector"
)

// pixels per point: sharp on paper at the width of a column.
const pixels = 2

// raster draws a scene into an image.
type raster struct {
	image *image.RGBA
	faces map[float64]font.Face
	font  *opentype.Font
}

// png writes the scene as PNG, with the same layout as the SVG.
func (s *scene) png(w io.Writer) error {
	parsed, err := opentype.Parse(goregular.TTF)
	if err != nil {
		return fmt.Errorf("read the built-in font: %w", err)
	}
	r := &raster{image: image.NewRGBA(image.Rect(0, 0, s.width*pixels, s.height*pixels)), faces: map[float64]font.Face{}, font: parsed}
	draw.Draw(r.image, r.image.Bounds(), image.White, image.Point{}, draw.Src)
	for _, a := range s.areas {
		r.fill(faded(a.color, opacity), a.points...)
	}
	for _, over := range []bool{false, true} {
		for _, l := range s.lines {
			if l.over == over {
				r.polyline(l)
			}
		}
		for _, b := range s.boxes {
			if !over {
				r.fill(faded(b.color, cmp.Or(b.opacity, 1)), point{b.x, b.y}, point{b.x + b.width, b.y}, point{b.x + b.width, b.y + b.height}, point{b.x, b.y + b.height})
			}
		}
		for _, d := range s.dots {
			if d.over == over {
				r.fill(d.color, d.outline()...)
			}
		}
	}
	for _, l := range s.labels {
		if err := r.label(l); err != nil {
			return err
		}
	}
	return png.Encode(w, r.image)
}

// faded is a colour at an opacity, its channels multiplied by it as color.RGBA wants
// them.
func faded(c color.RGBA, opacity float64) color.RGBA {
	f := func(v uint8) uint8 { return uint8(opacity * float64(v)) }
	return color.RGBA{f(c.R), f(c.G), f(c.B), f(c.A)}
}

// polyline paints a line stroke by stroke.
func (r *raster) polyline(l line) {
	stroke, left := 0, math.Inf(1)
	if len(l.dash) > 0 {
		left = l.dash[0]
	}
	for i := 1; i < len(l.points); i++ {
		a, b := l.points[i-1], l.points[i]
		length := math.Hypot(b.x-a.x, b.y-a.y)
		for done := 0.0; done < length; {
			step := min(left, length-done)
			at := func(d float64) point { return point{a.x + (b.x-a.x)*d/length, a.y + (b.y-a.y)*d/length} }
			if stroke%2 == 0 {
				r.segment(at(done), at(done+step), l.width, l.color)
			}
			done, left = done+step, left-step
			if left <= 0 {
				stroke++
				left = l.dash[stroke%len(l.dash)]
			}
		}
	}
}

// fill paints a polygon. Only its bounding box is rasterised.
func (r *raster) fill(c color.RGBA, corners ...point) {
	low, high := corners[0], corners[0]
	for _, p := range corners {
		low.x, low.y = min(low.x, p.x), min(low.y, p.y)
		high.x, high.y = max(high.x, p.x), max(high.y, p.y)
	}
	area := image.Rect(int(low.x*pixels), int(low.y*pixels), int(high.x*pixels)+1, int(high.y*pixels)+1).Intersect(r.image.Bounds())
	if area.Empty() {
		return
	}
	z := vector.NewRasterizer(area.Dx(), area.Dy())
	to := func(p point) (x, y float32) {
		return float32(p.x*pixels - float64(area.Min.X)), float32(p.y*pixels - float64(area.Min.Y))
	}
	z.MoveTo(to(corners[0]))
	for _, p := range corners[1:] {
		z.LineTo(to(p))
	}
	z.ClosePath()
	z.Draw(r.image, area, image.NewUniform(c), image.Point{})
}

// segment paints a piece of a line as a rectangle along it.
func (r *raster) segment(a, b point, width float64, c color.RGBA) {
	length := math.Hypot(b.x-a.x, b.y-a.y)
	if length == 0 {
		return
	}
	dx, dy := (b.y-a.y)/length*width/2, -(b.x-a.x)/length*width/2
	r.fill(c, point{a.x + dx, a.y + dy}, point{b.x + dx, b.y + dy}, point{b.x - dx, b.y - dy}, point{a.x - dx, a.y - dy})
}

func (r *raster) label(l label) error {
	face, err := r.face(l.size)
	if err != nil {
		return err
	}
	x := fixed.Int26_6(l.x * pixels * 64)
	switch width := font.MeasureString(face, l.text); l.anchor {
	case center:
		x -= width / 2
	case end:
		x -= width
	}
	d := font.Drawer{Dst: r.image, Src: image.NewUniform(ink()), Face: face, Dot: fixed.Point26_6{X: x, Y: fixed.Int26_6(l.y * pixels * 64)}}
	d.DrawString(l.text)
	return nil
}

func (r *raster) face(size float64) (font.Face, error) {
	if f, ok := r.faces[size]; ok {
		return f, nil
	}
	const pointsPerInch = 72
	f, err := opentype.NewFace(r.font, &opentype.FaceOptions{Size: size, DPI: pointsPerInch * pixels, Hinting: font.HintingNone})
	if err != nil {
		return nil, fmt.Errorf("size the built-in font: %w", err)
	}
	r.faces[size] = f
	return f, nil
}
