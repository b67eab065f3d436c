package browser

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"apollo/archiver"
	"apollo/events"
)

// controls pauses, resumes, stops and extends a study by its buttons where a token is
// asked for, and compares with what the command line and the Parquet log say.
func controls(t *testing.T, browser context.Context, a *apollo) {
	const token = "a token of the test's own"
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(token), 0o600); err != nil {
		t.Fatal(err)
	}
	a = a.another(t, "--http-auth", file)
	const budget = 200_000 // more than it measures before it is stopped
	a.publish("steered", edge(budget), nil)
	a.accepted("steered")
	a.refuses("steered", "")
	a.refuses("steered", "another token than that")

	p := open(t, browser)
	p.visit(a.page("/studies/steered"))
	p.wait(`location.pathname === '/login'`)
	p.do("sign in", chromedp.SendKeys(`input[name=token]`, token, chromedp.ByQuery), chromedp.Click(`main button`, chromedp.ByQuery))
	p.wait(`location.pathname === '/studies/steered'`)
	study := "steered"
	is := func(state string) {
		t.Helper()
		p.wait(fmt.Sprintf(`document.querySelector('.state')?.textContent === %q`, state))
		p.live()
		if said := a.state(study); said.State != state {
			t.Errorf("the page says %s, the command line %s", state, said.State)
		}
	}
	button := func(verb string) { t.Helper(); p.click(fmt.Sprintf(`.controls button[value=%s]`, verb)) }
	is("running")
	p.wait(`Number(document.querySelector('#trials').textContent.replaceAll(/\D/g, '')) > 0`)
	button("pause")
	is("paused")
	button("resume")
	is("running")
	// With the keyboard alone: Tab leads to the buttons.
	p.tabTo(`document.activeElement.matches('.controls button[value=pause]')`)
	p.do("press Enter", chromedp.KeyEvent(kb.Enter))
	is("paused")
	p.tabTo(`document.activeElement.matches('.controls button[value=resume]')`)
	p.do("press Enter", chromedp.KeyEvent(kb.Enter))
	is("running")
	button("stop")
	is("stopped")
	trials := a.state("steered").Trials
	if f := a.log("steered", trials); trials == 0 || trials >= budget || f.trials != trials {
		t.Errorf("%d trials when it was stopped, the log has %d", trials, f.trials)
	}
	counted := `Number(document.querySelector('#trials').textContent.replaceAll(/\D/g, ''))`
	p.wait(fmt.Sprintf(`%s === %d`, counted, trials))
	// A study with few trials is completed by the extension.
	a.publish("small", edge(40), nil)
	a.accepted("small")
	p.visit(a.page("/studies/small"))
	p.wait(`document.querySelector('.state')?.textContent === 'completed'`)
	p.live()
	const more = 60
	p.do("type the new total", chromedp.SendKeys(`.controls input[name=trials]`, fmt.Sprint(more), chromedp.ByQuery))
	button("extend")
	p.wait(fmt.Sprintf(`document.querySelector('.state')?.textContent === 'completed' && %s === %d`, counted, more))
	f := a.log("small", more)
	if f.trials != more {
		t.Errorf("the page says %d trials, the log has %d", more, f.trials)
	}
	adds(t, p, a, f.best, more)
	// What is cancelled runs no more.
	study = "dropped"
	a.publish(study, edge(budget), nil)
	a.accepted(study)
	p.visit(a.page("/studies/dropped"))
	is("running")
	p.click("#cancel summary")
	button("cancel")
	is("cancelled")
}

// adds changes a parameter of a trial and has that design measured in the study: the log
// has it as its last trial.
func adds(t *testing.T, p *tab, a *apollo, trial, trials int) {
	t.Helper()
	p.visit(a.page(fmt.Sprintf("/studies/small/trials/%d", trial)))
	picked := value[string](p, `(() => { const s = document.querySelector('select[name="set.io_bandwidth"]'); const o = [...s.options].find(o => !o.selected); s.value = o.value; s.dispatchEvent(new Event('change', {bubbles: true})); return o.textContent; })()`)
	p.click("#add button")
	p.wait(fmt.Sprintf(`location.pathname === '/studies/small' && document.querySelector('#trials')?.textContent === '%d'`, trials+1))
	a.log("small", trials+1)
	src, err := archiver.LoadSource(os.DirFS(a.dir), events.Source{Study: "small"})
	if err != nil {
		t.Fatal(err)
	}
	last := src.Trials[trials]
	for i, param := range src.Spec.Parameters {
		got, was := last.Design[i], src.Trials[trial].Design[i]
		if changed := param.Name == "io_bandwidth"; (got != was) != changed {
			t.Errorf("%s is %v, was %v; picked was io_bandwidth %s", param.Name, got, was, picked)
		}
	}
}

// refuses asks for a pause with a token that is none.
func (a *apollo) refuses(study, token string) {
	a.t.Helper()
	r, err := http.NewRequestWithContext(a.t.Context(), http.MethodPost, a.page("/api/v1/studies/"+study+"/control"), strings.NewReader(`{"verb":"pause"}`))
	if err != nil {
		a.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		a.t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusUnauthorized {
		a.t.Errorf("a pause with the token %q: status %d, want 401", token, answer.StatusCode)
	}
}

// stateAnswer is what the command line says of a study.
type stateAnswer struct {
	State  string `json:"state"`
	Trials int    `json:"trials"`
}

// accepted waits until the proposer took a study: before, it has no page.
func (a *apollo) accepted(study string) {
	a.t.Helper()
	for began := time.Now(); exec.CommandContext(a.t.Context(), a.binary, "study", "show", study, "--data", a.dir).Run() != nil; time.Sleep(50 * time.Millisecond) {
		if time.Since(began) > patience {
			a.t.Fatalf("%s was never accepted", study)
		}
	}
}

func (a *apollo) state(study string) (s stateAnswer) {
	a.t.Helper()
	out, err := exec.CommandContext(a.t.Context(), a.binary, "study", "show", study, "--data", a.dir, "-o", "json").Output()
	if err == nil {
		err = json.Unmarshal(out, &s)
	}
	if err != nil {
		a.t.Fatalf("study show %s: %v\n%s", study, err, out)
	}
	return s
}
