package draw

import (
	"encoding/xml"
	"fmt"
	"image/color"
	"io"
	"strings"
)

// svg writes the scene as SVG 1.1.
func (s *scene) svg(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\" font-family=\"Helvetica, Arial, sans-serif\">\n",
		pageWidth, pageHeight, pageWidth, pageHeight)
	fmt.Fprintf(&b, "<rect width=\"%d\" height=\"%d\" fill=\"#ffffff\"/>\n", pageWidth, pageHeight)
	for _, l := range s.lines {
		var points []string
		for _, p := range l.points {
			points = append(points, fmt.Sprintf("%.2f,%.2f", p.x, p.y))
		}
		fmt.Fprintf(&b, "<polyline points=\"%s\" fill=\"none\" stroke=\"%s\" stroke-width=\"%.2f\"/>\n", strings.Join(points, " "), hex(l.color), l.width)
	}
	for _, r := range s.boxes {
		fmt.Fprintf(&b, "<rect x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\" fill=\"%s\"/>\n", r.x, r.y, r.width, r.height, hex(r.color))
	}
	for _, d := range s.dots {
		fmt.Fprintf(&b, "<circle cx=\"%.2f\" cy=\"%.2f\" r=\"%.2f\" fill=\"%s\"/>\n", d.x, d.y, d.radius, hex(d.color))
	}
	for _, l := range s.labels {
		anchor := [...]string{start: "start", center: "middle", end: "end"}[l.anchor]
		fmt.Fprintf(&b, "<text x=\"%.2f\" y=\"%.2f\" font-size=\"%.1f\" text-anchor=\"%s\" fill=\"%s\">", l.x, l.y, l.size, anchor, hex(ink()))
		if err := xml.EscapeText(&b, []byte(l.text)); err != nil {
			return err
		}
		b.WriteString("</text>\n")
	}
	b.WriteString("</svg>\n")
	_, err := io.WriteString(w, b.String())
	return err
}

func hex(c color.RGBA) string { return fmt.Sprintf("#%02x%02x%02x", c.R, c.G, c.B) }
