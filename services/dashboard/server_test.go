package dashboard

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"apollo/events"
	"apollo/events/membus"
	"apollo/services/inspect"
	"apollo/services/servicestest"
)

// site is a server over a bus in memory that has a study of n trials.
func site(t *testing.T, n int) (*httptest.Server, *membus.Client) {
	t.Helper()
	server, _, bus := siteOf(t, n)
	return server, bus
}

// siteOf is site with the server itself.
func siteOf(t *testing.T, n int) (*httptest.Server, *Server, *membus.Client) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	bus := membus.New(membus.Config{}).Client("test")
	if err := bus.Provision(ctx); err != nil {
		t.Fatal(err)
	}
	publish(t, bus, 1, accepted(spec()))
	for i := range n {
		trial(t, bus, i)
	}
	s := &Server{Bus: bus, Logger: slog.New(slog.DiscardHandler)}
	s.start(ctx)
	server := httptest.NewUnstartedServer(s.Handler())
	server.Config.BaseContext = nil
	server.Start()
	t.Cleanup(func() {
		cancel()
		server.CloseClientConnections()
		server.Close()
		s.reading.Wait()
	})
	return server, s, bus
}

func publish(t *testing.T, bus events.Bus, seq uint64, e events.Payload) {
	t.Helper()
	m := message(t, seq, e)
	m.ID = events.Kind(e.EventType()) + string(rune('a'+seq%26)) + m.Time.String()
	if _, err := bus.Log().Append(t.Context(), m, events.Fence{}); err != nil {
		t.Fatal(err)
	}
}

func trial(t *testing.T, bus events.Bus, i int) {
	t.Helper()
	publish(t, bus, uint64(2+i), proposal(spec(), i))
	m := events.Message{Subject: events.ResultSubject("fake", "demo", servicestest.Run, i), ID: "r" + string(rune(i)), Data: encoded(t, measured(i))}
	if _, err := bus.Facts().Record(t.Context(), m); err != nil {
		t.Fatal(err)
	}
}

func get(t *testing.T, url string) (*http.Response, string) {
	t.Helper()
	r, err := http.Get(url) //nolint:noctx // a test
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r, string(b)
}

func TestPagesShowTheStudyAndEscapeIt(t *testing.T) {
	t.Parallel()
	server, _ := site(t, 20)
	for path, want := range map[string][]string{
		"/":             {`href="/studies/demo"`, "&lt;script&gt;"},
		"/studies/demo": {`id="trials">20<`, "no_room", "&lt;script&gt;", "<polyline"},
		"/studies/demo?kind=infeasible&sort=-latency_s&x=area_mm2&y=" + url.QueryEscape(hostile): {`id="trials">20<`, `data-trial="9"`},
		"/?q=DEMO+" + url.QueryEscape(hostile):                                                   {"&lt;script&gt;", `data-study="demo"`},
		"/studies/demo?run=" + "x":                                                               nil,
		"/studies/none":                                                                          nil,
		"/studies/%3Cscript%3E":                                                                  nil,
		"/api/v1/events?study=no":                                                                nil,
	} {
		r, body := get(t, server.URL+path)
		if (r.StatusCode == http.StatusOK) != (want != nil) {
			t.Errorf("%s: status %d", path, r.StatusCode)
		}
		for _, text := range want {
			if !strings.Contains(body, text) {
				t.Errorf("%s: no %s in:\n%s", path, text, body)
			}
		}
		if strings.Contains(body, "<script>") || strings.Contains(body, " style=") || strings.Contains(body, " onclick=") {
			t.Errorf("%s: a text of a user, or something inline, is in the page:\n%s", path, body)
		}
		if got := r.Header.Get("Content-Security-Policy"); got != policy {
			t.Errorf("%s: policy %q", path, got)
		}
	}
}

