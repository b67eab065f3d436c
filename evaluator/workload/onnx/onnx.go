// Package onnx reads ONNX models (onnx.proto) as graphs. Files carry no shapes
// between operations that could be trusted, so the package infers them: shapes
// of about 150 operations, with the small integer arrays from which models
// compute shapes.
package onnx

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"

	"apollo/evaluator/workload/graph"
)

// Options say what the file leaves open.
type Options struct {
	// Dims gives sizes to open dimensions, by their name in the file or as
	// "input.index".
	Dims map[string]int64
}

// Is reports whether data starts with a whole field of a ModelProto.
func Is(data []byte) bool {
	num, typ, n := protowire.ConsumeTag(data)
	if n < 0 {
		return false
	}
	want := protowire.BytesType
	switch num {
	case 1, 5: // versions
		want = protowire.VarintType
	case 2, 3, 4, 6, 7, 8, 14, 20, 25, 26:
	default:
		return false
	}
	return typ == want && protowire.ConsumeFieldValue(num, typ, data[n:]) > 0
}

// Read returns the graph of a model. The errors name the offset or the
// operation, and what to do.
func Read(data []byte, o Options) (*graph.Graph, error) {
	m := model{
		r: &reader{file: slices.Clip(data)}, dims: o.Dims, table: operators(),
		g:     &graph.Graph{Format: "onnx", ChannelsFirst: true},
		index: map[string]int{}, values: map[int]value{}, infos: map[string][]int64{},
		used: map[string]bool{},
	}
	var body []byte
	err := m.r.fields(m.r.file, func(f field) error {
		if f.num == 7 && f.typ == protowire.BytesType {
			body = f.b
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if body == nil {
		return nil, errors.New("the file has no graph: this is no ONNX model")
	}
	if err := m.read(body); err != nil {
		return nil, err
	}
	return m.g, nil
}

// model is a file while it is read.
type model struct {
	r      *reader
	g      *graph.Graph
	table  map[string]infer
	dims   map[string]int64
	used   map[string]bool // which of dims
	open   []string        // names of open dimensions, for messages
	index  map[string]int  // tensors by name
	values map[int]value
	infos  map[string][]int64 // shapes that the file states, where complete
}

// value is what a small constant tensor holds.
type value struct {
	v       []float64
	integer bool
}

func (m *model) read(body []byte) error {
	var inputs, outputs []info
	err := m.r.fields(body, func(f field) error {
		switch f.num {
		case 5:
			return m.initializer(f.b)
		case 15:
			return m.sparse(f.b)
		case 11, 12, 13:
			in, err := m.info(f.b)
			switch f.num {
			case 11:
				inputs = append(inputs, in)
			case 12:
				outputs = append(outputs, in)
			}
			if shape, ok := in.static(); ok && err == nil {
				m.infos[in.name] = shape
			}
			return err
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, in := range inputs {
		if err := m.input(in); err != nil {
			return err
		}
	}
	if err := m.unused(); err != nil {
		return err
	}
	err = m.r.fields(body, func(f field) error {
		if f.num == 1 {
			return m.node(f.b)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, out := range outputs {
		t, ok := m.index[out.name]
		if !ok {
			return fmt.Errorf("output %q: no operation writes it", out.name)
		}
		m.g.Outputs = append(m.g.Outputs, t)
	}
	return nil
}

// tensor adds a tensor and returns its index.
func (m *model) tensor(t graph.Tensor) (int, error) {
	if err := graph.CheckShape(t.Shape); err != nil {
		return 0, fmt.Errorf("tensor %q: %w", t.Name, err)
	}
	if len(m.g.Tensors) >= 2*graph.MaxTensors {
		return 0, fmt.Errorf("the model has more than %d tensors", 2*graph.MaxTensors)
	}
	m.g.Tensors = append(m.g.Tensors, t)
	return len(m.g.Tensors) - 1, nil
}

func (m *model) initializer(message []byte) error {
	t, err := m.r.tensor(message)
	if err != nil {
		return err
	}
	return m.constant(t.name, t)
}

func (m *model) constant(name string, t tensor) error {
	i, err := m.tensor(graph.Tensor{Name: graph.Clip(name), Shape: t.shape, Bits: bits(t.kind), Const: true})
	if err != nil {
		return err
	}
	m.index[name] = i
	if t.values != nil {
		m.values[i] = value{t.values, integer(t.kind)}
	}
	return nil
}

// sparse reads a SparseTensorProto: values with their name, indices, shape.
func (m *model) sparse(message []byte) error {
	var t tensor
	var shape []int64
	err := m.r.fields(message, func(f field) error {
		switch f.num {
		case 1:
			var err error
			t, err = m.r.tensor(f.b)
			return err
		case 3:
			return f.each(func(n uint64) error {
				if shape = append(shape, int64(n)); len(shape) > graph.MaxRank {
					return fmt.Errorf("offset %d: a tensor has more than %d dimensions", m.r.offset(message), graph.MaxRank)
				}
				return nil
			})
		}
		return nil
	})
	if err != nil {
		return err
	}
	t.shape, t.values = shape, nil
	return m.constant(t.name, t)
}

// info is a ValueInfoProto. An open dimension is -1 and may have a name.
type info struct {
	name  string
	kind  int64
	shape []int64
	names []string
	known bool // the rank is
}

func (in info) static() ([]int64, bool) {
	return in.shape, in.known && !slices.Contains(in.shape, -1)
}

func (m *model) info(message []byte) (in info, err error) {
	tensorType := func(f field) error {
		switch f.num {
		case 1:
			in.kind = int64(f.n)
		case 2:
			in.known = true
			return m.r.fields(f.b, func(f field) error {
				if f.num != 1 {
					return nil
				}
				if len(in.shape) >= graph.MaxRank {
					return fmt.Errorf("%q has more than %d dimensions", in.name, graph.MaxRank)
				}
				return m.dimension(&in, f.b)
			})
		}
		return nil
	}
	err = m.r.fields(message, func(f field) error {
		switch f.num {
		case 1:
			in.name = string(f.b)
		case 2:
			return m.r.fields(f.b, func(f field) error {
				if f.num == 1 {
					return m.r.fields(f.b, tensorType)
				}
				return nil
			})
		}
		return nil
	})
	if shape, ok := in.static(); err == nil && ok {
		if e := graph.CheckShape(shape); e != nil {
			return in, fmt.Errorf("%q: %w", in.name, e)
		}
	}
	return in, err
}

func (m *model) dimension(in *info, message []byte) error {
	size, name := int64(-1), ""
	err := m.r.fields(message, func(f field) error {
		switch f.num {
		case 1:
			if size = int64(f.n); size <= 0 { // some exporters write 0 or -1 for open
				size = -1
			}
		case 2:
			name = f.text()
		}
		return nil
	})
	in.shape, in.names = append(in.shape, size), append(in.names, name)
	return err
}

// input adds a model input, with sizes for its open dimensions.
func (m *model) input(in info) error {
	if _, ok := m.index[in.name]; ok {
		return nil // an initialiser that old files list as an input
	}
	if !in.known {
		return fmt.Errorf("input %q has no shape: export the model with a fixed input shape", in.name)
	}
	for d, size := range in.shape {
		if size >= 0 {
			continue
		}
		v, err := m.size(in, d)
		if err != nil {
			return err
		}
		in.shape[d] = v
	}
	t, err := m.tensor(graph.Tensor{Name: graph.Clip(in.name), Shape: in.shape, Bits: bits(in.kind)})
	if err != nil {
		return err
	}
	m.index[in.name] = t
	m.g.Inputs = append(m.g.Inputs, t)
	return nil
}

// size finds the size of an open dimension.
func (m *model) size(in info, d int) (int64, error) {
	place := fmt.Sprintf("%s.%d", in.name, d)
	key := in.names[d]
	m.open = append(m.open, place)
	if key != "" {
		m.open = append(m.open, key)
	} else {
		key = place
	}
	for _, k := range []string{place, in.names[d]} {
		v, ok := m.dims[k]
		if !ok || k == "" {
			continue
		}
		m.used[k] = true
		if v < 1 || v > graph.MaxDim {
			return 0, fmt.Errorf("dimension %s is given as %d, want 1 to %d", k, v, int64(graph.MaxDim))
		}
		return v, nil
	}
	if d == 0 {
		m.g.Notes = append(m.g.Notes, fmt.Sprintf("input %q: the batch is open, taken as 1 (--dim %s=N for another)", in.name, key))
		return 1, nil
	}
	return 0, fmt.Errorf("input %q: dimension %d%s is open: give its size with --dim %s=N", in.name, d, quoted(in.names[d]), key)
}

func quoted(name string) string {
	if name == "" {
		return ""
	}
	return fmt.Sprintf(" (%q)", name)
}

// unused refuses sizes for dimensions that the model does not have open.
func (m *model) unused() error {
	for _, k := range slices.Sorted(maps.Keys(m.dims)) {
		if m.used[k] {
			continue
		}
		if len(m.open) == 0 {
			return fmt.Errorf("--dim %s: the model has no open dimensions", k)
		}
		return fmt.Errorf("--dim %s: the model has no such open dimension, there are: %s", k, strings.Join(m.open, ", "))
	}
	return nil
}
