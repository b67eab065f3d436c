package events_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"apollo/events"
	"apollo/events/wire"
)

// changes are what a value of an event is replaced with, one of them for each in turn:
// all of them for each find nothing more and take a second and a half.
var changes = []string{"null", "-1", "0.5", "2.0", `""`, `"x"`, "[null]", "{}"}

// Whatever is wrong in an event is found as by a library that knows all of JSON Schema,
// at the same places.
func TestSchemasAreCheckedAsByALibrary(t *testing.T) {
	t.Parallel()
	v, err := events.NewValidator()
	if err != nil {
		t.Fatal(err)
	}
	for _, info := range events.Types() {
		t.Run(info.Type, func(t *testing.T) {
			t.Parallel()
			golden, err := os.ReadFile(filepath.Join("testdata", "golden", "v1", info.Type+".json"))
			if err != nil {
				t.Fatal(err)
			}
			var event struct{ Data any }
			if err := json.Unmarshal(golden, &event); err != nil {
				t.Fatal(err)
			}
			text, _ := events.Schema(info.Type)
			library := compiled(t, text)
			refused := 0
			variants(event.Data, func(data []byte) {
				ours := ""
				if err := v.Data(info.Type, data); err != nil {
					ours = err.Error()
				}
				doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
				if err != nil {
					t.Fatal(err)
				}
				var theirs []string
				if err := library.Validate(doc); err != nil {
					theirs = leaves(err.(*jsonschema.ValidationError), nil) //nolint:errorlint // what it always is
					refused++
				}
				var places []string
				for fault := range strings.SplitSeq(strings.TrimPrefix(ours, "malformed event: "), "; ") {
					if place, _, ok := strings.Cut(strings.TrimPrefix(fault, "at "), ": "); ok {
						places = append(places, place)
					}
				}
				slices.Sort(theirs)
				slices.Sort(places)
				if !slices.Equal(slices.Compact(places), slices.Compact(theirs)) {
					t.Errorf("%s\nours: %q\ntheirs: %q", data, ours, theirs)
				}
			})
			if refused == 0 {
				t.Error("no change was refused")
			}
		})
	}
}

func compiled(t *testing.T, text []byte) *jsonschema.Schema {
	t.Helper()
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err == nil {
		err = c.AddResource("urn:test", doc)
	}
	if err != nil {
		t.Fatal(err)
	}
	return c.MustCompile("urn:test")
}

// leaves are the places of a validation error.
func leaves(e *jsonschema.ValidationError, list []string) []string {
	for _, cause := range e.Causes {
		list = leaves(cause, list)
	}
	if len(e.Causes) > 0 {
		return list
	}
	at := []string{"/data"}
	for _, token := range e.InstanceLocation {
		at = append(at, wire.PointerToken([]byte(token)))
	}
	return append(list, strings.Join(at, "/"))
}

// variants calls do with the data, with a change of each value in it, and without each
// of its properties, one at a time.
func variants(data any, do func([]byte)) {
	say := func() {
		b, err := json.Marshal(data)
		if err != nil {
			panic(err)
		}
		do(b)
	}
	say()
	turn := 0
	var walk func(v any, set func(any))
	walk = func(v any, set func(any)) {
		set(json.RawMessage(changes[turn%len(changes)]))
		turn++
		say()
		set(v)
		switch v := v.(type) {
		case map[string]any:
			for _, name := range slices.Sorted(maps.Keys(v)) {
				was := v[name]
				delete(v, name)
				say()
				v[name] = was
				walk(was, func(x any) { v[name] = x })
			}
		case []any:
			for i := range v {
				walk(v[i], func(x any) { v[i] = x })
			}
		}
	}
	walk(data, func(x any) { data = x })
}
