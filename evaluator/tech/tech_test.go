package tech

import (
	"encoding/csv"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"testing"
)

func TestSRAMMeetsItsTable(t *testing.T) {
	t.Parallel()
	for _, n := range []Node{Node22(), Node45()} {
		for _, p := range n.sram {
			m := n.SRAM(p.bytes)
			within(t, n.Name+" area", m.AreaMM2, p.areaMM2, 1e-12)
			within(t, n.Name+" read", m.ReadPJPerByte*wordBytes, p.readPJ, 1e-12)
			within(t, n.Name+" write", m.WritePJPerByte*wordBytes, p.writePJ, 1e-12)
			within(t, n.Name+" leakage", m.LeakageMW, p.leakMW, 1e-12)
		}
	}
}

// Leaving a table point out and interpolating over it is the hardest case that
// the table itself offers: the gap is then a factor of 16 in capacity.
func TestSRAMPredictsALeftOutPoint(t *testing.T) {
	t.Parallel()
	for _, n := range []Node{Node22(), Node45()} {
		for i := 2; i < len(n.sram)-1; i++ {
			less, ok := n.Without(n.sram[i].bytes)
			if !ok || len(less.sram) != len(n.sram)-1 || len(less.wide) != len(n.wide)-1 {
				t.Fatalf("%s without %g B: %t, %d rows", n.Name, n.sram[i].bytes, ok, len(less.sram))
			}
			m := less.SRAM(n.sram[i].bytes)
			within(t, n.Name+" area", m.AreaMM2, n.sram[i].areaMM2, 0.10)
			// 16 KiB is off the line through 4 and 64 KiB: a bank boundary.
			within(t, n.Name+" read", m.ReadPJPerByte*wordBytes, n.sram[i].readPJ, 0.20)
		}
		if _, ok := n.Without(n.sram[0].bytes); ok {
			t.Errorf("%s: the first row is between no others", n.Name)
		}
	}
}

func TestSRAMGrowsWithCapacity(t *testing.T) {
	t.Parallel()
	for _, n := range []Node{Node22(), Node45()} {
		last := SRAM{}
		for bytes := 16.0; bytes < 1<<25; bytes *= 1.1 {
			m := n.SRAM(bytes)
			if m.AreaMM2 <= last.AreaMM2 || m.LeakageMW <= last.LeakageMW || m.ReadPJPerByte <= last.ReadPJPerByte {
				t.Fatalf("%s: SRAM(%g) = %+v is not above the smaller one's %+v", n.Name, bytes, m, last)
			}
			last = m
		}
		if m := n.SRAM(8 << 20); math.Abs(m.AreaMM2/n.SRAM(4<<20).AreaMM2-2) > 1e-12 {
			t.Errorf("%s: 8 MiB has %g mm², want twice that of 4 MiB", n.Name, m.AreaMM2)
		}
		if m := n.SRAM(0); m != (SRAM{}) {
			t.Errorf("%s: SRAM(0) = %+v, want nothing", n.Name, m)
		}
	}
}

func TestSRAMAgainstReference(t *testing.T) {
	t.Parallel()
	dir := os.Getenv("APOLLO_REFS")
	if dir == "" {
		dir = "../../../shared/refs"
	}
	f, err := os.Open(filepath.Join(dir, "cacti_sram.csv"))
	if err != nil {
		t.Skipf("reference not found: %v", err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	nodes := map[string]Node{"22": Node22(), "45": Node45()}
	for _, row := range rows[1:] {
		n, ok := nodes[row[0]]
		if !ok || row[2] != "64" {
			continue
		}
		m := n.SRAM(number(t, row[1]))
		within(t, row[0]+" "+row[1]+" read", m.ReadPJPerByte*wordBytes, number(t, row[5]), 0.10)
		within(t, row[0]+" "+row[1]+" area", m.AreaMM2, number(t, row[8]), 0.10)
	}
}

func number(t *testing.T, s string) float64 {
	t.Helper()
	v, err := strconv.ParseFloat(s, 64)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func within(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if math.Abs(got-want) > tolerance*math.Abs(want) {
		t.Errorf("%s = %g, want %g within %g", what, got, want, tolerance)
	}
}
