package browser

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/heapprofiler"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"github.com/nats-io/nats.go"

	"apollo/events"
	"apollo/events/natsbus"
	"apollo/optimizer/space"
)

// long skips what takes minutes: `make browser-long` runs it.
func long(t *testing.T) {
	t.Helper()
	if os.Getenv("APOLLO_BROWSER_LONG") == "" {
		t.Skip("it takes minutes: `make browser-long` runs it")
	}
}

// logged is a bus whose studies the test writes itself: no proposer, nobody who measures,
// and a dashboard in a process of its own.
type logged struct {
	t   *testing.T
	bus *natsbus.Bus
	*apollo
}

func write(t *testing.T) *logged {
	t.Helper()
	quiet := slog.New(slog.DiscardHandler)
	server, err := natsbus.StartServer(natsbus.ServerConfig{Dir: t.TempDir(), Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Shutdown)
	bus, err := natsbus.Connect(t.Context(), natsbus.Config{URL: server.URL(), Logger: quiet})
	if err == nil {
		err = bus.Provision(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = bus.Close(context.Background()) })
	l := &logged{t: t, bus: bus, apollo: builtFor(t)}
	l.serve("serve", "dashboard", "--nats", server.URL(), "--web", l.web, "--data", t.TempDir())
	t.Cleanup(l.down)
	return l
}

// wide is a study of ten parameters with eight levels each.
func wide(name string, trials int) *events.Spec {
	limit := 6.0
	s := &events.Spec{
		Study: name, Seed: 1, Metrics: []events.Metric{{Name: "latency_s", Unit: "s"}, {Name: "area_mm2", Unit: "mm2"}, {Name: "energy_j", Unit: "J"}},
		Objectives: []events.Objective{{Metric: "latency_s", Goal: "minimize"}}, Constraints: []events.Constraint{{Metric: "area_mm2", Max: &limit}},
		Algorithm: events.Algorithm{Name: "random"}, KnownConstraints: "checked", Order: "strict", Duplicates: "reuse",
		Evaluator: events.EvaluatorSpec{Name: "fake", TimeoutSeconds: 60, Attempts: 3, Deterministic: true},
		Budget:    events.Budget{Trials: trials, Batch: batch, Parallelism: 1, Lag: 2},
	}
	for i := range 10 {
		p := events.Parameter{Name: fmt.Sprint("p", i), Unit: "B"}
		for level := range 8 {
			p.Values = append(p.Values, float64(int(64)<<level))
		}
		s.Parameters = append(s.Parameters, p)
	}
	return s
}

const (
	longRun = "0badcafe"
	batch   = 500
)

func (l *logged) say(id string, e events.Payload, subject string) {
	l.t.Helper()
	data, err := events.Encode(id, "test", "", time.Now(), e)
	if err == nil {
		_, err = l.bus.Log().Append(l.t.Context(), events.Message{Subject: subject, ID: id, Data: data}, events.Fence{})
	}
	if err != nil {
		l.t.Fatal(err)
	}
}

func (l *logged) accept(name string, trials int) {
	s := wide(name, trials)
	l.say(name+"-accepted", events.StudyAccepted{Study: name, Run: longRun, Spec: *s, SpecSHA256: events.SpecSHA256(s)}, events.StudySubject(name, longRun, "accepted"))
}

// outcome is that of a trial: every tenth cannot run, every fourth is too large.
func outcome(trial int) events.TrialResult {
	hash := uint64(trial+1) * 0x9E3779B97F4A7C15
	at := func(shift int) float64 { return float64(hash>>shift&0xFFFF) / 0xFFFF }
	r := events.TrialResult{Trial: trial, Outcome: events.OutcomeMeasured, Values: []float64{1e-3 * math.Exp(3*at(0)), 2 + 3.9*at(16), 1e-3 * math.Exp(2*at(32))}}
	switch {
	case trial%10 == 9:
		r.Outcome, r.Values, r.Reason = events.OutcomeInfeasible, nil, &events.Reason{Code: "no_room", Message: "the weights do not fit"}
	case trial%4 == 3:
		r.Values[1] = 6.5
	}
	return r
}

// try writes a batch of trials with their answers.
func (l *logged) try(name string, number, size int) {
	l.t.Helper()
	p := events.TrialsProposed{Study: name, Run: longRun, Batch: number, FirstTrial: number * size}
	r := events.BatchEvaluated{Study: name, Run: longRun, Batch: number, Evaluator: "fake", EvaluatorVersion: "1", Worker: "test/1", Metrics: []string{"latency_s", "area_mm2", "energy_j"}}
	for i := range size {
		trial := number*size + i
		hash := uint64(trial+1) * 0x9E3779B97F4A7C15
		var d events.Design
		for k := range 10 {
			d = append(d, space.Value{Num: float64(int(64) << (hash >> (3 * k) & 7))})
		}
		p.Designs, p.Origins = append(p.Designs, d), append(p.Origins, []string{"random", "evolution", "gp-bandit"}[trial/997%3])
		r.Trials = append(r.Trials, outcome(trial))
	}
	l.say(fmt.Sprintf("%s-p%d", name, number), p, events.StudySubject(name, longRun, "proposed"))
	subject := events.ResultSubject("fake", name, longRun, number)
	data, err := events.Encode(subject, "test", name, time.Now(), r)
	if err == nil {
		_, err = l.bus.Facts().Record(l.t.Context(), events.Message{Subject: subject, ID: subject, Data: data})
	}
	if err != nil {
		l.t.Fatal(err)
	}
}

// study writes a whole study that has ended, and returns how many trials are feasible and
// which is the best.
func (l *logged) study(name string, trials int) (feasible, best int) {
	l.t.Helper()
	l.accept(name, trials)
	least := math.Inf(1)
	for number := range trials / batch {
		l.try(name, number, batch)
	}
	for trial := range trials {
		if r := outcome(trial); r.Values != nil && r.Values[1] <= 6 {
			feasible++
			if r.Values[0] < least {
				least, best = r.Values[0], trial
			}
		}
	}
	l.say(name+"-completed", events.StudyCompleted{Study: name, Run: longRun, Reason: "budget", Summary: events.Summary{Counts: events.Counts{Trials: trials, Feasible: feasible}, Best: &events.BestTrial{
		Trial: best, Design: map[string]any{}, Metrics: map[string]float64{"latency_s": least, "area_mm2": outcome(best).Values[1], "energy_j": outcome(best).Values[2]},
	}}}, events.StudySubject(name, longRun, "completed"))
	return feasible, best
}

// use is what a process took so far.
type use struct{ cpu, resident float64 } // seconds, MB

func usedBy(t *testing.T, pid int) (u use) {
	t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Skipf("what a process takes is read from /proc: %v", err)
	}
	fields := strings.Fields(string(stat)[strings.LastIndexByte(string(stat), ')')+1:])
	const ticks = 100 // of the clock in a second, on every Linux that Go runs on
	for _, at := range []int{11, 12} {
		n, _ := strconv.ParseFloat(fields[at], 64)
		u.cpu += n / ticks
	}
	pages, _ := strconv.ParseFloat(fields[21], 64)
	u.resident = pages * float64(os.Getpagesize()) / 1e6
	return u
}

