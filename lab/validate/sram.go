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
		read.compare(name, l.above("read_pJ"), m.ReadPJPerByte*float64(width)/bitsPerByte)
		write.compare(name, l.above("write_pJ"), m.WritePJPerByte*float64(width)/bitsPerByte)
		area.compare(name, l.above("area_mm2"), m.AreaMM2)
		if l.err != nil {
			return nil, l.err
		}
	}
	rows := append([]Row{read.row(), write.row(), area.row()}, leftOut()...)
	if skipped > 0 {
		rows = append(rows, Row{
			Metric: "rows of other port widths or nodes", Theirs: float64(skipped), Unit: "rows",
			Tolerance: "not modelled", Verdict: Note,
		})
	}
	return rows, nil
}

// leftOut compares the rows of the model's own tables with what the rest of the
// table predicts.
func leftOut() []Row {
	const tolerance = 0.10
	var rows []Row
	for _, n := range nodes() {
		sizes := n.SRAMSizes()
		for _, port := range []struct {
			bits int
			of   func(tech.Node, float64) tech.SRAM
		}{{narrow, tech.Node.SRAM}, {wide, tech.Node.WideSRAM}} {
			for _, figure := range []struct {
				name string
				of   func(*tech.SRAM) float64
			}{
				{"read", func(m *tech.SRAM) float64 { return m.ReadPJPerByte }},
				{"write", func(m *tech.SRAM) float64 { return m.WritePJPerByte }},
				{"leakage", func(m *tech.SRAM) float64 { return m.LeakageMW }},
				{"area", func(m *tech.SRAM) float64 { return m.AreaMM2 }},
			} {
				w := within{metric: fmt.Sprintf("left out, %s, %d bit: %s", n.Name, port.bits, figure.name), tolerance: tolerance}
				for _, size := range sizes[1 : len(sizes)-1] {
					theirs, ours := port.of(n, size), port.of(n.Without(size), size)
					w.compare(fmt.Sprintf("%g B", size), figure.of(&theirs), figure.of(&ours))
				}
				r := w.row()
				r.Verdict, r.Tolerance = Note, "reported; "+r.Tolerance
				rows = append(rows, r)
			}
		}
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
