package tech

import (
	"math"
	"sort"
)

// SRAM is one on-chip memory of a node.
type SRAM struct {
	// AreaMM2 is the layout's area in mm².
	AreaMM2 float64
	// ReadPJPerByte and WritePJPerByte are dynamic energies in pJ.
	ReadPJPerByte, WritePJPerByte float64
	// LeakageMW is the static power in mW at the node's LeakageKelvin.
	LeakageMW float64
	// AccessNS is the random access time in ns.
	AccessNS float64
}

// sramPoint is a row of a node's table: a scratch RAM with one read-write
// port of wordBytes.
type sramPoint struct {
	bytes                             float64
	accessNS, readPJ, writePJ, leakMW float64
	areaMM2                           float64
}

// wordBytes and wideBytes are the access widths of the tables: 64 and 128 bits.
const (
	wordBytes = 8
	wideBytes = 16
)

// SRAM returns the memory of the given capacity, which must be positive; a
// memory of 0 bytes or less costs nothing.
//
// Between two table points every figure is interpolated linearly in log-log.
// Below the first point and above the last, energy and access time follow the
// nearest segment's slope; area and leakage are proportional to the capacity,
// because a large memory is made of many arrays and a small one still has its
// bits.
func (n Node) SRAM(capacity float64) SRAM { return interpolate(n.sram, capacity, wordBytes) }

// WideSRAM is SRAM with a port of 128 bits instead of 64.
func (n Node) WideSRAM(capacity float64) SRAM { return interpolate(n.wide, capacity, wideBytes) }

// Without returns the node without the row of its tables for a capacity, and
// whether it had such a row between others. With it, validation can ask how well
// the rest of the table predicts the row.
func (n Node) Without(capacity float64) (Node, bool) {
	found := false
	without := func(table []sramPoint) []sramPoint {
		var rest []sramPoint
		for i, p := range table {
			if p.bytes == capacity && i > 0 && i < len(table)-1 {
				found = true
				continue
			}
			rest = append(rest, p)
		}
		return rest
	}
	n.sram, n.wide = without(n.sram), without(n.wide)
	return n, found
}

func interpolate(table []sramPoint, capacity, width float64) SRAM {
	if !(capacity > 0) {
		return SRAM{}
	}
	i := sort.Search(len(table), func(i int) bool { return table[i].bytes >= capacity })
	i = min(max(i, 1), len(table)-1)
	a, b := table[i-1], table[i]
	t := math.Log(capacity/a.bytes) / math.Log(b.bytes/a.bytes)
	at := func(x, y float64) float64 { return x * math.Pow(y/x, t) }
	m := SRAM{
		ReadPJPerByte:  at(a.readPJ, b.readPJ) / width,
		WritePJPerByte: at(a.writePJ, b.writePJ) / width,
		AccessNS:       at(a.accessNS, b.accessNS),
	}
	switch {
	case t < 0:
		m.AreaMM2, m.LeakageMW = a.areaMM2*capacity/a.bytes, a.leakMW*capacity/a.bytes
	case t > 1:
		m.AreaMM2, m.LeakageMW = b.areaMM2*capacity/b.bytes, b.leakMW*capacity/b.bytes
	default:
		m.AreaMM2, m.LeakageMW = at(a.areaMM2, b.areaMM2), at(a.leakMW, b.leakMW)
	}
	return m
}