// painted visits a page and returns when something was first to be seen, in ms.
func (p *tab) painted(url string) float64 {
	p.t.Helper()
	p.visit(url)
	p.settled()
	p.wait(`performance.getEntriesByName('first-contentful-paint').length > 0`)
	return value[float64](p, `performance.getEntriesByName('first-contentful-paint')[0].startTime`)
}

// reacts clicks what an expression returns, and tells how long it takes until a condition
// holds and is painted, in ms.
func (p *tab) reacts(what, until string) (ms float64) {
	p.t.Helper()
	p.do("click and wait for "+until, chromedp.Evaluate(`new Promise(done => {
		const began = performance.now();
		const look = () => (`+until+`) ? requestAnimationFrame(() => setTimeout(() => done(performance.now() - began))) : requestAnimationFrame(look);
		(`+what+`).click();
		look();
	})`, &ms, awaited))
	return ms
}

func median(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}

// A study with 1,000, 2,000, 100,000 and 1,000,000 trials: when something is painted and how
// long a click takes, beside an empty page in the same browser; bytes and memory.
func TestLongStudies(t *testing.T) {
	long(t)
	const tries = 5
	browser := browse(t)
	empty := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, `<!doctype html><html><head><link rel="icon" href="data:,"></head><body><main><button onclick="this.textContent='pressed'">press</button></main></body></html>`)
	}))
	defer empty.Close()
	l := write(t)
	p := open(t, browser)
	var paints, clicks []float64
	for range tries {
		paints = append(paints, p.painted(empty.URL))
		clicks = append(clicks, p.reacts(`document.querySelector('button')`, `document.querySelector('button').textContent === 'pressed'`))
	}
	paint, click := median(paints), median(clicks)
	t.Logf("an empty page: painted after %.0f ms, a click takes %.0f ms", paint, click)
	for _, trials := range []int{1_000, 2_000, 100_000, 1_000_000} {
		name := fmt.Sprint("s", trials)
		feasible, best := l.study(name, trials)
		page := l.page("/studies/" + name)
		read := time.Now()
		p.visit(l.page("/"))
		p.wait(fmt.Sprintf(`document.querySelector('[data-study=%s]')`, name))
		for began := time.Now(); ; time.Sleep(200 * time.Millisecond) { // until the server has read it
			p.visit(page)
			if value[int](p, `Number(document.querySelector('#trials')?.textContent.replaceAll(/\D/g, '') ?? 0)`) == trials {
				break
			}
			if time.Since(began) > 10*patience {
				t.Fatalf("%d trials are never read:\n%s", trials, p.text("main"))
			}
		}
		took := time.Since(read)
		if got := value[string](p, `document.querySelector('#best').closest('.card').textContent`); !strings.Contains(got, fmt.Sprint("trial ", best)) {
			t.Errorf("the best is %q, want trial %d", got, best)
		}
		share := fmt.Sprintf("%.1f\u00a0%%", 100*float64(feasible)/float64(trials))
		if got := p.text("#feasible"); got != share && got != strings.ReplaceAll(share, "\u00a0", " ") {
			t.Errorf("%q are feasible, want %q", got, share)
		}
		paints, clicks = nil, nil
		for range tries {
			paints = append(paints, p.painted(page))
			p.visit(page + "?in=latency_s:0.002:0.004")
			p.settled()
			p.live()
			clicks = append(clicks, p.reacts(`document.querySelector('#clear')`, `!location.search.includes('in=') && !document.querySelector('.chips .remove')`))
		}
		sum := `performance.getEntriesByType('resource').concat(performance.getEntriesByType('navigation')).filter(e => !e.name.includes('/events')).reduce((n, e) => n + e.transferSize, 0)`
		p.do("forget what was loaded", network.ClearBrowserCache())
		p.visit(page)
		p.settled()
		cold := value[int](p, sum)
		p.visit(page)
		p.settled()
		warm := value[int](p, sum)
		heap := value[float64](p, `performance.memory.usedJSHeapSize / 1e6`)
		t.Logf("%d trials: read in %.1f s; painted after %.0f ms (%.1f × an empty page), a brush is lifted after %.0f ms (%.0f × a click there); %d bytes cold, %d warm; the page holds %.0f MB, the server %.0f MB",
			trials, took.Seconds(), median(paints), median(paints)/paint, median(clicks), median(clicks)/click, cold, warm, heap, usedBy(t, l.process.Process.Pid).resident)
	}
}

