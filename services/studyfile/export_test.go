package studyfile

import (
	"encoding/json"
	"fmt"

	"apollo/services/studyfile/unit"
)

// Leaf is a field of a study document that holds a value.
type Leaf struct {
	// Path is its JSON pointer; lists have their first item.
	Path string
	// Values are some that its shape allows.
	Values []any
}

// Leaves lists every leaf of the table of fields, except those that have one
// value only.
func Leaves() []Leaf { return leaves(document(), "", nil) }

func leaves(f *field, path string, out []Leaf) []Leaf {
	switch f.shape {
	case objectShape:
		if f.word != "" {
			out = append(out, Leaf{path, []any{f.word}})
		}
		for i := range f.fields {
			out = leaves(&f.fields[i], path+"/"+f.fields[i].name, out)
		}
		return out
	case listShape:
		if f.elem.shape == objectShape {
			return leaves(f.elem, path+"/0", out)
		}
	case mapShape:
		if f.elem.shape == textShape {
			return append(out, Leaf{path, []any{map[string]any{"some": "thing"}}})
		}
	}
	if len(f.enum) == 1 {
		return out
	}
	return append(out, Leaf{path, f.examples()})
}

// examples are values of a field's shape; meaning may refuse some of them.
func (f *field) examples() []any {
	var out []any
	for _, word := range f.enum {
		out = append(out, word)
	}
	switch f.shape {
	case textShape, metricShape:
		if len(f.enum) == 0 {
			out = append(out, "other-1", "other_1")
		}
	case integerShape:
		out = append(out, json.Number(fmt.Sprintf("%.0f", f.min+1)), 5, 17)
	case numberShape:
		out = append(out, 0.25, 3)
	case boolShape:
		out = append(out, true, false)
	case quantityShape:
		if f.dimension == unit.Dimensionless {
			return append(out, "12.5%", 0.75)
		}
		out = append(out, "41 "+unit.Base(f.dimension))
	case valueShape:
		out = append(out, 3, 0.5, "other")
	}
	return out
}
