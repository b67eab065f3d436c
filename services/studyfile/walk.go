package studyfile

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"apollo/events"
	"apollo/events/unit"
)

// home is where the value is, nil when it is read by meaning.
func (f *field) home(in any) any {
	if f.in == nil {
		return nil
	}
	return f.in(in)
}

// standard is the default as a document would write it, nil when it is words.
func (f *field) standard() *node {
	n := &node{kind: stringKind, text: f.fallback}
	switch f.shape {
	case textShape:
		if slices.Contains(f.enum, f.fallback) {
			return n
		}
	case integerShape, numberShape, quantityShape:
		if n.kind = numberKind; f.fallback != "" {
			return n
		}
	}
	return nil
}

// unit is the one in which a field's quantities are kept.
func (f *field) unit() unit.Unit { return unitOf(unit.Base(f.dimension)) }

// put stores one value and returns whether it could: the way from JSON to a Go
// value is encoding/json's, but for quantities.
func (b *builder) put(f *field, n *node, to any) bool {
	quiet := &report{} // check has reported what is of another type
	switch {
	case n == nil || n.kind == nullKind || n.kind == mapKind && len(n.entries) == 0 || f.shape == freeShape && n.kind != mapKind:
		return false
	case f.shape == quantityShape:
		v, ok := f.quantity(quiet, n, "")
		if ok {
			*to.(*float64) = v
		}
		return ok
	case f.shape == freeShape:
		quiet = b.report
	}
	text := quiet.plain(nil, n)
	if v, ok := plainNumber(n); ok && f.shape == integerShape && strings.ContainsAny(n.text, "eE") {
		text = strconv.AppendFloat(nil, v, 'f', -1, 64) // 1e3, which check has reported
	}
	return json.Unmarshal(text, to) == nil
}

// plain appends the JSON of a node. Numbers that JSON cannot write as they stand
// are reported.
func (r *report) plain(dst []byte, n *node) []byte {
	switch n.kind {
	case stringKind:
		return appendJSON(dst, n.text)
	case listKind:
		dst = append(dst, '[')
		for i, item := range n.items {
			dst = r.plain(comma(dst, i), item)
		}
		return append(dst, ']')
	case mapKind:
		dst = append(dst, '{')
		for i, e := range n.entries {
			dst = r.plain(append(appendJSON(comma(dst, i), e.key), ':'), e.value)
		}
		return append(dst, '}')
	case nullKind:
		return append(dst, "null"...)
	}
	if json.Valid([]byte(n.text)) {
		return append(dst, n.text...)
	}
	v, ok := plainNumber(n)
	r.when(!ok, n, codeWrongType, "Write it as a decimal number.", "%q is no number that a study takes", clip(n.text))
	return strconv.AppendFloat(dst, v, 'g', -1, 64)
}

// written is a field of the study as it is published: every default is written
// out, and every quantity stands in its base unit with all its digits, so that
// Parse gives the same spec again, bit for bit. What is empty and no number is
// left out: nil. m is the metric that the object around names.
func (b *builder) written(f *field, in any, m *events.Metric) any {
	home := f.home(in)
	switch v := home.(type) {
	case nil:
		if f.shape == objectShape {
			return b.writtenObject(f, in)
		}
		if f.required {
			return f.enum[0]
		}
		return nil
	case group:
		var out list
		for _, item := range v.all() {
			if f.shape == objectShape {
				return b.writtenObject(f, item)
			}
			out = append(out, b.written(f.elem, item, nil))
		}
		return given(out)
	case *bool:
		switch {
		case f.shape == objectShape && *v:
			return f.word
		case f.shape == objectShape:
			return b.writtenObject(f, in)
		}
	case *string:
		if f.shape == metricShape {
			*m = b.spec.Metrics[b.spec.MetricIndex(*v)]
			return short(*m)
		}
		if *v == "" && f.standard() != nil {
			return f.fallback
		}
	case *int64:
		if *v == 0 && f.min > 0 {
			return nil // not given
		}
	case *float64:
		if *v == 0 && (f.local.message != "" || f.above) {
			return nil // not given
		}
		return written(v, f.unit().Symbol)
	case **float64:
		return written(*v, m.Unit)
	case *events.Parameter:
		return levels(*v)
	}
	return given(home)
}

// given is a value, nil for one that is empty.
func given(v any) any {
	text := appendJSON(nil, v)
	switch string(text) {
	case `""`, "null", "{}", "[]":
		return nil
	}
	return raw(text)
}

func (b *builder) writtenObject(f *field, in any) any {
	var out object
	var m events.Metric
	for i := range f.fields {
		if v := b.written(&f.fields[i], in, &m); v != nil {
			out = append(out, member{f.fields[i].name, v})
		}
	}
	return given(out)
}

// written is a quantity with its unit, or a plain number.
func written(v *float64, symbol string) any {
	switch {
	case v == nil:
		return nil
	case unitOf(symbol).Symbol == "":
		return *v
	}
	return unit.Exact(*v, symbol)
}

// levels are the levels of a parameter as a study lists them.
func levels(p events.Parameter) any {
	symbol := unitOf(p.Unit).Symbol
	switch {
	case p.Labels != nil:
		return p.Labels
	case symbol == "":
		return p.Values
	}
	var texts []string
	for _, v := range p.Values {
		texts = append(texts, unit.Exact(v, symbol))
	}
	return texts
}

// restricted are the levels of the parameters that the study narrows, nil for
// none.
func (b *builder) restricted() any {
	var out object
	for i, p := range b.spec.Parameters {
		if all := b.declared[i]; len(p.Values)+len(p.Labels) < len(all.Values)+len(all.Labels) {
			out = append(out, member{p.Name, levels(p)})
		}
	}
	slices.SortFunc(out, func(a, b member) int { return strings.Compare(a.key, b.key) })
	return out
}

// object is a JSON object whose keys stay in order, list a JSON list, raw the
// text of either.
type (
	object []member
	list   []any
	raw    []byte
	member struct {
		key   string
		value any
	}
)

// appendJSON appends the JSON of objects, lists and what always marshals.
func appendJSON(dst []byte, v any) []byte {
	switch v := v.(type) {
	case raw:
		return append(dst, v...)
	case object:
		dst = append(dst, '{')
		for i, m := range v {
			dst = appendJSON(append(appendJSON(comma(dst, i), m.key), ':'), m.value)
		}
		return append(dst, '}')
	case list:
		dst = append(dst, '[')
		for i, item := range v {
			dst = appendJSON(comma(dst, i), item)
		}
		return append(dst, ']')
	}
	// Numbers, text and checked JSON have a JSON.
	b, _ := json.Marshal(v)
	return append(dst, b...)
}

// comma stands before all items but the first.
func comma(dst []byte, i int) []byte {
	if i > 0 {
		dst = append(dst, ',')
	}
	return dst
}
