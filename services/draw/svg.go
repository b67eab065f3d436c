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
	for _, a := range s.areas {
		fmt.Fprintf(&b, "<polygon points=\"%s\" fill=\"%s\" fill-opacity=\"%.2f\"/>\n", pairs(a.points), hex(a.color), opacity)
	}
	for _, l := range s.lines {
		fmt.Fprintf(&b, "<polyline points=\"%s\" fill=\"none\" stroke=\"%s\" stroke-width=\"%.2f\"%s/>\n", pairs(l.points), hex(l.color), l.width, dashes(l.dash))
	}
	for _, r := range s.boxes {
		fmt.Fprintf(&b, "<rect x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\" fill=\"%s\"/>\n", r.x, r.y, r.width, r.height, hex(r.color))
	}
	for _, d := range s.dots {
		if d.shape.corners > 0 {
			fmt.Fprintf(&b, "<polygon points=\"%s\" fill=\"%s\"/>\n", pairs(d.outline()), hex(d.color))
			continue
		}
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
