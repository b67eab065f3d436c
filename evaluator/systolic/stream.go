package systolic

import (
	"fmt"
	"slices"

	"apollo/evaluator/model"
)

// Prefetch describes the buffer of one operand between the array and a memory
// of limited bandwidth, as SCALE-Sim v2 has it: a window over a fixed order of
// fetches that wraps around. A demand outside the window slides it, which
// drops the oldest words and waits for the next; fetches follow each other
// without a pause, ahead of the demand.
type Prefetch struct {
	// Words is the size of the buffer; WordsPerCycle the bandwidth.
	Words, WordsPerCycle int64
}

// Shares of a buffer, from the tool's defaults.
const (
	activeShare = 0.5 // of the words, in use; the rest is being filled
	setsPerSize = 100 // the window slides by whole sets of words
)

// Layer is a layer as the array sees it: which input a pixel and a filter
// position need. Sizes are of the padded input.
type Layer struct {
	Height, Width, R, S, C, K, Stride int64
}

func (l *Layer) rows() int64 { return (l.Height - l.R + 2*l.Stride - 1) / l.Stride }
func (l *Layer) cols() int64 { return (l.Width - l.S + 2*l.Stride - 1) / l.Stride }

// GEMM returns the layer as a matrix multiplication.
func (l *Layer) GEMM() GEMM {
	return GEMM{M: l.rows() * l.cols(), N: l.K, K: l.R * l.S * l.C}
}

// input returns the address of the input that pixel m meets at filter position
// k; channels are innermost.
func (l *Layer) input(m, k int64) int32 {
	y, x := m/l.cols()*l.Stride+k/l.C/l.S, m%l.cols()*l.Stride+k/l.C%l.S
	return int32((y*l.Width+x)*l.C + k%l.C)
}

// maxWords bounds the operands that Streamed walks.
const maxWords = 1 << 27

// Streamed returns the cycles of a layer on the array when inputs and weights
// pass a buffer each; the sums of every fold leave behind the array at the same
// bandwidth. Errors are those of Stalled.
func (a *Array) Streamed(l *Layer, b Prefetch) (int64, error) {
	cycles, err := a.Stalled(l, b)
	if err != nil {
		return 0, err
	}
	g := l.GEMM()
	return max(cycles, model.CeilDiv(a.Pass(&g).OutputWrites, b.WordsPerCycle)), nil
}

// Stalled returns the cycles of a layer with the stalls of inputs and weights
// alone. It walks the demands one by one: exact, and slow enough for validation
// only. The error is for a buffer, an array or a layer that makes no sense, or is
// too large to walk.
func (a *Array) Stalled(l *Layer, b Prefetch) (int64, error) {
	if err := a.Validate(); err != nil {
		return 0, err
	}
	if b.Words < setsPerSize || b.WordsPerCycle < 1 {
		return 0, fmt.Errorf("a buffer of %d words at %d words per cycle: want at least %d words and 1 per cycle", b.Words, b.WordsPerCycle, setsPerSize)
	}
	g := l.GEMM()
	if g.M < 1 || g.N < 1 || g.K < 1 || g.M > maxWords/g.K || g.K > maxWords/g.N || l.Height > maxWords/l.Width || l.Height*l.Width > maxWords/l.C {
		return 0, fmt.Errorf("a product of %d x %d x %d: want operands of 1 to %d words", g.M, g.K, g.N, maxWords)
	}
	pass := a.Pass(&g)
	sr, sc, t := a.mapped(&g)
	input := func(m, k int64) int32 { return l.input(m, k) }
	weight := func(k, n int64) int32 { return int32(k*g.N + n) }
	s := simulation{array: a, sr: sr, sc: sc, t: t, fold: pass.FoldCycles}
	switch a.Dataflow {
	case WeightStationary:
		s.moving = newStream(s.rollOrder(sr, a.Rows, input), b)
		s.other = newStream(s.plainOrder(weight), b)
		s.move, s.stay = input, weight
	case InputStationary:
		filter := func(n, k int64) int32 { return weight(k, n) }
		pixels := func(k, m int64) int32 { return input(m, k) }
		s.moving = newStream(s.rollOrder(sr, a.Rows, filter), b)
		s.other = newStream(s.plainOrder(pixels), b)
		s.move, s.stay = filter, pixels
	case OutputStationary:
		pixels := func(k, m int64) int32 { return input(m, k) }
		s.moving = newStream(s.rollOrder(sr, a.Rows, pixels), b)
		s.other = newStream(s.rollOrder(sc, a.Cols, weight), b)
		s.move, s.stay = pixels, weight
	}
	return s.run(), nil
}

// simulation walks the folds of one layer.
type simulation struct {
	array         *Array
	sr, sc, t     int64
	fold          int64
	moving, other *stream
	// move gives the address of the moving operand at a step and a row of the
	// array; stay that of the other one at a row (a step for stationary
	// outputs) and a column.
	move, stay func(first, second int64) int32
	now        int64
}

