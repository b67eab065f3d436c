package workload

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"apollo/evaluator/number"
	"apollo/evaluator/workload/graph"
	"apollo/evaluator/workload/onnx"
	"apollo/evaluator/workload/tflite"
)

// ImportOptions say how a model file becomes a workload.
type ImportOptions struct {
	// Dims gives sizes to dimensions that the file leaves open, by their name
	// or as "input.index". A batch needs none: it is 1.
	Dims map[string]int64
	// Values gives inputs of one element their value, by name: those that
	// choose a branch or make a shape.
	Values map[string]int64
	// External returns a part of a file beside the model in which it keeps
	// tensors, for the small ones that make shapes; nil when there is none.
	External func(location string, offset, length int64) ([]byte, error)
	// Precision is one of Precisions, "" for the widths in the file.
	Precision string
	// Strict makes an error of every operation that is not modelled.
	Strict bool
}

// Report says what Import did.
type Report struct {
	// Format is "tflite" or "onnx".
	Format string `json:"format"`
	// SHA256 is the hex digest of the file.
	SHA256 string `json:"sha256"`
	// Ops counts the operations in the file, Layers what became of them.
	Ops    int `json:"ops"`
	Layers int `json:"layers"`
	// Folded counts the operations that became part of others, or nothing, by
	// kind.
	Folded Folded `json:"folded"`
	// Unmodelled names the operations of which only the bytes are counted. All
	// multiplications of every other operation are: none are left out.
	Unmodelled []string `json:"unmodelled"`
	// Notes tell what a person should know.
	Notes []string `json:"notes"`
}

// Folded counts operations that are no layers.
type Folded struct {
	// Constants work on constants only.
	Constants int `json:"constants"`
	// Views rename elements.
	Views int `json:"views"`
	// Quantisation changes the representation of numbers.
	Quantisation int `json:"quantisation"`
	// Padding is part of the window behind it.
	Padding int `json:"padding"`
	// Normalisation and Scales (products and sums with constants) are part of
	// the weights and biases before them.
	Normalisation int `json:"normalisation"`
	Scales        int `json:"scales"`
	// Activations are part of the layer before them; all but one operation of
	// a chain such as hard-swish counts too.
	Activations int `json:"activations"`
}

// Precisions are the names that ImportOptions.Precision knows.
func Precisions() []string {
	return []string{"int4", "int8", "int16", "fp8", "float16", "bfloat16", "float32"}
}

// precisionNamed returns the widths of a name of Precisions. int4 means 4-bit
// weights and 8-bit activations.
func precisionNamed(name string) (Precision, error) {
	switch name {
	case "int4":
		return Precision{Weights: 4, Activations: 8, Accumulators: 32}, nil
	case "int8":
		return Precision{Weights: 8, Activations: 8, Accumulators: 32}, nil
	case "int16":
		return Precision{Weights: 16, Activations: 16, Accumulators: 32}, nil
	case "fp8":
		return floats(number.Float, 8), nil
	case "float16":
		return floats(number.Float, 16), nil
	case "bfloat16":
		return floats(number.Brain, 16), nil
	case "float32":
		return floats(number.Float, 32), nil
	}
	return Precision{}, fmt.Errorf("the precision %q is not known, there are: %s", name, strings.Join(Precisions(), ", "))
}

// floats is a precision of floating-point numbers.
func floats(kind number.Kind, bits int64) Precision {
	return Precision{Weights: bits, Activations: bits, Accumulators: 32, WeightKind: kind, ActivationKind: kind}
}

// Import turns a TensorFlow Lite or ONNX model into a workload; the format
// follows from the content. name is the file's name: errors carry it, and the
// workload is called after it. The result is normalised.
//
// Multiplications are never left out silently: an operation that is not known
// is an Opaque layer and named in the report where its shapes are known, and
// an error where they are not or where o.Strict is set.
func Import(name string, data []byte, o ImportOptions) (*Workload, Report, error) {
	sum := sha256.Sum256(data)
	r := Report{SHA256: hex.EncodeToString(sum[:]), Unmodelled: []string{}, Notes: []string{}}
	w, err := importModel(name, data, o, &r)
	if err != nil {
		return nil, r, fmt.Errorf("import %s: %w", name, err)
	}
	return w, r, nil
}

