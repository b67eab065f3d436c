package gemmini

import (
	"math/rand/v2"
	"testing"

	"apollo/evaluator/model"
)

// random returns a layer that a tiling covers exactly.
func random(rng *rand.Rand) (model.Problem, Tiling) {
	p := model.Problem{Stride: [2]int64{1 + rng.Int64N(2), 1}, Dilation: [2]int64{1, 1}, Bytes: [model.Operands]int64{1, 1, 1}, PartialBytes: 4}
	t := Tiling{Blocks: 1}
	for d := range model.Dims {
		t.Outer[d], t.Tile[d] = 1+rng.Int64N(3), 1+rng.Int64N(6)
		p.Bound[d] = t.Outer[d] * t.Tile[d]
		if d != model.N && d != model.P && d != model.Q {
			t.Blocks *= t.Tile[d]
		}
	}
	return p, t
}

// One unit works through every multiplication, every tile brings its operands,
// every output leaves once.
func TestTimeBounds(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 0))
	for range 500 {
		p, tiling := random(rng)
		c := Chip{Dim: 1}
		x := c.Time(&p, &tiling)
		if x.Execute < p.MACs() || x.Total < max(x.Execute, x.Load, x.Store) {
			t.Fatalf("%+v: %+v beats the peak rate", tiling, x)
		}
		if x.StoreBytes != p.Elements(model.Outputs, &p.Bound) || x.LoadBytes < p.Elements(model.Weights, &p.Bound) {
			t.Fatalf("%+v: %+v moves less than the layer has", tiling, x)
		}
		batch := p
		more := tiling
		batch.Bound[model.N] *= 2
		more.Outer[model.N] *= 2
		if y := c.Time(&batch, &more); y.Execute != 2*x.Execute || y.LoadBytes != 2*x.LoadBytes || y.Total < x.Total {
			t.Fatalf("%+v: twice the batch takes %+v, once %+v", tiling, y, x)
		}
	}
}

// A layer of one tile by hand: 16 x 16 weights, 4 pixels.
func TestTimeByHand(t *testing.T) {
	t.Parallel()
	p := model.Problem{
		Bound: [model.Dims]int64{1, 1, 16, 16, 4, 1, 1, 1}, Stride: [2]int64{1, 1}, Dilation: [2]int64{1, 1},
		Bytes: [model.Operands]int64{1, 1, 1}, PartialBytes: 4,
	}
	tiling := Tiling{Outer: [model.Dims]int64{1, 1, 1, 1, 1, 1, 1, 1}, Tile: p.Bound, Blocks: 1}
	c := Chip{Dim: 16}
	x := c.Time(&p, &tiling)
	want := Time{Execute: 14, Load: 40 + 4, Store: 8 + 12, Start: 100, Tiles: 1, LoadBytes: 320, StoreBytes: 64}
	want.Total = 44 + 7 + 100 // a fifth of 34 shows
	if x != want {
		t.Errorf("got %+v, want %+v", x, want)
	}
}
