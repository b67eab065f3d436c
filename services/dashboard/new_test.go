package dashboard

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"apollo/services/studyfile"
)

const goodStudy = `apiVersion: apollo/v1
kind: Study
metadata: {name: written}
spec:
  space: {template: edge}
  workload: {networks: [{name: mobilenet_v2}]}
  objectives: [{metric: latency, goal: minimize}]
  budget: {trials: 20}
`

func post(t *testing.T, address, kind, body string) (int, string) {
	t.Helper()
	r, err := http.Post(address, kind, strings.NewReader(body)) //nolint:noctx // a test
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r.StatusCode, string(b)
}

func TestLintSaysWhatTheCommandSays(t *testing.T) {
	t.Parallel()
	server, _ := site(t, 1)
	lint := func(text string) (said studyfile.Lint) {
		status, body := post(t, server.URL+"/api/v1/lint", "application/yaml", text)
		if err := json.Unmarshal([]byte(body), &said); err != nil || status != http.StatusOK {
			t.Fatalf("status %d, %v in %s", status, err, body)
		}
		conforms(t, server.URL, "POST", "/api/v1/lint", body)
		return said
	}
	if said := lint(goodStudy); !said.OK || said.Study != "written" || said.Designs.Sign() <= 0 || *said.LegalShare <= 0 {
		t.Errorf("a good study is %+v", said)
	}
	wrong := strings.Replace(strings.Replace(goodStudy, "template: edge", "template: edgy", 1), "trials: 20", "trails: 20", 1)
	said := lint(wrong)
	places := map[int]bool{}
	for _, m := range said.Mistakes {
		places[m.Line] = true
	}
	if said.OK || !places[5] || !places[8] {
		t.Errorf("mistakes %+v, want some in lines 5 and 8", said.Mistakes)
	}
	// The page marks the same, without a script.
	_, page := postForm(t, server.URL+"/new", url.Values{"text": {wrong + "# <script>"}, "do": {"submit"}})
	for _, want := range []string{`data-line="5"`, `data-line="8"`, "^^^^", "# &lt;script&gt;"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page has no %q:\n%s", want, page)
		}
	}
	if strings.Contains(page, "<script>") {
		t.Error("a text of a user is in the page as it is")
	}
	// A size of which each value of a fidelity is a part says so.
	cheaper := strings.Replace(strings.Replace(goodStudy, "{template: edge}", "{parameters: [{name: x, values: [1, 2, 3]}, {name: fine, values: [1, 4]}]}", 1),
		"workload: {networks: [{name: mobilenet_v2}]}", "evaluator: {name: own, metrics: [{name: latency, unit: s}]}\n  fidelity: {parameter: fine}", 1)
	if _, page := postForm(t, server.URL+"/new", url.Values{"text": {cheaper}, "do": {"look"}}); !strings.Contains(page, "6, each value of fine counted") {
		t.Errorf("the page does not say what its 6 designs are:\n%s", page)
	}
	// What names files of this machine is refused, and no file is read.
	local := strings.Replace(goodStudy, "{networks: [{name: mobilenet_v2}]}", "{file: /etc/hostname}", 1)
	if said := lint(local); said.OK {
		t.Errorf("a study that names a file is %+v", said)
	}
	if status, _ := post(t, server.URL+"/api/v1/studies", "application/yaml", wrong); status != http.StatusUnprocessableEntity {
		t.Errorf("submitting it: status %d, want 422", status)
	}
	for _, c := range [][3]string{{"/api/v1/lint?x=1", "application/yaml", goodStudy}, {"/api/v1/lint", "text/html", goodStudy}, {"/api/v1/studies", "", goodStudy}} {
		if status, body := post(t, server.URL+c[0], c[1], c[2]); status != http.StatusBadRequest {
			t.Errorf("%s as %q: status %d: %s", c[0], c[1], status, body)
		}
	}
	if status, _ := post(t, server.URL+"/api/v1/lint", "application/yaml", strings.Repeat("# a line\n", maxBody/8)); status == http.StatusOK {
		t.Error("more than is taken is taken")
	}
}

func postForm(t *testing.T, address string, v url.Values) (int, string) {
	t.Helper()
	return post(t, address, "application/x-www-form-urlencoded", v.Encode())
}

// The dashboard of one study's process takes no others: nobody would run them.
func TestADashboardOfOneStudyTakesNoOthers(t *testing.T) {
	t.Parallel()
	_, bus := site(t, 1)
	s := &Server{Bus: bus, Alone: "demo", Logger: slog.New(slog.DiscardHandler)}
	server := httptest.NewServer(s.Handler())
	defer server.Close()
	if status, said := post(t, server.URL+"/api/v1/studies", "application/yaml", goodStudy); status != http.StatusForbidden || !strings.Contains(said, "runs the study demo alone") {
		t.Errorf("status %d, said %q; want 403 and why", status, said)
	}
	if status, page := postForm(t, server.URL+"/new", url.Values{"text": {goodStudy}, "do": {"submit"}}); status != http.StatusForbidden || !strings.Contains(page, "apollo up") {
		t.Errorf("/new: status %d:\n%s", status, page)
	}
}

// Who may not control studies may not submit any either.
func TestOpenPagesTakeNoStudies(t *testing.T) {
	t.Parallel()
	_, bus := site(t, 1)
	s := &Server{Bus: bus, Open: true, Logger: slog.New(slog.DiscardHandler)}
	server := httptest.NewServer(s.Handler())
	defer server.Close()
	for _, path := range []string{"/api/v1/lint", "/api/v1/studies"} {
		if status, _ := post(t, server.URL+path, "application/yaml", goodStudy); status != http.StatusForbidden {
			t.Errorf("%s: status %d, want 403", path, status)
		}
	}
	if status, page := postForm(t, server.URL+"/new", url.Values{"text": {goodStudy}, "do": {"submit"}}); status != http.StatusForbidden || strings.Contains(page, "<textarea") {
		t.Errorf("/new: status %d:\n%s", status, page)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/new", strings.NewReader("do=submit"))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusForbidden {
		t.Errorf("from another site: status %d", answer.StatusCode)
	}
}