// Fifty studies that move ten times a second, for APOLLO_BROWSER_MINUTES (10): the list
// and one study are watched, and neither server nor page grows.
func TestLongWatching(t *testing.T) {
	long(t)
	minutes := 10
	if n, err := strconv.Atoi(os.Getenv("APOLLO_BROWSER_MINUTES")); err == nil {
		minutes = n
	}
	browser := browse(t)
	l := write(t)
	const studies, hertz = 50, 10
	for i := range studies {
		l.accept(fmt.Sprint("live-", i), 1_000_000)
	}
	list, one := open(t, browser), open(t, browser)
	list.visit(l.page("/"))
	list.wait(fmt.Sprintf(`document.querySelectorAll('[data-study]').length === %d`, studies))
	one.visit(l.page("/studies/live-0"))
	ctx, stop := context.WithTimeout(t.Context(), time.Duration(minutes)*time.Minute)
	defer stop()
	var moving sync.WaitGroup
	sent := 0
	moving.Go(func() {
		every := time.NewTicker(time.Second / hertz)
		defer every.Stop()
		for number := 0; ctx.Err() == nil; number++ {
			for i := range studies {
				name := fmt.Sprint("live-", i)
				l.try(name, number, 1)
				b, _ := json.Marshal(events.Progress{Study: name, Run: longRun, State: "running", Counts: events.Counts{Trials: number + 1, Measured: number + 1}, Budget: 1_000_000})
				if err := l.bus.Notify(t.Context(), events.ProgressSubject(name, longRun), b); err != nil {
					t.Error(err)
					return
				}
			}
			sent = number + 1
			<-every.C
		}
	})
	heap := func(p *tab) float64 {
		p.do("collect garbage", heapprofiler.CollectGarbage())
		return value[float64](p, `performance.memory.usedJSHeapSize / 1e6`)
	}
	one.wait(`document.querySelector('#explore canvas')`) // its charts are there, though it had no trial
	const parts = 10
	for i := range parts {
		time.Sleep(time.Duration(minutes) * time.Minute / (parts + 1))
		t.Logf("after %d of %d parts: the server holds %.0f MB, the list %.1f MB, the study %.1f MB", i+1, parts, usedBy(t, l.process.Process.Pid).resident, heap(list), heap(one))
	}
	moving.Wait()
	t.Logf("%.1f changes a second of each of %d studies, for %d minutes", float64(sent)/(60*float64(minutes)), studies, minutes)
	one.wait(fmt.Sprintf(`document.querySelector('#trials')?.textContent.replaceAll(/\D/g, '') === '%d'`, sent))
}

