package template

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"testing"

	"apollo/evaluator"
	"apollo/evaluator/number"
	"apollo/evaluator/report"
	"apollo/evaluator/workload"
	"apollo/optimizer/space"
)

// oddLayer is a random small network of one layer with multiplications: strides,
// dilations, windows larger than the image, paddings, groups and widths of all kinds.
func oddLayer(rng *rand.Rand) *workload.Workload {
	upTo := func(n int64) int64 { return 1 + rng.Int64N(n) }
	one := func(list ...int64) int64 { return list[rng.IntN(len(list))] }
	w := &workload.Workload{Name: "odd", Precision: workload.Precision{Weights: one(4, 8, 8, 16, 6), Activations: one(4, 8, 8, 16), Accumulators: one(0, 16, 32)}}
	l := workload.Layer{ID: "y", In: []string{"x"}, NoBias: rng.IntN(2) == 0, N: upTo(2)}
	if rng.IntN(3) == 0 {
		l.OutputBits, l.OutputKind = one(4, 8, 16, 32), number.Int
	}
	if rng.IntN(3) == 0 {
		l.WeightBits, l.WeightKind = one(4, 8, 16), number.Int
	}
	if rng.IntN(3) == 0 {
		l.ScaleBytes = upTo(9)
	}
	in := func(name string, dims ...int64) {
		w.Inputs = append(w.Inputs, workload.Input{Name: name, Shape: dims})
	}
	switch kind := rng.IntN(8); kind {
	case 0:
		l.Op, l.M, l.K, l.N = workload.GEMM, upTo(9), upTo(20), 0
		l.C = upTo(20)
		in("x", l.M, l.C)
	case 1:
		l.Op, l.M, l.C, l.K, l.NoBias, l.ScaleBytes, l.WeightBits, l.WeightKind = workload.MatMul, upTo(9), upTo(20), upTo(20), false, 0, 0, ""
		shared := upTo(2)
		in("x", l.N*shared, l.M, l.C)
		in("k", l.N, l.C, l.K)
		l.N, l.In = l.N*shared, []string{"x", "k"}
	case 2:
		l.Op, l.Fn, l.M, l.C, l.K = workload.RNN, []string{"rnn", "gru", "lstm"}[rng.IntN(3)], upTo(5), upTo(20), upTo(12)
		in("x", l.N, l.M, l.C)
		if rng.IntN(2) == 0 {
			in("h", l.N, l.K)
			l.In = append(l.In, "h")
			if l.Fn == "lstm" && rng.IntN(2) == 0 {
				in("c", l.N, l.K)
				l.In = append(l.In, "c")
			}
		}
	default:
		l.Op, l.Groups, l.C, l.K = workload.Conv, 1, upTo(12), upTo(12)
		l.R, l.S, l.H, l.W = upTo(5), upTo(5), upTo(9), upTo(9)
		l.Stride, l.Dilation = [2]int64{upTo(4), upTo(4)}, [2]int64{upTo(3), upTo(3)}
		switch kind {
		case 3:
			l.Op, l.Groups, l.C = workload.DepthwiseConv, l.C, 1
			l.K = l.Groups * upTo(2)
		case 4:
			l.Op, l.Groups = workload.GroupConv, 2+rng.Int64N(3)
			l.C++
			l.K *= l.Groups
		case 5:
			l.Op = workload.Deconv
		}
		out := func(in, window, stride, dilation int64) int64 {
			if l.Op == workload.Deconv {
				return max((in-1)*stride+dilation*(window-1)+1-rng.Int64N(window), 1)
			}
			most := (in+(window-1)*dilation-1)/stride + 1 // the last window touches the image
			return 1 + rng.Int64N(most)
		}
		l.P, l.Q = out(l.H, l.R, l.Stride[0], l.Dilation[0]), out(l.W, l.S, l.Stride[1], l.Dilation[1])
		in("x", l.N, l.H, l.W, l.C*l.Groups)
	}
	w.Layers = []workload.Layer{l}
	return w
}

// readRows returns the rows of an image that windows along an axis read, and the rows from the first
// window's begin to the last one's end, padding with them: half before the image and half behind it.
func readRows(out, window, in, stride, dilation int64) (rows map[int64]bool, span int64) {
	rows = map[int64]bool{}
	span = (out-1)*stride + (window-1)*dilation + 1
	top := max(span-in, 0) / 2
	for p := range out {
		for r := range window {
			if y := p*stride + r*dilation - top; y >= 0 && y < in {
				rows[y] = true
			}
		}
	}
	return rows, span
}

