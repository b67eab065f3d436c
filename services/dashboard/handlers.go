package dashboard

import (
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"apollo/events"
	"apollo/services/cli"
	"apollo/services/inspect"
)

//go:embed web
var web embed.FS

// maxBody is how much a client may send.
const maxBody = 1 << 20

// maxAddress is how long an address may be, in bytes.
const maxAddress = 8 << 10

// changesEvery is how often a client that listens hears of changes at most.
const changesEvery = 250 * time.Millisecond

// Handler returns the pages and the API.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	pages := parsePages()
	mux.HandleFunc("GET /{$}", s.sharing(func(w http.ResponseWriter, r *http.Request) { s.studies(w, r, pages) }))
	mux.HandleFunc("GET /studies/{study}", s.sharing(func(w http.ResponseWriter, r *http.Request) { s.study(w, r, pages) }))
	mux.HandleFunc("GET /studies/{study}/trials/{trial}", func(w http.ResponseWriter, r *http.Request) { s.design(w, r, pages) })
	mux.HandleFunc("GET /studies/{study}/trials/{trial}/picture.svg", s.designPicture)
	mux.HandleFunc("GET /studies/{study}/transfer", s.sharing(func(w http.ResponseWriter, r *http.Request) { s.transferNow(w, r, pages) }))
	mux.HandleFunc("GET /compare", s.sharing(func(w http.ResponseWriter, r *http.Request) { s.compare(w, r, pages) }))
	mux.HandleFunc("GET /ladder", s.sharing(func(w http.ResponseWriter, r *http.Request) { s.ladderNow(w, r, pages) }))
	mux.HandleFunc("GET /new", func(w http.ResponseWriter, r *http.Request) { s.newStudy(w, r, pages) })
	mux.HandleFunc("POST /new", func(w http.ResponseWriter, r *http.Request) { s.newStudy(w, r, pages) })
	mux.HandleFunc("GET /health", s.sharing(func(w http.ResponseWriter, r *http.Request) { s.healthNow(w, r, pages) }))
	mux.HandleFunc("/login", func(w http.ResponseWriter, r *http.Request) { s.login(w, r, pages) })
	mux.HandleFunc("GET /assets/{sum}/{name}", asset)
	s.register(mux)
	return s.guarded(timed(http.MaxBytesHandler(short(mux), maxBody)))
}

// timed lets no client hold a request for ever: it has to send its body, and take its
// answer.
func timed(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		control := http.NewResponseController(w)
		_ = control.SetWriteDeadline(time.Now().Add(answerTime)) // what cannot have one is a test's
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			_ = control.SetReadDeadline(time.Now().Add(bodyTime))
		}
		next.ServeHTTP(w, r)
	})
}

// goingOn is an answer that is written part by part, each within writeTime.
type goingOn struct{ http.ResponseWriter }

// Write implements io.Writer.
func (w goingOn) Write(b []byte) (int, error) {
	_ = http.NewResponseController(w.ResponseWriter).SetWriteDeadline(time.Now().Add(writeTime)) // as in timed
	return w.ResponseWriter.Write(b)
}

// short refuses addresses that are longer than any of ours: each link of a page
// repeats what its address says.
func short(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if len(r.RequestURI) > maxAddress {
			http.Error(w, fmt.Sprintf("the address has more than %d bytes", maxAddress), http.StatusRequestURITooLong)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// asked refuses a request of the API whose address has a parameter that it does not
// know: the answer would be another one than was asked for.
func asked(next http.HandlerFunc, parameters ...parameter) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		v, err := url.ParseQuery(r.URL.RawQuery)
		if err != nil {
			http.Error(w, "the parameters of the address: "+err.Error(), http.StatusBadRequest)
			return
		}
		for name, values := range v {
			i := slices.IndexFunc(parameters, func(p parameter) bool { return p.name == name })
			switch {
			case len(parameters) == 0:
				http.Error(w, fmt.Sprintf("unknown parameter %.60q: there are none", name), http.StatusBadRequest)
				return
			case i < 0:
				http.Error(w, fmt.Sprintf("unknown parameter %.60q: want one of %s", name, known(parameters)), http.StatusBadRequest)
				return
			case len(values) > 1 && !parameters[i].several:
				http.Error(w, fmt.Sprintf("parameter %q is given %d times, want once", name, len(values)), http.StatusBadRequest)
				return
			}
		}
		next(w, r)
	}
}

