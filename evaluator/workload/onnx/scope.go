package onnx

import (
	"fmt"
	"maps"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"

	"apollo/evaluator/workload/graph"
)

// maxDepth bounds branches and functions within each other.
const maxDepth = 16

// scope holds the names of one graph. A branch sees those of the graph around
// it, a function does not.
type scope struct {
	names map[string]int       // tensors
	infos map[string][]int64   // shapes that the file states, where complete
	attrs map[string]attribute // of the call, in a function
	outer *scope
	depth int
}

func newScope(outer *scope) *scope {
	s := &scope{names: map[string]int{}, infos: map[string][]int64{}, outer: outer}
	if outer != nil {
		s.depth = outer.depth + 1
		s.attrs = outer.attrs
	}
	return s
}

// find returns the tensor of a name; -1 and false for a parameter that a call
// leaves out.
func (s *scope) find(name string) (int, bool) {
	for ; s != nil; s = s.outer {
		if t, ok := s.names[name]; ok {
			return t, t >= 0
		}
	}
	return 0, false
}

// within reads part of the model under another scope.
func (n *node) within(s *scope, read func() error) {
	if n.err != nil {
		return
	}
	if s.depth > maxDepth {
		n.fail("branches and functions are more than %d deep", maxDepth)
		return
	}
	back := n.scope
	n.scope = s
	if err := read(); err != nil && n.err == nil {
		n.err = fmt.Errorf("in %s: %w", n.title(), err)
	}
	n.scope = back
}

// branch reads the branch of an If whose condition is known, as if its
// operations stood here.
func (n *node) branch() error {
	cond, ok := n.known(0)
	if !ok || len(cond) != 1 {
		n.fail("its condition is computed at run time, and a list of layers has one way only%s", n.decide())
		return n.err
	}
	name := "then_branch"
	if cond[0] == 0 {
		name = "else_branch"
	}
	body := n.attrs[name].graph
	if body == nil {
		n.misfit("it has no %s", name)
		return n.err
	}
	if n.looping == 0 {
		n.g.Notes = append(n.g.Notes, fmt.Sprintf("%s: the condition is constant, only its %s is read", n.title(), name))
	}
	var results []int
	inner := newScope(n.scope)
	n.within(inner, func() error {
		_, outputs, err := n.stored(body)
		if err != nil {
			return err
		}
		if err := n.nodes(body, 1); err != nil {
			return err
		}
		for _, out := range outputs {
			t, ok := n.scope.find(out.name)
			if !ok {
				return fmt.Errorf("output %q: no operation writes it", out.name)
			}
			results = append(results, t)
		}
		return nil
	})
	return n.results(results)
}

// decide says how what a run computes becomes known.
func (n *node) decide() string {
	if len(n.scalars) > 0 {
		return fmt.Sprintf(": give the input that decides it with --value %s=N (inputs of one element: %s), or export the model with fixed shapes and without branches", n.scalars[0], few(n.scalars, ", "))
	}
	return ": export the model with fixed shapes and without branches (onnxsim folds what is constant)"
}

// results gives the outputs of a call or branch their names.
func (n *node) results(ts []int) error {
	if n.err != nil {
		return n.err
	}
	if len(ts) < len(n.outNames) {
		n.misfit("it has %d outputs, its body %d", len(n.outNames), len(ts))
		return n.err
	}
	for i, name := range n.outNames {
		if name != "" {
			n.scope.names[name] = ts[i]
		}
	}
	return nil
}

// function keeps a FunctionProto under its domain and name.
func (m *model) function(message []byte) error {
	var name, domain, overload string
	err := m.r.fields(message, func(f field) error {
		switch f.num {
		case 1:
			name = f.text()
		case 10:
			domain = f.text()
		case 13:
			overload = f.text()
		}
		return nil
	})
	m.functions[functionID(domain, name, overload)] = message
	return err
}

func functionID(domain, name, overload string) string { return domain + ":" + name + ":" + overload }

// local returns the function that the file has for an operation. Where the
// operation is in the table, the table says more.
func (n *node) local() ([]byte, bool) {
	body, ok := n.functions[functionID(n.domain, n.op, n.overload)]
	if _, known := n.tabled(); known {
		return nil, false
	}
	return body, ok
}

// tabled returns how an operation of the table is read; one of another domain only
// shares its name.
func (n *node) tabled() (infer, bool) {
	if n.domain == "qonnx.custom_op.general" || n.domain == "finn.custom_op.general" || n.domain == "onnx.brevitas" {
		do, ok := n.table["qonnx:"+n.op]
		return do, ok
	}
	if n.domain != "" && n.domain != "ai.onnx" && !strings.HasPrefix(n.domain, "com.microsoft") {
		return nil, false
	}
	do, ok := n.table[n.op]
	return do, ok
}

// call reads the operations of a function as if they stood here.
func (n *node) call(body []byte) error {
	inner := newScope(nil)
	inner.depth = n.scope.depth + 1
	inner.attrs = map[string]attribute{}
	var params, outputs []string
	n.within(inner, func() error {
		return n.r.fields(body, func(f field) error {
			switch {
			case f.typ != protowire.BytesType:
			case f.num == 4:
				params = append(params, string(f.b))
			case f.num == 5:
				outputs = append(outputs, string(f.b))
			case f.num == 11: // with a default
				name, a, err := n.r.attribute(f.b)
				inner.attrs[name] = a
				return err
			case f.num == 12: // value_info
				in, err := n.info(f.b)
				if shape, ok := in.static(); ok && err == nil {
					inner.infos[in.name] = shape
				}
				return err
			}
			return nil
		})
	})
	maps.Copy(inner.attrs, n.attrs)
	for i, name := range params {
		inner.names[name] = n.at(i) // -1 of one that the call leaves out
	}
	var results []int
	n.within(inner, func() error {
		if err := n.nodes(body, 7); err != nil {
			return err
		}
		for _, name := range outputs {
			t, ok := inner.find(name)
			if !ok {
				return fmt.Errorf("output %q: no operation writes it", name)
			}
			results = append(results, t)
		}
		return nil
	})
	return n.results(results)
}

// outside reads a small tensor that the model keeps in another file, or says
// why it cannot.
func (m *model) outside(t tensor) ([]float64, string) {
	n := graph.Elements(t.shape)
	if n > graph.MaxFolded {
		return nil, ""
	}
	e := t.external
	fail := func(why string) ([]float64, string) {
		return nil, fmt.Sprintf("tensor %q is stored outside the model, in %q (%s): keep that file beside the model", t.name, e.location, why)
	}
	length := (n*bits(t.kind) + 7) / 8
	switch {
	case e.location == "":
		return nil, fmt.Sprintf("tensor %q is stored outside the model, and the model does not say in which file (its external_data has no location): export the model again", t.name)
	case e.wrong != "":
		return fail(e.wrong)
	case e.length >= 0 && e.length != length:
		return fail(fmt.Sprintf("its length is %d bytes, want %d for the shape %v", e.length, length, t.shape))
	case m.options.External == nil:
		return fail("which is not at hand")
	}
	raw, err := m.options.External(e.location, e.offset, length)
	if err != nil {
		return fail(err.Error())
	}
	if int64(len(raw)) != length {
		return fail(fmt.Sprintf("which has %d bytes at %d, want %d", len(raw), e.offset, length))
	}
	return decode(raw, t.kind, int(n)), ""
}
