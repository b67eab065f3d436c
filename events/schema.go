package events

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"apollo/events/wire"
)

//go:generate go run ./internal/schemagen
//go:generate go test -count=1 -run TestDocs . -rewrite

//go:embed schema/*.json
var schemas embed.FS

// EnvelopeSchema is the name under which Schema has the envelope's schema.
const EnvelopeSchema = "envelope"

// Schema returns the JSON Schema (draft 2020-12) of the data of an event type,
// or of the envelope.
func Schema(eventType string) ([]byte, bool) {
	if _, ok := typeOf(eventType); !ok && eventType != EnvelopeSchema {
		return nil, false
	}
	b, err := schemas.ReadFile(SchemaURI(eventType))
	return b, err == nil
}

// Validator checks events against the JSON Schemas of the contract. It is for
// people who write clients: services rely on Decode, which is faster and less
// strict. It is safe for concurrent use.
type Validator struct {
	byType map[string]*jsonschema.Schema
}

// NewValidator compiles the schemas.
func NewValidator() (*Validator, error) {
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	v := &Validator{byType: map[string]*jsonschema.Schema{}}
	names := []string{EnvelopeSchema}
	for _, t := range catalog {
		names = append(names, t.Type)
	}
	for _, name := range names {
		text, _ := Schema(name)
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err != nil {
			return nil, fmt.Errorf("read schema %s: %w", name, err)
		}
		if err := c.AddResource("urn:apollo:event:"+name, doc); err != nil {
			return nil, fmt.Errorf("add schema %s: %w", name, err)
		}
		if v.byType[name], err = c.Compile("urn:apollo:event:" + name); err != nil {
			return nil, fmt.Errorf("compile schema %s: %w", name, err)
		}
	}
	return v, nil
}

// Event checks one encoded event: that it decodes, and that its envelope and
// its data fit their schemas. The error wraps ErrMalformed or ErrNewer; it
// names every place that does not fit.
func (v *Validator) Event(b []byte) error {
	env, _, err := Decode(b)
	if err != nil {
		return err
	}
	if err := v.check(EnvelopeSchema, "", b); err != nil {
		return err
	}
	return v.check(env.Type, "/data", env.Data)
}

// Data checks the data of an event without its envelope: what a notice is. The
// error is that of Event.
func (v *Validator) Data(eventType string, b []byte) error {
	if _, ok := typeOf(eventType); !ok {
		return fmt.Errorf("%w: there is no type %q", ErrMalformed, eventType)
	}
	return v.check(eventType, "/data", b)
}

func (v *Validator) check(name, at string, b []byte) error {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	err = v.byType[name].Validate(doc)
	if err == nil {
		return nil
	}
	invalid, ok := errors.AsType[*jsonschema.ValidationError](err)
	if !ok {
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return fmt.Errorf("%w: %s", ErrMalformed, strings.Join(places(at, invalid, nil), "; "))
}

// places lists the leaves of a validation error with their JSON pointers.
func places(at string, e *jsonschema.ValidationError, out []string) []string {
	for _, cause := range e.Causes {
		out = places(at, cause, out)
	}
	if len(e.Causes) > 0 {
		return out
	}
	var pointer strings.Builder
	pointer.WriteString(at)
	for _, token := range e.InstanceLocation {
		pointer.WriteString("/" + wire.PointerToken([]byte(token)))
	}
	if pointer.Len() == 0 {
		pointer.WriteByte('/')
	}
	// The library's text is "jsonschema validation failed with …" and one line
	// per leaf, "- at '/x': want string"; only the end of it is news here.
	text := e.Error()
	if i := strings.LastIndex(text, "': "); i >= 0 {
		text = text[i+len("': "):]
	}
	return append(out, fmt.Sprintf("at %s: %s", pointer.String(), text))
}
