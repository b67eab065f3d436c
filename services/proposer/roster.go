package proposer

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"log/slog"
	"strings"
	"sync"
	"time"

	"apollo/events"
	"apollo/services/messages"
)

// roster is who said lately that it is there.
type roster struct {
	workers messages.Workers

	mu sync.Mutex // guards what follows
	// since is since when it hears everything; zero while it does not listen.
	// heard is when it last heard itself: a server that is frozen carries
	// nobody's notices, and nobody is absent because of that.
	since, heard time.Time

	archivers map[[3]string]archiverSeen // by worker, process and directory
	told      map[string]string          // by evaluator, what was said about its rivals
}

type archiverSeen struct {
	events.Archiving
	at time.Time
}

// listen follows the notices of presence until ctx ends.
func (r *roster) listen(ctx context.Context, bus events.Bus, log *slog.Logger) {
	r.mu.Lock()
	r.since, r.heard, r.archivers = time.Now(), time.Time{}, map[[3]string]archiverSeen{}
	r.told = map[string]string{}
	r.mu.Unlock()
	var listening sync.WaitGroup
	echo := "echo." + strings.ToLower(rand.Text())
	listening.Go(func() { r.echo(ctx, bus, echo) })
	for _, filter := range []string{events.PresenceSubject("*"), events.ArchivingSubject, echo} {
		notices := bus.Notices(ctx, filter)
		listening.Go(func() {
			for m, err := range notices {
				if err != nil {
					break
				}
				name, ok := r.workers.Note(m)
				if !ok {
					r.note(m)
				} else if text := r.rivals(name, time.Now()); text != "" {
					log.Warn("evaluators with one name", "evaluator", name, "there_are", text, "hint", RivalsHint)
				}
			}
			r.mu.Lock()
			r.since = time.Time{} // deaf: nobody counts as absent any more
			r.mu.Unlock()
		})
	}
	listening.Wait()
}

const (
	// echoEvery is how often it tests whether it hears, and deafAfter how long
	// it may hear nothing: with PresentEvery less than AbsentAfter.
	echoEvery = time.Second
	deafAfter = 3 * time.Second
)

// echo calls what it should hear, until ctx ends.
func (r *roster) echo(ctx context.Context, bus events.Bus, subject string) {
	call := time.NewTicker(echoEvery)
	defer call.Stop()
	for {
		_ = bus.Notify(ctx, subject, nil) // what cannot be told is not heard
		select {
		case <-ctx.Done():
			return
		case <-call.C:
		}
	}
}

// note takes down what is not about a worker. What cannot be read is nobody.
func (r *roster) note(m events.Message) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if strings.HasPrefix(m.Subject, "echo.") {
		now := time.Now()
		if now.Sub(r.heard) > deafAfter {
			r.since = now
		}
		r.heard = now
		return
	}
	var a events.Archiving
	if m.Subject == events.ArchivingSubject && json.Unmarshal(m.Data, &a) == nil {
		r.archivers[[3]string{a.Worker, a.Process, a.Dir}] = archiverSeen{a, time.Now()}
	}
}

// knowsAbsence reports whether it has listened for long enough to say who is
// not there.
func (r *roster) knowsAbsence(now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return !r.since.IsZero() && now.Sub(r.heard) <= deafAfter && now.Sub(r.since) >= events.AbsentAfter
}

// archiver reports whether an archiver is there, and why one cannot write the
// trials of a run.
func (r *roster) archiver(key messages.RunKey, now time.Time) (there bool, stuck *events.Waiting) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for name, a := range r.archivers {
		if now.Sub(a.at) >= events.AbsentAfter {
			delete(r.archivers, name)
			continue
		}
		there = true
		if w := a.WaitingOf(key.Study, key.Run); w != nil {
			stuck = w
		}
	}
	return there, stuck
}