func importModel(name string, data []byte, o ImportOptions, r *Report) (*Workload, error) {
	g, err := readModel(data, o)
	if err != nil {
		return nil, err
	}
	w := &Workload{
		Name:   modelName(name),
		Source: Source{Kind: g.Format, Ref: graph.Clip(path.Base(strings.ReplaceAll(name, `\`, "/"))), SHA256: r.SHA256},
	}
	r.Format, r.Ops = g.Format, g.Ops
	r.Notes = append(r.Notes, g.Notes...)
	if err := lower(g, w, r); err != nil {
		return nil, err
	}
	if len(r.Unmodelled) > 0 && opaqueOnly(w) {
		return nil, fmt.Errorf("nothing in the model can be modelled: %s", clipList(r.Unmodelled))
	}
	if o.Strict && len(r.Unmodelled) > 0 {
		return nil, fmt.Errorf("--strict: not modelled: %s", clipList(r.Unmodelled))
	}
	if o.Precision == "" {
		w.Precision = filePrecision(g, r)
		keepWidths(g, w, r)
	} else if w.Precision, err = precisionNamed(o.Precision); err != nil {
		return nil, err
	}
	if o.Precision != "" {
		for i := range w.Layers {
			w.Layers[i].WeightBits, w.Layers[i].OutputBits = 0, 0
		}
	}
	if err := w.Normalise(); err != nil {
		first, _, more := strings.Cut(err.Error(), "\n")
		if more {
			first += " (and more)"
		}
		return nil, fmt.Errorf("the layers do not fit together: %s", first)
	}
	r.Layers = len(w.Layers)
	return w, nil
}

// opaqueOnly reports whether no layer is modelled.
func opaqueOnly(w *Workload) bool {
	for i := range w.Layers {
		if w.Layers[i].Op != Opaque && w.Layers[i].Op != Copy {
			return false
		}
	}
	return true
}

// clipList names the first few.
func clipList(names []string) string {
	const most = 5
	if len(names) > most {
		return strings.Join(names[:most], "; ") + fmt.Sprintf("; and %d more", len(names)-most)
	}
	return strings.Join(names, "; ")
}

// readModel finds the format and reads the graph.
func readModel(data []byte, o ImportOptions) (*graph.Graph, error) {
	switch {
	case len(data) > graph.MaxFile:
		return nil, fmt.Errorf("the file has %d bytes, the limit is %d", len(data), graph.MaxFile)
	case len(data) == 0:
		return nil, errors.New("the file is empty")
	case tflite.Is(data):
		if len(o.Dims) > 0 || len(o.Values) > 0 {
			return nil, errors.New("--dim, --value: shapes of a TensorFlow Lite file are fixed when it is converted, they cannot be given here")
		}
		return tflite.Read(data)
	case bytes.HasPrefix(data, []byte("PK\x03\x04")):
		return nil, errors.New("offset 0: this is a zip archive (Keras, TorchScript or a packed model): unpack it, or export the model to ONNX or TensorFlow Lite")
	case bytes.HasPrefix(data, []byte("\x89HDF")):
		return nil, errors.New("offset 0: this is an HDF5 file (Keras): convert the model to TensorFlow Lite or ONNX")
	case bytes.HasPrefix(data, []byte("schema:")) || bytes.HasPrefix(bytes.TrimSpace(data), []byte("{")):
		return nil, errors.New("offset 0: this looks like text: a workload file needs no import, name it as it is")
	case bytes.HasPrefix(data, []byte("version https://git-lfs")):
		return nil, errors.New("offset 0: this is a pointer of Git LFS and not the file itself: fetch it with git lfs pull")
	case onnx.Is(data):
		return onnx.Read(data, onnx.Options{Dims: o.Dims, Values: o.Values, External: o.External})
	}
	return nil, errors.New(`offset 0: neither TensorFlow Lite ("TFL3" at offset 4) nor ONNX (a protocol buffer): export the model to one of these`)
}

// modelName makes the name of a workload from that of a file.
func modelName(file string) string {
	base := path.Base(strings.ReplaceAll(file, `\`, "/"))
	base = strings.TrimSuffix(base, path.Ext(base))
	if base = printable(graph.Clip(base)); base == "" || base == "." || base == "/" {
		return "model"
	}
	return base
}

// filePrecision is the widths of most weights and of what most products read.
func filePrecision(g *graph.Graph, r *Report) Precision {
	weights, activations := map[int64]int64{}, map[int64]int64{}
	for i := range g.Nodes {
		n := &g.Nodes[i]
		switch n.Op {
		case graph.Conv, graph.Deconv, graph.Dense, graph.RNN, graph.MatMul:
			weights[n.WeightBits] += n.Dims.K * max(n.Dims.C, 1) * max(n.Dims.R, 1) * max(n.Dims.S, 1)
			in := n.In[0]
			activations[g.Tensors[in].Bits] += g.Elements(in)
		}
	}
	if len(activations) == 0 { // nothing multiplies
		for _, t := range g.Inputs {
			activations[g.Tensors[t].Bits] += g.Elements(t)
		}
	}
	p := Precision{Weights: most(weights), Activations: most(activations)}.WithDefaults()
	p.WeightKind, p.ActivationKind = g.Kind(p.Weights), g.Kind(p.Activations)
	if p.Activations > 8 || p.Weights > 8 {
		r.Notes = append(r.Notes, fmt.Sprintf("weights have %d bits and activations %d, as in the file; --precision int8 counts the bytes of a quantised model", p.Weights, p.Activations))
	}
	return p
}

// keepWidths leaves the widths of weights, tables and activations to the layers
// where they are not those of the network.
func keepWidths(g *graph.Graph, w *Workload, r *Report) {
	weights, outputs := 0, 0
	for i := range w.Layers {
		l := &w.Layers[i]
		if l.WeightBits == w.Precision.Weights || !l.Op.HasWeights() && l.Const == 0 {
			l.WeightBits = 0
		}
		if l.WeightBits != 0 {
			l.WeightKind = g.Kind(l.WeightBits)
			weights++
		}
		if l.OutputBits == w.Precision.Activations {
			l.OutputBits = 0
		}
		if l.OutputBits != 0 {
			l.OutputKind = g.Kind(l.OutputBits)
			outputs++
		}
	}
	if outputs > 0 {
		r.Notes = append(r.Notes, fmt.Sprintf("%d layers write activations of another width than %d bits, as in the file", outputs, w.Precision.Activations))
	}
	if weights > 0 {
		r.Notes = append(r.Notes, fmt.Sprintf("%d layers keep weights or tables of another width than %d bits, as in the file", weights, w.Precision.Weights))
	}
}

// most returns the width with the largest count, the smaller one of equals, 0
// when there is none.
func most(counts map[int64]int64) int64 {
	var best int64
	for _, bits := range slices.Sorted(maps.Keys(counts)) {
		if bits > 0 && (counts[bits] > counts[best] || best == 0 && counts[bits] > 0) {
			best = bits
		}
	}
	return best
}
