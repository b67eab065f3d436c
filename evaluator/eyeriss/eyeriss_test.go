package eyeriss

import (
	"math/rand/v2"
	"testing"

	"apollo/evaluator/model"
)

func conv(n, k, c, p, r, stride int64) model.Problem {
	return model.Problem{
		Bound: [model.Dims]int64{1, n, k, c, p, p, r, r}, Stride: [2]int64{stride, stride}, Dilation: [2]int64{1, 1},
		Bytes: [model.Operands]int64{2, 2, 2}, PartialBytes: 2,
	}
}

// The source's Table V gives the mapping of AlexNet's first layer: two sets of
// 11 x 7 elements, 16 output channels each.
func TestMapFindsThePublishedMapping(t *testing.T) {
	t.Parallel()
	p := conv(4, 96, 3, 55, 11, 4)
	chip := Silicon()
	worth := Published()
	x, ok := chip.Map(&p, &worth)
	if !ok || x.Mapping.E != 7 || x.Mapping.P != 16 || x.Mapping.Q != 1 || x.Mapping.R != 1 || x.Mapping.T != 2 || x.Active != 154 {
		t.Errorf("got %+v, %t", x, ok)
	}
}

// Map tries even parts only, and the most output channels side by side and in the
// buffer. Of all mappings none is better by more than a little.
func TestMapAgainstAllMappings(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 0))
	mapped, worst := 0, 1.0
	worths := []Worth{Published(), {CyclesPerEnergy: 1e-9, OffChip: 100, Buffer: 3, Network: 1, Pad: 0.1, OffChipCycles: 0.5}, {CyclesPerEnergy: 1, OffChip: 100, Buffer: 3, Network: 1, Pad: 0.1, OffChipCycles: 3}}
	for i := range 400 {
		c := Chip{Rows: 2 + rng.Int64N(6), Cols: 2 + rng.Int64N(6), FilterWords: 40, InputWords: 12, SumWords: 8, BufferBytes: 4 << 10, BusRate: 1000 + rng.Int64N(5000)}
		p := conv(1+rng.Int64N(2), 1+rng.Int64N(12), 1+rng.Int64N(6), 1+rng.Int64N(10), 1+rng.Int64N(3), 1+rng.Int64N(2))
		w := &worths[i%len(worths)]
		got, ok := c.Map(&p, w)
		best, found := leastOfAll(&c, w, &p)
		if ok != found {
			t.Fatalf("%+v on %+v: found %t, want %t", p.Bound, c, ok, found)
		}
		if !ok {
			continue
		}
		mapped++
		gap := w.value(&got, p.MACs()) / w.value(&best, p.MACs())
		worst = max(worst, gap)
		if gap > 1 {
			t.Errorf("%+v on %+v: %+v is %.3f times the best %+v", p.Bound, c, got, gap, best)
		}
		if got.ComputeCycles*got.Active < p.MACs() || got.Cycles < got.ComputeCycles || got.Active > c.Rows*c.Cols {
			t.Errorf("%+v on %+v: %+v beats the peak rate", p.Bound, c, got)
		}
		least := p.Elements(model.Weights, &p.Bound) + p.Elements(model.Outputs, &p.Bound)
		if got.OffChip < least {
			t.Errorf("%+v on %+v: %d words off chip, there are %d", p.Bound, c, got.OffChip, least)
		}
	}
	if mapped < 20 {
		t.Errorf("only %d layers were mapped", mapped)
	}
	t.Logf("of %d layers the worst is %.3f times the best of all mappings", mapped, worst)
}

// leastOfAll tries every mapping.
func leastOfAll(c *Chip, w *Worth, p *model.Problem) (best Cost, found bool) {
	l := newLayer(p)
	try := func(m Mapping) {
		x, err := c.Cost(p, m)
		if err == nil && (!found || w.value(&x, p.MACs()) < w.value(&best, p.MACs())) {
			best, found = x, true
		}
	}
	for e := int64(1); e <= l.rows; e++ {
		for q := int64(1); q <= min(c.InputWords/l.s, l.channels); q++ {
			for k := int64(1); k <= min(c.SumWords, l.kernels); k++ {
				for r := int64(1); r <= min(l.channels, c.sets(&l, e)); r++ {
					for t := int64(1); t <= min(l.kernels, c.sets(&l, e)/r); t++ {
						for m := k * t; m < l.kernels+k*t; m += k * t {
							for n := int64(1); n <= l.images; n++ {
								try(Mapping{E: e, P: k, Q: q, R: r, T: t, N: n, M: m})
							}
						}
					}
				}
			}
		}
	}
	return best, found
}

func TestMapRefusesWhatDoesNotFit(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]Chip{
		"window":  {Rows: 12, Cols: 14, FilterWords: 224, InputWords: 2, SumWords: 24, BufferBytes: 1 << 16, BusRate: 4000},
		"rows":    {Rows: 2, Cols: 14, FilterWords: 224, InputWords: 12, SumWords: 24, BufferBytes: 1 << 16, BusRate: 4000},
		"filters": {Rows: 12, Cols: 14, FilterWords: 2, InputWords: 12, SumWords: 24, BufferBytes: 1 << 16, BusRate: 4000},
		"buffer":  {Rows: 12, Cols: 14, FilterWords: 224, InputWords: 12, SumWords: 24, BufferBytes: 16, BusRate: 4000},
	} {
		p := conv(1, 8, 8, 8, 3, 1)
		worth := Published()
		if x, ok := c.Map(&p, &worth); ok {
			t.Errorf("%s: got %+v", name, x)
		}
	}
}
