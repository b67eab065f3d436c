package events_test

import (
	"testing"

	"apollo/events"
)

func TestRedact(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"nats://127.0.0.1:4222":                                   "nats://127.0.0.1:4222",
		"nats://ada:secret@host:4222":                             "nats://…@host:4222",
		"nats://token@host":                                       "nats://…@host",
		"tls://ada:se@cr/et@host":                                 "tls://…@host",
		"nats://a:secret@one,nats://b:secret@two":                 "nats://…@one,nats://…@two",
		"wss://host/path?token=secret&x=y and more":               "wss://host/path?… and more",
		`parse "nats://ada:secret%zz@host": invalid URL escape`:   `parse "nats://…@host": invalid URL escape`,
		"connect to nats://ada:secret@host: mail ada@example.com": "connect to nats://…@host: mail ada@example.com",
	} {
		if got := events.Redact(text); got != want {
			t.Errorf("Redact(%q) = %q, want %q", text, got, want)
		}
	}
}
