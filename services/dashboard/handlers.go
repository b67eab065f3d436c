package dashboard

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html/template"
	"net"
	"net/http"
	"net/url"
	"path"
	"time"

	"apollo/events"
	"apollo/services/cli"
)

//go:embed web
var web embed.FS

// policy allows what the server itself serves: no inline script, no inline style,
// no frame, no other place.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

// changesEvery is how often a client that listens hears of changes at most.
const changesEvery = 250 * time.Millisecond

// Handler returns the pages and the API.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	pages := parsePages()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) { s.studies(w, r, pages) })
	mux.HandleFunc("GET /studies/{study}", func(w http.ResponseWriter, r *http.Request) { s.study(w, r, pages) })
	mux.HandleFunc("GET /favicon.ico", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	mux.HandleFunc("GET /assets/{sum}/{name}", asset)
	mux.HandleFunc("GET /api/v1/studies", s.apiStudies)
	mux.HandleFunc("GET /api/v1/studies/{study}", s.apiStudy)
	mux.HandleFunc("GET /api/v1/events", s.changes)
	return guarded(mux)
}

// guarded sets the headers of every answer, and refuses a name that is not the
// loopback's: a page elsewhere must not read this one under a name of its own.
func guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		if !loopback(r.Host) {
			http.Error(w, "this page is served to the loopback only: ask for it by 127.0.0.1 or localhost", http.StatusMisdirectedRequest)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// loopback reports whether a host, with or without a port, is this machine's own.
func loopback(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func parsePages() *template.Template {
	return template.Must(template.New("").Funcs(template.FuncMap{
		"asset": assetURL, "count": cli.Count[int], "share": share, "breakable": breakable, "path": url.PathEscape,
	}).ParseFS(web, "web/*.html"))
}

// render writes a page, or only what changes of it for ?part=live.
func render(w http.ResponseWriter, r *http.Request, pages *template.Template, name string, data any) {
	if r.URL.Query().Get("part") == "live" {
		name += "-live"
	}
	var b bytes.Buffer
	if err := pages.ExecuteTemplate(&b, name, data); err != nil {
		http.Error(w, "draw the page: "+err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(b.Bytes()) // a client that is gone needs no page
}

func (s *Server) studies(w http.ResponseWriter, r *http.Request, pages *template.Template) {
	s.settle(r)
	render(w, r, pages, "studies", map[string]any{"Studies": s.index.list(time.Now())})
}

// settle waits a moment for what is stored.
func (s *Server) settle(r *http.Request) {
	select {
	case <-s.index.caught:
	case <-r.Context().Done():
	case <-time.After(catchUpTime):
	}
}

// page returns the page of the study that a request names; ok is false when the
// answer was given already.
func (s *Server) page(w http.ResponseWriter, r *http.Request) (p studyPage, ok bool) {
	found := s.find(w, r)
	if found == nil {
		return p, false
	}
	found.ready(r.Context())
	return found.page(), true
}

// find returns the watch of the study that a request names, or nil after an error
// was answered.
func (s *Server) find(w http.ResponseWriter, r *http.Request) *watch {
	s.settle(r)
	name, run := r.PathValue("study"), r.URL.Query().Get("run")
	if name == "" {
		name = r.URL.Query().Get("study")
	}
	view, there := s.index.latest(name, run)
	switch {
	case !events.IsName(name) || !there:
		http.Error(w, "there is no such study or run: / lists the studies", http.StatusNotFound)
		return nil
	case view.Err != nil:
		http.Error(w, "the study cannot be read: "+view.Err.Error(), http.StatusUnprocessableEntity)
		return nil
	}
	return s.look(&view)
}

func (s *Server) study(w http.ResponseWriter, r *http.Request, pages *template.Template) {
	if p, ok := s.page(w, r); ok {
		render(w, r, pages, "study", &p)
	}
}

func answer(w http.ResponseWriter, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		http.Error(w, "write the answer: "+err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(append(b, '\n')) // a client that is gone needs no answer
}

func (s *Server) apiStudies(w http.ResponseWriter, r *http.Request) {
	s.settle(r)
	answer(w, s.index.list(time.Now()))
}

// apiStudyJSON is a run as the API says it.
type apiStudyJSON struct {
	Study  string `json:"study"`
	Run    string `json:"run"`
	State  string `json:"state"`
	Reason string `json:"reason,omitempty"`
	Counts
	Budget int               `json:"budget"`
	Best   *events.BestTrial `json:"best"`
	Causes []Cause           `json:"reasons"`
	Recent []TrialRow        `json:"recent"`
	Error  string            `json:"error,omitempty"`
}

func (s *Server) apiStudy(w http.ResponseWriter, r *http.Request) {
	if p, ok := s.page(w, r); ok {
		answer(w, apiStudyJSON{p.Study, p.Run, p.State, p.Reason, p.Counts, p.Budget, p.Best, append([]Cause{}, p.Causes...), append([]TrialRow{}, p.Trials...), p.Error})
	}
}

// changes tells a client that a study, or the list without ?study=, is another one
// now. A message says no more than that, so that none can be missed: a client that
// comes again hears at once.
func (s *Server) changes(w http.ResponseWriter, r *http.Request) {
	select {
	case s.streams <- struct{}{}:
		defer func() { <-s.streams }()
	default:
		w.Header().Set("Retry-After", "10")
		http.Error(w, fmt.Sprintf("%d clients listen already: try again later", maxStreams), http.StatusServiceUnavailable)
		return
	}
	version, over := s.index.now, func() bool { return false }
	if r.URL.Query().Has("study") {
		found := s.find(w, r)
		if found == nil {
			return
		}
		version, over = found.now, found.broken
	}
	w.Header().Set("Content-Type", "text/event-stream")
	out := http.NewResponseController(w)
	look := time.NewTicker(changesEvery)
	defer look.Stop()
	for said, first := uint64(0), true; ; {
		if now := version(); first || now != said {
			said, first = now, false
			if _, err := fmt.Fprintf(w, "event: change\nid: %d\ndata: {\"version\":%d}\n\n", now, now); err != nil || out.Flush() != nil {
				return
			}
		}
		if over() {
			return // the client comes again, to a new watch
		}
		select {
		case <-look.C:
		case <-r.Context().Done():
			return
		}
	}
}

// asset serves a file of web, for ever: its address has its checksum.
func asset(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	b, err := web.ReadFile("web/" + name)
	if err != nil || r.PathValue("sum") != sum(b) || path.Ext(name) == ".html" {
		http.NotFound(w, r)
		return
	}
	types := map[string]string{".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8"}
	w.Header().Set("Content-Type", types[path.Ext(name)])
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	_, _ = w.Write(b) // a client that is gone needs no file
}

func sum(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:8])
}

func assetURL(name string) (string, error) {
	b, err := web.ReadFile("web/" + name)
	return "/assets/" + sum(b) + "/" + name, err
}
