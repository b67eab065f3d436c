// Package storagetest runs an S3-compatible server in memory for tests, with
// the faults that such stores have.
package storagetest

import (
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
)

// Bucket is the bucket of a Server.
const Bucket = "logs"

// The kinds of faults.
const (
	SlowDown = "slow_down" // 503 SlowDown, nothing is done
	Internal = "internal"  // 500, nothing is done
	Lost     = "lost"      // done, and the connection breaks before the answer
	Broken   = "broken"    // the connection breaks in the middle of the answer
	Slow     = "slow"      // done late
	Denied   = "denied"    // 403, what a key that may not does
	Expired  = "expired"   // 400, what a token does that has run out
	Skewed   = "skewed"    // 403, what a wrong clock does
	Gone     = "gone"      // 404, there is no such bucket
	Hangs    = "hangs"     // no answer as long as the request lasts
)

// Server is a store. Its clock is the machine's, plus what Pass added.
type Server struct {
	URL string

	mu   sync.Mutex // guards what follows
	skew time.Duration
	rng  *rand.Rand
	rate float64
	// faults counts by kind.
	faults map[string]int
	// blind: conditions of puts are ignored.
	blind bool
	// always is a fault of every request.
	always string
	// watch sees each request, and decides whether it is carried out.
	watch func(r *http.Request) bool
}

// New starts a store with an empty bucket and sets the environment to it. It
// stops with the test.
func New(t *testing.T) *Server {
	t.Helper()
	s := Start(t)
	t.Setenv("AWS_ENDPOINT_URL_S3", s.URL)
	t.Setenv("AWS_ACCESS_KEY_ID", "test")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "test-secret")
	t.Setenv("AWS_REGION", "us-east-1")
	t.Setenv("AWS_SESSION_TOKEN", "")
	t.Setenv("AWS_S3_FORCE_PATH_STYLE", "")
	return s
}

// Start starts a store without touching the environment.
func Start(t *testing.T) *Server {
	t.Helper()
	s := &Server{faults: map[string]int{}}
	store := s3mem.New(s3mem.WithTimeSource(s))
	if err := store.CreateBucket(Bucket); err != nil {
		t.Fatal(err)
	}
	h := httptest.NewServer(s.faulty(gofakes3.New(store, gofakes3.WithTimeSource(s), gofakes3.WithTimeSkewLimit(0)).Server()))
	t.Cleanup(h.Close)
	s.URL = h.URL
	return s
}

// Place is a place in the bucket.
func Place(prefix string) string { return "s3://" + Bucket + "/" + prefix }

// Now implements the server's clock.
func (s *Server) Now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Now().Add(s.skew)
}

// Since implements the server's clock.
func (s *Server) Since(t time.Time) time.Duration { return s.Now().Sub(t) }

// Pass turns the server's clock on.
func (s *Server) Pass(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.skew += d
}

// Fail makes a share of the requests fail from now on, by turns of all kinds.
func (s *Server) Fail(seed uint64, rate float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rng, s.rate = rand.New(rand.NewPCG(seed, 0)), rate
}

// Faults returns how many there were, by kind.
func (s *Server) Faults() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.faults)
}

// Blind makes the server ignore conditions, as old stores do.
func (s *Server) Blind() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.blind = true
}

// Always makes every request fail in one way; "" ends that.
func (s *Server) Always(kind string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.always = kind
}

// Watch calls f at each request from now on, which is carried out when f says
// so. Nil ends that.
func (s *Server) Watch(f func(r *http.Request) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.watch = f
}

func (s *Server) watcher() func(r *http.Request) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.watch
}

func (s *Server) draw() (kind string, blind bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.always != "" {
		s.faults[s.always]++
		return s.always, s.blind
	}
	if s.rng == nil || s.rng.Float64() >= s.rate {
		return "", s.blind
	}
	kind = []string{SlowDown, Internal, Lost, Broken, Slow}[s.rng.IntN(5)]
	s.faults[kind]++
	return kind, s.blind
}

func (s *Server) faulty(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Date", s.Now().UTC().Format(http.TimeFormat))
		if watch := s.watcher(); watch != nil && !watch(r) {
			panic(http.ErrAbortHandler)
		}
		kind, blind := s.draw()
		if blind && r.Method == http.MethodPut {
			r.Header.Del("If-Match")
			r.Header.Del("If-None-Match")
		}
		switch kind {
		case SlowDown:
			refuse(w, http.StatusServiceUnavailable, "SlowDown")
		case Internal:
			refuse(w, http.StatusInternalServerError, "InternalError")
		case Denied:
			refuse(w, http.StatusForbidden, "AccessDenied")
		case Expired:
			refuse(w, http.StatusBadRequest, "ExpiredToken")
		case Skewed:
			refuse(w, http.StatusForbidden, "RequestTimeTooSkewed")
		case Gone:
			refuse(w, http.StatusNotFound, "NoSuchBucket")
		case Hangs:
			_, _ = io.Copy(io.Discard, r.Body) // until then the server does not see who leaves
			<-r.Context().Done()
		case Lost, Broken:
			answer := httptest.NewRecorder()
			next.ServeHTTP(answer, r)
			if kind == Broken {
				body := answer.Body.Bytes()
				maps.Copy(w.Header(), answer.Header())
				w.WriteHeader(answer.Code)
				_, _ = w.Write(body[:len(body)/2]) // the reader is to break off
				_ = http.NewResponseController(w).Flush()
			}
			panic(http.ErrAbortHandler)
		case Slow:
			time.Sleep(50 * time.Millisecond) // a slow store, not a wait of the test
			next.ServeHTTP(w, r)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

func refuse(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	_, _ = strings.NewReader("<Error><Code>" + code + "</Code><Message>" + code + "</Message></Error>").WriteTo(w) // the reader may be gone
}
