package tech

import (
	_ "embed" // the table
	"encoding/csv"
	"fmt"
	"math"
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync"
)

// sramCSV is CACTI's output for each node, port and size: four sizes an octave, and
// both sides of every step. CACTI builds memories of a range of sizes from arrays of
// one organisation, in which every figure is linear in the capacity, and steps by up
// to 43 % from one organisation to the next.
//
//go:embed sram.csv
var sramCSV string

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
	step                              bool // beside a step to another organisation
}

// wordBytes and wideBytes are the access widths of the tables: 64 and 128 bits.
const (
	wordBytes = 8
	wideBytes = 16
)

// sramTables is sramCSV by node in nm and port in bytes.
var sramTables = sync.OnceValue(func() map[[2]float64][]sramPoint {
	r := csv.NewReader(strings.NewReader(sramCSV))
	r.Comment = '#'
	rows, err := r.ReadAll()
	if err != nil {
		panic(fmt.Sprintf("sram.csv: %v", err)) // part of the build
	}
	const bitsPerByte = 8
	tables := map[[2]float64][]sramPoint{}
	for _, row := range rows[1:] {
		var v [9]float64
		for i, field := range row {
			if v[i], err = strconv.ParseFloat(field, 64); err != nil {
				panic(fmt.Sprintf("sram.csv: %v", err)) // part of the build
			}
		}
		key := [2]float64{v[0], v[1] / bitsPerByte}
		tables[key] = append(tables[key], sramPoint{v[2], v[3], v[4], v[5], v[6], v[7], v[8] != 0})
	}
	for _, table := range tables {
		for i := len(table) - 2; i >= 0; i-- {
			table[i].areaMM2 = min(table[i].areaMM2, table[i+1].areaMM2)
			table[i].leakMW = min(table[i].leakMW, table[i+1].leakMW)
		}
	}
	return tables
})

func sramTable(nm, portBytes float64) []sramPoint { return sramTables()[[2]float64{nm, portBytes}] }

// SRAM returns the memory of the given capacity, which must be positive; a
// memory of 0 bytes or less costs nothing.
//
// Between two table points every figure is interpolated linearly in log-log.
// Below the first point and above the last, energy and access time follow the
// nearest segment's slope; area and leakage are proportional to the capacity,
// because a large memory is made of many arrays and a small one still has its
// bits. From one organisation to the next a memory may cost less to read, write or
// wait for than a smaller one, by up to 22 %. Area and leakage never fall, which
// proofs rest on: where a larger memory has less of them (by up to 10 %), the
// smaller one has no more.
func (n Node) SRAM(capacity float64) SRAM { return interpolate(n.sram, capacity, wordBytes) }

// WideSRAM is SRAM with a port of 128 bits instead of 64.
func (n Node) WideSRAM(capacity float64) SRAM { return interpolate(n.wide, capacity, wideBytes) }

// Least returns the smaller of each figure of two memories.
func (m SRAM) Least(o SRAM) SRAM {
	return SRAM{
		min(m.AreaMM2, o.AreaMM2), min(m.ReadPJPerByte, o.ReadPJPerByte), min(m.WritePJPerByte, o.WritePJPerByte),
		min(m.LeakageMW, o.LeakageMW), min(m.AccessNS, o.AccessNS),
	}
}

// SRAMSizes returns the capacities that both tables of the node have, four an octave,
// ascending, without those that stand beside a step.
func (n Node) SRAMSizes() (sizes []float64) {
	for _, p := range n.sram {
		at := slices.IndexFunc(n.wide, func(w sramPoint) bool { return w.bytes == p.bytes })
		if !p.step && at >= 0 && !n.wide[at].step {
			sizes = append(sizes, p.bytes)
		}
	}
	return sizes
}

// Without returns the node without the rows of its tables for a capacity. With
// it, validation can ask how well the rest of a table predicts a row.
func (n Node) Without(capacity float64) Node {
	at := func(p sramPoint) bool { return p.bytes == capacity }
	n.sram = slices.DeleteFunc(slices.Clone(n.sram), at)
	n.wide = slices.DeleteFunc(slices.Clone(n.wide), at)
	return n
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
