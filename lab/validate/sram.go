package validate

import (
	"fmt"

	"apollo/evaluator/tech"
)

// Widths of the ports that the tables have, in bits.
const (
	narrow = 64
	wide   = 128
)

// nodes are the technology nodes that the model knows.
func nodes() []tech.Node { return []tech.Node{tech.Node22(), tech.Node45()} }

// cactiSRAM compares energy and area of memories with ports of 64 and 128 bits.
// Rows of other widths, and of nodes that the model does not have, are counted.
func cactiSRAM(t *table) ([]Row, error) {
	const bitsPerByte, tolerance = 8, 0.10
	read := within{metric: "read energy", tolerance: tolerance}
	write := within{metric: "write energy", tolerance: tolerance}
	area := within{metric: "area", tolerance: tolerance}
	left := leftOut{
		read:  within{metric: "read energy of a left-out row", tolerance: tolerance},
		write: within{metric: "write energy of a left-out row", tolerance: tolerance},
		area:  within{metric: "area of a left-out row", tolerance: tolerance},
	}
	skipped := 0
	for i := range t.rows {
		l := t.line(i)
		nm, bytes, width := l.float("tech_nm"), l.above("size_bytes"), l.int("width_bits")
		if l.err != nil {
			return nil, l.err
		}
		node, ok := nodeOf(nm)
		var m tech.SRAM
		switch {
		case ok && width == narrow:
			m = node.SRAM(bytes)
		case ok && width == wide:
			m = node.WideSRAM(bytes)
		default:
			skipped++
			continue
		}
		name := fmt.Sprintf("%g nm, %g B, %d bit", nm, bytes, width)
		if less, inner := node.Without(bytes); inner {
			left.compare(l, width, less, bytes)
		}
		read.compare(name, l.above("read_pJ"), m.ReadPJPerByte*float64(width)/bitsPerByte)
		write.compare(name, l.above("write_pJ"), m.WritePJPerByte*float64(width)/bitsPerByte)
		area.compare(name, l.above("area_mm2"), m.AreaMM2)
		if l.err != nil {
			return nil, l.err
		}
	}
	rows := append([]Row{read.row(), write.row(), area.row()}, left.rows()...)
	if skipped > 0 {
		rows = append(rows, Row{
			Metric: "rows of other port widths or nodes", Theirs: float64(skipped), Unit: "rows",
			Tolerance: "not modelled", Verdict: Note,
		})
	}
	return rows, nil
}

// leftOut compares rows with what the table predicts without them: a gap of a
// factor of 16 in capacity, four times that between rows. It is a note and no
// verdict: no size between rows is among the references, and these are the only
// figures for how far a prediction can be off where CACTI changes a memory's
// organisation.
type leftOut struct{ read, write, area within }

func (o *leftOut) compare(l *line, width int64, node tech.Node, bytes float64) {
	const bitsPerByte = 8
	m := node.SRAM(bytes)
	if width == wide {
		m = node.WideSRAM(bytes)
	}
	name := fmt.Sprintf("%s, %g B, %d bit, left out", node.Name, bytes, width)
	o.read.compare(name, l.above("read_pJ"), m.ReadPJPerByte*float64(width)/bitsPerByte)
	o.write.compare(name, l.above("write_pJ"), m.WritePJPerByte*float64(width)/bitsPerByte)
	o.area.compare(name, l.above("area_mm2"), m.AreaMM2)
}

func (o *leftOut) rows() []Row {
	var rows []Row
	for _, w := range []*within{&o.read, &o.write, &o.area} {
		r := w.row()
		r.Verdict, r.Tolerance = Note, "reported; "+r.Tolerance
		rows = append(rows, r)
	}
	return rows
}

func nodeOf(nm float64) (tech.Node, bool) {
	for _, n := range nodes() {
		if n.NM == nm {
			return n, true
		}
	}
	return tech.Node{}, false
}

// within counts rows whose relative error is at most a tolerance.
type within struct {
	metric      string
	tolerance   float64
	rows, agree int
	worst       float64
	misses      []string
}

func (w *within) compare(name string, theirs, ours float64) {
	w.rows++
	e := ours/theirs - 1
	w.worst = max(w.worst, e, -e)
	if e <= w.tolerance && -e <= w.tolerance {
		w.agree++
		return
	}
	w.misses = append(w.misses, fmt.Sprintf("%s: theirs %.4g, ours %.4g, error %+.1f %%", name, theirs, ours, 100*e))
}

// row judges all rows by the worst.
func (w *within) row() Row {
	r := Row{Metric: w.metric + " (worst error)", Theirs: float64(w.rows), Ours: float64(w.agree), Unit: "rows", Error: w.worst, Misses: w.misses, Verdict: Pass}
	r.Tolerance = fmt.Sprintf("within %g %%", 100*w.tolerance)
	switch {
	case w.rows == 0:
		r.Verdict = Note // nothing agrees with nothing
	case w.agree < w.rows:
		r.Verdict = Fail
	}
	return r
}