func parsePages() *template.Template {
	return template.Must(template.New("").Funcs(template.FuncMap{
		"asset": assetURL, "count": cli.Count[int], "path": url.PathEscape, "kind": kindText, "kinds": kinds, "unbreak": unbreak, "hint": hintText,
	}).ParseFS(web, "web/*.html"))
}

// kindText is what people call a kind of trials.
func kindText(kind string) string {
	switch kind {
	case kindOver:
		return "over a limit"
	case kindLow:
		return "low fidelity"
	}
	return kind
}

func (s *Server) studies(w http.ResponseWriter, r *http.Request, pages *template.Template) {
	s.settle(r)
	now := time.Now()
	render(w, r, pages, "studies", listOf(s.index.list(now), s.index.dead(), r.URL.Query(), now))
}

// settle waits a moment for what is stored.
func (s *Server) settle(r *http.Request) {
	select {
	case <-s.index.caught:
	case <-r.Context().Done():
	case <-time.After(catchUpTime):
	}
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
	found := s.look(&view)
	if found == nil {
		w.Header().Set("Retry-After", "10")
		http.Error(w, fmt.Sprintf("%d studies are looked at already: try again later", maxWatches), http.StatusServiceUnavailable)
	}
	return found
}

// shot returns what there is of the study that a request names; nil when the answer
// was given already.
func (s *Server) shot(w http.ResponseWriter, r *http.Request) *snapshot {
	found := s.find(w, r) //nolint:contextcheck // a watch outlives the request that began it
	if found == nil {
		return nil
	}
	found.ready(r.Context(), follows(r))
	return found.snapshot()
}

// mayDraw waits until a page or an answer may be made of trials, until the function that it
// returns is called: before it is sent, which takes as long as the client likes. It is nil
// where the client is gone.
func (s *Server) mayDraw(r *http.Request) (done func()) {
	if r.Context().Err() != nil {
		return nil
	}
	select {
	case s.drawings <- struct{}{}:
		return sync.OnceFunc(func() { <-s.drawings })
	case <-r.Context().Done():
		return nil
	}
}

// partHeader asks for a part of the page of a design.
const partHeader = "Apollo-Part"

func (s *Server) study(w http.ResponseWriter, r *http.Request, pages *template.Template) {
	found := s.find(w, r) //nolint:contextcheck // a watch outlives the request that began it
	if found != nil {
		found.ready(r.Context(), follows(r))
		done := s.mayDraw(r)
		if done == nil {
			return // the client is gone: a brush moves on, and asks again
		}
		defer done()
		shot := found.snapshot()
		switch to, err := narrowed(shot.spec, r.URL.Query()); {
		case err != nil:
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		case to != "":
			http.Redirect(w, r, r.URL.EscapedPath()+to, http.StatusSeeOther)
			return
		}
		if v, known := s.index.latest(shot.view.Study, shot.view.Run); known {
			shot.heard(v)
		}
		p := shot.page(r.URL.Query(), s.index.rate(shot.view.Study, shot.view.Run))
		if latest, _ := s.index.latest(shot.view.Study, ""); s.mayControl() && latest.Run == shot.view.Run {
			p.Controls = shot.controls()
		}
		if report, err := s.report(r, found, shot); err != nil {
			return // the client is gone
		} else if report != nil {
			c := savedCard(report)
			c.Link, c.LinkText = p.Transfer, "What the sources brought"
			p.Cards = append(p.Cards, c)
		}
		if r.URL.Query().Get("importance") != "" && len(shot.spec.Objectives) > 0 {
			of, err := s.importance(r, found, shot)
			if err != nil {
				return // the client is gone
			}
			p.Importance = of.rows()
			p.Slices, p.SlicesOf = p.inside.drawSlices(), shortName(shot.spec, shot.objective().Metric)
		}
		if r.URL.Query().Get("repairs") != "" {
			if p.Looking = s.repairRows(r, shot, p.Causes); r.Context().Err() != nil {
				return // the client is gone
			}
		}
		done()
		render(w, r, pages, "study", p)
	}
}

