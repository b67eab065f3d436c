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
	var b strings.Builder
	fmt.Fprintf(&b, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\" font-family=\"Helvetica, Arial, sans-serif\">\n",
		s.width, s.height, s.width, s.height)
	fmt.Fprintf(&b, "<rect width=\"%d\" height=\"%d\" fill=\"#ffffff\"/>\n", s.width, s.height)
	if err := s.shapes(&b, hex); err != nil {
		return err
	}
	b.WriteString("</svg>\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// inline writes the scene as a part of a page, which has its own colours: --ink, --line,
// and for each number of a colour --c0 and, pale, --p0.
func (s *scene) inline(w io.Writer, label string) error {
	var b strings.Builder
	fmt.Fprintf(&b, "<svg class=\"drawing\" viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"", s.width, s.height)
	if err := xml.EscapeText(&b, []byte(label)); err != nil {
		return err
	}
	b.WriteString("\">\n")
	if err := s.shapes(&b, ofPage); err != nil {
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

// shapes writes all of the scene, in colours that paint writes.
func (s *scene) shapes(b *strings.Builder, paint func(color.RGBA) string) error {
	for _, a := range s.areas {
		fmt.Fprintf(b, "<polygon points=\"%s\" fill=\"%s\" fill-opacity=\"%.2f\"/>\n", pairs(a.points), paint(a.color), opacity)
	}
	for _, l := range s.lines {
		fmt.Fprintf(b, "<polyline points=\"%s\" fill=\"none\" stroke=\"%s\" stroke-width=\"%.2f\"%s/>\n", pairs(l.points), paint(l.color), l.width, dashes(l.dash))
	}
	for _, r := range s.boxes {
		fmt.Fprintf(b, "<rect x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\" fill=\"%s\"", r.x, r.y, r.width, r.height, paint(r.color))
		if r.title == "" {
			b.WriteString("/>\n")
			continue
		}
		b.WriteString("><title>")
		if err := xml.EscapeText(b, []byte(r.title)); err != nil {
			return err
		}
		b.WriteString("</title></rect>\n")
	}
	for _, d := range s.dots {
		if d.shape.corners > 0 {
			fmt.Fprintf(b, "<polygon points=\"%s\" fill=\"%s\"/>\n", pairs(d.outline()), paint(d.color))
			continue
		}
		fmt.Fprintf(b, "<circle cx=\"%.2f\" cy=\"%.2f\" r=\"%.2f\" fill=\"%s\"/>\n", d.x, d.y, d.radius, paint(d.color))
	}
	for _, l := range s.labels {
		anchor := [...]string{start: "start", center: "middle", end: "end"}[l.anchor]
		fmt.Fprintf(b, "<text x=\"%.2f\" y=\"%.2f\" font-size=\"%.1f\" text-anchor=\"%s\" fill=\"%s\">", l.x, l.y, l.size, anchor, paint(ink()))
		if err := xml.EscapeText(b, []byte(l.text)); err != nil {
			return err
		}
		b.WriteString("</text>\n")
	}
	return nil
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
