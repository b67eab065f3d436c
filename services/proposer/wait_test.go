package proposer

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"

	"apollo/events"
)

// What a run waits for is logged when it begins and when it ends, and not at every try.
func TestAWaitIsLoggedOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var said strings.Builder
		o := &owner{log: slog.New(slog.NewTextHandler(&said, nil))}
		answers := []error{events.ErrUnreachable, events.ErrUnreachable, events.ErrFull, events.ErrFull, events.ErrFull, events.ErrUnreachable, nil}
		err := o.retry(t.Context(), "test", func(context.Context) error {
			next := answers[0]
			answers = answers[1:]
			return next
		})
		if err != nil || len(answers) > 0 {
			t.Fatal(errors.Join(err, errors.New("not every try was made")))
		}
		if lines := strings.Count(said.String(), "\n"); lines != 4 {
			t.Errorf("%d lines, want the begin and the end of both waits:\n%s", lines, &said)
		}
	})
}
