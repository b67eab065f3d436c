// Package draw draws the detailed answer for one design (the roofline with a
// dot per layer, and where area and energy go) and the curves of comparisons.
package draw

import (
	"errors"
	"fmt"
	"image/color"
	"io"

	"apollo/evaluator/report"
)

// Formats are the formats of Design.
func Formats() []string { return []string{"svg", "png"} }

// The picture's layout, in points.
const (
	pageWidth, pageHeight = 720, 636
	roofTop, roofBottom   = 50, 320
	barsTop, barsBottom   = 436, 606
	left, right           = 60, 700
	middle                = 375
	barNames              = 115 // room for the names beside the bars
	titleSize, textSize   = 13, 9.5
)

const colorCount = 6

// colors tell networks apart: P. Tol's "bright" scheme, which people with
// colour blindness can tell apart.
func colorOf(i int) color.RGBA {
	colors := [colorCount]color.RGBA{
		{0x44, 0x77, 0xAA, 0xFF},
		{0xEE, 0x66, 0x77, 0xFF},
		{0x22, 0x88, 0x33, 0xFF},
		{0xCC, 0xBB, 0x44, 0xFF},
		{0x66, 0xCC, 0xEE, 0xFF},
		{0xAA, 0x33, 0x77, 0xFF},
	}
	return colors[i%len(colors)]
}

// ink is the colour of text and axes, faint that of grid lines.
func ink() color.RGBA   { return color.RGBA{0x22, 0x22, 0x22, 0xFF} }
func faint() color.RGBA { return color.RGBA{0xE4, 0xE4, 0xE4, 0xFF} }

// Design writes the picture of a feasible design in a format of Formats. The
// error is for another format, for a design without layers to draw, or from w.
func Design(w io.Writer, format string, r *report.Design) error {
	if !r.Feasible {
		return errors.New("there is nothing to draw of an infeasible design")
	}
	s := scene{width: pageWidth, height: pageHeight}
	if err := s.roofline(r); err != nil {
		return err
	}
	const titles = 3 // of networks have room above the bars
	top := barsTop + titleSize*float64(max(0, len(r.Networks)-titles))
	area := breakdown{title: "Area", unit: "mm²", top: top, left: left, right: middle - 30, scale: 1, all: []series{{"", r.Area.Parts()}}}
	energy := breakdown{title: "Energy", unit: "µJ", top: top, left: middle, right: right, scale: 1e6} // J to µJ
	for i := range r.Networks {
		energy.all = append(energy.all, series{r.Networks[i].Name, r.Networks[i].Energy.Parts()})
	}
	s.bars(area)
	s.bars(energy)
	s.height = int(top+max(area.height(), energy.height())) + 20
	if len(r.Array) > 0 {
		s.array(r, float64(s.height)+titleSize)
	}
	return s.write(w, format)
}

func (s *scene) write(w io.Writer, format string) error {
	switch format {
	case "svg":
		return s.svg(w)
	case "png":
		return s.png(w)
	}
	return fmt.Errorf("there is no picture format %q: want svg or png", format)
}