// A brush narrows the pictures and tables of a page to the trials inside, but not its headline.
func TestABrushNarrowsThePage(t *testing.T) {
	t.Parallel()
	const trials = 40
	s := &snapshot{spec: spec(), metric: 0, counts: Counts{Counts: events.Counts{Trials: trials}}}
	f := folded(t, trials, inOrder(trials))
	s.view, s.params, s.kept, s.best, s.causes, s.origins = f.View, f.params, f.kept, f.Best, f.Causes.sorted(), f.Origins.sorted()
	const low, high = 0.2, 0.6
	feasible, over, best := 0, 0, 0
	for i := range trials {
		switch v := latency(i); {
		case i%10 == 9 || v < low || v > high:
		case i%4 == 3:
			over++
		default:
			if feasible == 0 || v < latency(best) {
				best = i
			}
			feasible++
		}
	}
	of := s.within(readIntervals([]string{"latency_s:0.2:0.6"}))
	if of.counts.Feasible != feasible || of.counts.Trials != feasible+over || len(of.kept) != feasible+over || feasible == 0 || over == 0 {
		t.Errorf("%+v of %d trials, want %d feasible ones and %d over a limit", of.counts, len(of.kept), feasible, over)
	}
	if last := of.best[len(of.best)-1]; last.Trial != best {
		t.Errorf("the best inside is %+v, want trial %d", last, best)
	}
	if len(of.causes) != 1 || of.causes[0].Trials != over || of.origins[0].Trials != feasible+over {
		t.Errorf("causes %+v, origins %+v, want %d and %d trials", of.causes, of.origins, over, feasible+over)
	}
	if same := s.within(readIntervals([]string{"nothing:0:1"})); same != s {
		t.Error("an interval of nothing narrows the page")
	}
	p := s.page(url.Values{"in": {"latency_s:0.2:0.6"}}, "")
	if want := fmt.Sprintf("%d of %d trials", feasible+over, trials); p.Inside != want || p.Table.Found != fmt.Sprintf("%d trials", feasible+over) || p.Cards[1].Value != strconv.Itoa(trials) {
		t.Errorf("inside %q, table %q, cards %+v, want %q", p.Inside, p.Table.Found, p.Cards, want)
	}
	if none := s.page(url.Values{"in": {"latency_s:7:8"}}, ""); none.Best != nil || none.Plane != nil || len(none.Causes) > 0 {
		t.Errorf("where nothing is inside, %+v is drawn", none.Best)
	}
}

// A picture has values that can be told apart, in few digits.
func TestPointsAreRounded(t *testing.T) {
	t.Parallel()
	column := func(values ...float64) (c []*float64) {
		for i := range values {
			c = append(c, &values[i])
		}
		return append(c, nil)
	}
	for _, c := range []struct{ values, want []float64 }{
		{[]float64{1.23456789e-4, 9.87654321e-3}, []float64{1.235e-4, 9.877e-3}},
		{[]float64{2.00000011, 2.00000022}, []float64{2.00000011, 2.00000022}},
		{[]float64{-1.23456, 1.23456}, []float64{-1.235, 1.235}},
		{[]float64{0.123456789012345678}, []float64{0.123456789012345678}},
		{[]float64{0, 0}, []float64{0, 0}},
		{[]float64{1e300, -1e300}, []float64{1e300, -1e300}},
	} {
		got := column(c.values...)
		round(got)
		for i, want := range c.want {
			if *got[i] != want {
				t.Errorf("%v is rounded to %v, want %v", c.values, *got[i], want)
			}
		}
	}
}

func TestTheFormThatNarrows(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ query, want, err string }{
		{"x=energy_j", "", ""},
		{"of=latency_s&from=100+us&to=&page=3&in=area_mm2:1:2", "?in=area_mm2%3A1%3A2&in=latency_s%3A0.0001%3A1e%2B308#trials-table", ""},
		{"of=latency_s&from=0.1&to=2+ms&kind=feasible", "?in=latency_s%3A0.1%3A0.002&kind=feasible#trials-table", ""},
		{"of=latency_s&from=&to=", "?#trials-table", ""},
		{"of=latency_s&to=5+mm2", "", "to of latency: it is an area (mm2) there"},
		{"of=latency_s&to=much", "", "want a number, with a unit or in s"},
		{"of=nothing&to=1", "", `no metric "nothing"`},
	} {
		v, err := url.ParseQuery(c.query)
		if err != nil {
			t.Fatal(err)
		}
		got, err := narrowed(spec(), v)
		if got != c.want || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: %q, %v, want %q, %s", c.query, got, err, c.want, c.err)
		}
	}
	for _, c := range []struct{ in, want string }{
		{"latency_s:0.0001:1e+308", "latency at least 100\u00a0µs"}, {"latency_s:-1e+308:0.001", "latency at most 1\u00a0ms"},
	} {
		if got := readIntervals([]string{c.in})[0].describe(spec()); got != c.want {
			t.Errorf("%s is %q, want %q", c.in, got, c.want)
		}
	}
}

