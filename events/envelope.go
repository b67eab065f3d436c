// Package events is the public contract of Apollo: the subjects, the event
// types with their schemas, the codec, the checks every consumer applies, and
// the three ports (Log, Queue, Facts) that a message bus implements.
//
// Events are structured CloudEvents 1.0 in JSON. Inside a version fields are
// only added, and unknown fields are ignored; a breaking change is a new type
// beside the old one. Numbers are in the unit that the field's name or the
// metric's unit states.
package events

import (
	"encoding/json"
	"errors"
	"time"

	"apollo/events/wire"
)

// ErrMalformed is wrapped by Decode's errors: the bytes are no event of this
// contract. Such a message belongs in the dead-letter stream.
var ErrMalformed = wire.ErrMalformed

// ErrNewer is wrapped by Decode's errors when the event's type is a version
// that this build does not know.
var ErrNewer = errors.New("event of a newer version")

// Envelope is a structured CloudEvents 1.0 event.
type Envelope struct {
	SpecVersion     string          `json:"specversion"`
	Type            string          `json:"type"`
	ID              string          `json:"id"`
	Source          string          `json:"source"`
	Subject         string          `json:"subject,omitempty"`
	Time            time.Time       `json:"time"`
	DataContentType string          `json:"datacontenttype,omitempty"`
	DataSchema      string          `json:"dataschema,omitempty"`
	Data            json.RawMessage `json:"data"`
}

// Payload is implemented by the data of every event type.
type Payload interface {
	// EventType returns the versioned type string, "apollo.study.started.v1".
	EventType() string
}

// SchemaURI returns the relative reference of the schema of an event type.
func SchemaURI(eventType string) string { return "schema/" + eventType + ".json" }
