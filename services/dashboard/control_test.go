package dashboard

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"apollo/events"
	"apollo/services/servicestest"
)

// What may not be asked, or is asked wrongly, is refused before a command is sent.
func TestControlsAreRefused(t *testing.T) {
	t.Parallel()
	const token = "0123456789abcdef"
	const asJSON, asForm = "application/json", "application/x-www-form-urlencoded"
	type kind struct {
		token string
		open  bool
	}
	local, open, asking := kind{}, kind{open: true}, kind{token: token}
	server, bus := site(t, 3)
	for _, c := range []struct {
		name              string
		kind              kind
		path, media, body string
		header            map[string]string
		want              int
		says              string
	}{
		{"the loopback, and it is so already", local, "demo", asJSON, `{"verb":"resume"}`, nil, 200, `"state":"running"`},
		{"by a form", local, "demo", asForm, "verb=resume&trials=&run=" + servicestest.Run, nil, 303, ""},
		{"open to everybody", open, "demo", asJSON, `{"verb":"pause"}`, nil, 403, "--http-auth"},
		{"no token", asking, "demo", asJSON, `{"verb":"pause"}`, nil, 401, "Bearer"},
		{"another token", asking, "demo", asJSON, `{"verb":"pause"}`, map[string]string{"Authorization": "Bearer 0123456789abcdeF"}, 401, "Bearer"},
		{"the token", asking, "demo", asJSON, `{"verb":"resume"}`, map[string]string{"Authorization": "Bearer " + token}, 200, `"study":"demo"`},
		{"another site", local, "demo", asForm, "verb=pause", map[string]string{"Sec-Fetch-Site": "cross-site"}, 403, "cross-origin"},
		{"another origin", local, "demo", asForm, "verb=pause", map[string]string{"Origin": "http://evil.example"}, 403, "cross-origin"},
		{"another site with the token's cookie", asking, "demo", asForm, "verb=pause", map[string]string{"Sec-Fetch-Site": "same-site", "Authorization": "Bearer " + token}, 403, "cross-origin"},
		{"no such study", local, "none", asJSON, `{"verb":"pause"}`, nil, 404, "no such study"},
		{"no such run", local, "demo", asJSON, `{"verb":"pause","run":"00000000"}`, nil, 404, "no such study"},
		{"no verb", local, "demo", asJSON, `{}`, nil, 400, "want one of"},
		{"an unknown verb", local, "demo", asJSON, `{"verb":"rm"}`, nil, 400, `"rm"`},
		{"an unknown field", local, "demo", asJSON, `{"verb":"pause","why":1}`, nil, 400, `"why"`},
		{"more than one", local, "demo", asJSON, `{"verb":"pause"} {}`, nil, 400, "one object"},
		{"an unknown parameter", local, "demo?force=1", asJSON, `{"verb":"pause"}`, nil, 400, "parameters"},
		{"no total", local, "demo", asJSON, `{"verb":"extend"}`, nil, 400, "new total"},
		{"a total of words", local, "demo", asForm, "verb=extend&trials=many", nil, 400, `"many"`},
		{"a total to pause", local, "demo", asJSON, `{"verb":"pause","trials":3}`, nil, 400, "takes no trials"},
		{"force to stop", local, "demo", asJSON, `{"verb":"stop","force":true}`, nil, 400, "takes no force"},
		{"a field that forms have not", local, "demo", asForm, "verb=pause&token=x", nil, 400, `"token"`},
		{"no designs", local, "demo", asJSON, `{"verb":"add"}`, nil, 400, "wants designs"},
		{"designs to pause", local, "demo", asJSON, `{"verb":"pause","designs":[{"cores":1}]}`, nil, 400, "takes no designs"},
		{"a design of words", local, "demo", asForm, "verb=add&design=cores", nil, 400, "design"},
		{"plain text", local, "demo", "text/plain", `{"verb":"pause"}`, nil, 400, "text/plain"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &Server{Bus: bus, Logger: slog.New(slog.DiscardHandler), Token: c.kind.token, Open: c.kind.open}
			s.start(t.Context())
			path, query, _ := strings.Cut(c.path, "?")
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/api/v1/studies/"+path+"/control?"+query, strings.NewReader(c.body))
			r.Host = "127.0.0.1:8080"
			r.Header.Set("Content-Type", c.media)
			for name, value := range c.header {
				r.Header.Set(name, value)
			}
			w := httptest.NewRecorder()
			s.Handler().ServeHTTP(w, r)
			if w.Code != c.want || !strings.Contains(w.Body.String(), c.says) {
				t.Errorf("status %d, want %d and %q in:\n%s", w.Code, c.want, c.says, w.Body)
			}
		})
	}
	for m, err := range bus.Log().Read(t.Context(), 0, events.RunFilter("demo", "*")) {
		if err != nil {
			t.Fatal(err)
		}
		if _, _, kind, _ := events.ParseStudySubject(m.Subject); kind != "accepted" && kind != "proposed" {
			t.Errorf("the log has %s: a command was carried out", m.Subject)
		}
	}
	// The page has buttons where they work.
	if _, page := get(t, server.URL+"/studies/demo"); !strings.Contains(page, `value="pause"`) || strings.Contains(page, `value="resume"`) {
		t.Errorf("a running study cannot be paused in:\n%s", page)
	}
}
