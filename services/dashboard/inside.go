package dashboard

import (
	"fmt"
	"html/template"
	"io"
	"math"
	"slices"
	"strings"

	"apollo/evaluator/report"
	"apollo/services/cli"
	"apollo/services/draw"
	"apollo/services/inspect"
)

// inline is a drawing as a part of a page; "" where there is nothing to draw. What users
// call things is escaped where it is drawn.
func inline(to func(io.Writer) error) template.HTML {
	var b strings.Builder
	if to(&b) != nil {
		return ""
	}
	return template.HTML(b.String()) //nolint:gosec // drawings escape their texts
}

// waitsFor is the colour of what a layer waits for, the same in all pictures: memories and
// wires on the chip have many names.
func waitsFor(bottleneck string) int {
	const onChip = 1
	if i := slices.Index([]string{"compute", "", "off-chip interface", "instructions", "serial"}, bottleneck); i >= 0 {
		return i
	}
	return onChip
}

// beside is a design with a name, which stands beside another one in a picture.
type beside struct {
	name string
	of   *report.Design
}

// areas draw where area, energy and time go, of designs at one scale.
func areas(all []beside) (area, energy, time template.HTML) {
	chip := draw.Treemap{Title: "The chip, to scale", Scale: func(v float64) string { return amount(v, "mm") }}
	work := draw.Treemap{Title: "Energy by part"}
	spent := draw.Treemap{Title: "Time by layer"}
	for _, d := range all {
		square := d.of.Area.Total()
		side := math.Sqrt(square)
		chip.Blocks = append(chip.Blocks, block(fmt.Sprintf("%s: %s, %s wide", d.name, amount(square, "mm2"), amount(side, "mm")), d.of.Area, "mm2"))
		for i := range d.of.Networks {
			n := &d.of.Networks[i]
			of := d.name
			if len(d.of.Networks) > 1 {
				of += ", " + n.Name
			}
			work.Blocks = append(work.Blocks, block(of+": "+amount(n.Energy.Total(), "J"), n.Energy, "J"))
			layers := draw.Block{}
			sum := 0.0
			for k := range d.of.Layers {
				l := &d.of.Layers[k]
				if l.Network != n.Name {
					continue
				}
				sum += l.LatencySeconds
				layers.Tiles = append(layers.Tiles, draw.Tile{Name: l.ID, Text: amount(l.LatencySeconds, "s"), Value: l.LatencySeconds, Look: waitsFor(l.Bottleneck)})
			}
			layers.Name = of + ": " + amount(sum, "s")
			spent.Blocks = append(spent.Blocks, layers)
		}
	}
	return inline(chip.Inline), inline(work.Inline), inline(spent.Inline)
}

func block(name string, all report.Breakdown, unit string) draw.Block {
	b := draw.Block{Name: name}
	for i, x := range all {
		b.Tiles = append(b.Tiles, draw.Tile{Name: strings.ReplaceAll(x.Name, "_", " "), Text: amount(x.Value, unit), Value: x.Value, Look: i})
	}
	return b
}

// nestOf is how a layer is mapped.
type nestOf struct {
	Name, Text, Given string
	Levels            []nestLevel
}

// nestLevel is what a level of the hierarchy moves of an operand, in elements.
type nestLevel struct{ Level, Operand, Reads, Fills, Updates, Drains string }

// nest finds the layer that an address names; nil for none.
func nest(r *report.Design, name string) *nestOf {
	for i := range r.Layers {
		l := &r.Layers[i]
		if name != l.Network+"/"+l.ID || l.Mapping == "" {
			continue
		}
		n := &nestOf{Name: name, Text: l.Mapping}
		for _, a := range l.Accesses {
			row := nestLevel{Level: a.Level, Operand: a.Operand}
			for _, c := range []struct {
				to *string
				of int64
			}{{&row.Reads, a.Reads}, {&row.Fills, a.Fills}, {&row.Updates, a.Updates}, {&row.Drains, a.Drains}} {
				if *c.to = "–"; c.of > 0 {
					*c.to = cli.Count(int(c.of))
				}
			}
			n.Levels = append(n.Levels, row)
		}
		return n
	}
	return nil
}

// slicesThrough draw the first objective over the levels of each parameter, with all
// others as the design has them.
func slicesThrough(s *snapshot, e *evaluated, levels []int, changes []inspect.Change) (out []template.HTML) {
	o := s.objective()
	at := s.spec.MetricIndex(o.Metric)
	none := draw.SliceLevel{Value: math.NaN(), Low: math.NaN(), High: math.NaN()}
	var all []draw.Slice
	for i, p := range s.params {
		one := draw.Slice{Name: p.Name, Here: levels[i], Y: s.sliceAxis()}
		for k := range p.Len() {
			v := p.Value(k)
			l := none
			if l.Name = levelText(v, p.Unit); k == levels[i] {
				l.Value, l.Out = e.subject.Values(&e.report)[at], !e.judged.Feasible
			}
			one.Levels = append(one.Levels, l)
		}
		all = append(all, one)
	}
	for _, c := range changes {
		l := &all[c.Parameter].Levels[c.Level]
		if l.Out = !c.Feasible; at < len(c.Values) { // one that cannot run has none
			l.Value = c.Values[at]
		}
	}
	return sliceDrawings(all)
}

// sliceAxis shows the first objective.
func (s *snapshot) sliceAxis() draw.Axis {
	m := s.spec.Metrics[s.spec.MetricIndex(s.objective().Metric)]
	return draw.Axis{Title: m.Short(), Log: true, Text: func(v float64) string { return amount(v, m.Unit) }}
}

// sliceDrawings draw slices over one span of amounts.
func sliceDrawings(all []draw.Slice) (out []template.HTML) {
	low, high, ok := draw.Span(all)
	for i := range all {
		if ok && len(all[i].Levels) > 1 {
			out = append(out, inline(func(w io.Writer) error { return all[i].Inline(w, low, high) }))
		}
	}
	return out
}
