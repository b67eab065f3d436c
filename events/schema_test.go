package events_test

import (
	"errors"
	"strings"
	"testing"

	"apollo/events"
)

func TestValidateEventNamesThePlace(t *testing.T) {
	t.Parallel()
	v, err := events.NewValidator()
	if err != nil {
		t.Fatal(err)
	}
	event := func(typ, data string) string {
		return `{"specversion":"1.0","type":"` + typ + `","id":"1","source":"s","data":` + data + `}`
	}
	const head = `{"study":"demo","run":"0badcafe","batch":0,"evaluator":"mine","metrics":["m"],"trials":`
	tests := []struct{ name, in, want string }{
		{"good", event("apollo.batch.evaluated.v1", head+`[{"trial":0,"outcome":"measured","values":[1],"x":1}]}`), ""},
		{"a row of nulls", event("apollo.batch.evaluated.v1", head+`[{"trial":0,"outcome":"failed","values":[null]}]}`), ""},
		{"no outcome", event("apollo.batch.evaluated.v1", head+`[{"trial":0}]}`), "at /data/trials/0: missing property 'outcome'"},
		{"unknown outcome", event("apollo.batch.evaluated.v1", head+`[{"trial":0,"outcome":"ok"}]}`), "at /data/trials/0/outcome: value must be one of"},
		{"negative trial", event("apollo.batch.evaluated.v1", head+`[{"trial":-1,"outcome":"failed"}]}`), "at /data/trials/0/trial: minimum"},
		{"missing and unknown", event("apollo.batch.evaluated.v1", `{"trials":[]}`), "missing properties 'study', 'run'"},
		{"bad verb", event("apollo.study.control.v1", `{"study":"a","id":"1","verb":"explode"}`), "at /data/verb"},
		{"bad time", `{"specversion":"1.0","type":"apollo.study.resumed.v1","id":"1","source":"s","time":"","data":{"study":"a","run":"b"}}`, "at /time"},
		{"a study that is text", event("apollo.study.requested.v1", `{"study":"x"}`), "at /data/study"},
		{"malformed", `{`, "at /"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			err := v.Event([]byte(test.in))
			if test.want == "" {
				if err != nil {
					t.Errorf("Event() = %v, want nil", err)
				}
				return
			}
			if !errors.Is(err, events.ErrMalformed) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("Event() = %v, want ErrMalformed and %q", err, test.want)
			}
		})
	}
	if err := v.Event([]byte(event("apollo.study.resumed.v2", `{}`))); !errors.Is(err, events.ErrNewer) {
		t.Errorf("Event(v2) = %v, want ErrNewer", err)
	}
}

func TestSchemaIsEmbedded(t *testing.T) {
	t.Parallel()
	for _, info := range events.Types() {
		if b, ok := events.Schema(info.Type); !ok || !strings.Contains(string(b), `"urn:apollo:event:`+info.Type+`"`) {
			t.Errorf("Schema(%s) = %.80s, %t", info.Type, b, ok)
		}
	}
	if _, ok := events.Schema("../../etc/passwd"); ok {
		t.Error("Schema() gave a file that is no schema")
	}
}

// The subjects of the table belong to the streams of the topology, and every
// stored subject of the topology has a type.
func TestTypesFitTheTopology(t *testing.T) {
	t.Parallel()
	used := map[string]bool{}
	for _, info := range events.Types() {
		for _, pattern := range info.Subjects() {
			subject := strings.NewReplacer("{", "", "}", "").Replace(pattern)
			var streams []string
			for _, s := range events.Topology() {
				for _, filter := range s.Subjects {
					if events.MatchSubject(filter, subject) {
						streams = append(streams, s.Name)
						used[filter] = true
					}
				}
			}
			if got := strings.Join(streams, ","); got != info.Stream {
				t.Errorf("%s on %s is stored in %q, the table says %q", info.Type, subject, got, info.Stream)
			}
		}
	}
	for _, s := range events.Topology() {
		for _, filter := range s.Subjects {
			if !used[filter] {
				t.Errorf("no event type is published on %s of %s", filter, s.Name)
			}
		}
		if s.MaxBytes <= 0 || s.MaxMsgSize <= 0 || s.Duplicates <= 0 || int64(s.MaxMsgSize) > s.MaxBytes {
			t.Errorf("%s has no sensible limits: %+v", s.Name, s)
		}
		if s.MaxMsgSize > events.MaxEventBytes {
			t.Errorf("%s takes messages of %d bytes, Decode at most %d", s.Name, s.MaxMsgSize, events.MaxEventBytes)
		}
	}
}