// A study without a trial has columns without a value, not none.
func TestPointsOfNoTrial(t *testing.T) {
	t.Parallel()
	server, _ := site(t, 0)
	if r, body := get(t, server.URL+"/api/v1/studies/demo/points"); r.StatusCode != http.StatusOK || strings.Contains(body, "null") {
		t.Errorf("status %d: %s", r.StatusCode, body)
	}
}

// The events of a trial are those of its batch.
func TestRawEvents(t *testing.T) {
	t.Parallel()
	server, bus := site(t, 20)
	r, body := get(t, server.URL+"/api/v1/studies/demo/trials/13/events")
	var a struct {
		Proposed  struct{ Data events.TrialsProposed }
		Evaluated struct{ Data events.BatchEvaluated }
	}
	if err := json.Unmarshal([]byte(body), &a); err != nil || r.StatusCode != http.StatusOK || a.Proposed.Data.FirstTrial != 13 || len(a.Evaluated.Data.Trials) != 1 || a.Evaluated.Data.Trials[0].Trial != 13 {
		t.Errorf("%d, %v: %s", r.StatusCode, err, body)
	}
	if r, body := get(t, server.URL+"/api/v1/studies/demo/trials/99/events"); r.StatusCode != http.StatusNotFound {
		t.Errorf("status %d: %s", r.StatusCode, body)
	}
	// The first that can be read counts, whatever lies before and behind it.
	first, second := string(encoded(t, measured(20))), string(encoded(t, measured(21)))
	for _, c := range []struct {
		stored []string
		want   RawAnswer
	}{
		{[]string{first, second}, RawAnswer{Evaluated: []byte(first)}},
		{[]string{"no \xff JSON", first, second}, RawAnswer{Evaluated: []byte(first)}},
		{[]string{"no \xff JSON", "{}"}, RawAnswer{Unread: "no \xff JSON"}},
		{[]string{"{}"}, RawAnswer{Unread: "{}"}},
	} {
		run := "r" + strconv.Itoa(len(c.stored)) + strconv.Itoa(len(c.stored[0]))
		for i, data := range c.stored {
			m := events.Message{Subject: events.ResultSubject("fake", "demo", run, 20), ID: fmt.Sprint(run, i), Data: []byte(data)}
			if _, err := bus.Log().Append(t.Context(), m, events.Fence{}); err != nil {
				t.Fatal(err)
			}
		}
		got, err := rawOf(t.Context(), bus, "demo", run, "fake", 20)
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("of %q the answer is %+v, %v, want %+v", c.stored, got, err, c.want)
		}
		if _, err := json.Marshal(got); err != nil {
			t.Errorf("the answer for %q cannot be written: %v", c.stored, err)
		}
	}
}

// Work over time has every trial of the snapshot once, of many workers the busiest.
func TestWorkOverTime(t *testing.T) {
	t.Parallel()
	s := &snapshot{}
	const workers, each = 15, 7
	for i := range workers * each {
		const second = 1_000_000
		s.kept = append(s.kept, kept{trial: i, worker: fmt.Sprintf("<w%d>", i%workers), began: int64(1+i) * second, seconds: 0.5})
	}
	text := string(s.drawWork())
	sum := 0
	for _, m := range regexp.MustCompile(`: (\d+) trials?,`).FindAllStringSubmatch(text, -1) {
		n, err := strconv.Atoi(m[1])
		if err != nil {
			t.Fatal(err)
		}
		sum += n
	}
	if sum != workers*each || !strings.Contains(text, ">4 others<") || strings.Contains(text, "<w1>") {
		t.Errorf("%d trials of %d in:\n%s", sum, workers*each, text)
	}
}

