package dashboard

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// Twenty who watch an address cost no more drawings than one, each gets one that began
// after he asked, and a client that goes takes nothing from the others.
func TestWatchersShareADrawing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		s := &Server{ctx: ctx, shared: shared{pages: map[string]*sharedPage{}}}
		var state, drawn atomic.Int64
		page := s.sharing(func(w http.ResponseWriter, _ *http.Request) {
			drawn.Add(1)
			time.Sleep(20 * time.Millisecond)
			now := strconv.FormatInt(state.Load(), 10)
			w.Header().Set("X-State", now)
			fmt.Fprint(w, now)
		})
		ask := func(ctx context.Context, address string, live bool) (status int, body string) {
			r := httptest.NewRequestWithContext(ctx, http.MethodGet, address, nil)
			if live {
				r.Header.Set(liveHeader, "yes")
			}
			w := httptest.NewRecorder()
			page(w, r)
			return w.Code, w.Body.String()
		}
		const watchers, seconds = 20, 10
		var all sync.WaitGroup
		for i := range watchers {
			all.Go(func() {
				time.Sleep(time.Duration(i) * 7 * time.Millisecond)
				for began := time.Now(); time.Since(began) < seconds*time.Second; time.Sleep(time.Second) {
					before := strconv.FormatInt(state.Load(), 10)
					if status, body := ask(t.Context(), "/a", true); status != http.StatusOK || body < before && len(body) <= len(before) {
						t.Errorf("status %d, %q; asked when it was %s", status, body, before)
					}
				}
			})
		}
		all.Go(func() {
			for range seconds * 100 {
				state.Add(1)
				time.Sleep(10 * time.Millisecond)
			}
		})
		gone, leave := context.WithTimeout(t.Context(), 3*time.Millisecond)
		ask(gone, "/a", true) // it asks first, and goes
		leave()
		all.Wait()
		if most := int64(seconds + 2); drawn.Load() > most { // patience × 20 ms is a second
			t.Errorf("%d drawings in %d s, want %d at most", drawn.Load(), seconds, most)
		}
		began, before := time.Now(), drawn.Load()
		if _, body := ask(t.Context(), "/a", false); body != strconv.FormatInt(state.Load(), 10) || time.Since(began) > 100*time.Millisecond || drawn.Load() != before+1 {
			t.Errorf("who opens the page waits %v for %q", time.Since(began), body)
		}
		for i := range 2 * mostShared {
			ask(t.Context(), fmt.Sprint("/", i), true)
		}
		if n := len(s.shared.pages); n > mostShared {
			t.Errorf("%d addresses are remembered, want %d at most", n, mostShared)
		}
		cancel()
		if status, _ := ask(t.Context(), "/late", true); status != http.StatusServiceUnavailable {
			t.Errorf("status %d of a server that ends", status)
		}
		s.reading.Wait()
	})
}

// A drawing ends when the last who waited for it is gone, and who asks then has another.
func TestNobodyIsDrawnFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		s := &Server{ctx: t.Context(), shared: shared{pages: map[string]*sharedPage{"/a": {began: began}}}} // both wait for the next one
		var ended []time.Duration
		page := s.sharing(func(w http.ResponseWriter, r *http.Request) {
			select {
			case <-r.Context().Done():
				ended = append(ended, time.Since(began))
			case <-time.After(time.Minute):
				fmt.Fprint(w, "drawn")
			}
		})
		ask := func(patience time.Duration) (body string) {
			ctx, leave := context.WithTimeout(t.Context(), patience)
			defer leave()
			r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/a", nil)
			r.Header.Set(liveHeader, "yes")
			w := httptest.NewRecorder()
			page(w, r)
			if body = w.Body.String(); (body == "") != (w.Code == http.StatusServiceUnavailable) {
				t.Errorf("status %d with %q", w.Code, body)
			}
			return body
		}
		var all sync.WaitGroup
		for _, patience := range []time.Duration{time.Second, 5 * time.Second} {
			all.Go(func() { ask(patience) })
		}
		all.Wait()
		synctest.Wait()
		if len(ended) != 1 || ended[0] != 5*time.Second {
			t.Errorf("a drawing ended after %v, want one after 5s", ended)
		}
		if body := ask(time.Hour); body != "drawn" {
			t.Errorf("who asks after it has %q", body)
		}
		s.reading.Wait()
	})
}
