package unit_test

import (
	"errors"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"apollo/events/unit"
)

func TestParse(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text string
		dim  unit.Dimension
		want float64 // in the base unit
	}{
		{"6.8 mm2", unit.Area, 6.8},
		{"6.8mm2", unit.Area, 6.8},
		{"6.8 mm²", unit.Area, 6.8},
		{"6.8 mm^2", unit.Area, 6.8},
		{"680 um2", unit.Area, 0.00068},
		{"1 cm2", unit.Area, 100},
		{"25 GB/s", unit.Bandwidth, 25e9},
		{"1 GiB/s", unit.Bandwidth, 1 << 30},
		{"512 KiB", unit.Data, 524288},
		{"512 kB", unit.Data, 512000},
		{"0.5 MiB", unit.Data, 524288},
		{"30s", unit.Time, 30},
		{"3 ms", unit.Time, 0.003},
		{"0.7 ms", unit.Time, 0.0007},
		{"1.5 min", unit.Time, 90},
		{"2 h", unit.Time, 7200},
		{"5 µs", unit.Time, 5e-6},
		{"5 us", unit.Time, 5e-6},
		{"1.2 mJ", unit.Energy, 0.0012},
		{"3 pJ", unit.Energy, 3e-12},
		{"2 W", unit.Power, 2},
		{"500 MHz", unit.Frequency, 5e8},
		{"800 mV", unit.Voltage, 0.8},
		{"3 A", unit.Current, 3},
		{"50 mJ/token", unit.TokenEnergy, 0.05},
		{"6.8 mm", unit.Length, 0.0068},
		{"0.1%", unit.Dimensionless, 0.001},
		{"0.7 %", unit.Dimensionless, 0.007},
		{"42", unit.Dimensionless, 42},
		{"-1e-3", unit.Dimensionless, -0.001},
		{"1e3 s", unit.Time, 1000},
		{"1.e1 s", unit.Time, 10},
		{".5 s", unit.Time, 0.5},
		{"  7 s  ", unit.Time, 7},
	} {
		q, err := unit.Parse(c.text)
		if err != nil {
			t.Errorf("Parse(%q): %v", c.text, err)
			continue
		}
		// Equal, not near: a decimal prefix must not cost a bit.
		if got := q.Base(); got != c.want || q.Unit.Dimension != c.dim {
			t.Errorf("Parse(%q) = %v (%s), want %v (%s)", c.text, got, q.Unit.Dimension, c.want, c.dim)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", " ", "mm2", "s 3", "1.2.3 s", "--1", "inf", "nan", strings.Repeat("9", 100), "+", ".", "e5"} {
		if q, err := unit.Parse(text); !errors.Is(err, unit.ErrSyntax) {
			t.Errorf("Parse(%q) = %v, %v, want ErrSyntax", text, q, err)
		}
	}
	for _, text := range []string{"1e999 s", "1e99999999999999999999", "-1e309", "1e-400", "1e-999999999 KiB", "1e300 TiB"} {
		if q, err := unit.Parse(text); !errors.Is(err, unit.ErrRange) {
			t.Errorf("Parse(%q) = %v, %v, want ErrRange", text, q, err)
		}
	}
	if q, err := unit.Parse("0e999999999 KiB"); err != nil || q.Base() != 0 {
		t.Errorf("Parse(0e999999999 KiB) = %v, %v, want 0", q, err)
	}
	for _, text := range []string{"1 parsec", "1 KB", "1 mm3", "1 s s", "1 e", "5 gb/s", "1 Kib", "0x10 B", "1_000"} {
		if q, err := unit.Parse(text); !errors.Is(err, unit.ErrUnknown) {
			t.Errorf("Parse(%q) = %v, %v, want ErrUnknown", text, q, err)
		}
	}
}

func TestGuess(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"sec": "s", "MM2": "mm2", "gb/s": "GB/s", "hz": "Hz", "KB": "kB (1000 B) or KiB (1024 B)", "kib": "KiB", "parsec": "",
		"volts": "V", "MV": "mV", "Gbps": "GB/s (8 Gbit/s)", "bits": "B (8 bit)",
	} {
		if got := unit.Guess(text); got != want {
			t.Errorf("Guess(%q) = %q, want %q", text, got, want)
		}
	}
}

// TestBaseUnitsExist: numbers of a dimension are kept in a unit of scale 1.
func TestBaseUnitsExist(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for u := range unit.All() {
		if seen[u.Symbol] {
			t.Errorf("the unit %q is listed twice", u.Symbol)
		}
		seen[u.Symbol] = true
		base, ok := unit.Find(unit.Base(u.Dimension))
		if !ok || base.Dimension != u.Dimension || base.Exp != 0 || base.Factor != 1 {
			t.Errorf("Find(Base(%s)) = %+v, %t, want a unit of scale 1", u.Dimension, base, ok)
		}
	}
}

func TestFormat(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		v      float64
		symbol string
		want   string
	}{
		{524288, "B", "512 KiB"},
		{1 << 24, "B", "16 MiB"},
		{1000, "B", "1 kB"},
		{100, "B", "100 B"},
		{25e9, "B/s", "25 GB/s"},
		{6.8, "mm2", "6.8 mm2"},
		{0.0015, "s", "1.5 ms"},
		{0, "s", "0 s"},
		{3e-12, "J", "3 pJ"},
		{0.001, "", "0.001"},
		{99.5, "%", "99.5%"},
		{2048, "entries", "2048 entries"},
	} {
		if got := unit.Format(c.v, c.symbol); got != c.want {
			t.Errorf("Format(%v, %q) = %q, want %q", c.v, c.symbol, got, c.want)
		}
	}
}

// TestWrittenReadsBack: what is written in any unit reads back bit for bit.
func TestWrittenReadsBack(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		v := math.Ldexp(rng.Float64(), rng.IntN(80)-40)
		if rng.IntN(2) == 0 {
			v, _ = strconv.ParseFloat(strconv.FormatFloat(v, 'g', 3, 64), 64)
		}
		for _, symbol := range []string{"s", "ms", "mm2", "B", "KiB", "B/s", "J", "Hz", "%", ""} {
			u, _ := unit.Find(symbol)
			for _, text := range []string{unit.Exact(v, symbol), unit.Format(v, symbol)} {
				q, err := unit.Parse(text)
				if err != nil {
					t.Fatalf("Parse(%q): %v", text, err)
				}
				if got := q.In(u); got != v {
					t.Fatalf("%v %s is written %q and reads back as %v", v, symbol, text, got)
				}
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"6.8 mm2", "512 KiB", "0.1%", "1e308 TB", "-.5e-300 fJ", "٣ s", "1 \x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		q, err := unit.Parse(s)
		if err != nil {
			return
		}
		v := q.Base()
		if math.IsNaN(v) || math.IsInf(v, 0) {
			t.Fatalf("Parse(%q) = %v", s, v)
		}
		again, err := unit.Parse(q.String())
		if err != nil || again.Base() != v {
			t.Fatalf("Parse(%q) = %q, which reads back as %v, %v", s, q, again, err)
		}
	})
}
