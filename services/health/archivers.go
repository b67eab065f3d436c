package health

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"apollo/events"
)

// Archivers are those that say that they are there.
type Archivers struct {
	mu   sync.Mutex // guards what follows
	seen map[[2]string]archiveTick
	// since is when Follow began; zero while it does not listen.
	since time.Time
}

// NewArchivers knows of none yet.
func NewArchivers() *Archivers { return &Archivers{seen: map[[2]string]archiveTick{}} }

type archiveTick struct {
	events.Archiving
	at time.Time
}

// Follow listens to the archivers until ctx ends.
func (a *Archivers) Follow(ctx context.Context, bus events.Bus) {
	a.mu.Lock()
	a.since = time.Now()
	a.mu.Unlock()
	for m, err := range bus.Notices(ctx, events.ArchivingSubject) {
		if err != nil {
			// Whoever may not hear them cannot miss them.
			a.mu.Lock()
			a.since = time.Time{}
			a.mu.Unlock()
			return
		}
		var t events.Archiving
		if json.Unmarshal(m.Data, &t) == nil {
			a.Note(t)
		}
	}
}

// Note takes down what an archiver says.
func (a *Archivers) Note(t events.Archiving) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.seen[[2]string{t.Worker, t.Process}] = archiveTick{t, time.Now()}
}

// There returns those that said so lately; others leave.
func (a *Archivers) There() (out []events.Archiving) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for key, t := range a.seen {
		if time.Since(t.at) > events.AbsentAfter {
			delete(a.seen, key)
			continue
		}
		out = append(out, t.Archiving)
	}
	return out
}

// Listens reports whether Follow hears of them.
func (a *Archivers) Listens() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return !a.since.IsZero()
}

// Missing reports whether none is there: Follow has listened long enough to say so.
func (a *Archivers) Missing() bool {
	a.mu.Lock()
	listened := !a.since.IsZero() && time.Since(a.since) > events.AbsentAfter
	a.mu.Unlock()
	return listened && len(a.There()) == 0
}
