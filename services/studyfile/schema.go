package studyfile

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"

	"apollo/events/unit"
)

// Schema returns the JSON Schema (draft 2020-12) of a study document, for
// editors. What needs a template, a unit or an expression to be understood is
// left to Parse.
func Schema() ([]byte, error) {
	table := document()
	// It is no part of a study: ParseCampaign takes it away.
	table.fields = append(table.fields, field{
		name: matrixKey, shape: mapShape, nonempty: true, most: maxAxes, elem: &field{shape: listShape, nonempty: true, most: MaxCampaign},
		doc: "Fields as --set names them, each with several values: a study for each combination.",
	})
	root := append(object{{"$schema", "https://json-schema.org/draft/2020-12/schema"}, {"title", "Apollo study"}}, table.schema()...)
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
	_, kind := f.shape.words()
	quantity := f.shape == quantityShape
	ratio := quantity && f.dimension == unit.Dimensionless
	var types any = kind
	switch {
	case ratio, f.shape == valueShape:
		types = list{"number", "string"}
	case f.word != "":
		types = list{kind, "string"}
	}
	s.set("description", text)
	s.set("type", types)
	if len(f.enum) == 1 {
		s.set("const", f.enum[0])
	} else {
		s.set("enum", f.enum)
	}
	switch {
	case quantity:
		// A number with a unit of the dimension, which a ratio can lack.
		end := map[bool]string{true: "?$", false: "$"}[ratio]
		pattern := "^" + unit.Number + " *(" + strings.Join(symbolsOf(f.dimension), "|") + ")" + end
		if f.dimension == unit.Time {
			pattern += "|^(" + unit.Duration + ")$"
		}
		s.set("pattern", pattern)
	case f.naming != nil:
		s.set("pattern", f.naming.pattern)
	case f.word != "":
		s.set("pattern", "^"+f.word+"$")
	}
	if ratio || f.shape == integerShape || f.shape == numberShape {
		low := "minimum"
		if f.above {
			low = "exclusiveMinimum"
		}
		s = append(s, member{low, f.min})
		s.set("maximum", f.max)
	}
	return append(s, f.inside()...)
}

// inside are the keywords for what a field holds.
func (f *field) inside() (s object) {
	switch f.shape {
	case objectShape:
		var fields object
		var required []string
		for i := range f.fields {
			c := &f.fields[i]
			fields = append(fields, member{c.name, c.schema()})
			if c.required {
				required = append(required, c.name)
			}
		}
		s.set("properties", fields)
		s.set("required", required)
		return append(s, member{"additionalProperties", false})
	case listShape:
		if f.elem != nil {
			s.set("items", f.elem.schema())
		}
	case mapShape:
		s.set("additionalProperties", f.elem.schema())
	}
	what := map[shape]string{listShape: "Items", mapShape: "Properties"}[f.shape]
	if f.nonempty {
		s.set("min"+cmp.Or(what, "Length"), 1)
	}
	s.set("max"+cmp.Or(what, "Length"), f.most)
	return s
}
