package proposer

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"apollo/events"
	"apollo/services/messages"
)

// roster is who said lately that it is there.
type roster struct {
	mu sync.Mutex // guards what follows
	// since is since when it hears everything; zero while it does not listen.
	// heard is when it last heard itself: a server that is frozen carries
	// nobody's notices, and nobody is absent because of that.
	since, heard time.Time

	workers   map[workerKey]workerSeen
	archivers map[[3]string]archiverSeen // by worker, process and directory
	told      map[string]string          // by evaluator, what was said about its rivals
}

// workerKey tells workers apart: a name may be that of several.
type workerKey struct{ evaluator, worker, process string }

type workerSeen struct {
	events.Presence
	at time.Time
}

type archiverSeen struct {
	events.Archiving
	at time.Time
}

// listen follows the notices of presence until ctx ends.
func (r *roster) listen(ctx context.Context, bus events.Bus, log *slog.Logger) {
	r.mu.Lock()
	r.since, r.heard, r.workers, r.archivers = time.Now(), time.Time{}, map[workerKey]workerSeen{}, map[[3]string]archiverSeen{}
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
				r.note(m)
				if name, ok := strings.CutPrefix(m.Subject, events.PresenceSubject("")); ok {
					if text := r.rivals(name, time.Now()); text != "" {
						log.Warn("evaluators with one name", "evaluator", name, "there_are", text, "hint", RivalsHint)
					}
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

// note takes a notice down. What cannot be read is nobody.
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
	if evaluator, ok := strings.CutPrefix(m.Subject, events.PresenceSubject("")); ok {
		var p events.Presence
		if json.Unmarshal(m.Data, &p) == nil && p.Evaluator == evaluator {
			p.Slots = min(max(p.Slots, 0), events.MaxParallelism)
			r.workers[workerKey{evaluator, p.Worker, p.Process}] = workerSeen{p, time.Now()}
		}
		return
	}
	var a events.Archiving
	if json.Unmarshal(m.Data, &a) == nil {
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

// of returns the workers of an evaluator that are there, in order, and those
// that were lately.
func (r *roster) of(evaluator string, now time.Time) (there, gone []events.Presence) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for key, w := range r.workers {
		silent := now.Sub(w.at)
		switch {
		case silent > forgetAfter:
			delete(r.workers, key)
		case key.evaluator != evaluator:
		case silent >= events.AbsentAfter:
			gone = append(gone, w.Presence)
		default:
			there = append(there, w.Presence)
		}
	}
	slices.SortFunc(there, func(a, b events.Presence) int { return strings.Compare(a.Worker, b.Worker) })
	return there, gone
}

// forgetAfter is how long a worker that is gone is remembered: what it held is
// handed to others by then.
const forgetAfter = 3 * events.AckWait

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
