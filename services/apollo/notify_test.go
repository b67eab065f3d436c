package main

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"apollo/events"
	"apollo/services/notify"
)

// A study that is run here tells a webhook of its end before the process ends,
// and is refused where nothing can be signed.
func TestRunTellsAWebhook(t *testing.T) {
	b := &bucketed{t, t.TempDir()}
	var mu sync.Mutex
	var bodies []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		if err == nil {
			bodies = append(bodies, string(body))
		}
		w.WriteHeader(http.StatusNoContent)
	}))
	t.Cleanup(server.Close)
	one := b.study("one", "notify: [{on: completed, webhook: \""+server.URL+"/done\"}]")
	t.Setenv(notify.KeyName, "")
	var out, errs bytes.Buffer
	if code := Main(t.Context(), []string{"run", one, "--data", b.dir + "/a"}, strings.NewReader(""), &out, &errs); code == 0 || !strings.Contains(errs.String(), notify.KeyName) {
		t.Errorf("without a key: exit %d, said %q; want a refusal that names %s", code, &errs, notify.KeyName)
	}
	t.Setenv(notify.KeyName, strings.Repeat("k", 32))
	// Whom the dashboard lets in asks for studies from elsewhere.
	token := filepath.Join(b.dir, "token")
	if err := os.WriteFile(token, []byte(strings.Repeat("t", 16)), 0o600); err != nil {
		t.Fatal(err)
	}
	errs.Reset()
	if code := Main(t.Context(), []string{"run", one, "--data", b.dir + "/c", "--web=0.0.0.0:0", "--http-auth", token}, strings.NewReader(""), &out, &errs); code == 0 || !strings.Contains(errs.String(), "webhook") {
		t.Errorf("with a dashboard that others reach: exit %d, said %q; want a refusal of the webhook", code, &errs)
	}
	t.Log(errs.String())
	b.run("run", one, "--data", b.dir+"/b", "--quiet")
	mu.Lock()
	defer mu.Unlock()
	if len(bodies) != 1 {
		t.Fatalf("%d calls, want one", len(bodies))
	}
	if _, e, err := events.DecodeAs[events.StudyCompleted]([]byte(bodies[0])); err != nil || e.Study != "one" {
		t.Errorf("the webhook got %q (%v), want the event", bodies[0], err)
	}
}