func TestTheAPICountsWhatWasMeasured(t *testing.T) {
	t.Parallel()
	server, _ := site(t, 20)
	_, body := get(t, server.URL+"/api/v1/studies/demo")
	var got StudyAnswer
	if err := json.Unmarshal([]byte(body), &got); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	want := Counts{Counts: events.Counts{Trials: 20, Measured: 18, Infeasible: 2, Feasible: 14}}
	if got.Counts != want {
		t.Errorf("counts = %+v, want %+v", got.Counts, want)
	}
	var page TrialsAnswer
	_, body = get(t, server.URL+"/api/v1/studies/demo/trials?kind=feasible&sort=latency_s")
	if err := json.Unmarshal([]byte(body), &page); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	if page.Found != want.Feasible || len(page.Trials) != want.Feasible || page.Trials[0].Trial != 0 || page.Trials[0].Metrics["latency_s"] != latency(0) {
		t.Errorf("%d trials are found, the first is %+v; want %d from trial 0 on", page.Found, page.Trials[0], want.Feasible)
	}
	var list []Listed
	if _, body = get(t, server.URL+"/api/v1/studies"); json.Unmarshal([]byte(body), &list) != nil || len(list) != 1 || list[0].Study != "demo" {
		t.Errorf("studies = %s", body)
	}
}

// What is proven, what matters and what happened is on the page of a study.
func TestOptimumImportanceAndFeed(t *testing.T) {
	t.Parallel()
	_, bus := site(t, 60)
	best := latency(0) / 2
	s := &Server{Bus: bus, Logger: slog.New(slog.DiscardHandler), Optimum: func(_ context.Context, spec *events.Spec) *float64 {
		if spec.Study != "demo" {
			t.Errorf("the optimum of %s is asked for", spec.Study)
		}
		return &best
	}}
	ctx, cancel := context.WithCancel(t.Context())
	s.start(ctx)
	server := httptest.NewServer(s.Handler())
	defer func() {
		cancel()
		server.CloseClientConnections()
		server.Close()
		s.reading.Wait()
	}()
	var a StudyAnswer
	for tries := 0; a.Optimum == nil; tries++ {
		_, body := get(t, server.URL+"/api/v1/studies/demo")
		if err := json.Unmarshal([]byte(body), &a); err != nil || tries > 2000 {
			t.Fatalf("%v in %s", err, body)
		}
	}
	if *a.Optimum != best || len(a.Events) != 1 || a.Events[0].Kind != "accepted" {
		t.Errorf("optimum %v, events %+v", *a.Optimum, a.Events)
	}
	_, page := get(t, server.URL+"/studies/demo?importance=yes")
	for _, want := range []string{`class="optimum"`, "proven optimum", `id="matters"`, "<td>accepted</td>"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page has no %q:\n%s", want, page)
		}
	}
	var of inspect.Importance
	if _, body := get(t, server.URL+"/api/v1/studies/demo/importance"); json.Unmarshal([]byte(body), &of) != nil || len(of.Parameters) != len(spec().Parameters) || of.Trials == 0 {
		t.Errorf("importance %s", body)
	}
}

func TestAClientHearsOfATrial(t *testing.T) {
	t.Parallel()
	server, bus := site(t, 3)
	r, err := http.Get(server.URL + "/api/v1/events?study=demo") //nolint:noctx // a test
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	heard := bufio.NewScanner(r.Body)
	change := func() {
		for heard.Scan() {
			if heard.Text() == "event: change" {
				return
			}
		}
		t.Fatal("the stream ended")
	}
	change() // how it is now
	for {    // until all that was stored is read: the page says so
		if _, body := get(t, server.URL+"/studies/demo"); strings.Contains(body, `id="trials">3<`) {
			break
		}
		change()
	}
	trial(t, bus, 3)
	for {
		change()
		if _, body := get(t, server.URL+"/studies/demo?part=live"); strings.Contains(body, `id="trials">4<`) {
			return
		}
	}
}

func TestOnlyTheLoopbacksNamesAreAnswered(t *testing.T) {
	t.Parallel()
	server, _ := site(t, 0)
	for host, want := range map[string]int{"localhost:80": 200, "127.0.0.1": 200, "[::1]:8080": 200, "evil.example": 421, "127.0.0.1.evil.example:80": 421, "": 421} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody)
		r.Host = host
		w := httptest.NewRecorder()
		server.Config.Handler.ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("host %q: status %d, want %d", host, w.Code, want)
		}
	}
}

