package draw

import (
	"encoding/xml"
	"fmt"
	"image/color"
	"io"
	"strconv"
	"strings"
)

// svg writes the scene as SVG 1.1.
func (s *scene) svg(w io.Writer) error {
	var b sheet
	fmt.Fprintf(&b, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\" font-family=\"Helvetica, Arial, sans-serif\">\n",
		s.width, s.height, s.width, s.height)
	fmt.Fprintf(&b, "<rect width=\"%d\" height=\"%d\" fill=\"#ffffff\"/>\n", s.width, s.height)
	if err := s.shapes(&b); err != nil {
		return err
	}
	b.WriteString("</svg>\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// inline writes the scene as a part of a page, which has its own colours: --ink, --line,
// and for each number of a colour --c0 and, pale, --p0. The page has rules for the classes.
func (s *scene) inline(w io.Writer, class, label string) error {
	b := sheet{page: true}
	fmt.Fprintf(&b, "<svg class=\"%s\" viewBox=\"0 %d %d %d\" role=\"img\" aria-label=\"", class, s.top, s.width, s.height-s.top)
	if err := xml.EscapeText(&b, []byte(label)); err != nil {
		return err
	}
	b.WriteString("\">\n")
	if err := s.shapes(&b); err != nil {
		return err
	}
	b.WriteString("</svg>\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// ofPage is a colour as a page has it.
func ofPage(c color.RGBA) string {
	for i := range colorCount {
		switch c {
		case colorOf(i):
			return "var(--c" + strconv.Itoa(i) + ")"
		case pale(colorOf(i)):
			return "var(--p" + strconv.Itoa(i) + ")"
		}
	}
	if c == faint() {
		return "var(--line)"
	}
	return "var(--ink)"
}

// sheet is where a scene is written, for a page or on its own.
type sheet struct {
	strings.Builder
	page bool
}

// ink is the attribute of a colour; what has a class on a page has its colours from there.
func (b *sheet) ink(attribute string, c color.RGBA, of said) string {
	switch {
	case !b.page:
		return attribute + "=\"" + hex(c) + "\""
	case of.class != "":
		return "class=\"" + of.class + "\""
	}
	return attribute + "=\"" + ofPage(c) + "\""
}

// end closes an element, with the title that it has.
func (b *sheet) end(element, title string) error {
	if title == "" {
		b.WriteString("/>\n")
		return nil
	}
	b.WriteString("><title>")
	if err := xml.EscapeText(b, []byte(title)); err != nil {
		return err
	}
	b.WriteString("</title></" + element + ">\n")
	return nil
}

// shapes writes all of the scene.
func (s *scene) shapes(b *sheet) error {
	for _, a := range s.areas {
		fmt.Fprintf(b, "<polygon points=\"%s\" %s fill-opacity=\"%.2f\"/>\n", pairs(a.points), b.ink("fill", a.color, said{}), opacity)
	}
	for _, over := range []bool{false, true} {
		for _, l := range s.lines {
			if l.over != over {
				continue
			}
			fmt.Fprintf(b, "<polyline points=\"%s\" fill=\"none\" %s stroke-width=\"%.2f\"%s", pairs(l.points), b.ink("stroke", l.color, l.said), l.width, dashes(l.dash))
			if err := b.end("polyline", l.title); err != nil {
				return err
			}
		}
		if !over {
			if err := s.rectangles(b); err != nil {
				return err
			}
		}
		if err := s.marks(b, over); err != nil {
			return err
		}
	}
	for _, l := range s.labels {
		anchor := [...]string{start: "start", center: "middle", end: "end"}[l.anchor]
		fmt.Fprintf(b, "<text x=\"%.2f\" y=\"%.2f\" font-size=\"%.1f\" text-anchor=\"%s\" %s>", l.x, l.y, l.size, anchor, b.ink("fill", ink(), said{class: l.class}))
		if err := xml.EscapeText(b, []byte(l.text)); err != nil {
			return err
		}
		b.WriteString("</text>\n")
	}
	return nil
}

func (s *scene) rectangles(b *sheet) error {
	for _, r := range s.boxes {
		fmt.Fprintf(b, "<rect x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\" %s", r.x, r.y, r.width, r.height, b.ink("fill", r.color, r.said))
		if r.opacity > 0 {
			fmt.Fprintf(b, " fill-opacity=\"%.2f\"", r.opacity)
		}
		if err := b.end("rect", r.title); err != nil {
			return err
		}
	}
	return nil
}

// marks writes dots. On a page discs that are alike are one path of strokes without a
// length, so that thousands stay small.
func (s *scene) marks(b *sheet, over bool) error {
	for i := 0; i < len(s.dots); i++ {
		d := &s.dots[i]
		switch {
		case d.over != over:
		case d.shape.corners > 0:
			fmt.Fprintf(b, "<polygon points=\"%s\" %s", pairs(d.outline()), b.ink("fill", d.color, d.said))
			if err := b.end("polygon", d.title); err != nil {
				return err
			}
		case b.page && d.title == "":
			fmt.Fprintf(b, "<path fill=\"none\" stroke-linecap=\"round\" stroke-width=\"%.1f\" %s d=\"M%.1f %.1fh0", 2*d.radius, b.ink("stroke", d.color, d.said), d.x, d.y)
			for ; i+1 < len(s.dots) && s.dots[i+1].like(d); i++ {
				fmt.Fprintf(b, "M%.1f %.1fh0", s.dots[i+1].x, s.dots[i+1].y)
			}
			b.WriteString("\"/>\n")
		default:
			fmt.Fprintf(b, "<circle cx=\"%.2f\" cy=\"%.2f\" r=\"%.2f\" %s", d.x, d.y, d.radius, b.ink("fill", d.color, d.said))
			if err := b.end("circle", d.title); err != nil {
				return err
			}
		}
	}
	return nil
}

// like reports whether dots differ in their places alone.
func (d *dot) like(o *dot) bool {
	same := *d
	same.point = o.point
	return same == *o
}

func hex(c color.RGBA) string { return fmt.Sprintf("#%02x%02x%02x", c.R, c.G, c.B) }

func pairs(points []point) string {
	var all []string
	for _, p := range points {
		all = append(all, fmt.Sprintf("%.2f,%.2f", p.x, p.y))
	}
	return strings.Join(all, " ")
}

func dashes(lengths []float64) string {
	if len(lengths) == 0 {
		return ""
	}
	var all []string
	for _, l := range lengths {
		all = append(all, strconv.FormatFloat(l, 'g', 4, 64))
	}
	return fmt.Sprintf(" stroke-dasharray=%q", strings.Join(all, " "))
}
