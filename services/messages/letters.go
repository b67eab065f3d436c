package messages

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"apollo/events"
)

const (
	// letterWait bounds how long a service tries to store a dead letter that
	// nothing depends on: well below what a client waits for its answer.
	letterWait = 2 * time.Second
	// letterPause is the time between two tries.
	letterPause = 200 * time.Millisecond
)

// AppendDeadLetter stores a dead letter about a study.
func AppendDeadLetter(ctx context.Context, bus events.Bus, study string, d events.DeadLetter, id string) error {
	subject := events.DeadLetterSubject(d.Service, study)
	data, err := d.Fit(id, study, time.Now(), events.MessageRoom(bus.MaxPayload()))
	if err == nil {
		_, err = bus.Log().Append(ctx, events.Message{Subject: subject, ID: id, Data: data}, events.Fence{})
	}
	if err != nil {
		return fmt.Errorf("dead-letter %s: %w", d.Subject, err)
	}
	return nil
}

// SetAside stores the copy of a message that was dealt with otherwise. A letter
// that cannot be stored is lost with a line in the log: it must not keep from
// their turn what comes after it. The error is ctx's. Letters about work are not
// for it: a study waits for what they say.
func SetAside(ctx context.Context, bus events.Bus, log *slog.Logger, study string, d events.DeadLetter, id string) error {
	limited, cancel := context.WithTimeout(ctx, letterWait)
	defer cancel()
	pause := time.NewTicker(letterPause)
	defer pause.Stop()
	for {
		err := AppendDeadLetter(limited, bus, study, d, id)
		if err == nil || ctx.Err() != nil {
			return ctx.Err()
		}
		select {
		case <-pause.C:
		case <-limited.Done():
			if ctx.Err() == nil {
				log.Error("a dead letter cannot be stored: it is lost", "subject", d.Subject, "reason", d.Reason, "error", err)
			}
			return ctx.Err()
		}
	}
}
