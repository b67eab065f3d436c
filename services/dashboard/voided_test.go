package dashboard

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"apollo/events"
	"apollo/services/client"
	"apollo/services/messages"
	"apollo/services/servicestest"
)

// Trials that are measured anew count for nothing, also where they were counted
// already, and those whose results were known before count.
func TestVoidedAndReusedTrials(t *testing.T) {
	t.Parallel()
	server, bus := site(t, 12)
	counts := func() (a StudyAnswer) {
		_, body := get(t, server.URL+"/api/v1/studies/demo")
		if err := json.Unmarshal([]byte(body), &a); err != nil {
			t.Fatal(err)
		}
		return a
	}
	before := counts()
	if before.Trials != 12 || before.Voided != 0 {
		t.Fatalf("before: %+v", before.Counts)
	}
	// Trials 0 and 9 are measured anew as 12 and 13; 9 could not run.
	for i, old := range []int{0, 9} {
		p := proposal(spec(), 12+i)
		p.Voids, p.Origins, p.Added = []int{old}, []string{events.RetryOrigin(old)}, true
		publish(t, bus, uint64(100+i), p)
		m := events.Message{Subject: events.ResultSubject("fake", "demo", servicestest.Run, 12+i), ID: fmt.Sprint("again", i), Data: encoded(t, measured(12+i))}
		if _, err := bus.Facts().Record(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	// Trial 14 was measured elsewhere: the proposer answers for nobody.
	known := proposal(spec(), 14)
	known.Reused = []events.TrialResult{{Trial: 14, Outcome: events.OutcomeMeasured, Values: []float64{latency(14), 5, 1}}}
	publish(t, bus, 102, known)
	after := counts()
	for tries := 0; after.Trials != 15 || after.Voided != 2; tries++ {
		if tries > 2000 {
			t.Fatalf("never: 15 trials, 2 voided; %+v", after.Counts)
		}
		after = counts()
	}
	if after.Infeasible != before.Infeasible-1 || after.Measured != before.Measured+2 {
		t.Errorf("after %+v, before %+v: want an infeasible one less, and two measured more", after.Counts, before.Counts)
	}
	if slices.ContainsFunc(after.Progress, func(m Mark) bool { return m.Trial == 0 || m.Trial == 9 }) {
		t.Errorf("a voided trial is in the progress %+v", after.Progress)
	}
	if !slices.ContainsFunc(after.Origins, func(o Tallied) bool { return o.Code == "retry" && o.Trials == 2 }) {
		t.Errorf("origins %+v, want two trials of retry", after.Origins)
	}
}

// What no address of ours says is refused or means nothing, and nothing panics.
func TestStrangeAddresses(t *testing.T) {
	t.Parallel()
	server, _ := site(t, 5)
	for address, code := range map[string]int{
		"/studies/demo?page=9223372036854775807":                   200,
		"/api/v1/studies/demo/trials?page=368934881474191033":      200,
		"/studies/demo?" + strings.Repeat("x", 9000):               http.StatusRequestURITooLong,
		"/api/v1/studies/demo/points?" + strings.Repeat("x", 9000): http.StatusRequestURITooLong,
	} {
		if r, _ := get(t, server.URL+address); r.StatusCode != code {
			t.Errorf("%.60s: %d, want %d", address, r.StatusCode, code)
		}
	}
	for _, next := range []string{"//evil", "/\t/evil", "/\\evil", "/\n/evil", "/\x7f/evil", "https://evil", ""} {
		if got := local(next); got != "/" {
			t.Errorf("after the login to %q: %q", next, got)
		}
	}
	if got := local("/studies/demo?sort=x"); got != "/studies/demo?sort=x" {
		t.Errorf("to a page of ours: %q", got)
	}
}

// A client that listens keeps its watch, whatever others look at.
func TestListenersKeepTheirWatch(t *testing.T) {
	t.Parallel()
	s := &Server{watches: map[messages.RunKey]*watch{}}
	var done []func()
	for i := range maxWatches {
		w := newWatch(&client.StudyView{Study: fmt.Sprint("s", i)})
		w.cancel, w.used = func() {}, uint64(i)
		s.watches[messages.RunKey{Study: w.fold.View.Study}] = w
		done = append(done, s.listen(w))
	}
	if s.makeRoom() {
		t.Error("a watch that a client listens to made room")
	}
	done[7]()
	if !s.makeRoom() || s.watches[messages.RunKey{Study: "s7"}] != nil || len(s.watches) != maxWatches-1 {
		t.Errorf("%d watches: want that the one without a client makes room", len(s.watches))
	}
}
