package studyfile

import (
	"encoding/json"
	"fmt"
	"strings"

	"apollo/events/unit"
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
func Leaves() (out []Leaf) {
	document().each("", func(path string, f *field) {
		pointer := "/" + strings.NewReplacer(".", "/", "[]", "/0").Replace(path)
		switch {
		case f.shape == objectShape, len(f.enum) == 1 && (f.required || f.fallback == f.enum[0]):
		case f.shape == listShape && f.elem.shape == objectShape:
			if f.elem.word != "" {
				out = append(out, Leaf{pointer + "/0", []any{f.elem.word}})
			}
		case f.shape == mapShape && f.elem.shape == textShape:
			out = append(out, Leaf{pointer, []any{map[string]any{"some": "thing"}}})
		default:
			out = append(out, Leaf{pointer, f.examples()})
		}
	})
	return out
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
