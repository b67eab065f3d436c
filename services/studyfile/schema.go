package studyfile

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"

	"apollo/services/studyfile/unit"
)

// Schema returns the JSON Schema (draft 2020-12) of a study document, for
// editors. What needs a template, a unit or an expression to be understood is
// left to Parse.
func Schema() ([]byte, error) {
	root := append(object{{"$schema", "https://json-schema.org/draft/2020-12/schema"}, {"title", "Apollo study"}}, document().schema()...)
	var out bytes.Buffer
	if err := json.Indent(&out, appendJSON(nil, root), "", "  "); err != nil {
		return nil, fmt.Errorf("write the schema: %w", err)
	}
	out.WriteByte('\n')
	return out.Bytes(), nil
}

// set adds a keyword that says something.
func (o *object) set(key string, value any) {
	if !reflect.ValueOf(value).IsZero() {
		*o = append(*o, member{key, value})
	}
}

func (f *field) schema() (s object) {
	text := f.plainDoc()
	if f.fallback != "" {
		text = strings.TrimSpace(text + " Default: " + f.fallback + ".")
	}
	s.set("description", text)
	_, kind := f.shape.words()
	switch {
	case f.shape == quantityShape && f.dimension == unit.Dimensionless, f.shape == valueShape:
		s.set("type", list{"number", "string"})
	case f.word != "":
		s.set("type", list{"object", "string"})
	default:
		s.set("type", kind)
	}
	switch f.shape {
	case textShape, metricShape:
		if len(f.enum) == 1 {
			s.set("const", f.enum[0])
		} else {
			s.set("enum", f.enum)
		}
		if f.naming != nil {
			s.set("pattern", f.naming.pattern)
		}
		if f.nonempty {
			s.set("minLength", 1)
		}
		s.set("maxLength", f.most)
	case integerShape, numberShape:
		s.bounds(f)
	case quantityShape:
		s.set("pattern", quantityPattern(f.dimension))
		if f.dimension == unit.Dimensionless {
			s.bounds(f)
		}
	case listShape:
		s.set("items", f.elem.schema())
		if f.nonempty {
			s.set("minItems", 1)
		}
		s.set("maxItems", f.most)
	case mapShape:
		s.set("additionalProperties", f.elem.schema())
		s.set("maxProperties", f.most)
	case objectShape:
		var fields, required = object{}, []string(nil)
		for i := range f.fields {
			c := &f.fields[i]
			fields = append(fields, member{c.name, c.schema()})
			if c.required {
				required = append(required, c.name)
			}
		}
		if f.word != "" {
			s.set("pattern", "^"+f.word+"$")
		}
		s.set("properties", fields)
		s.set("required", required)
		s = append(s, member{"additionalProperties", false})
	}
	return s
}

func (s *object) bounds(f *field) {
	low := "minimum"
	if f.above {
		low = "exclusiveMinimum"
	}
	*s = append(*s, member{low, f.min})
	s.set("maximum", f.max)
}

// quantityPattern matches a number with a unit of the dimension.
func quantityPattern(d unit.Dimension) string {
	end := "$"
	if d == unit.Dimensionless {
		end = "?$"
	}
	return `^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)? *(` + strings.Join(symbolsOf(d), "|") + ")" + end
}
