package validate

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"apollo/evaluator/workload"
)

// errUnknown says that no network is known by a reference's name: its row
// cannot be compared.
type errUnknown struct{ name string }

func (e errUnknown) Error() string { return fmt.Sprintf("no network is known as %q", e.name) }

// network finds the network that a reference names, for an input of the given
// size ("224" or "353x481"): a built-in one, in its width and resolution, or a
// layer table of the folder. A name may end in what part of it was measured:
// "(accelerator part, to 33x33x256)".
func network(folder fs.FS, name, input string) (*workload.Workload, error) {
	height, width, err := inputSize(input)
	if err != nil {
		return nil, err
	}
	name, part, _ := strings.Cut(name, "(")
	w, err := findNetwork(folder, strings.TrimSpace(name), height, width)
	if err != nil {
		return nil, err
	}
	if m := regexp.MustCompile(`to (\d+)x(\d+)x(\d+)`).FindStringSubmatch(part); m != nil {
		return upTo(w, number(m[1]), number(m[2]), number(m[3]))
	}
	return w, nil
}

func findNetwork(folder fs.FS, name string, height, width int64) (*workload.Workload, error) {
	if backbone, ok := strings.CutSuffix(name, " SSD"); ok {
		name = "SSD " + backbone
	}
	base, multiplier := name, 1.0
	if m := regexp.MustCompile(`^(.*)[_ ](\d\.\d+)$`).FindStringSubmatch(name); m != nil {
		base = m[1]
		multiplier, _ = strconv.ParseFloat(m[2], 64) // the pattern is a number
	}
	names := workload.Names()
	at := slices.IndexFunc(names, func(n string) bool { return bare(n) == bare(name) })
	if at >= 0 {
		return builtin(names[at], 1, height, width)
	}
	at = slices.IndexFunc(names, func(n string) bool { return bare(n) == bare(base) })
	// Only the first MobileNet multiplies all of its channels alike.
	if at >= 0 && (multiplier == 1 || names[at] == "mobilenet_v1") {
		return builtin(names[at], multiplier, height, width)
	}
	w, err := networkTable(folder, name, height, width)
	if w != nil || err != nil {
		return w, err
	}
	var near []string
	for _, n := range names {
		if strings.HasPrefix(bare(n), bare(name)) {
			near = append(near, n)
		}
	}
	if len(near) == 1 {
		return builtin(near[0], 1, height, width)
	}
	return nil, errUnknown{name}
}

// bare reduces a name to its letters and digits.
func bare(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, strings.ToLower(name))
}

func inputSize(text string) (height, width int64, err error) {
	h, w, ok := strings.Cut(text, "x")
	if !ok {
		w = h
	}
	height, width = number(h), number(w)
	if height < 1 || width < 1 {
		return 0, 0, fmt.Errorf("input %q: want a size like 224 or 353x481", text)
	}
	return height, width, nil
}

// number returns the value of digits, 0 when they are none or too many.
func number(digits string) int64 {
	n, err := strconv.ParseInt(digits, 10, 32)
	if err != nil {
		return 0
	}
	return n
}

func builtin(name string, multiplier float64, height, width int64) (*workload.Workload, error) {
	w, err := workload.Builtin(name)
	if err != nil {
		return nil, err
	}
	shape := w.Inputs[0].Shape
	if multiplier == 1 && shape[1] == height && shape[2] == width {
		return w, nil
	}
	return rescale(w, multiplier, height, width)
}

// rescale returns a network at another width and resolution: every channel but
// those of the input and of the last layer with weights is multiplied, every
// layer keeps its window, stride and amount of padding.
func rescale(w *workload.Workload, multiplier float64, height, width int64) (*workload.Workload, error) {
	s := *w
	in := w.Inputs[0]
	in.Shape = []int64{in.Shape[0], height, width, in.Shape[3]}
	s.Inputs = append([]workload.Input{in}, w.Inputs[1:]...)
	s.Layers = slices.Clone(w.Layers)
	last := 0
	for i := range s.Layers {
		if s.Layers[i].Op.HasWeights() {
			last = i
		}
	}
	size := map[string][2]int64{in.Name: {height, width}}
	for i := range s.Layers {
		l := &s.Layers[i]
		scaleLayer(l, size[l.In[0]])
		if multiplier != 1 && i < last {
			l.K = int64(math.Round(float64(l.K) * multiplier))
		}
		size[l.ID] = [2]int64{max(l.P, 1), max(l.Q, 1)}
		l.N, l.M, l.C, l.H, l.W, l.InElements = 0, 0, 0, 0, 0, 0
		if l.Op == workload.DepthwiseConv {
			l.Groups = 0
		}
	}
	if err := s.Normalise(); err != nil {
		return nil, fmt.Errorf("network %s at %dx%d: %w", w.Name, height, width, err)
	}
	return &s, nil
}