// Twenty who watch cost a running study hardly anything: the processor's time of the process
// that serves them, and of that which runs the study and its bus, for the same trials with and
// without them, in turn, until the study says that it has ended.
func TestLongWatchersAndTheStudy(t *testing.T) {
	long(t)
	const watchers, trials, rounds = 20, 24_000, 11
	a := start(t)
	d := a.elsewhere(t)
	d.serve("serve", "dashboard", "--nats", a.url, "--web", d.web, "--data", a.dir)
	t.Cleanup(d.down)
	nc, err := nats.Connect(a.url)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	cost := func(name string, watched bool) (study, dashboard, seconds float64) {
		ended, err := nc.SubscribeSync("apollo.v1." + events.StudySubject(name, "*", "completed")) // which asks the server nothing meanwhile
		if err == nil {
			err = nc.Flush()
		}
		if err != nil {
			t.Fatal(err)
		}
		study, dashboard = usedBy(t, a.process.Process.Pid).cpu, usedBy(t, d.process.Process.Pid).cpu
		began := time.Now()
		a.publish(name, edge(trials), nil)
		a.accepted(name)
		ctx, stop := context.WithCancel(t.Context())
		var all sync.WaitGroup
		for range watchers {
			if watched {
				all.Go(func() { follow(ctx, d.page("/studies/"+name), d.page("/api/v1/events?study="+name)) })
			}
		}
		if _, err := ended.NextMsg(10 * time.Minute); err != nil {
			t.Fatal(err)
		}
		study, dashboard = usedBy(t, a.process.Process.Pid).cpu-study, usedBy(t, d.process.Process.Pid).cpu-dashboard
		seconds = time.Since(began).Seconds()
		stop()
		all.Wait()
		for before := -1.0; before != usedBy(t, d.process.Process.Pid).cpu; time.Sleep(time.Second) { // it reads what is left, which is no part of the next run
			before = usedBy(t, d.process.Process.Pid).cpu
		}
		return study, dashboard, seconds
	}
	var served, ran, of []float64
	cost("warm", true)
	for i := range rounds {
		study, idle, _ := cost(fmt.Sprint("alone-", i), false)
		beside, busy, seconds := cost(fmt.Sprint("watched-", i), true)
		served, ran, of = append(served, (busy-idle)/(study+idle)), append(ran, beside/study-1), append(of, busy/seconds)
		t.Logf("%d trials take %.2f s of the processor and %.2f s for the dashboard; with %d who watch %.2f s and %.2f s: %+.2f %% and %+.2f %%",
			trials, study, idle, watchers, beside, busy, 100*ran[i], 100*served[i])
	}
	slices.Sort(served)
	slices.Sort(ran)
	t.Logf("to serve twenty who watch takes %.2f %% of what the study takes (median; %.2f to %.2f), the dashboard in all %.2f %% of a processor; the study and its bus take %+.2f %% more (%+.2f to %+.2f)",
		100*median(served), 100*served[0], 100*served[rounds-1], 100*median(of), 100*median(ran), 100*ran[0], 100*ran[rounds-1])
}