func (s *Server) apiStudies(w http.ResponseWriter, r *http.Request) {
	s.settle(r)
	answer(w, r, s.index.list(time.Now()))
}

// StudyAnswer is a run as the API says it.
type StudyAnswer struct {
	Study  string `json:"study"`
	Run    string `json:"run"`
	State  string `json:"state"`
	Reason string `json:"reason,omitempty"`
	Counts
	Budget int               `json:"budget"`
	Best   *events.BestTrial `json:"best" jsonschema:"nullable"`
	// Front is that of several objectives.
	Front   []events.BestTrial `json:"front,omitempty"`
	Causes  []Tallied          `json:"reasons"`
	Origins []Tallied          `json:"origins"`
	// Progress is the best so far by trial, or the hypervolume of the front.
	Progress []Mark `json:"progress"`
	// Optimum is the proven optimum of the objective, in its unit; left out where there
	// is none.
	Optimum *float64 `json:"optimum,omitempty"`
	// Events are the last that happened, without those of trials, oldest first.
	Events []FeedEvent `json:"events"`
	Error  string      `json:"error,omitempty"`
}

func (s *Server) apiStudy(w http.ResponseWriter, r *http.Request) {
	shot := s.shot(w, r)
	if shot == nil {
		return
	}
	v := &shot.view
	a := StudyAnswer{
		Study: v.Study, Run: v.Run, State: string(v.State), Reason: v.Reason, Counts: shot.counts, Budget: v.Budget, Best: v.Best,
		Causes: append([]Tallied{}, shot.causes...), Origins: append([]Tallied{}, shot.origins...), Progress: append([]Mark{}, shot.best...), Optimum: shot.optimum, Events: append([]FeedEvent{}, shot.feed...),
	}
	if len(shot.spec.Objectives) > 1 {
		a.Front = shot.answer
	}
	if shot.err != nil {
		a.Error = shot.err.Error()
	}
	answer(w, r, a)
}

// TrialsAnswer is a page of the trials of a run.
type TrialsAnswer struct {
	Found  int        `json:"found"`
	Page   int        `json:"page"`
	Trials []TrialRow `json:"trials"`
}

func (s *Server) apiTrials(w http.ResponseWriter, r *http.Request) {
	shot := s.shot(w, r)
	if shot == nil {
		return
	}
	if err := checkQuery(shot.spec, r.URL.Query()); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	done := s.mayDraw(r)
	if done == nil {
		return
	}
	defer done()
	q := readQuery(r.URL.Query())
	rows, found := q.of(shot.spec, shot.kept)
	a, of := TrialsAnswer{found, q.Page, []TrialRow{}}, inspect.MeaningOf(shot.spec)
	for _, t := range rows {
		a.Trials = append(a.Trials, shot.row(of, t))
	}
	done()
	answer(w, r, a)
}

func (s *Server) apiTrial(w http.ResponseWriter, r *http.Request) {
	if shot, t := s.wanted(w, r); t != nil {
		answer(w, r, shot.row(inspect.MeaningOf(shot.spec), t))
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
		found := s.find(w, r) //nolint:contextcheck // a watch outlives the request that began it
		if found == nil {
			return
		}
		defer s.listen(found)()
		version, over = found.now, found.broken
	}
	w.Header().Set("Content-Type", "text/event-stream")
	out := http.NewResponseController(w)
	look := time.NewTicker(changesEvery)
	defer look.Stop()
	for said, first := uint64(0), true; ; {
		if now := version(); first || now != said {
			said, first = now, false
			if _, err := fmt.Fprintf(goingOn{w}, "event: change\nid: %d\ndata: {\"version\":%d}\n\n", now, now); err != nil || out.Flush() != nil {
				return
			}
			_ = out.SetWriteDeadline(time.Time{}) // as in timed: the next part may be hours away
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
