package model

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// threeLevels is off-chip memory, a shared buffer under a spatial fan-out of
// 4, and registers, all keeping everything.
func threeLevels() Arch {
	all := [Operands]bool{true, true, true}
	a := Arch{Levels: 3, MACPJ: 1}
	a.Level[0] = Level{Name: "memory", Keeps: all, DoubleBuffered: true, Fanout: 4, ReadRate: 4000, WriteRate: 4000, ReadPJ: 100, WritePJ: 100}
	a.Level[1] = Level{Name: "buffer", Keeps: all, DoubleBuffered: true, Fanout: 2, ReadRate: 8000, WriteRate: 8000, ReadPJ: 6, WritePJ: 6}
	a.Level[2] = Level{Name: "register", Keeps: all, DoubleBuffered: true, Fanout: 1, ReadPJ: 1, WritePJ: 1}
	return a
}

// randomCase makes a small problem and a mapping with exact factors.
func randomCase(rng *rand.Rand, a *Arch) (Problem, Mapping) {
	p := Problem{Stride: [2]int64{1, 1}, Dilation: [2]int64{1, 1}, Bytes: [Operands]int64{1, 1, 1}, PartialBytes: 4}
	p.Stride[0], p.Dilation[1] = 1+rng.Int64N(2), 1+rng.Int64N(2)
	var m Mapping
	for i := range a.Levels {
		m.Loops[i] = Ones()
		for j, d := range rng.Perm(int(Dims)) {
			m.Loops[i].Order[j] = Dim(d)
		}
	}
	for d := range Dims {
		p.Bound[d] = 1
		for i := range a.Levels {
			f := 1 + rng.Int64N(3)
			if rng.IntN(2) == 0 {
				f = 1
			}
			m.Loops[i].Temporal[d] = f
			p.Bound[d] *= f
			if room := a.Level[i].Fanout / product(&m.Loops[i].Spatial); room >= 2 && rng.IntN(4) == 0 {
				m.Loops[i].Spatial[d] = 2
				p.Bound[d] *= 2
			}
		}
	}
	return p, m
}

// replay executes the temporal loops above a level and counts how many
// elements of weights or outputs change hands in one instance, the tile being
// replaced whenever it differs from the last.
func replay(p *Problem, a *Arch, m *Mapping, o Operand, level int) int64 {
	var dims []Dim
	var steps []int64
	for i := range level {
		for _, d := range m.Loops[i].Order {
			if f := m.Loops[i].Temporal[d]; f > 1 {
				dims, steps = append(dims, d), append(steps, f)
			}
		}
	}
	var r Result
	r.Eval(p, a, m)
	at := make([]int64, len(dims))
	last, moved := "", int64(0)
	for {
		var tile strings.Builder
		for i, d := range dims {
			if Relevant(o, d) {
				tile.WriteByte(byte(at[i]))
			}
		}
		if moved == 0 || tile.String() != last {
			last = tile.String()
			moved += r.Access[level][o].Tile
		}
		i := len(dims) - 1
		for ; i >= 0; i-- {
			if at[i]++; at[i] < steps[i] {
				break
			}
			at[i] = 0
		}
		if i < 0 {
			return moved
		}
	}
}

// The closed form counts what executing the loops counts.
func TestEvalAgreesWithExecution(t *testing.T) {
	t.Parallel()
	a := threeLevels()
	rng := rand.New(rand.NewPCG(1, 0))
	for range 300 {
		p, m := randomCase(rng, &a)
		if err := m.Validate(&p, &a); err != nil {
			t.Fatal(err)
		}
		r := Eval(&p, &a, &m)
		instances := int64(1)
		for level := 1; level < a.Levels; level++ {
			instances *= product(&m.Loops[level-1].Spatial)
			if got, want := r.Access[level][Weights].Fills, instances*replay(&p, &a, &m, Weights, level); got != want {
				t.Fatalf("weights: %d fills, the loops make %d\n%s", got, want, m.String(&a))
			}
			if got, want := r.Access[level][Outputs].Drains, instances*replay(&p, &a, &m, Outputs, level); got != want {
				t.Fatalf("outputs: %d drains, the loops make %d\n%s", got, want, m.String(&a))
			}
			if got, most := r.Access[level][Inputs].Fills, instances*replay(&p, &a, &m, Inputs, level); got > most {
				t.Fatalf("inputs: %d fills, without any overlap the loops make %d\n%s", got, most, m.String(&a))
			}
		}
	}
}

