package main

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"apollo/events"
)

// asyncAPI returns the AsyncAPI 3 document of the contract: one channel and
// one message per event type, and an operation per sender and receiver.
func asyncAPI() []byte {
	d := &document{types: events.Types()}
	d.head()
	d.channels()
	d.operations()
	d.components()
	return d.Bytes()
}

// document builds YAML line by line: its text is committed and read by people,
// so the order is that of the table.
type document struct {
	bytes.Buffer
	types []events.TypeInfo
}

func (d *document) line(indent int, format string, args ...any) {
	d.WriteString(strings.Repeat("  ", indent))
	fmt.Fprintf(d, format, args...)
	d.WriteByte('\n')
}

func (d *document) head() {
	d.line(0, "# Generated from the table of event types: go generate ./events")
	d.line(0, "asyncapi: 3.0.0")
	d.line(0, "info:")
	d.line(1, "title: Apollo")
	d.line(1, "version: 1.0.0")
	d.line(1, "description: >-")
	d.line(2, "Accelerator design studies as events on NATS JetStream. docs/events.md explains the rules;")
	d.line(2, "the prefix of all subjects is configurable and %s by default.", events.DefaultPrefix)
	d.line(1, "license: {name: Apache-2.0, url: https://www.apache.org/licenses/LICENSE-2.0}")
	d.line(0, "defaultContentType: application/json")
	d.line(0, "servers:")
	d.line(1, "local: {host: \"127.0.0.1:4222\", protocol: nats, description: The server of apollo up.}")
}

// key is the name of a type inside the document: studyAccepted.
func key(t events.TypeInfo) string {
	words := strings.FieldsFunc(t.Type, func(r rune) bool { return r == '.' || r == '-' })
	words = words[1 : len(words)-1]
	for i := range words[1:] {
		words[i+1] = title(words[i+1])
	}
	return strings.Join(words, "")
}

func title(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

func parameters(subject string) []string {
	var names []string
	for token := range strings.SplitSeq(subject, ".") {
		if strings.HasPrefix(token, "{") {
			names = append(names, strings.Trim(token, "{}"))
		}
	}
	return names
}

func (d *document) channels() {
	d.line(0, "channels:")
	for _, t := range d.types {
		d.line(1, "%s:", key(t))
		d.line(2, "address: %s.%s", events.DefaultPrefix, t.Subject)
		if t.Stream != "" {
			also := ""
			for _, s := range t.Subjects()[1:] {
				also = fmt.Sprintf(" Owners publish on %s.%s.", events.DefaultPrefix, s)
			}
			d.line(2, "description: %q", "Stored in stream "+t.Stream+"."+also)
			d.line(2, "x-stream: %s", t.Stream)
		} else {
			d.line(2, "description: Not stored.")
		}
		d.line(2, "messages:")
		d.line(3, "%s: {$ref: \"#/components/messages/%s\"}", key(t), key(t))
		names := parameters(t.Subject)
		if len(names) > 0 {
			d.line(2, "parameters:")
		}
		for _, p := range names {
			d.line(3, "%s: {$ref: \"#/components/parameters/%s\"}", p, p)
		}
	}
}

func (d *document) operations() {
	d.line(0, "operations:")
	operation := func(who, verb, action string, t events.TypeInfo) {
		d.line(1, "%s%s%s:", who, verb, title(key(t)))
		d.line(2, "action: %s", action)
		d.line(2, "channel: {$ref: \"#/channels/%s\"}", key(t))
		d.line(2, "messages: [{$ref: \"#/channels/%s/messages/%s\"}]", key(t), key(t))
		d.line(2, "tags: [{name: %s}]", who)
	}
	for _, t := range d.types {
		operation(t.Sender, "Sends", "send", t)
		for _, r := range t.Receivers {
			operation(r, "Receives", "receive", t)
		}
	}
}

func (d *document) components() {
	d.line(0, "components:")
	d.line(1, "parameters:")
	descriptions := map[string]string{
		"study": "Name of the study, a DNS label.", "run": "The run, 8 hex digits.", "batch": "Number of the batch in the run, from 0.",
		"evaluator": "Name of the evaluator, a DNS label.", "service": "The service that could not handle the message.",
	}
	var names []string
	for _, t := range d.types {
		for _, p := range parameters(t.Subject) {
			if !slices.Contains(names, p) {
				names = append(names, p)
			}
		}
	}
	for _, p := range names {
		d.line(2, "%s: {description: %q}", p, descriptions[p])
	}
	d.line(1, "messages:")
	for _, t := range d.types {
		d.message(t)
	}
	d.line(1, "messageTraits:")
	d.line(2, "event:")
	d.line(3, "contentType: application/json")
	d.line(3, "headers:")
	d.line(4, "type: object")
	d.line(4, "properties:")
	d.line(5, "Nats-Msg-Id: {type: string, description: \"The event's key: a stream stores it once within its duplicates window.\"}")
	d.line(5, "traceparent: {type: string, description: \"W3C trace context.\"}")
}

func (d *document) message(t events.TypeInfo) {
	d.line(2, "%s:", key(t))
	d.line(3, "name: %s", t.Type)
	d.line(3, "title: %s", title(key(t)))
	d.line(3, "summary: %q", t.Summary)
	d.line(3, "traits: [{$ref: \"#/components/messageTraits/event\"}]")
	d.line(3, "payload:")
	d.line(4, "schemaFormat: application/schema+json;version=draft-2020-12")
	d.line(4, "schema:")
	d.line(5, "allOf:")
	d.line(6, "- $ref: ../events/%s", events.SchemaURI(events.EnvelopeSchema))
	d.line(6, "- type: object")
	d.line(6, "  properties:")
	d.line(6, "    type: {const: %s}", t.Type)
	d.line(6, "    data: {$ref: ../events/%s}", events.SchemaURI(t.Type))
}