// follow does what a page does that follows a study: it hears of changes, and asks for the
// page, at most once a second.
func follow(ctx context.Context, page, changes string) {
	ask := func(url string) (*http.Response, error) {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return nil, err
		}
		r.Header.Set("Apollo-Live", "yes")
		r.Header.Set("Accept-Encoding", "gzip")
		return http.DefaultClient.Do(r)
	}
	stream, err := ask(changes)
	if err != nil {
		return
	}
	defer stream.Body.Close()
	for lines := bufio.NewScanner(stream.Body); lines.Scan(); {
		if !strings.HasPrefix(lines.Text(), "event: ") {
			continue
		}
		if answer, err := ask(page); err == nil {
			_, _ = io.Copy(io.Discard, answer.Body)
			answer.Body.Close()
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}

// Two hundred clients hear of a change, and the next one is refused.
func TestLongClients(t *testing.T) {
	long(t)
	const clients = 200
	a := start(t)
	a.publish("demo", edge(20), nil)
	a.accepted("demo")
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	heard := make(chan struct{}, 10*clients)
	client := &http.Client{Transport: &http.Transport{MaxConnsPerHost: 2 * clients}}
	listen := func() int {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, a.page("/api/v1/events"), nil)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			defer answer.Body.Close()
			for lines := bufio.NewScanner(answer.Body); lines.Scan(); {
				if strings.HasPrefix(lines.Text(), "event: ") {
					heard <- struct{}{}
				}
			}
		}()
		return answer.StatusCode
	}
	before := usedBy(t, a.process.Process.Pid)
	for i := range clients {
		if status := listen(); status != http.StatusOK {
			t.Fatalf("client %d: status %d", i, status)
		}
	}
	if status := listen(); status != http.StatusServiceUnavailable {
		t.Errorf("client %d: status %d, want 503", clients+1, status)
	}
	for range clients { // each hears at once
		<-heard
	}
	began := time.Now()
	a.publish("another", edge(20), nil)
	for range clients {
		<-heard
	}
	t.Logf("%d clients heard of a new study in %.2f s; the process took %.0f MB more", clients, time.Since(began).Seconds(), usedBy(t, a.process.Process.Pid).resident-before.resident)
}

// builtFor is a binary with an address for a dashboard, and no process yet.
func builtFor(t *testing.T) *apollo {
	t.Helper()
	return (&apollo{t: t, binary: build(t)}).elsewhere(t)
}
