package events

import (
	"embed"
	"fmt"
	"strings"
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
	byType map[string]*schema
}

// NewValidator reads the schemas.
func NewValidator() (*Validator, error) {
	v := &Validator{byType: map[string]*schema{}}
	names := []string{EnvelopeSchema}
	for _, t := range catalog {
		names = append(names, t.Type)
	}
	for _, name := range names {
		text, _ := Schema(name)
		s, err := parseSchema(text)
		if err != nil {
			return nil, fmt.Errorf("schema %s: %w", name, err)
		}
		v.byType[name] = s
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
	faults, err := v.byType[name].check(at, b)
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	case len(faults) > 0:
		return fmt.Errorf("%w: %s", ErrMalformed, strings.Join(faults, "; "))
	}
	return nil
}
