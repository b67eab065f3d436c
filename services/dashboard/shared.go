package dashboard

import (
	"bytes"
	"context"
	"maps"
	"net/http"
	"strings"
	"sync"
	"time"
)

// How often a page is drawn for those who watch it: at most once in leastPause, and in
// patience times what it took to draw, so that watchers take no more than a 250th of a
// processor for each address, up to mostPause.
const (
	leastPause = 500 * time.Millisecond
	mostPause  = 10 * time.Second
	patience   = 250
	// mostShared addresses are remembered, those that were drawn last.
	mostShared = 256
)

// liveHeader marks the requests of a page that follows a study: they may wait a moment.
const liveHeader = "Apollo-Live"

func follows(r *http.Request) bool { return r.Header.Get(liveHeader) != "" }

// shared draws a page once for all who watch the same address, and remembers when.
type shared struct {
	mu    sync.Mutex // guards all below
	pages map[string]*sharedPage
}

// sharedPage is an address that somebody watches.
type sharedPage struct {
	began time.Time // of the last drawing
	took  time.Duration
	next  *drawing // which was not begun yet; nil where nobody waits for one
}

// drawing is an answer in the making.
type drawing struct {
	waiting int                // clients, guarded by shared.mu
	give    context.CancelFunc // ends it, when nobody waits any more
	done    chan struct{}      // closed when the rest may be read
	status  int
	header  http.Header
	body    bytes.Buffer
}

// Header implements http.ResponseWriter.
func (d *drawing) Header() http.Header { return d.header }

// WriteHeader implements http.ResponseWriter.
func (d *drawing) WriteHeader(status int) {
	if d.status == 0 {
		d.status = status
	}
}

// Write implements http.ResponseWriter.
func (d *drawing) Write(b []byte) (int, error) {
	d.WriteHeader(http.StatusOK)
	return d.body.Write(b)
}

// sharing has requests of pages that follow a study wait for the next drawing of their
// address, which all of them get. It begins after the request came: nobody is told less
// than what he was told has changed.
func (s *Server) sharing(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !follows(r) {
			next(w, r)
			return
		}
		d := s.shared.join(s, r, next) //nolint:contextcheck // a drawing may outlive the client that asked first
		select {
		case <-d.done:
		case <-r.Context().Done():
			s.shared.leave(d)
			w.WriteHeader(http.StatusServiceUnavailable) // of a server that ends: nothing at all would be an empty page
			return
		}
		maps.Copy(w.Header(), d.header)
		w.WriteHeader(d.status)
		_, _ = w.Write(d.body.Bytes()) // a client that is gone needs no answer
	}
}

// join returns the next drawing of a request's address, and has it made where nobody
// waits for it yet.
func (h *shared) join(s *Server, r *http.Request, draw http.HandlerFunc) *drawing {
	key := r.URL.RequestURI()
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		key = "gzip " + key
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	p := h.pages[key]
	if p == nil {
		h.forget()
		p = &sharedPage{}
		h.pages[key] = p
	}
	if p.next != nil {
		p.next.waiting++
		return p.next
	}
	ctx, give := context.WithCancel(s.ctx) // it may outlive the client that asked first
	d := &drawing{waiting: 1, give: give, done: make(chan struct{}), header: http.Header{}}
	p.next = d
	wait := time.Until(p.began.Add(min(max(leastPause, patience*p.took), mostPause)))
	request := r.Clone(ctx)
	s.reading.Go(func() { h.draw(request, p, d, wait, draw) })
	return d
}

// leave ends a drawing when the last of its clients is gone, and the next one that asks
// has another.
func (h *shared) leave(d *drawing) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if d.waiting--; d.waiting > 0 {
		return
	}
	d.give()
	for _, p := range h.pages {
		if p.next == d {
			p.next = nil
		}
	}
}

// draw makes a drawing after a pause.
func (h *shared) draw(r *http.Request, p *sharedPage, d *drawing, wait time.Duration, draw http.HandlerFunc) {
	defer close(d.done)
	defer d.give()
	pause := time.NewTimer(wait)
	defer pause.Stop()
	select {
	case <-pause.C:
	case <-r.Context().Done():
	}
	h.mu.Lock()
	began := time.Now()
	if p.next == d {
		p.next, p.began = nil, began // who comes from here on needs another one
	}
	h.mu.Unlock()
	if context.Cause(r.Context()) == nil {
		draw(d, r)
	}
	if d.status == 0 { // nothing was drawn: the server ends, or nobody waits
		d.status = http.StatusServiceUnavailable
		return
	}
	h.mu.Lock()
	p.took = time.Since(began)
	h.mu.Unlock()
}

// forget makes room for another address: that which was drawn longest ago and for which
// nobody waits.
func (h *shared) forget() {
	if len(h.pages) < mostShared {
		return
	}
	oldest := ""
	for key, p := range h.pages {
		if p.next == nil && (oldest == "" || p.began.Before(h.pages[oldest].began)) {
			oldest = key
		}
	}
	delete(h.pages, oldest)
}