// A page of another site may lead here by a link, and takes nothing else: what it asks for in
// the background costs evaluations, and the place of a client that listens.
func TestAnotherSiteTakesNothing(t *testing.T) {
	t.Parallel()
	server, _ := site(t, 1)
	for _, c := range []struct {
		path, site, mode, dest string
		want                   int
	}{
		{"/studies/demo", "cross-site", "navigate", "document", http.StatusOK},
		{"/studies/demo", "cross-site", "navigate", "iframe", http.StatusForbidden},
		{"/studies/demo", "cross-site", "no-cors", "image", http.StatusForbidden},
		{"/studies/demo", "same-origin", "cors", "empty", http.StatusOK},
		{"/studies/demo", "none", "navigate", "document", http.StatusOK},
		{"/studies/demo", "", "", "", http.StatusOK},
		{"/api/v1/events", "cross-site", "cors", "empty", http.StatusForbidden},
		{"/api/v1/events", "same-site", "cors", "empty", http.StatusForbidden}, // another port of this machine
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+c.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		for name, value := range map[string]string{"Sec-Fetch-Site": c.site, "Sec-Fetch-Mode": c.mode, "Sec-Fetch-Dest": c.dest} {
			if value != "" {
				r.Header.Set(name, value)
			}
		}
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != c.want {
			t.Errorf("%+v: status %d", c, answer.StatusCode)
		}
	}
}

// No more pages are drawn at a time than the server has room for; who waits gives up when its
// client does.
func TestDrawingsAreBounded(t *testing.T) {
	t.Parallel()
	s := &Server{drawings: make(chan struct{}, maxDrawings)}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
	var last func()
	for range maxDrawings {
		if last = s.mayDraw(r); last == nil {
			t.Fatal("there was room")
		}
	}
	ctx, gone := context.WithCancel(t.Context())
	waits := make(chan func())
	go func() { waits <- s.mayDraw(r.Clone(ctx)) }()
	gone()
	if done := <-waits; done != nil {
		t.Error("one more was drawn")
	}
	last()
	if s.mayDraw(r) == nil {
		t.Error("the room of one that has ended is not used again")
	}
}

func TestAssetsAreKeptForEver(t *testing.T) {
	t.Parallel()
	server, _ := site(t, 0)
	_, page := get(t, server.URL+"/")
	links := regexp.MustCompile(`"(/assets/[^"]+)"`).FindAllStringSubmatch(page, -1)
	if len(links) != 3 {
		t.Fatalf("%d assets in:\n%s", len(links), page)
	}
	for _, l := range links {
		if r, _ := get(t, server.URL+l[1]); r.StatusCode != http.StatusOK || !strings.Contains(r.Header.Get("Cache-Control"), "immutable") {
			t.Errorf("%s: status %d, %s", l[1], r.StatusCode, r.Header.Get("Cache-Control"))
		}
	}
	for _, path := range []string{"/assets/0000000000000000/style.css", "/assets/" + sum(nil) + "/pages.html"} {
		if r, _ := get(t, server.URL+path); r.StatusCode != http.StatusNotFound {
			t.Errorf("%s: status %d, want 404", path, r.StatusCode)
		}
	}
	if r, err := http.Post(server.URL+"/studies/demo", "text/plain", nil); err != nil || r.StatusCode != http.StatusMethodNotAllowed { //nolint:noctx,bodyclose // a test
		t.Errorf("POST: %v, %v; want that nothing can be changed", r.Status, err)
	}
}

// The library is what its release was: VERSION says which, and its checksum.
func TestTheChartsAreTheirRelease(t *testing.T) {
	t.Parallel()
	b, packed, err := readAsset(charts)
	if err != nil || !packed {
		t.Fatalf("%v, packed %t", err, packed)
	}
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	h := sha256.New()
	if _, err := io.Copy(h, z); err != nil {
		t.Fatal(err)
	}
	version, err := web.ReadFile("web/vendor/VERSION")
	if want := hex.EncodeToString(h.Sum(nil)) + "  " + charts; err != nil || !strings.Contains(string(version), want) {
		t.Errorf("VERSION does not say %s, %v", want, err)
	}
}

