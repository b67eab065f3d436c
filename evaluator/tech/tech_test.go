package tech

import (
	"encoding/csv"
	"math"
	"os"
	"path/filepath"
	"slices"
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

// Rows beside no step are within 5 % when they are left out.
func TestSRAMPredictsALeftOutPoint(t *testing.T) {
	t.Parallel()
	for _, n := range []Node{Node22(), Node45()} {
		sizes := n.SRAMSizes()
		errs := map[string][]float64{}
		for _, size := range sizes[1 : len(sizes)-1] {
			less := n.Without(size)
			if len(less.sram) != len(n.sram)-1 || len(less.wide) != len(n.wide)-1 {
				t.Fatalf("%s without %g B: %d and %d rows", n.Name, size, len(less.sram), len(less.wide))
			}
			for _, pair := range [][2]SRAM{{less.SRAM(size), n.SRAM(size)}, {less.WideSRAM(size), n.WideSRAM(size)}} {
				got, want := pair[0], pair[1]
				errs["read"] = append(errs["read"], math.Abs(got.ReadPJPerByte/want.ReadPJPerByte-1))
				errs["write"] = append(errs["write"], math.Abs(got.WritePJPerByte/want.WritePJPerByte-1))
				errs["area"] = append(errs["area"], math.Abs(got.AreaMM2/want.AreaMM2-1))
				errs["leakage"] = append(errs["leakage"], math.Abs(got.LeakageMW/want.LeakageMW-1))
			}
		}
		for what, list := range errs {
			if most := slices.Max(list); most > 0.05 {
				t.Errorf("%s %s: worst %.3f, want 0.05", n.Name, what, most)
			}
		}
	}
}

// sramBetween are sizes that the table does not have, from the same runs of
// CACTI: nm, bits, bytes, read and write in pJ, leakage in mW, area in mm².
var sramBetween = [][7]float64{
	{22, 64, 600, 0.191771, 0.308483, 0.136156, 0.000572681},
	{45, 128, 832, 1.44823, 1.92333, 0.0134333, 0.00471971},
	{22, 128, 1100, 0.458277, 0.671195, 0.285801, 0.0013342},
	{45, 64, 1408, 0.876566, 1.79276, 0.0190436, 0.00465315},
	{22, 64, 2300, 0.42692, 0.567604, 0.564846, 0.00197647},
	{45, 128, 2900, 1.92266, 3.82071, 0.0446804, 0.0107932},
	{22, 128, 3700, 0.936597, 1.15707, 0.844576, 0.00358822},
	{45, 64, 4600, 2.44919, 2.46305, 0.0655941, 0.0161697},
	{22, 64, 5800, 0.877869, 0.828197, 1.3065, 0.00466806},
	{45, 128, 7400, 3.74278, 5.41793, 0.104888, 0.0254902},
	{22, 128, 9300, 1.93068, 1.84252, 1.91887, 0.00820193},
	{45, 64, 11000, 4.96484, 3.8445, 0.147485, 0.0361809},
	{22, 64, 14800, 1.9265, 1.28143, 3.01884, 0.0110943},
	{45, 128, 18500, 7.75081, 7.95609, 0.24751, 0.0593028},
	{22, 128, 23000, 2.71458, 2.61586, 4.71114, 0.0228496},
	{45, 64, 30000, 6.92051, 5.42396, 0.40271, 0.104053},
	{22, 64, 37000, 2.27872, 1.86077, 7.66623, 0.035054},
	{45, 128, 46080, 11.6471, 11.9375, 0.612532, 0.169502},
	{22, 128, 59000, 5.39425, 4.10411, 11.057, 0.0500267},
	{45, 64, 74000, 11.455, 8.52235, 0.912627, 0.271652},
	{22, 64, 93000, 4.27088, 2.83115, 17.4024, 0.0770324},
	{45, 128, 118000, 20.1402, 17.1942, 1.43993, 0.438891},
	{22, 128, 148000, 7.88602, 6.28954, 27.6021, 0.126006},
	{45, 64, 190000, 16.5957, 12.909, 2.31564, 0.666952},
	{22, 64, 237000, 6.49298, 4.67265, 44.2014, 0.190901},
	{45, 128, 300000, 37.925, 26.4797, 3.46, 0.993673},
	{22, 128, 380000, 12.7241, 9.7837, 67.816, 0.333832},
	{45, 64, 475000, 30.2498, 19.4573, 5.45376, 1.51103},
	{22, 64, 610000, 10.1216, 7.32803, 109.048, 0.499829},
	{45, 128, 760000, 55.6634, 41.2774, 8.73663, 2.45307},
	// Drawn at random after the steps were in the table.
	{22, 64, 277520, 7.29179, 5.16698, 51.7949, 0.21917},
	{45, 128, 64544, 16.5938, 13.3891, 0.787385, 0.225597},
	{22, 128, 832, 0.43843, 0.589832, 0.216087, 0.00112905},
	{45, 64, 730728, 33.3025, 24.6854, 8.47041, 2.42497},
	{22, 64, 1797440, 16.1549, 14.4052, 334.745, 1.4055},
	{45, 128, 1088, 1.50086, 2.15109, 0.017533, 0.00550425},
	{22, 128, 124704, 7.09131, 5.73779, 23.2416, 0.109068},
	{45, 64, 225408, 18.4622, 14.0968, 2.75696, 0.77123},
	{22, 64, 694024, 10.9235, 7.77883, 123.425, 0.552145},
	{45, 128, 397040, 38.008, 30.333, 4.584, 1.44441},
	{22, 128, 2096, 0.546879, 0.971687, 0.522322, 0.00202865},
	{45, 64, 769400, 34.1706, 25.195, 8.84336, 2.51248},
	{22, 64, 123328, 4.34802, 3.365, 23.4847, 0.114298},
	{45, 128, 1168, 1.521, 2.23691, 0.0189539, 0.00577926},
	{22, 128, 241536, 9.88769, 8.57642, 44.9797, 0.217359},
	{45, 64, 586856, 29.4427, 22.4382, 6.79209, 2.03109},
	{22, 64, 8776, 1.45326, 1.05643, 1.81374, 0.00722989},
	{45, 128, 93776, 20.2955, 15.7505, 1.1377, 0.308702},
	{22, 128, 1859152, 28.1748, 24.5536, 331.219, 1.54045},
	{45, 64, 4632, 2.46259, 2.47767, 0.0664809, 0.0163483},
	{22, 64, 421736, 8.22001, 6.23392, 75.9391, 0.378289},
	{45, 128, 62272, 16.2669, 13.1798, 0.756741, 0.218355},
	{22, 128, 58080, 5.34493, 4.07592, 10.8691, 0.0493343},
	{45, 64, 1465768, 44.948, 38.0189, 17.7122, 4.53935},
	{22, 64, 944, 0.313251, 0.362592, 0.243455, 0.00103301},
	{45, 128, 13616, 6.79105, 6.9039, 0.182892, 0.0461036},
	{22, 128, 7744, 1.26635, 1.76085, 1.73029, 0.006294},
	{45, 64, 2416, 1.3987, 1.92817, 0.0374143, 0.00864273},
	{22, 64, 619328, 10.2018, 7.3731, 110.486, 0.505057},
	{45, 128, 3056, 1.95722, 3.96473, 0.047047, 0.0112516},
	{22, 128, 9008, 1.91052, 1.8236, 1.86746, 0.00803759},
	{45, 64, 1112, 0.809157, 1.52832, 0.0153901, 0.0038604},
}

// All but one are within 10 %: CACTI takes another organisation for 944 bytes than
// for the sizes on either side.
func TestSRAMBetweenItsPoints(t *testing.T) {
	t.Parallel()
	const apart = 944
	for _, row := range sramBetween {
		n := Node22()
		if row[0] == 45 {
			n = Node45()
		}
		m, width := n.SRAM(row[2]), float64(wordBytes)
		if row[1] == 128 {
			m, width = n.WideSRAM(row[2]), wideBytes
		}
		worst := 0.0
		for _, pair := range [][2]float64{
			{m.ReadPJPerByte * width, row[3]}, {m.WritePJPerByte * width, row[4]}, {m.LeakageMW, row[5]}, {m.AreaMM2, row[6]},
		} {
			worst = max(worst, math.Abs(pair[0]/pair[1]-1))
		}
		if row[2] == apart != (worst > 0.10) {
			t.Errorf("%g nm, %g bits, %g B: %+v is off by %.3f from %v", row[0], row[1], row[2], m, worst, row[3:])
		}
	}
}

func TestSRAMGrowsWithCapacity(t *testing.T) {
	t.Parallel()
	for _, n := range []Node{Node22(), Node45()} {
		last := SRAM{}
		for bytes := 16.0; bytes < 1<<27; bytes *= 1.1 {
			m := n.SRAM(bytes)
			if m.AreaMM2 < last.AreaMM2 || m.LeakageMW < last.LeakageMW || m.ReadPJPerByte <= 0.80*last.ReadPJPerByte {
				t.Fatalf("%s: SRAM(%g) = %+v is not above the smaller one's %+v", n.Name, bytes, m, last)
			}
			last = m
		}
		if m := n.SRAM(64 << 20); math.Abs(m.AreaMM2/n.SRAM(32<<20).AreaMM2-2) > 1e-12 {
			t.Errorf("%s: 64 MiB has %g mm², want twice that of 32 MiB", n.Name, m.AreaMM2)
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
		m := n.SRAM(parse(t, row[1]))
		within(t, row[0]+" "+row[1]+" read", m.ReadPJPerByte*wordBytes, parse(t, row[5]), 0.10)
		within(t, row[0]+" "+row[1]+" area", m.AreaMM2, parse(t, row[8]), 0.10)
	}
}

func parse(t *testing.T, s string) float64 {
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
