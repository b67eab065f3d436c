package events

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"apollo/events/wire"
)

// schema is a JSON Schema (draft 2020-12) of the keywords that ours have.
//
// A library for all of them compiles the schemas of five drafts whenever a program
// starts that imports it: docs/decisions/0080-libraries-that-everyone-pays-for.md.
type schema struct {
	Type       string             `json:"type"`
	Properties map[string]*schema `json:"properties"`
	Required   []string           `json:"required"`
	Others     *schema            `json:"additionalProperties"`
	Items      *schema            `json:"items"`
	OneOf      []*schema          `json:"oneOf"`
	Enum       []string           `json:"enum"`
	Minimum    *float64           `json:"minimum"`
	MinLength  int                `json:"minLength"`
	Format     string             `json:"format"`
	Ref        string             `json:"$ref"`
	Defs       map[string]*schema `json:"$defs"`

	// What says something to readers only.
	Dialect         string `json:"$schema"`
	ID              string `json:"$id"`
	Title           string `json:"title"`
	Description     string `json:"description"`
	ContentEncoding string `json:"contentEncoding"`

	target *schema // of Ref
}

// parseSchema refuses keywords that check does not know.
func parseSchema(text []byte) (*schema, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	s := &schema{}
	if err := d.Decode(s); err != nil {
		return nil, err
	}
	return s, s.link(s.Defs)
}

// link finds what s and all below it refer to.
func (s *schema) link(defs map[string]*schema) error {
	if s.Ref != "" {
		if s.target = defs[strings.TrimPrefix(s.Ref, "#/$defs/")]; s.target == nil {
			return fmt.Errorf("there is no %s", s.Ref)
		}
	}
	if s.Format != "" && s.Format != "date-time" {
		return fmt.Errorf("unknown format %s", s.Format)
	}
	below := slices.Concat(s.OneOf, slices.Collect(maps.Values(s.Properties)), slices.Collect(maps.Values(s.Defs)))
	for _, b := range append(below, s.Items, s.Others) {
		if b != nil {
			if err := b.link(defs); err != nil {
				return err
			}
		}
	}
	return nil
}

// check lists the places of b that do not fit, as JSON pointers below at; the error is
// for what is no JSON.
func (s *schema) check(at string, b []byte) (faults []string, err error) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one value")
	}
	return s.value(at, v, nil), nil
}

// value adds the faults of v to those of others.
func (s *schema) value(at string, v any, faults []string) []string {
	fault := func(format string, args ...any) {
		faults = append(faults, fmt.Sprintf("at %s: ", cmp.Or(at, "/"))+fmt.Sprintf(format, args...))
	}
	if s.target != nil {
		faults = s.target.value(at, v, faults)
	}
	if kind := kindOf(v); s.Type != "" && kind != s.Type && (kind != "integer" || s.Type != "number") {
		fault("got %s, want %s", kind, s.Type)
		return faults
	}
	if s.OneOf != nil {
		faults = s.oneOf(at, v, faults)
	}
	switch v := v.(type) {
	case map[string]any:
		if missing := slices.DeleteFunc(slices.Clone(s.Required), func(name string) bool { _, has := v[name]; return has }); len(missing) > 0 {
			fault("missing %s '%s'", map[bool]string{true: "property", false: "properties"}[len(missing) == 1], strings.Join(missing, "', '"))
		}
		for _, name := range slices.Sorted(maps.Keys(v)) {
			if of := cmp.Or(s.Properties[name], s.Others); of != nil {
				faults = of.value(at+"/"+wire.PointerToken([]byte(name)), v[name], faults)
			}
		}
	case []any:
		for i := range v {
			if s.Items != nil {
				faults = s.Items.value(fmt.Sprintf("%s/%d", at, i), v[i], faults)
			}
		}
	case string:
		if utf8.RuneCountInString(v) < s.MinLength {
			fault("minLength: got %d, want %d", utf8.RuneCountInString(v), s.MinLength)
		}
		if _, err := time.Parse(time.RFC3339, v); s.Format != "" && err != nil {
			fault("%q is no %s", Cut(v, 64), s.Format)
		}
	case json.Number:
		if f, _ := v.Float64(); s.Minimum != nil && f < *s.Minimum {
			fault("minimum: got %s, want %g", v, *s.Minimum)
		}
	}
	if text, ok := v.(string); s.Enum != nil && (!ok || !slices.Contains(s.Enum, text)) {
		fault("value must be one of '%s'", strings.Join(s.Enum, "', '"))
	}
	return faults
}

// oneOf wants v to fit exactly one of the schemas.
func (s *schema) oneOf(at string, v any, faults []string) []string {
	fits := 0
	var all []string
	for _, one := range s.OneOf {
		found := one.value(at, v, nil)
		if len(found) == 0 {
			fits++
		}
		all = append(all, found...)
	}
	switch fits {
	case 0:
		return append(faults, all...)
	case 1:
		return faults
	}
	return append(faults, fmt.Sprintf("at %s: it fits %d schemas, want one", cmp.Or(at, "/"), fits))
}

// kindOf is the type of JSON Schema; a whole number is an integer.
func kindOf(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case bool:
		return "boolean"
	case string:
		return "string"
	case []any:
		return "array"
	case json.Number:
		if f, err := v.Float64(); err == nil && f == math.Trunc(f) {
			return "integer"
		}
		return "number"
	}
	return "object"
}