// null is a place of the array that has no work.
const null = -1

// rollOrder lists the fetches of an operand that enters skewed: all steps of
// the first tile of places, then the next, along diagonals.
func (s *simulation) rollOrder(places, wide int64, at func(step, place int64) int32) []int32 {
	rows := model.CeilDiv(places, wide) * s.t
	order := make([]int32, 0, rows*wide)
	for diagonal := range rows + wide {
		first := min(diagonal, rows-1)
		for row := first; row >= max(0, diagonal-wide+1); row-- {
			place := row/s.t*wide + diagonal - row
			if place >= places {
				order = append(order, null)
				continue
			}
			order = append(order, at(row%s.t, place))
		}
	}
	return order
}

// plainOrder lists the fetches of a stationary operand: all rows of the first
// tile of columns, then the next.
func (s *simulation) plainOrder(at func(row, col int64) int32) []int32 {
	var order []int32
	for from := int64(0); from < s.sc; from += s.array.Cols {
		for row := range s.sr {
			for col := from; col < from+s.array.Cols; col++ {
				if col >= s.sc {
					order = append(order, null)
					continue
				}
				order = append(order, at(row, col))
			}
		}
	}
	return order
}

func (s *simulation) run() int64 {
	for col := int64(0); col < s.sc; col += s.array.Cols {
		for row := int64(0); row < s.sr; row += s.array.Rows {
			for cycle := range s.fold {
				stall := max(s.movingStall(cycle, row), s.otherStall(cycle, row, col), 0)
				s.now += 1 + stall
			}
		}
	}
	return s.now
}

// movingStall serves the moving operand's demands of a cycle.
func (s *simulation) movingStall(cycle, row int64) int64 {
	start := s.array.Rows // the stationary operand loads first
	if s.array.Dataflow == OutputStationary {
		start = 0
	}
	slid := false
	for r := range min(s.array.Rows, s.sr-row) {
		if step := cycle - start - r; step >= 0 && step < s.t {
			slid = s.moving.demand(s.move(step, row+r)) || slid
		}
	}
	return s.moving.wait(slid, s.now)
}

func (s *simulation) otherStall(cycle, row, col int64) int64 {
	cols := min(s.array.Cols, s.sc-col)
	slid := false
	if s.array.Dataflow == OutputStationary {
		for c := range cols {
			if step := cycle - c; step >= 0 && step < s.t {
				slid = s.other.demand(s.stay(step, col+c)) || slid
			}
		}
		return s.other.wait(slid, s.now)
	}
	// The last row goes in first.
	if r := s.array.Rows - 1 - cycle; r >= 0 && row+r < s.sr {
		for c := range cols {
			slid = s.other.demand(s.stay(row+r, col+c)) || slid
		}
	}
	return s.other.wait(slid, s.now)
}

// stream is a buffer at work.
type stream struct {
	sets [][]int32
	// inside counts, for each address, the sets of the window that hold it.
	inside                []int32
	start, active, slides int
	// ready is the cycle in which the last fetch arrives, chunk what one takes.
	ready, chunk int64
}

func newStream(order []int32, b Prefetch) *stream {
	active := int64(float64(b.Words)*activeShare + 1 - 1e-9) // rounded up
	spare := b.Words - active
	size := int(model.CeilDiv(b.Words, setsPerSize))
	s := &stream{inside: make([]int32, slices.Max(order)+1), ready: -1, chunk: model.CeilDiv(spare, b.WordsPerCycle)}
	var set []int32
	for _, address := range order {
		if address == null {
			continue
		}
		if set = append(set, address); len(set) == size {
			s.sets, set = append(s.sets, set), nil
		}
	}
	s.sets = append(s.sets, set)
	s.active = min(int(model.CeilDiv(active, int64(size))), len(s.sets))
	s.slides = min(int(model.CeilDiv(spare, int64(size))), len(s.sets)-s.active)
	for _, set := range s.sets[:s.active] {
		s.count(set, 1)
	}
	return s
}

func (s *stream) count(set []int32, by int32) {
	for _, address := range set {
		s.inside[address] += by
	}
}

// demand slides the window until it has the address and reports whether it had
// to.
func (s *stream) demand(address int32) bool {
	slid := false
	for tries := 0; s.inside[address] == 0 && s.slides > 0 && tries <= len(s.sets); tries++ {
		slid = true
		for range s.slides {
			s.count(s.sets[s.start], -1)
			s.count(s.sets[(s.start+s.active)%len(s.sets)], 1)
			s.start = (s.start + 1) % len(s.sets)
		}
		s.ready += s.chunk
	}
	return slid
}

// wait returns how long the array waits for the last fetch.
func (s *stream) wait(slid bool, now int64) int64 {
	if !slid {
		return 0
	}
	return s.ready - now
}