// Every element moves at least once, no mapping beats the peak rate, and the
// time is at least that of each part.
func TestEvalBounds(t *testing.T) {
	t.Parallel()
	a := threeLevels()
	rng := rand.New(rand.NewPCG(2, 0))
	for range 500 {
		p, m := randomCase(rng, &a)
		r := Eval(&p, &a, &m)
		for o := range Operands {
			moved := r.Access[1][o].Fills + r.Access[1][o].Drains
			if least := p.Elements(o, &p.Bound); moved < least && (o != Inputs || p.Stride[0] == 1 && p.Dilation[1] == 1) {
				t.Fatalf("%s: %d of %d elements moved\n%s", o, moved, least, m.String(&a))
			}
		}
		if r.MACs > r.ComputeCycles*a.Units() || r.Utilisation(&a) > 1 {
			t.Fatalf("%d MACs in %d cycles beat %d units", r.MACs, r.ComputeCycles, a.Units())
		}
		faster := a
		faster.Level[0].ReadRate *= 2
		if q := Eval(&p, &faster, &m); q.Cycles > r.Cycles || r.Cycles < r.ComputeCycles {
			t.Fatalf("twice the bandwidth takes %d cycles, before %d", q.Cycles, r.Cycles)
		}
		single := a
		single.Level[1].DoubleBuffered = false
		if q := Eval(&p, &single, &m); q.Cycles < r.Cycles {
			t.Fatalf("without double buffering %d cycles, with it %d", q.Cycles, r.Cycles)
		}
	}
}

// A 1-D convolution by hand: 6 outputs, 3 taps, the buffer holds tiles of 2
// outputs that slide: 8 inputs cross the border once each.
func TestSlidingWindow(t *testing.T) {
	t.Parallel()
	a := threeLevels()
	p := Problem{
		Bound: [Dims]int64{1, 1, 1, 1, 6, 1, 3, 1}, Stride: [2]int64{1, 1}, Dilation: [2]int64{1, 1},
		Bytes: [Operands]int64{1, 1, 1}, PartialBytes: 4,
	}
	var m Mapping
	for i := range a.Levels {
		m.Loops[i] = Ones()
	}
	m.Loops[0].Temporal[P] = 3
	m.Loops[1].Temporal[P], m.Loops[1].Temporal[R] = 2, 3
	r := Eval(&p, &a, &m)
	in := r.Access[1][Inputs]
	if in.Tile != 4 || in.Fills != 8 {
		t.Errorf("tile and fills = %d, %d, want 4, 8", in.Tile, in.Fills)
	}
	// Spread over instances instead, every tile brings its own halo: 3 x 4.
	m.Loops[0].Temporal[P], m.Loops[0].Spatial[P] = 1, 3
	if r = Eval(&p, &a, &m); r.Access[1][Inputs].Fills != 12 {
		t.Errorf("fills = %d, want 12", r.Access[1][Inputs].Fills)
	}
}

