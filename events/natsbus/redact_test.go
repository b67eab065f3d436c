package natsbus

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"apollo/events"
)

// TestRedactError takes the secrets of a connection out of errors that quote
// them without their URL, and leaves the errors what they are.
func TestRedactError(t *testing.T) {
	t.Parallel()
	conf := Config{URL: "ada:s%40cret@host,nats://tokentoken@other", Token: "kept", Password: "word"}
	cause := fmt.Errorf("%w: user ada:s%%40cret or s@cret or tokentoken, kept, word", events.ErrUnreachable)
	err := conf.redactError(cause)
	if text := err.Error(); strings.ContainsAny(text, "@%") || strings.Contains(text, "token") || strings.Contains(text, "kept") || strings.Contains(text, "word") {
		t.Errorf("the error says %q", text)
	}
	if !errors.Is(err, events.ErrUnreachable) {
		t.Errorf("%v is not ErrUnreachable any more", err)
	}
	if plain := errors.New("plain"); conf.redactError(plain) != plain { //nolint:errorlint // the same one
		t.Error("an error without secrets was replaced")
	}
}

func TestConnectHidesSecrets(t *testing.T) {
	t.Parallel()
	for _, url := range []string{
		"nats://ada:hunter2@127.0.0.1:1", "nats://hunter2@127.0.0.1:1", "ada:hunter2@127.0.0.1:1",
		"nats://ada:hunter2%zz@127.0.0.1:1", "nats://ada:hunter2/x@127.0.0.1:1", "nats://127.0.0.1:1?token=hunter2",
	} {
		_, err := Connect(context.Background(), Config{URL: url})
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("Connect(%q) = %v", url, err)
		}
	}
}
