package studyfile

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"apollo/services/studyfile/unit"
)

// schemaNode is a JSON Schema (draft 2020-12) in the keywords that a study
// needs.
type schemaNode struct {
	Schema      string       `json:"$schema,omitempty"`
	Title       string       `json:"title,omitempty"`
	Description string       `json:"description,omitempty"`
	Type        any          `json:"type,omitempty"`
	Const       string       `json:"const,omitempty"`
	Enum        []string     `json:"enum,omitempty"`
	Pattern     string       `json:"pattern,omitempty"`
	MinLength   int          `json:"minLength,omitempty"`
	MaxLength   int          `json:"maxLength,omitempty"`
	Minimum     *float64     `json:"minimum,omitempty"`
	Exclusive   *float64     `json:"exclusiveMinimum,omitempty"`
	Maximum     *float64     `json:"maximum,omitempty"`
	Properties  schemaFields `json:"properties,omitempty"`
	Required    []string     `json:"required,omitempty"`
	Additional  any          `json:"additionalProperties,omitempty"`
	MaxFields   int          `json:"maxProperties,omitempty"`
	Items       *schemaNode  `json:"items,omitempty"`
	MinItems    int          `json:"minItems,omitempty"`
	MaxItems    int          `json:"maxItems,omitempty"`
}

// schemaFields keeps the order of the table, in which editors offer the keys.
type schemaFields []namedSchema

type namedSchema struct {
	name   string
	schema *schemaNode
}

// MarshalJSON implements json.Marshaler.
func (f schemaFields) MarshalJSON() ([]byte, error) {
	out := []byte{'{'}
	for i, n := range f {
		if i > 0 {
			out = append(out, ',')
		}
		b, err := json.Marshal(n.schema)
		if err != nil {
			return nil, fmt.Errorf("field %s: %w", n.name, err)
		}
		out = append(append(quote(out, n.name), ':'), b...)
	}
	return append(out, '}'), nil
}

// Schema returns the JSON Schema of a study document, for editors. What needs
// a template, a unit or an expression to be understood is left to Parse.
func Schema() ([]byte, error) {
	root := schemaOf(document())
	root.Schema = "https://json-schema.org/draft/2020-12/schema"
	root.Title = "Apollo study"
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(root); err != nil {
		return nil, fmt.Errorf("write the schema: %w", err)
	}
	return out.Bytes(), nil
}

func schemaOf(f *field) *schemaNode {
	s := &schemaNode{Description: f.doc}
	if f.fallback != "" {
		s.Description = strings.TrimSpace(s.Description + " Default: " + f.fallback + ".")
	}
	switch f.shape {
	case textShape:
		s.Type, s.Pattern, s.MaxLength = "string", f.pattern, f.most
		if f.nonempty {
			s.MinLength = 1
		}
		if len(f.enum) == 1 {
			s.Const = f.enum[0]
		} else {
			s.Enum = f.enum
		}
	case integerShape:
		s.Type = "integer"
		s.bounds(f)
	case numberShape:
		s.Type = "number"
		s.bounds(f)
	case boolShape:
		s.Type = "boolean"
	case quantityShape:
		s.Type, s.Pattern = "string", quantityPattern(f.dimension)
		if f.dimension == unit.Dimensionless {
			s.Type = []string{"number", "string"}
			s.bounds(f)
		}
	case valueShape:
		s.Type = []string{"number", "string"}
	case listShape:
		s.Type, s.Items, s.MaxItems = "array", schemaOf(f.elem), f.most
		if f.nonempty {
			s.MinItems = 1
		}
	case mapShape:
		s.Type, s.Additional, s.MaxFields = "object", schemaOf(f.elem), f.most
	case objectShape:
		s.object(f)
	case freeShape:
		s.Type = "object"
	}
	return s
}

func (s *schemaNode) object(f *field) {
	s.Type, s.Additional = "object", false
	for i := range f.fields {
		c := &f.fields[i]
		s.Properties = append(s.Properties, namedSchema{c.name, schemaOf(c)})
		if c.required {
			s.Required = append(s.Required, c.name)
		}
	}
	if f.word != "" {
		s.Type, s.Pattern = []string{"object", "string"}, "^"+f.word+"$"
	}
}

func (s *schemaNode) bounds(f *field) {
	if f.above {
		s.Exclusive = &f.min
	} else {
		s.Minimum = &f.min
	}
	if f.max > 0 {
		s.Maximum = &f.max
	}
}

// quantityPattern matches a number with a unit of the dimension.
func quantityPattern(d unit.Dimension) string {
	var symbols []string
	for _, u := range unit.All() {
		if u.Dimension == d {
			symbols = append(symbols, regexp.QuoteMeta(u.Symbol))
		}
	}
	end := ""
	if d == unit.Dimensionless {
		end = "?"
	}
	return `^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)? *(` + strings.Join(symbols, "|") + ")" + end + "$"
}
