package dashboard

import (
	"context"
	"errors"
	"sync"
	"time"

	"apollo/archiver"
	"apollo/services/cli"
)

// What the log holds is not read again for a while, the longer the more that takes: a
// page of health asks every few seconds.
const leastHeld = 3 * time.Second

// mostRemoved studies are listed that the log alone has.
const mostRemoved = 50

// LogAnswer is what the trial log holds, where the server reads one.
type LogAnswer struct {
	Place   string `json:"place"`
	Studies int    `json:"studies"`
	Runs    int    `json:"runs"`
	Files   int    `json:"files"`
	Rows    int64  `json:"rows"`
	Bytes   int64  `json:"bytes"`
	// Removed are the studies that the log alone has: they were removed from the bus.
	// RemovedCount is how many there are, the newest 50 are listed.
	RemovedCount int                `json:"removed_count"`
	Removed      []archiver.Holding `json:"removed"`
}

// holdings is what the log held when it was read last.
type holdings struct {
	mu      sync.Mutex // guards all below
	at      time.Time
	took    time.Duration
	list    []archiver.Holding
	err     error
	reading chan struct{} // closed when the log was read; nil while nobody reads it
}

// errStillRead says that the log takes longer than a page waits.
var errStillRead = errors.New("the log is still being read: try again in a moment")

// held returns what the log holds, which may have been so a while ago. Reading goes on
// where it takes longer than ctx.
func (s *Server) held(ctx context.Context) ([]archiver.Holding, error) {
	h := &s.holdings
	h.mu.Lock()
	reading := h.reading
	if reading == nil && time.Since(h.at) > max(leastHeld, patience*h.took) {
		reading = make(chan struct{})
		h.reading = reading
		s.reading.Go(func() {
			began := time.Now()
			list, err := s.Holdings()
			h.mu.Lock()
			defer h.mu.Unlock()
			h.at, h.took, h.list, h.err, h.reading = time.Now(), time.Since(began), list, err, nil
			close(reading)
		})
	}
	known := !h.at.IsZero()
	h.mu.Unlock()
	if reading != nil && !known {
		select {
		case <-reading:
		case <-ctx.Done():
			return nil, errStillRead
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.list, h.err
}

// log says what the trial log holds, and what of that the bus has no more.
func (s *Server) log(ctx context.Context, a *HealthAnswer) error {
	list, err := s.held(ctx)
	if err != nil {
		return err
	}
	l := &LogAnswer{Place: s.Place, Studies: len(list), Removed: []archiver.Holding{}}
	for i := range list {
		h := &list[i]
		l.Runs, l.Files, l.Rows, l.Bytes = l.Runs+h.Runs, l.Files+h.Files, l.Rows+h.Rows, l.Bytes+h.Bytes
		if _, there := s.index.latest(h.Study, ""); there {
			continue
		}
		l.RemovedCount++
		if l.Removed = append(l.Removed, *h); len(l.Removed) > mostRemoved {
			l.Removed = l.Removed[1:]
		}
	}
	a.Log = l
	return nil
}

// heldRow is what the log has of something, for people.
type heldRow struct{ Name, Runs, Files, Rows, Bytes string }

func heldText(name string, runs, files int, rows, bytes int64) heldRow {
	return heldRow{name, cli.Count(runs), cli.Count(files), cli.Count(rows), signs(cli.Quantity(float64(bytes), "B"))}
}
