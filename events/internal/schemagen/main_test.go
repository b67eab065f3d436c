package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"apollo/events"
)

// The committed documents are those of the types. Run "go generate ./events"
// when they are not, and read the difference: inside a version, fields are
// only added.
func TestDocumentsDoNotLag(t *testing.T) {
	t.Chdir(filepath.Join("..", "..")) // So it cannot be parallel.
	files, err := generate()
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range files {
		got, err := os.ReadFile(name)
		if err != nil {
			t.Errorf("%v: run go generate ./events", err)
			continue
		}
		if string(got) != string(want) {
			t.Errorf("%s lags behind the types: run go generate ./events", name)
		}
	}
	committed, err := filepath.Glob(filepath.Join("schema", "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range committed {
		if _, ok := files[filepath.Join("schema", filepath.Base(path))]; !ok {
			t.Errorf("%s belongs to no event type", path)
		}
	}
}

// Every field has a description: people read the schemas without the source.
func TestSchemasAreDescribed(t *testing.T) {
	t.Chdir(filepath.Join("..", ".."))
	files, err := jsonSchemas()
	if err != nil {
		t.Fatal(err)
	}
	text := string(files[filepath.FromSlash(events.SchemaURI("apollo.batch.evaluated.v1"))])
	for _, want := range []string{
		`"description": "Trials has one entry per trial of the work item, in its order."`,
		`"enum": [`, `"required": [`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the schema of apollo.batch.evaluated.v1 lacks %s:\n%s", want, text)
		}
	}
}

func TestAsyncAPIHangsTogether(t *testing.T) {
	t.Parallel()
	var doc struct {
		AsyncAPI string
		Channels map[string]struct {
			Address    string
			Messages   map[string]map[string]string
			Parameters map[string]map[string]string
		}
		Operations map[string]struct {
			Action  string
			Channel map[string]string
		}
		Components struct {
			Parameters map[string]any
			Messages   map[string]struct{ Name string }
		}
	}
	if err := yaml.Unmarshal(asyncAPI(), &doc); err != nil {
		t.Fatal(err)
	}
	if doc.AsyncAPI != "3.0.0" || len(doc.Channels) != len(events.Types()) || len(doc.Components.Messages) != len(events.Types()) {
		t.Errorf("version %s, %d channels, %d messages for %d types", doc.AsyncAPI, len(doc.Channels), len(doc.Components.Messages), len(events.Types()))
	}
	for name, c := range doc.Channels {
		for p := range c.Parameters {
			if doc.Components.Parameters[p] == nil || !strings.Contains(c.Address, "{"+p+"}") {
				t.Errorf("channel %s: parameter %s is not declared or not in the address %s", name, p, c.Address)
			}
		}
		if strings.Count(c.Address, "{") != len(c.Parameters) {
			t.Errorf("channel %s: %d parameters for the address %s", name, len(c.Parameters), c.Address)
		}
		if doc.Components.Messages[name].Name == "" {
			t.Errorf("channel %s has no message", name)
		}
	}
	for name, o := range doc.Operations {
		channel := strings.TrimPrefix(o.Channel["$ref"], "#/channels/")
		if _, ok := doc.Channels[channel]; !ok || (o.Action != "send" && o.Action != "receive") {
			t.Errorf("operation %s: channel %q, action %q", name, channel, o.Action)
		}
	}
}