// elementsOf lists the elements of a layer's tensors that its products use, one by one.
// Padding is half before the image and half behind it, as no layer says where it is.
// around are those inputs that lie between others that are used, in rows and columns, and
// holes says that windows leave some out and padding beside, of which no mapper knows.
func elementsOf(l *workload.Layer) (weights, inputs, around, outputs int64, holes bool) {
	type place [4]int64
	used, box, filters, made := map[place]bool{}, map[place]bool{}, map[place]bool{}, map[place]bool{}
	each := func(n ...int64) func(func(place)) {
		return func(f func(place)) {
			var at place
			var walk func(int)
			walk = func(i int) {
				if i == len(n) {
					f(at)
					return
				}
				for at[i] = 0; at[i] < n[i]; at[i]++ {
					walk(i + 1)
				}
			}
			walk(0)
		}
	}
	switch l.Op {
	case workload.GEMM:
		each(l.M, l.K, l.C)(func(x place) {
			filters[place{x[1], x[2]}], used[place{x[0], x[2]}], made[place{x[0], x[1]}] = true, true, true
		})
		box = used
	case workload.MatMul:
		each(l.N, l.M, l.K, l.C)(func(x place) {
			filters[place{x[0] / l.Shared, x[2], x[3]}], used[place{x[0], x[1], x[3]}], made[place{x[0], x[1], x[2]}] = true, true, true
		})
		box = used
	case workload.RNN:
		gates := map[string]int64{"rnn": 1, "gru": 3, "lstm": 4}[l.Fn]
		each(gates, l.K, l.C+l.K)(func(x place) { filters[x] = true })
		// The state of the cell before is an input of every step.
		each(l.N, l.M, l.C+l.K)(func(x place) { used[x] = true })
		each(l.N, l.M, l.K)(func(x place) { made[x] = true })
		if l.Fn == "lstm" && len(l.In) == 3 {
			each(l.N, l.K)(func(x place) { used[place{x[0], -1, x[1]}] = true })
		}
		box = used
	default:
		each(l.K, l.C, l.R, l.S)(func(x place) { filters[x] = true })
		each(l.N, l.K, l.P, l.Q)(func(x place) { made[x] = true })
		if l.Op == workload.Deconv {
			each(l.N, l.H, l.W, l.C*l.Groups)(func(x place) { used[x] = true })
			box = used
			break
		}
		leaves, padded := false, false
		axis := func(out, window, in, stride, dilation int64) (rows map[int64]bool, first, last int64) {
			rows, span := readRows(out, window, in, stride, dilation)
			leaves, padded = leaves || out*window < span, padded || span > in
			first, last = in, -1
			for y := range rows {
				first, last = min(first, y), max(last, y)
			}
			return rows, first, last
		}
		rows, top, bottom := axis(l.P, l.R, l.H, l.Stride[0], l.Dilation[0])
		columns, left, right := axis(l.Q, l.S, l.W, l.Stride[1], l.Dilation[1])
		each(l.N, l.H, l.W, l.C*l.Groups)(func(x place) {
			if rows[x[1]] && columns[x[2]] {
				used[x] = true
			}
			if x[1] >= top && x[1] <= bottom && x[2] >= left && x[2] <= right {
				box[x] = true
			}
		})
		holes = leaves && padded
	}
	return int64(len(filters)), int64(len(used)), int64(len(box)), int64(len(made)), holes
}

// Every element that a layer reads or makes crosses the border, and with room on the
// chip and a mapper that minds energy none crosses twice: counted one by one.
func TestEveryElementCrossesOnce(t *testing.T) {
	t.Parallel()
	seed := fromEnv(t, "APOLLO_SEED", 12)
	times := int(fromEnv(t, "APOLLO_GRAPHS", 1))
	for _, x := range All() {
		if x.Name == "edge" {
			continue // keeps what it can on chip: TestOrderOfLayers
		}
		t.Run(x.Name, func(t *testing.T) {
			t.Parallel()
			s, err := space.New(x.Template().Params...)
			if err != nil {
				t.Fatal(err)
			}
			rng, once := rand.New(rand.NewPCG(seed, 5)), 0
			x.MapperGoal = evaluator.MapEnergy
			layers := 40 * times
			for range layers {
				w := oddLayer(rng)
				if err := w.Normalise(); err != nil {
					t.Fatalf("%+v: %v", w.Layers, err)
				}
				l, bits := &w.Layers[0], w.Precision.WithDefaults()
				weight, activation := l.WidthOfWeights(bits), bits.Activations
				if l.Op == workload.MatMul {
					weight = activation
				}
				half := func(n, width int64) int64 { // bytes, two to one
					if x.Name == "eyeriss" {
						width = max(width, 16, weight, activation)
					}
					if width <= 4 {
						return n
					}
					return 2 * n * ((width + 7) / 8)
				}
				output := cmp.Or(l.OutputBits, activation)
				weights, used, around, made, holes := elementsOf(l)
				rest := half(weights, weight) + half(l.BiasElements(), bits.Accumulators) + 2*l.ScaleBytes + half(made, output)
				least, most := (rest+half(used, activation)+1)/2, (rest+half(around, activation)+1)/2
				for i, v := range [][]space.Value{x.Template().Baseline, s.Values(s.At(rng.Uint64N(s.Size())))} {
					r := inspected(t, x, v, w)
					if !r.Feasible {
						continue
					}
					of := fmt.Sprintf("%+v, %+v, %v", *l, bits, v)
					got := r.Layers[0].Bytes.Of(report.OffChip)
					if got < least {
						t.Errorf("%s: %d B cross, its elements have %d", of, got, least)
					}
					if i == 0 && !holes {
						if got > most {
							t.Errorf("%s: %d B cross, its elements have %d, %d with those between", of, got, least, most)
						}
						once++
					}
				}
			}
			t.Logf("%d of %d layers run on the baseline and leave no holes", once, layers)
			if once < layers/2 {
				t.Errorf("only %d of %d layers were checked", once, layers)
			}
		})
	}
}
