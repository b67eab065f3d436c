package edge

import (
	"math/rand/v2"
	"testing"

	"apollo/evaluator/model"
)

// A layer of 6 channels, 4 rows of 10 bytes each, windows of 3 rows.
func TestBands(t *testing.T) {
	t.Parallel()
	depthwise := layer{groups: 6, window: 30, row: 10, rows: 4, lanesSpread: true}
	dense := layer{groups: 1, window: 180, row: 60, rows: 4}
	grouped := layer{groups: 6, window: 30, row: 10, rows: 4}
	tests := map[string]struct {
		y            layer
		bytes, lanes int64
		bands, cuts  int64
	}{
		"everything at once":                  {depthwise, 360, 2, 1, 1},
		"all rows of two lanes' channels":     {depthwise, 120, 2, 3, 1},
		"all rows of four channels":           {depthwise, 240, 2, 2, 1},
		"one row less":                        {depthwise, 119, 2, 6, 2},
		"one window of two channels":          {depthwise, 60, 2, 12, 4},
		"more lanes than channels":            {depthwise, 180, 64, 4, 4},
		"all channels of a dense layer":       {dense, 180, 2, 4, 4},
		"two rows of a dense layer":           {dense, 240, 2, 2, 2},
		"one group of a grouped layer":        {grouped, 30, 64, 24, 4},
		"all rows of a group":                 {grouped, 60, 64, 6, 1},
		"what does not fit is not cut at all": {dense, 179, 2, 1, 1},
		"no rows are staged":                  {layer{}, 1, 2, 1, 1},
	}
	for name, c := range tests {
		if bands, cuts := c.y.bands(c.bytes, c.lanes); bands != c.bands || cuts != c.cuts {
			t.Errorf("%s: bands(%d, %d) = %d, %d, want %d, %d", name, c.bytes, c.lanes, bands, cuts, c.bands, c.cuts)
		}
	}
}

// More activation memory never cuts a layer into more bands, which the bounds
// of a proof rely on, and the bands together are never smaller than the input.
func TestMoreMemoryFewerBands(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(12, 0))
	for range 2000 {
		s := smallShape(rng)
		var y layer
		y.stage(&s)
		lanes := int64(4) << rng.IntN(7)
		least := y.window * y.together(lanes)
		bands, cuts := y.bands(least, lanes)
		for bytes := least + 1; bytes < 8*s.in; bytes += 1 + rng.Int64N(bytes) {
			more, moreCuts := y.bands(bytes, lanes)
			if more > bands || moreCuts > cuts || moreCuts > more {
				t.Fatalf("%+v: %d bytes have %d bands, %d cuts, fewer have %d, %d", s.p.Bound, bytes, more, moreCuts, bands, cuts)
			}
			bands, cuts = more, moreCuts
			if used := (y.window + (y.rows-1)*min(y.row, y.window)) * y.groups; bands*bytes < used {
				t.Fatalf("%+v: %d bands of %d bytes do not hold %d", s.p.Bound, bands, bytes, used)
			}
		}
		if bands != 1 || cuts != 1 {
			t.Fatalf("%+v: %d bands, %d cuts with room for everything", s.p.Bound, bands, cuts)
		}
		if s.channel == model.K && y.window != min(s.p.Bound[model.R], s.height)*s.width*s.depth {
			t.Fatalf("%+v: a dense layer's window is %d bytes: it needs all input channels", s.p.Bound, y.window)
		}
	}
}