// scaleLayer sets the output size for an input of the given one.
func scaleLayer(l *workload.Layer, in [2]int64) {
	switch {
	case l.Op.Spatial():
		old := [2]int64{l.H, l.W}
		out := [2]*int64{&l.P, &l.Q}
		window := [2]*int64{&l.R, &l.S}
		for a := range 2 {
			if l.Op == workload.Pool && *window[a] == old[a] && *out[a] == 1 { // global
				*window[a] = in[a]
				continue
			}
			stride, reach := max(l.Stride[a], 1), (*window[a]-1)*max(l.Dilation[a], 1)+1
			if *out[a] == (old[a]+stride-1)/stride {
				*out[a] = (in[a] + stride - 1) / stride // "same" padding
				continue
			}
			padding := max((*out[a]-1)*stride+reach-old[a], 0)
			*out[a] = (in[a]+padding-reach)/stride + 1
		}
	case l.Op == workload.Reduce || l.Op == workload.GEMM || l.Op == workload.MatMul || l.Op == workload.RNN:
	default:
		l.P, l.Q = in[0], in[1]
	}
}

// upTo cuts a network after the last layer with an output of the given size.
func upTo(w *workload.Workload, p, q, k int64) (*workload.Workload, error) {
	for i := len(w.Layers) - 1; i >= 0; i-- {
		if l := &w.Layers[i]; l.P == p && l.Q == q && l.K == k {
			s := *w
			s.Layers = w.Layers[:i+1]
			return &s, s.Normalise()
		}
	}
	return nil, fmt.Errorf("network %s has no output of %dx%dx%d", w.Name, p, q, k)
}

// tableLayer is a layer of a table in the folder's workloads.
type tableLayer struct {
	Kind                string
	N, K, C, P, Q, R, S int64
	Groups              int64
	Stride, Dil         [2]int64
	Deps                []int
	Out                 []int64
}

// networkTable reads the layer table whose name begins like name and whose
// input has the given size; nil when there is none.
func networkTable(folder fs.FS, name string, height, width int64) (*workload.Workload, error) {
	files, err := fs.Glob(folder, "workloads/*.json")
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		if !strings.HasPrefix(bare(strings.TrimPrefix(file, "workloads/")), bare(name)) {
			continue
		}
		data, err := fs.ReadFile(folder, file)
		if err != nil {
			return nil, err
		}
		var t struct {
			Inputs [][]int64
			Layers []tableLayer
		}
		if err := json.Unmarshal(data, &t); err != nil {
			return nil, fmt.Errorf("read %s: %w", file, err)
		}
		if len(t.Inputs) == 0 || len(t.Inputs[0]) != 4 || t.Inputs[0][1] != height || t.Inputs[0][2] != width {
			continue
		}
		w := &workload.Workload{Name: name}
		for i, shape := range t.Inputs {
			w.Inputs = append(w.Inputs, workload.Input{Name: fmt.Sprintf("in%d", i+1), Shape: shape})
		}
		for i := range t.Layers {
			w.Layers = append(w.Layers, t.Layers[i].layer(i))
		}
		if err := w.Normalise(); err != nil {
			return nil, fmt.Errorf("read %s: %w", file, err)
		}
		return w, nil
	}
	return nil, nil
}

func (t *tableLayer) layer(id int) workload.Layer {
	l := workload.Layer{ID: fmt.Sprintf("l%d", id), Op: workload.Op(t.Kind)}
	for _, d := range t.Deps {
		if d < 0 {
			l.In = append(l.In, fmt.Sprintf("in%d", -d))
			continue
		}
		l.In = append(l.In, fmt.Sprintf("l%d", d))
	}
	switch l.Op {
	case workload.Conv, workload.GroupConv, workload.DepthwiseConv, workload.Deconv:
		l.K, l.P, l.Q, l.R, l.S, l.Groups, l.Stride, l.Dilation = t.K, t.P, t.Q, t.R, t.S, t.Groups, t.Stride, t.Dil
	case workload.Pool:
		l.Fn, l.P, l.Q, l.R, l.S, l.Stride = "avg", t.P, t.Q, t.R, t.S, t.Stride
	case workload.GEMM:
		l.M, l.K, l.C = t.N, t.K, t.C
	case workload.MatMul:
		l.N, l.M, l.K, l.C = t.Groups, t.N, t.K, t.C
	case workload.Eltwise:
		l.Fn = "add"
	case workload.Activation, workload.Softmax, workload.Norm, workload.View:
	default:
		if t.Kind == "custom" {
			l.Op = workload.Opaque
		}
		l.N, l.P, l.Q, l.K = 1, 1, 1, 1
		if n := len(t.Out); n > 1 {
			l.K = t.Out[n-1]
			for _, d := range t.Out[1 : n-1] {
				l.P, l.Q = l.P*l.Q, d
			}
		}
	}
	return l
}