// An interval keeps the trials that lie in it, and one that means nothing keeps all.
func TestIntervalsNarrowTheTable(t *testing.T) {
	t.Parallel()
	server, _ := site(t, 40)
	found := func(query string) int {
		_, body := get(t, server.URL+"/api/v1/studies/demo/trials?"+query)
		var page TrialsAnswer
		if err := json.Unmarshal([]byte(body), &page); err != nil {
			t.Fatalf("%v in %s", err, body)
		}
		return page.Found
	}
	within := 0
	for i := range 40 {
		if i%10 != 9 && latency(i) <= 0.5 {
			within++
		}
	}
	for query, want := range map[string]int{
		"in=latency_s:0:0.5": within, "in=latency_s:0:0.5&in=area_mm2:6:10&kind=feasible": 0,
	} {
		if got := found(query); got != want {
			t.Errorf("%s finds %d trials, want %d", query, got, want)
		}
	}
	// A program hears what a page forgives.
	for query, want := range map[string]string{
		"in=none:0:1": "name of a metric", "in=latency_s:a:b": "NAME:LOW:HIGH", "in=latency_s": "NAME:LOW:HIGH", "sort=nothing": "sort", "sort=-nothing": "sort",
		"kind=good": "kind", "page=0": "page", "page=-1": "page", "page=x": "page", "limit=3": "unknown parameter", "page=1&page=2": "given 2 times", "kind=%zz": "parameters",
		strings.Repeat("in=latency_s:0:1&", 33): "33 times",
	} {
		if r, body := get(t, server.URL+"/api/v1/studies/demo/trials?"+query); r.StatusCode != http.StatusBadRequest || !strings.Contains(body, want) {
			t.Errorf("%s: %d %s, want 400 and %q", query, r.StatusCode, body, want)
		}
		if r, _ := get(t, server.URL+"/studies/demo?"+query); r.StatusCode != http.StatusOK {
			t.Errorf("the page with %s: %d", query, r.StatusCode)
		}
	}
	for _, path := range []string{"/api/v1/studies?x=1", "/api/v1/studies/demo?x=1", "/api/v1/studies/demo/points?sort=trial", "/api/v1/events?x=1"} {
		if r, body := get(t, server.URL+path); r.StatusCode != http.StatusBadRequest || !strings.Contains(body, "unknown parameter") {
			t.Errorf("%s: %d %s, want 400", path, r.StatusCode, body)
		}
	}
}

func TestATokenIsAskedFor(t *testing.T) {
	t.Parallel()
	const token = "0123456789abcdef"
	s := &Server{Logger: slog.New(slog.DiscardHandler), Token: token, Bus: membus.New(membus.Config{}).Client("test")}
	ctx, cancel := context.WithCancel(t.Context())
	s.start(ctx)
	t.Cleanup(func() { cancel(); s.reading.Wait() })
	h := s.Handler()
	ask := func(method, path string, change func(*http.Request)) *httptest.ResponseRecorder {
		r := httptest.NewRequestWithContext(t.Context(), method, path, http.NoBody)
		r.Host = "any.example"
		change(r)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w
	}
	nothing := func(*http.Request) {}
	bearer := func(word string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+word) }
	}
	form := func(word, next string) func(*http.Request) {
		return func(r *http.Request) {
			r.Body = io.NopCloser(strings.NewReader(url.Values{"token": {word}, "next": {next}}.Encode()))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
	}
	for _, c := range []struct {
		method, path string
		change       func(*http.Request)
		want         int
	}{
		{"GET", "/", nothing, 303},
		{"GET", "/api/v1/studies", nothing, 401},
		{"GET", "/api/v1/studies", bearer("0123456789abcdeF"), 401},
		{"GET", "/api/v1/studies", bearer(token), 200},
		{"GET", "/login", nothing, 200},
		{"POST", "/login", form("wrong", "/"), 403},
		{"POST", "/login", func(r *http.Request) { form(token, "/")(r); r.Header.Set("Sec-Fetch-Site", "cross-site") }, 403},
	} {
		if w := ask(c.method, c.path, c.change); w.Code != c.want {
			t.Errorf("%s %s: status %d, want %d", c.method, c.path, w.Code, c.want)
		}
	}
	in := ask("POST", "/login", form(token, "//evil.example"))
	if in.Code != 303 || in.Header().Get("Location") != "/" {
		t.Fatalf("login: status %d to %q, want 303 to /", in.Code, in.Header().Get("Location"))
	}
	cookie := in.Result().Cookies()[0] //nolint:bodyclose // a recorder
	with := func(value string) func(*http.Request) {
		return func(r *http.Request) { r.AddCookie(&http.Cookie{Name: cookie.Name, Value: value}) }
	}
	if w := ask("GET", "/", with(cookie.Value)); w.Code != 200 {
		t.Errorf("with the cookie: status %d, want 200", w.Code)
	}
	_, sign, _ := strings.Cut(cookie.Value, ".")
	for _, forged := range []string{"99999999999." + sign, "1." + s.sign("1"), ".", sign} {
		if w := ask("GET", "/", with(forged)); w.Code != 303 {
			t.Errorf("with the cookie %q: status %d, want 303", forged, w.Code)
		}
	}
}

