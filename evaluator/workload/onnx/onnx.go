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
	"strconv"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"

	"apollo/evaluator/workload/graph"
)

// Options say what the file leaves open.
type Options struct {
	// Dims gives sizes to open dimensions, by their name in the file or as
	// "input.index".
	Dims map[string]int64
	// Values gives inputs of one element their value, by name: those that
	// choose a branch or make a shape. They are no inputs then.
	Values map[string]int64
	// External returns a part of a file that the model keeps tensors in; length
	// is at most a few thousand bytes. Nil means that there are no such files.
	// It is asked only for small tensors, which may make shapes.
	External func(location string, offset, length int64) ([]byte, error)
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
		r: &reader{file: slices.Clip(data)}, options: o, table: operators(),
		g:     &graph.Graph{Format: "onnx", ChannelsFirst: true},
		scope: newScope(nil), values: map[int]value{}, sequences: map[int][]int{}, lost: map[int]string{}, functions: map[string][]byte{},
		used: map[string]bool{},
	}
	var body []byte
	err := m.r.fields(m.r.file, func(f field) error {
		if f.typ != protowire.BytesType {
			return nil
		}
		switch f.num {
		case 7:
			body = f.b
		case 25:
			return m.function(f.b)
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
	r         *reader
	g         *graph.Graph
	table     map[string]infer
	options   Options
	used      map[string]bool // which of the options' dimensions
	open      []string        // names of open dimensions, for messages
	unsized   []string        // what is open and has no size, one sentence each
	wanted    []string        // the flags that give them one
	scalars   []string        // inputs of one element without a value
	empty     string          // an input without elements
	scope     *scope
	functions map[string][]byte // FunctionProto by domain and name
	values    map[int]value
	sequences map[int][]int  // elements of the tensors that are sequences
	turns     int            // of all loops
	looping   int            // how deep in loops the reader is
	lost      map[int]string // why a stored value could not be read
}

// value is what a small constant tensor holds.
type value struct {
	v       []float64
	integer bool
}

func (m *model) read(body []byte) error {
	inputs, outputs, err := m.stored(body)
	if err != nil {
		return err
	}
	for _, in := range inputs {
		if err := m.input(in); err != nil {
			return err
		}
	}
	if m.empty != "" && len(m.g.Inputs) == 0 {
		return fmt.Errorf("input %q has no elements, and nothing else comes in: give its dimensions sizes of 1 or more with --dim, by name or as %s.0=N", m.empty, shown(m.empty))
	}
	if err := m.unused(); err != nil {
		return err
	}
	if err := m.nodes(body, 1); err != nil {
		return err
	}
	for _, out := range outputs {
		t, ok := m.scope.find(out.name)
		if !ok {
			return fmt.Errorf("output %q: no operation writes it", out.name)
		}
		if list, ok := m.sequences[t]; ok {
			m.g.Outputs = append(m.g.Outputs, list...)
			continue
		}
		m.g.Outputs = append(m.g.Outputs, t)
	}
	return nil
}

// stored reads what a graph has beside its operations.
func (m *model) stored(body []byte) (inputs, outputs []info, err error) {
	err = m.r.fields(body, func(f field) error {
		switch f.num {
		case 5:
			return m.initializer(f.b)
		case 15:
			t, err := m.r.sparse(f.b)
			if err != nil {
				return err
			}
			return m.constant(t.name, t)
		case 11, 12, 13:
			in, err := m.info(f.b)
			switch f.num {
			case 11:
				inputs = append(inputs, in)
			case 12:
				outputs = append(outputs, in)
			}
			if shape, ok := in.static(); ok && err == nil {
				m.scope.infos[in.name] = shape
			}
			return err
		}
		return nil
	})
	return inputs, outputs, err
}

// nodes reads the operations of a graph, or of a function, whose field they
// are.
func (m *model) nodes(body []byte, num protowire.Number) error {
	return m.r.fields(body, func(f field) error {
		if f.num == num && f.typ == protowire.BytesType {
			return m.node(f.b)
		}
		return nil
	})
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
	m.g.State(format(t.kind), graph.Elements(t.shape))
	m.scope.names[name] = i
	if t.values == nil && t.external != nil {
		t.values, m.lost[i] = m.outside(t)
	}
	if t.values != nil {
		m.values[i] = value{t.values, integer(t.kind)}
	}
	return nil
}

// info is a ValueInfoProto. An open dimension is -1 and may have a name. One of 0 makes an
// input empty; elsewhere it tells nothing, as some exporters write it for what they do not know.
type info struct {
	name  string
	kind  int64
	shape []int64
	names []string
	known bool // the rank is
}

func (in info) static() ([]int64, bool) {
	return in.shape, in.known && !slices.ContainsFunc(in.shape, func(d int64) bool { return d < 1 })
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
			if size = int64(f.n); size < -1 { // some exporters write -1 for open
				return fmt.Errorf("%q: dimension %d is %d, want 0 or more, or a name where it is open: export the model again", in.name, len(in.shape), size)
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
	if _, ok := m.scope.names[in.name]; ok {
		return nil // an initialiser that old files list as an input
	}
	if !in.known {
		return fmt.Errorf("input %q has no shape: export the model with a fixed input shape", in.name)
	}
	for d, size := range in.shape {
		_, given := m.options.Dims[fmt.Sprintf("%s.%d", in.name, d)]
		if size > 0 || size == 0 && !given {
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
	m.g.State(format(in.kind), graph.Elements(in.shape))
	m.scope.names[in.name] = t
	if m.given(in, t) {
		return nil
	}
	if graph.Elements(in.shape) == 0 { // nothing comes in, as of a cache at the first run
		m.g.Tensors[t].Const = true
		m.empty = in.name
		return nil
	}
	m.g.Inputs = append(m.g.Inputs, t)
	return nil
}

// given makes a constant of an input whose value is given.
func (m *model) given(in info, t int) bool {
	if graph.Elements(in.shape) != 1 {
		return false
	}
	v, ok := m.options.Values[in.name]
	if !ok {
		m.scalars = append(m.scalars, shown(in.name))
		return false
	}
	m.used["="+in.name] = true
	m.g.Tensors[t].Const = true
	m.values[t] = value{[]float64{float64(v)}, integer(in.kind)}
	return true
}

// size finds the size of an open dimension; what has none is noted, so that
// all of them are named at once.
func (m *model) size(in info, d int) (int64, error) {
	place := fmt.Sprintf("%s.%d", in.name, d)
	key := in.names[d]
	m.open = append(m.open, shown(place))
	if key != "" {
		m.open = append(m.open, shown(key))
	} else {
		key = place
	}
	for _, k := range []string{place, in.names[d]} {
		v, ok := m.options.Dims[k]
		if !ok || k == "" {
			continue
		}
		m.used[k] = true
		if v < 0 || v > graph.MaxDim {
			return 0, fmt.Errorf("dimension %s is given as %d, want 0 to %d", k, v, int64(graph.MaxDim))
		}
		return v, nil
	}
	if d == 0 {
		m.g.Notes = append(m.g.Notes, fmt.Sprintf("input %q: the batch is open, taken as 1 (--dim %s=N for another)", in.name, shown(key)))
		return 1, nil
	}
	m.unsized = append(m.unsized, fmt.Sprintf("input %q: dimension %d%s", in.name, d, quoted(in.names[d])))
	if flag := "--dim " + shown(key) + "=N"; !slices.Contains(m.wanted, flag) {
		m.wanted = append(m.wanted, flag)
	}
	return 1, nil
}

// shown is a name as a message has it: in quotes where it would not print on one
// line.
func shown(name string) string {
	if q := strconv.Quote(name); len(q) != len(name)+2 {
		return q
	}
	return name
}

func quoted(name string) string {
	if name == "" {
		return ""
	}
	return fmt.Sprintf(" (%q)", name)
}

// unused refuses open dimensions without a size, sizes for dimensions that the
// model does not have open, and values for what is no input of one element.
func (m *model) unused() error {
	if len(m.unsized) == 1 {
		return fmt.Errorf("%s is open: give its size with %s", m.unsized[0], m.wanted[0])
	}
	if len(m.unsized) > 1 {
		return fmt.Errorf("%s are open: give their sizes with %s", few(m.unsized, "; "), few(m.wanted, " "))
	}
	for _, k := range slices.Sorted(maps.Keys(m.options.Dims)) {
		if m.used[k] {
			continue
		}
		if len(m.open) == 0 {
			return fmt.Errorf("--dim %s: the model has no open dimensions", k)
		}
		return fmt.Errorf("--dim %s: the model has no such open dimension, there are: %s", k, few(m.open, ", "))
	}
	for _, k := range slices.Sorted(maps.Keys(m.options.Values)) {
		if m.used["="+k] {
			continue
		}
		if len(m.scalars) == 0 {
			return fmt.Errorf("--value %s: the model has no inputs of one element", k)
		}
		return fmt.Errorf("--value %s: the model has no such input of one element, there are: %s", k, few(m.scalars, ", "))
	}
	return nil
}

// few joins a list of bounded length.
func few(list []string, between string) string {
	const most = 24
	if len(list) > most {
		return strings.Join(list[:most], between) + fmt.Sprintf("%sand %d more", between, len(list)-most)
	}
	return strings.Join(list, between)
}
