package events

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"apollo/events/wire"
)

// reader reads the types of the contract from JSON.
type reader struct {
	wire.Reader
	// outline: the values of proposed designs are not wanted.
	outline bool
	// reasons that were read last.
	reasons []Reason
}

func newReader(b []byte) *reader { return &reader{Reader: wire.Reader{Bytes: b}} }

// Decode reads an event. The payload is the struct itself (not a pointer) of
// the envelope's type: switch on events.StudyAccepted, events.BatchEvaluated
// and so on. Unknown fields are ignored. Envelope.Data shares b's memory; the
// payload does not.
//
// The error wraps ErrNewer when the type is a later version of a known one
// than this build knows, and ErrMalformed, with the place as a JSON pointer,
// for everything else. The envelope holds what could be read of it then.
func Decode(b []byte) (Envelope, Payload, error) {
	if len(b) > MaxEventBytes {
		return Envelope{}, nil, fmt.Errorf("%w: %d bytes, at most %d are allowed", ErrMalformed, len(b), MaxEventBytes)
	}
	return newReader(b).event()
}

// DecodeOutline is Decode for who only counts proposed designs: each of a TrialsProposed
// is nil, and what it holds is not looked at as long as it is JSON.
func DecodeOutline(b []byte) (Envelope, Payload, error) {
	if len(b) > MaxEventBytes {
		return Decode(b) // it says so
	}
	r := newReader(b)
	r.outline = true
	return r.event()
}

func (r *reader) event() (Envelope, Payload, error) {
	env, payload := r.envelope()
	r.End()
	if err := r.Malformed(); err != nil {
		return env, nil, err
	}
	if err := env.check(); err != nil {
		return env, nil, err
	}
	if payload == nil {
		return env, nil, unknownType(env.Type)
	}
	return env, payload, nil
}

// DecodeAs is Decode for one expected type; another type is ErrMalformed.
func DecodeAs[T Payload](b []byte) (Envelope, T, error) {
	var none T
	env, p, err := Decode(b)
	if err != nil {
		return env, none, err
	}
	v, ok := p.(T)
	if !ok {
		return env, none, fmt.Errorf("%w: at /type: want %s, not %s", ErrMalformed, none.EventType(), env.Type)
	}
	return env, v, nil
}

// DecodeStudyRequest reads what arrives on the submit subject: an event of
// type apollo.study.requested.v1, or a bare study document in JSON. An object
// that is no envelope counts as a document, so that its mistakes are answered
// one by one and not dead-lettered. id is the envelope's, "" for a document.
//
// Errors are those of Decode.
func DecodeStudyRequest(b []byte) (req StudyRequested, id string, err error) {
	if len(b) > MaxSpecBytes {
		return req, "", fmt.Errorf("%w: %d bytes, at most %d are allowed", ErrMalformed, len(b), MaxSpecBytes)
	}
	r := newReader(b)
	envelope := false
	r.Object(func(key []byte) {
		switch string(key) {
		case "specversion", "type", "data":
			envelope = true
		}
		r.Skip()
	})
	r.End()
	if err := r.Malformed(); err != nil {
		return req, "", err
	}
	if !envelope {
		return StudyRequested{Study: json.RawMessage(b)}, "", nil
	}
	env, req, err := DecodeAs[StudyRequested](b)
	if err != nil {
		return req, env.ID, err
	}
	if probe := newReader(req.Study); probe.Peek() != '{' {
		return req, env.ID, fmt.Errorf("%w: at /data/study: want the study document, an object", ErrMalformed)
	}
	return req, env.ID, nil
}

// envelope reads an event in one pass: the data is decoded where it stands
// when the type came before it, as Encode writes it. The payload is nil when
// the type is not known.
func (r *reader) envelope() (env Envelope, payload Payload) {
	dataAt, decodedAs := 0, ""
	r.Object(func(key []byte) {
		switch string(key) {
		case "specversion":
			env.SpecVersion = r.Str()
		case "type":
			env.Type = r.Str()
		case "id":
			env.ID = r.Str()
		case "source":
			env.Source = r.Str()
		case "subject":
			env.Subject = r.Str()
		case "time":
			env.Time = r.time()
		case "datacontenttype":
			env.DataContentType = r.Str()
		case "dataschema":
			env.DataSchema = r.Str()
		case "data":
			r.Peek()
			dataAt, decodedAs = r.Pos, env.Type
			payload = r.payload(env.Type)
			if r.Err == nil {
				env.Data = r.Bytes[dataAt:r.Pos]
			}
		default:
			r.Skip()
		}
	})
	if r.Err == nil && len(env.Data) > 0 && decodedAs != env.Type {
		again := &reader{Reader: wire.Reader{Bytes: r.Bytes[:dataAt+len(env.Data)], Pos: dataAt, Depth: 1}, outline: r.outline}
		payload = again.payload(env.Type)
		if again.Err != nil {
			r.Err, r.At = again.Err, again.At
		}
	}
	return env, payload
}

// payload reads the data of an event, or skips it when the type is not known.
func (r *reader) payload(eventType string) Payload {
	info, ok := typeOf(eventType)
	if !ok {
		r.Skip()
		return nil
	}
	return info.decode(r)
}

func (r *reader) time() time.Time {
	start := r.Pos
	s := r.Str()
	if s == "" {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		r.Pos = start
		r.Fail("want a time such as 2021-02-02T15:04:05Z, not %.40q", s)
	}
	return t
}

// check says which attribute an envelope lacks.
func (e *Envelope) check() error {
	missing := func(pointer, want string) error {
		return fmt.Errorf("%w: at %s: %s", ErrMalformed, pointer, want)
	}
	switch {
	case e.SpecVersion != "1.0":
		return missing("/specversion", fmt.Sprintf("want \"1.0\", not %.20q", e.SpecVersion))
	case e.Type == "":
		return missing("/type", "an event needs a type")
	case e.ID == "":
		return missing("/id", "an event needs an id")
	case e.Source == "":
		return missing("/source", "an event needs a source")
	case e.DataContentType != "" && !isJSONType(e.DataContentType):
		return missing("/datacontenttype", fmt.Sprintf("want application/json, not %.60q", e.DataContentType))
	case len(e.Data) == 0 || e.Data[0] != '{':
		return missing("/data", "an event needs data, an object")
	}
	return nil
}

func isJSONType(s string) bool {
	media, _, _ := strings.Cut(strings.ToLower(s), ";")
	return strings.TrimSpace(media) == "application/json"
}

// unknownType tells a later version of a known type from a foreign one.
func unknownType(eventType string) error {
	base, version, ok := splitVersion(eventType)
	if ok {
		for _, t := range catalog {
			if known, v, _ := splitVersion(t.Type); known == base && version > v {
				return fmt.Errorf("%w: %.100s; this build knows %s, a newer apollo wrote the event", ErrNewer, eventType, t.Type)
			}
		}
	}
	return fmt.Errorf("%w: at /type: there is no event type %.100q", ErrMalformed, eventType)
}

func splitVersion(eventType string) (base string, version int, ok bool) {
	i := strings.LastIndex(eventType, ".v")
	if i < 0 {
		return "", 0, false
	}
	version, err := strconv.Atoi(eventType[i+2:])
	return eventType[:i], version, err == nil
}