// taking is a client that notes until when it has to take what is written.
type taking struct {
	*httptest.ResponseRecorder
	until []time.Time
}

func (w *taking) SetWriteDeadline(t time.Time) error {
	w.until = append(w.until, t)
	return nil
}

// A client that takes nothing of a long answer is let go: every part has a deadline of its
// own, and the request has one.
func TestLongAnswersHaveDeadlines(t *testing.T) {
	t.Parallel()
	w := &taking{ResponseRecorder: httptest.NewRecorder()}
	timed(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for range 3 {
			if _, err := (goingOn{w}).Write([]byte("part\n")); err != nil {
				t.Error(err)
			}
		}
	})).ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
	if len(w.until) != 4 || w.until[0].Sub(w.until[1]) < answerTime-2*writeTime || w.until[3].Before(w.until[1]) || w.Body.Len() != 15 {
		t.Errorf("deadlines %v, want one for all and three that move", w.until)
	}
}

// More files than may be read at a time wait for their turn.
func TestLintIsBounded(t *testing.T) {
	t.Parallel()
	server, s, _ := siteOf(t, 1)
	for range cap(s.eyes) {
		s.eyes <- struct{}{}
	}
	ctx, cancel := context.WithCancel(t.Context())
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, server.URL+"/api/v1/lint", strings.NewReader("kind: Study"))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/yaml")
	answered := make(chan int, 1)
	go func() {
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			answered <- 0
			return
		}
		answer.Body.Close()
		answered <- answer.StatusCode
	}()
	select {
	case status := <-answered:
		t.Errorf("status %d while %d other requests are evaluated", status, cap(s.eyes))
	case <-time.After(50 * time.Millisecond):
	}
	<-s.eyes
	if status := <-answered; status != http.StatusOK {
		t.Errorf("status %d once there was room", status)
	}
	cancel()
	<-s.eyes
}

// A study that was removed from the bus leaves the list; one that came meanwhile stays.
func TestRemovedStudiesLeaveTheList(t *testing.T) {
	t.Parallel()
	_, s, bus := siteOf(t, 1)
	<-s.index.caught
	before := slices.Clone(s.index.order)
	rung(t, bus, "later", 5, 0.001, 4, nil)
	for tries := 0; ; tries++ {
		if _, there := s.index.latest("later", ""); there {
			break
		}
		if tries > 2000 {
			t.Fatal("never")
		}
		time.Sleep(time.Millisecond)
	}
	if err := bus.Purge(t.Context(), events.RunFilter("demo", servicestest.Run)); err != nil {
		t.Fatal(err)
	}
	counts, err := bus.Count(t.Context(), events.StudySubject("*", "*", "accepted"))
	if err != nil {
		t.Fatal(err)
	}
	was := s.index.now()
	s.index.keep(before, counts)
	if list := s.index.list(time.Now()); len(list) != 1 || list[0].Study != "later" || s.index.now() == was {
		t.Errorf("%+v are listed, want the one that is there, and watchers told", list)
	}
}