func TestValidateNamesTheMistake(t *testing.T) {
	t.Parallel()
	a := threeLevels()
	rng := rand.New(rand.NewPCG(3, 0))
	p, good := randomCase(rng, &a)
	tests := map[string]struct {
		spoil func(*Problem, *Arch, *Mapping)
		want  string
	}{
		"short":     {func(p *Problem, _ *Arch, _ *Mapping) { p.Bound[K] *= 100 }, "the loops over K cover"},
		"zero":      {func(_ *Problem, _ *Arch, m *Mapping) { m.Loops[1].Temporal[C] = 0 }, "a factor of C is below 1"},
		"instances": {func(_ *Problem, _ *Arch, m *Mapping) { m.Loops[2].Spatial[K] = 5 }, "uses 5 instances"},
		"order":     {func(_ *Problem, _ *Arch, m *Mapping) { m.Loops[0].Order[0] = m.Loops[0].Order[1] }, "no permutation"},
		"past int64": {func(_ *Problem, _ *Arch, m *Mapping) { // 2^64 K iterations are 0 in 64 bits
			for i := range 2 {
				m.Loops[i].Temporal[K] <<= 32
			}
		}, "more than 562949953421312 iterations in all: take smaller factors"},
		"past int64 over dimensions": {func(_ *Problem, _ *Arch, m *Mapping) {
			for d := range Dims {
				m.Loops[0].Temporal[d] <<= 16
			}
		}, "more than 562949953421312 iterations in all"},
		"instances past int64": {func(_ *Problem, _ *Arch, m *Mapping) {
			for d := range Dims {
				m.Loops[2].Spatial[d] = 1 << 16 // 2^128 instances are 0 in 64 bits
			}
		}, "more than 562949953421312 iterations in all"},
		"no capacity": {func(_ *Problem, a *Arch, _ *Mapping) { a.Level[1].Capacity = 1 }, "the tiles need"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, a, m := p, a, good
			tt.spoil(&p, &a, &m)
			if err := m.Validate(&p, &a); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
	if err := a.Validate(); err != nil {
		t.Errorf("a good hierarchy: %v", err)
	}
	if err := (&Arch{}).Validate(); err == nil {
		t.Error("a hierarchy without levels is valid")
	}
	broken := a
	broken.Level[1].Fanout = 0
	if err := broken.Validate(); err == nil || !strings.Contains(err.Error(), "buffer") {
		t.Errorf("a fan-out of 0: %v", err)
	}
}

// Instances that share a dimension step over all of their tiles at once: a tile
// of 2 outputs that moves by 4 shares no input of its 3 taps.
func TestSlidingWindowOfInstances(t *testing.T) {
	t.Parallel()
	a := threeLevels()
	p := Problem{
		Bound: [Dims]int64{1, 1, 1, 1, 12, 1, 3, 1}, Stride: [2]int64{1, 1}, Dilation: [2]int64{1, 1},
		Bytes: [Operands]int64{1, 1, 1}, PartialBytes: 4,
	}
	var m Mapping
	for i := range a.Levels {
		m.Loops[i] = Ones()
	}
	m.Loops[0].Temporal[P], m.Loops[0].Spatial[P] = 3, 2
	m.Loops[1].Temporal[P], m.Loops[1].Temporal[R] = 2, 3
	r := Eval(&p, &a, &m)
	if in := r.Access[1][Inputs]; in.Tile != 4 || in.Fills != 24 {
		t.Errorf("tile and fills = %d, %d, want 4, 24", in.Tile, in.Fills)
	}
}

// The two statements of what indexes an operand agree.
func TestIrrelevant(t *testing.T) {
	t.Parallel()
	v := [Dims]int64{2, 3, 5, 7, 11, 13, 17, 19}
	for o := range Operands {
		want := int64(1)
		for d := range Dims {
			if !Relevant(o, d) {
				want *= v[d]
			}
		}
		if got := irrelevant(o, &v); got != want {
			t.Errorf("%s: the product is %d, want %d", o, got, want)
		}
	}
}

// Outputs that leave as they complete are on their way when the last one is:
// 64 of them complete in 64 cycles, of which 32 bytes have left at half a byte
// a cycle; a tile that leaves as a whole takes 128 cycles.
func TestRampOfOutputs(t *testing.T) {
	t.Parallel()
	p := Problem{Bound: [Dims]int64{1, 1, 1, 4, 8, 8, 1, 1}, Stride: [2]int64{1, 1}, Dilation: [2]int64{1, 1}, Bytes: [Operands]int64{1, 1, 1}, PartialBytes: 4}
	a := Arch{Levels: 2}
	a.Level[0] = Level{Name: "memory", Keeps: [Operands]bool{true, true, true}, Fanout: 1, ReadRate: 1000, WriteRate: 500}
	a.Level[1] = Level{Name: "sums", Keeps: [Operands]bool{Outputs: true}, Fanout: 1}
	var m Mapping
	for i := range m.Loops {
		m.Loops[i] = Ones()
	}
	m.Loops[1].Temporal = p.Bound
	m.Loops[1].Order = [Dims]Dim{G, N, K, C, R, S, P, Q}
	for _, forwards := range []bool{false, true} {
		a.Level[1].Forwards = forwards
		_, drain := m.Ramp(&p, &a)
		want := int64(128)
		if forwards {
			want = 64
		}
		if drain[0] != want {
			t.Errorf("forwards %t: the last outputs take %d cycles, want %d", forwards, drain[0], want)
		}
	}
}

// Units that pass inputs on to their neighbours read once what their windows have
// in common: 2 x 2 units and a window of 3 x 3 read 16 of 36 inputs, the 44.4 % of
// ShiDianNao (Z. Du et al., ISCA 2015, Section 5.1). With the loops over the window
// outside of the units only a row passes on: 4 + 2 + 2 for each of three rows. A
// stride skips what no window has.
func TestNeighboursPassInputsOn(t *testing.T) {
	t.Parallel()
	for _, x := range []struct {
		taps, stride  int64
		outside       bool
		apart, passed int64
	}{
		{3, 1, false, 36, 16},
		{3, 1, true, 36, 24},
		{3, 2, false, 36, 25},
		{1, 1, false, 4, 4},
		{1, 2, false, 4, 4},
	} {
		p := Problem{Bound: [Dims]int64{1, 1, 1, 1, 2, 2, x.taps, x.taps}, Stride: [2]int64{x.stride, x.stride}, Dilation: [2]int64{1, 1}, Bytes: [Operands]int64{1, 1, 1}, PartialBytes: 4}
		a := Arch{Levels: 2}
		a.Level[0] = Level{Name: "memory", Keeps: [Operands]bool{true, true, true}, Fanout: 4}
		a.Level[1] = Level{Name: "unit", Keeps: [Operands]bool{Inputs: true, Outputs: true}, Fanout: 1}
		var m Mapping
		for i := range m.Loops {
			m.Loops[i] = Ones()
		}
		m.Loops[0].Spatial[P], m.Loops[0].Spatial[Q] = 2, 2
		window := &m.Loops[1].Temporal
		if x.outside {
			window = &m.Loops[0].Temporal
		}
		window[R], window[S] = x.taps, x.taps
		for _, passes := range []bool{false, true} {
			a.Level[1].Passes = [Dims]bool{P: passes, Q: passes, R: passes, S: passes}
			want := x.apart
			if passes {
				want = x.passed
			}
			r := Eval(&p, &a, &m)
			if got := r.Access[0][Inputs].Reads; got != want {
				t.Errorf("%+v, passes %t: %d reads, want %d", x, passes, got, want)
			}
			if fills, macs := r.Access[1][Inputs].Fills, p.MACs(); fills != macs {
				t.Errorf("%+v, passes %t: the units get %d inputs, want %d", x, passes, fills, macs)
			}
		}
		// Along rows alone what two columns have in common is read for each of them: the root of what is
		// passed on in both directions times that of what is not.
		a.Level[1].Passes = [Dims]bool{P: true, R: true}
		r := Eval(&p, &a, &m)
		if got := r.Access[0][Inputs].Reads; got*got != x.apart*x.passed && !x.outside {
			t.Errorf("%+v: %d reads where rows are passed on, want the root of %d", x, got, x.apart*x.passed)
		}
	}
}

// What instances made of one sum is added on its way up, or each part arrives by
// itself: then as much arrives as leaves below, and all but the first is added
// to what is there.
func TestScatteredSums(t *testing.T) {
	t.Parallel()
	a := threeLevels()
	rng := rand.New(rand.NewPCG(3, 0))
	split := 0
	for range 300 {
		p, m := randomCase(rng, &a)
		added := Eval(&p, &a, &m)
		scattered := a
		scattered.Level[0].Scattered = true
		r := Eval(&p, &scattered, &m)
		top, below := r.Access[0][Outputs], r.Access[1][Outputs]
		if top.Updates != below.Drains {
			t.Fatalf("%d sums leave the buffers and %d arrive\n%s", below.Drains, top.Updates, m.String(&a))
		}
		first := top.Updates - top.Reads
		if want := p.Elements(Outputs, &p.Bound); first != want {
			t.Fatalf("%d parts are the first of their sum, want %d\n%s", first, want, m.String(&a))
		}
		if top.Updates < added.Access[0][Outputs].Updates || below != added.Access[1][Outputs] {
			t.Fatalf("added %+v, scattered %+v", added.Access[0][Outputs], top)
		}
		if top.Updates > added.Access[0][Outputs].Updates {
			split++
		}
	}
	if split == 0 {
		t.Error("no mapping splits a sum over instances")
	}
}

func TestEvalAllocatesNothing(t *testing.T) {
	a, rng := threeLevels(), rand.New(rand.NewPCG(4, 0))
	p, m := randomCase(rng, &a)
	var r Result
	if n := testing.AllocsPerRun(100, func() { r.Eval(&p, &a, &m) }); n > 0 {
		t.Errorf("%g allocations an evaluation", n)
	}
}
