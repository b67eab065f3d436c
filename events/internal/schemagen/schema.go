package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"
	"reflect"
	"strings"

	"github.com/invopop/jsonschema"

	"apollo/events"
)

// jsonSchemas returns schema/<type>.json for every event type and the envelope.
func jsonSchemas() (map[string][]byte, error) {
	comments, err := goComments()
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	add := func(name, title string, v any) error {
		r := &jsonschema.Reflector{
			Anonymous: true, ExpandedStruct: true, AllowAdditionalProperties: true,
			Mapper: customTypes, CommentMap: comments,
		}
		s := r.Reflect(v)
		s.ID = jsonschema.ID("urn:apollo:event:" + name)
		s.Title = title
		var b bytes.Buffer
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		if err := enc.Encode(s); err != nil {
			return fmt.Errorf("encode the schema of %s: %w", name, err)
		}
		files[filepath.FromSlash(events.SchemaURI(name))] = b.Bytes()
		return nil
	}
	for _, t := range events.Types() {
		if err := add(t.Type, "Data of "+t.Type, t.Zero); err != nil {
			return nil, err
		}
	}
	return files, add(events.EnvelopeSchema, "Envelope of every event (CloudEvents 1.0)", envelope{})
}

// goComments returns the doc comments of package events with line breaks
// folded: they become descriptions.
func goComments() (map[string]string, error) {
	r := &jsonschema.Reflector{}
	if err := r.AddGoComments("apollo/events", ".", jsonschema.WithFullComment()); err != nil {
		return nil, fmt.Errorf("read the comments of package events: %w", err)
	}
	out := map[string]string{}
	for name, text := range r.CommentMap {
		out[name] = strings.Join(strings.Fields(text), " ")
	}
	return out, nil
}

// envelope mirrors events.Envelope as a schema: what must be there.
type envelope struct {
	SpecVersion     string          `json:"specversion" jsonschema:"enum=1.0,description=The version of CloudEvents."`
	Type            string          `json:"type" jsonschema:"minLength=1,description=The versioned event type; it names the schema of data."`
	ID              string          `json:"id" jsonschema:"minLength=1,description=The event's key; also its Nats-Msg-Id."`
	Source          string          `json:"source" jsonschema:"minLength=1,description=Who says it."`
	Subject         string          `json:"subject,omitempty" jsonschema:"description=The study it is about."`
	Time            string          `json:"time,omitempty" jsonschema:"format=date-time,description=When it was said (RFC 3339). No logic rests on it."`
	DataContentType string          `json:"datacontenttype,omitempty" jsonschema:"description=application/json."`
	DataSchema      string          `json:"dataschema,omitempty" jsonschema:"description=The schema of data."`
	Data            json.RawMessage `json:"data" jsonschema:"description=The payload of the type."`
}

// customTypes has the schemas of types with their own JSON form.
func customTypes(t reflect.Type) *jsonschema.Schema {
	numberOrLabel := func() *jsonschema.Schema {
		one := uint64(1)
		return &jsonschema.Schema{OneOf: []*jsonschema.Schema{{Type: "number"}, {Type: "string", MinLength: &one}}}
	}
	switch t {
	case reflect.TypeFor[events.Design]():
		return &jsonschema.Schema{
			Type: "array", Items: numberOrLabel(),
			Description: "A row of parameter values: numbers in the parameter's unit, strings for labels.",
		}
	case reflect.TypeFor[events.Numbers]():
		return &jsonschema.Schema{
			Type:        "array",
			Items:       &jsonschema.Schema{OneOf: []*jsonschema.Schema{{Type: "number"}, {Type: "null"}}},
			Description: "A row of numbers; null where there is none.",
		}
	case reflect.TypeFor[events.Micros]():
		return &jsonschema.Schema{Type: "integer", Description: "Microseconds since the Unix epoch, UTC."}
	case reflect.TypeFor[json.RawMessage]():
		return &jsonschema.Schema{Type: "object"}
	case reflect.TypeFor[uint64]():
		return &jsonschema.Schema{Type: "integer", Minimum: "0"}
	case reflect.TypeFor[map[string]any]():
		return &jsonschema.Schema{Type: "object", AdditionalProperties: numberOrLabel()}
	}
	return nil
}
