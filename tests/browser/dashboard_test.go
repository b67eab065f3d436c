package browser

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

func TestDashboard(t *testing.T) {
	browser := browse(t)
	a := start(t)
	p := open(t, browser)

	p.visit(a.page("/"))
	if text := p.text("main"); !strings.Contains(text, "No study yet") {
		t.Errorf("the list without studies says:\n%s", text)
	}

	// A study that somebody publishes comes up by itself, and moves.
	const trials = 400
	a.publish("demo", edge(trials), nil)
	p.wait(`document.querySelector('[data-study=demo]')`)
	p.click(`[data-study=demo] a`)
	p.wait(`document.querySelector('#trials')`)
	p.do("mark the page", chromedp.Evaluate(`window.mark = 1`, nil))
	p.wait(`document.querySelector('.state').textContent === 'completed' && document.querySelector('#trials').textContent === '400'`)
	if value[int](p, `window.mark`) != 1 {
		t.Error("the page was loaded again: it should have moved by itself")
	}

	p.wait(`document.querySelector('#explore canvas')`) // charts begin with the first trial
	t.Run("what the page says is what the log says", func(t *testing.T) { agrees(t, p, a, trials) })
	t.Run("the table sorts and filters", func(t *testing.T) { narrows(t, p, a, trials) })
	t.Run("a brush filters the table", func(t *testing.T) { brush(t, browser, a, trials) })
	t.Run("what-if", func(t *testing.T) { whatIf(t, browser, a, trials) })
	t.Run("export", func(t *testing.T) { exports(t, browser, a, trials) })
	t.Run("controls", func(t *testing.T) { controls(t, browser, a) })
	t.Run("hostile texts are texts", func(t *testing.T) { hostileTexts(t, browser, a) })
	t.Run("health", func(t *testing.T) { healthPage(t, browser, a) })
	t.Run("beside a run", func(t *testing.T) { besideARun(t, browser, a) })
	t.Run("compare", func(t *testing.T) { compares(t, browser, a, trials) })
	t.Run("a new study", func(t *testing.T) { writes(t, browser, a) })
	t.Run("budget ladder and transfer", func(t *testing.T) { laddersAndSources(t, browser, a) })
	t.Run("proof, importance and events", func(t *testing.T) { proven(t, browser, a) })
	t.Run("keys", func(t *testing.T) { keys(t, browser, a) })
	t.Run("without JavaScript", func(t *testing.T) { withoutScript(t, browser, a, trials) })
	t.Run("colours", func(t *testing.T) { looks(t, browser, a) })
	t.Run("width", func(t *testing.T) { fits(t, browser, a, trials) })
	t.Run("axe-core", func(t *testing.T) { accessible(t, browser, a, trials) })
	t.Run("bytes", func(t *testing.T) { weighs(t, browser, a) })
	t.Run("a restart in mid-view", func(t *testing.T) { restart(t, browser, a) })
}

func agrees(t *testing.T, p *tab, a *apollo, trials int) {
	f := a.log("demo", trials)
	p.wait(`document.querySelector('#best')?.textContent.trim() > ''`) // it comes with the first event
	if got := value[string](p, `document.querySelector('#best').textContent`); got != micro(f.latency) {
		t.Errorf("best = %q, the log has %q", got, micro(f.latency))
	}
	if got := value[int](p, `[...document.querySelectorAll('#causes tbody tr')].reduce((n, r) => n + Number(r.cells[1].textContent), 0)`); got != trials-f.feasible {
		t.Errorf("%d trials failed by the causes, the log has %d", got, trials-f.feasible)
	}
	for code, n := range f.causes {
		row := fmt.Sprintf(`[...document.querySelectorAll('#causes tbody tr')].find(r => r.cells[0].textContent === %q)?.cells[1].textContent ?? "none"`, code)
		if got := value[string](p, row); got != fmt.Sprint(n) {
			t.Errorf("%s: %s trials, the log has %d", code, got, n)
		}
	}
	if got := value[int](p, `(document.querySelector('path.cloud.feasible').getAttribute('d').match(/M/g) ?? []).length`); got != f.feasible {
		t.Errorf("%d feasible trials are drawn, the log has %d", got, f.feasible)
	}
}

func narrows(t *testing.T, p *tab, a *apollo, trials int) {
	f := a.log("demo", trials)
	p.do("filter", chromedp.Click(`//p[@class="chips"]/a[text()="infeasible"]`, chromedp.BySearch))
	p.wait(`location.search.includes('kind=infeasible') && document.querySelector('.pager')`)
	p.live()
	if got := p.text(".pager"); !strings.Contains(got, "of "+trialsText(f.infeasible)) && !strings.HasPrefix(got, trialsText(f.infeasible)) {
		t.Errorf("the filter finds %q, the log has %d", got, f.infeasible)
	}
	if wrong := value[int](p, `[...document.querySelectorAll('#last tbody .kind')].filter(k => k.textContent !== 'infeasible').length`); wrong > 0 {
		t.Errorf("%d rows are no infeasible trials", wrong)
	}
	p.do("all again", chromedp.Click(`//p[@class="chips"]/a[text()="all"]`, chromedp.BySearch))
	p.wait(`!location.search.includes('kind=') && document.querySelector('.pager')`)
	p.live()
	p.do("sort", chromedp.Click(`//table[@id="last"]//th/a[text()="latency"]`, chromedp.BySearch))
	p.wait(`document.querySelector('#last th[aria-sort=ascending]')?.textContent === 'latency'`)
	p.live()
	if got := value[string](p, `document.querySelector('#last tbody tr').dataset.trial`); got != fmt.Sprint(f.best) {
		t.Errorf("the first of the sorted trials is %s, the log's best is %d", got, f.best)
	}
	p.click(`a[rel=next]`)
	p.wait(`location.search.includes('page=2') && document.querySelector('a[rel=prev]')`)
	// What is asked for: repairs and slices. Work over time has every trial.
	p.click(`#repairs`)
	p.wait(`document.querySelector('#causes .repair')`)
	p.visit(a.page("/studies/demo?importance=yes"))
	p.wait(`document.querySelectorAll('#slices svg').length === 10`)
	if n := value[int](p, `[...document.querySelectorAll('#work rect title')].reduce((n, e) => n + Number(e.textContent.match(/: (\d+) trials?,/)[1]), 0)`); n != trials {
		t.Errorf("work over time has %d trials, the log has %d", n, trials)
	}
}

// brush draws a box around the lower half of the plane, and compares the page with the
// trials of the log that lie in what the address says.
func brush(t *testing.T, browser context.Context, a *apollo, trials int) {
	p := open(t, browser)
	p.visit(a.page("/studies/demo"))
	p.wait(`document.querySelector('#explore').dataset.ready === 'yes'`)
	p.do("scroll", chromedp.ScrollIntoView("#plane"))
	box := value[[]float64](p, `(() => { const b = document.querySelector('#plane').getBoundingClientRect(); return [b.left + b.width * .3, b.top + b.height * .4, b.left + b.width * .9, b.top + b.height * .8]; })()`)
	p.drag(box[0], box[1], box[2], box[3])
	p.wait(`new URLSearchParams(location.search).getAll('in').length === 2 && document.querySelector('.chips .remove')`)
	f := a.within("demo", trials, value[[]string](p, `new URLSearchParams(location.search).getAll('in')`))
	inside := f.trials
	if got := p.text(".pager span"); got != trialsText(inside) && !strings.HasSuffix(got, "of "+trialsText(inside)) || inside == 0 || inside == trials {
		t.Errorf("the table says %q, the log has %d of %d trials in the box", got, inside, trials)
	}
	if got := p.text("#picked"); got != fmt.Sprintf("%d of %d trials", inside, trials) {
		t.Errorf("the page says %q, the log has %d of %d", got, inside, trials)
	}
	// What the server draws and counts is of the trials inside as well, but the headline.
	dots := `(k => ['best', 'plane'].map(part => (document.querySelector('[data-live=' + part + '] path.cloud.' + k)?.getAttribute('d').match(/M/g) ?? []).length))`
	for kind, n := range map[string]int{"feasible": f.feasible, "over_budget": inside - f.feasible} {
		if got := value[[]int](p, dots+fmt.Sprintf(`(%q)`, kind)); got[0] != n || got[1] != n {
			t.Errorf("%v %s trials are drawn, the log has %d in the box", got, kind, n)
		}
	}
	for table, want := range map[string]int{"#causes": inside - f.feasible, "#origins": inside} {
		if got := value[int](p, fmt.Sprintf(`[...document.querySelectorAll('%s tbody tr')].reduce((n, r) => n + Number(r.cells[1].textContent), 0)`, table)); got != want {
			t.Errorf("%s has %d trials, the log has %d in the box", table, got, want)
		}
	}
	if n := value[int](p, `[...document.querySelectorAll('#work rect title')].reduce((n, e) => n + Number(e.textContent.match(/: (\d+) trials?,/)[1]), 0)`); n != inside {
		t.Errorf("work over time has %d trials, the log has %d in the box", n, inside)
	}
	if got := p.text("#trials"); got != fmt.Sprint(trials) {
		t.Errorf("the headline says %q trials, want all %d", got, trials)
	}
	p.click("#clear")
	p.wait(`!location.search.includes('in=') && !document.querySelector('.chips .remove')`)
	if got := value[[]int](p, dots+`("feasible")`); got[0] != a.log("demo", trials).feasible {
		t.Errorf("%d feasible trials are drawn when the brush is lifted", got[0])
	}
}

// whatIf changes a parameter of the best trial, and compares the page with what the
// command line says of that design.
func whatIf(t *testing.T, browser context.Context, a *apollo, trials int) {
	f := a.log("demo", trials)
	p := open(t, browser)
	p.visit(a.page(fmt.Sprintf("/studies/demo/trials/%d", f.best)))
	latency := `document.querySelector('#metrics tbody tr').cells[1].textContent`
	if got := value[string](p, latency); got != micro(f.latency) {
		t.Errorf("the trial's latency is %q, the log has %q", got, micro(f.latency))
	}
	p.do("mark the page", chromedp.Evaluate(`window.mark = 1`, nil))
	layers := value[string](p, `document.querySelector('#layers tbody').textContent`)
	picked := value[string](p, `(() => { const s = document.querySelector('select[name="set.lanes"]'); const o = [...s.options].find(o => !o.selected && o.value > 0); s.value = o.value; s.dispatchEvent(new Event('change', {bubbles: true})); return o.textContent; })()`)
	p.wait(`document.querySelector('#reset') && location.search.includes('set.lanes=')`)
	want := a.evaluate(fmt.Sprintf("demo/%d", f.best), "lanes="+picked)
	switch {
	case value[int](p, `window.mark`) != 1:
		t.Error("the page was loaded again")
	case want.feasible:
		p.wait(fmt.Sprintf(`%s === %q`, latency, micro(want.latency)))
		p.wait(fmt.Sprintf(`document.querySelector('#layers tbody').textContent !== %q`, layers))
		p.wait(`document.querySelector('img.drawn').complete && document.querySelector('img.drawn').naturalWidth > 0`)
	default:
		p.wait(`document.querySelector('#kind').textContent === 'infeasible' && document.querySelector('#reason') && !document.querySelector('#layers')`)
	}
	p.click("#reset")
	p.wait(fmt.Sprintf(`!location.search.includes('set.') && %s === %q`, latency, micro(f.latency)))
	// Another trial says why it cannot run.
	p.visit(a.page(fmt.Sprintf("/studies/demo/trials/%d", f.refused)))
	if got := p.text("#reason b"); got != f.why {
		t.Errorf("the reason is %q, the log has %q", got, f.why)
	}
	// The smallest repair is a link to a design that is feasible, and stands beside the trial.
	p.click(`#repair a`)
	p.wait(`document.querySelector('#kind')?.textContent === 'feasible' && document.querySelectorAll('#chip text').length > 3`)
	if got := value[string](p, `[...document.querySelectorAll('#chip text')].map(t => t.textContent).join()`); !strings.Contains(got, fmt.Sprintf("trial %d", f.refused)) {
		t.Errorf("the chip of trial %d is not beside the changed one: %s", f.refused, got)
	}
	// A layer leads to its loop nest, which is that of the command line.
	p.visit(a.page(fmt.Sprintf("/studies/demo/trials/%d", f.best)))
	p.click(`#layers tbody a`)
	p.wait(`document.querySelector('#nest pre')?.textContent.includes('for ') && document.querySelectorAll('#accesses tbody tr').length > 0`)
	layer := strings.TrimPrefix(value[string](p, `document.querySelector('#nest h2 bdi').textContent`), "mobilenet_v2/")
	out, err := exec.CommandContext(t.Context(), a.binary, "design", "eval", "--data", a.dir, "--study", fmt.Sprintf("demo/%d", f.best), "--mapping-of", layer).Output()
	if nest := strings.TrimSpace(value[string](p, `document.querySelector('#nest pre').textContent`)); err != nil || !strings.Contains(unindented(string(out)), unindented(nest)) {
		t.Errorf("the nest of %s is\n%s\nthe command line says, with %v,\n%s", layer, nest, err, out)
	}
	p.wait(`document.querySelectorAll('#slices svg').length >= 5`) // which may come after the rest
}

// unindented is text without the spaces before its lines.
func unindented(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString(strings.TrimSpace(line) + "\n")
	}
	return strings.TrimSpace(b.String())
}

func hostileTexts(t *testing.T, browser context.Context, a *apollo) {
	a.serveHostile()
	a.publish("odd", odd(), map[string]string{"who": hostile()[:200]})
	p := open(t, browser)
	p.visit(a.page("/"))
	p.wait(`document.querySelector('[data-study=odd]')`)
	if text := value[string](p, `document.querySelector('[data-study=odd] .label').textContent`); !strings.Contains(text, "<script>") {
		t.Errorf("the label is %q, want the text as it is", text)
	}
	p.click(`[data-study=odd] a`)
	p.wait(`document.querySelector('#trials')?.textContent === '20'`)
	if got := value[string](p, `document.querySelector('#causes .why').textContent`); !strings.HasPrefix(got, "<script>") || !strings.Contains(got, "\u202e") {
		t.Errorf("the cause is %.60q, want the text as it is", got)
	}
	if n := value[int](p, `document.querySelectorAll('main script, main img').length`); n > 0 {
		t.Errorf("%d elements came out of a text", n)
	}
	if title := value[string](p, `document.title`); title != "odd · Apollo" {
		t.Errorf("title = %q: a script of a user ran", title)
	}
	if value[bool](p, `document.documentElement.scrollWidth > innerWidth`) {
		t.Error("a long word makes the page scroll sideways")
	}
	f := a.log("odd", 20)
	if got := value[string](p, `document.querySelector('#causes tbody tr').cells[1].textContent`); got != fmt.Sprint(f.infeasible) || f.infeasible == 0 {
		t.Errorf("%s trials were refused, the log has %d", got, f.infeasible)
	}
}

func keys(t *testing.T, browser context.Context, a *apollo) {
	p := open(t, browser)
	p.visit(a.page("/"))
	p.live()
	p.press("/")
	p.do("search", chromedp.KeyEvent("demo"+kb.Enter))
	p.wait(`location.search === '?q=demo' && document.querySelectorAll('[data-study]').length === 1`)
	p.live()
	p.press("j")
	p.do("press Enter", chromedp.KeyEvent(kb.Enter))
	p.wait(`location.pathname === '/studies/demo'`)
	p.live()
	p.press("?")
	p.wait(`document.querySelector('#help').open`)
	p.do("press Escape", chromedp.KeyEvent(kb.Escape))
	p.wait(`!document.querySelector('#help').open`)
	p.press("g", "s") // at once: the closed dialog may still have the focus
	p.wait(`location.pathname === '/'`)
}

func withoutScript(t *testing.T, browser context.Context, a *apollo, trials int) {
	p := open(t, browser)
	p.do("switch scripts off", emulation.SetScriptExecutionDisabled(true))
	p.visit(a.page("/studies/demo"))
	if got := p.text("#trials"); got != "400" {
		t.Errorf("trials = %q, want 400", got)
	}
	p.do("look", chromedp.WaitVisible("svg.picture path.cloud"), chromedp.WaitVisible("#last tbody tr"))
	p.do("change an axis", chromedp.SetValue(`select[name=x]`, "energy_j"), chromedp.Click(`form.axes button`))
	p.do("see it drawn", chromedp.WaitVisible(`svg[aria-label="latency against energy"]`))
	// What a brush does, a form does too.
	p.do("keep a range", chromedp.SetValue(`#narrow [name=of]`, "latency_s"), chromedp.SetValue(`#narrow [name=to]`, "1 ms"), chromedp.Click(`#narrow button`))
	p.do("see it kept", chromedp.WaitVisible(`.chips .remove`))
	inside := a.within("demo", trials, []string{"latency_s:0:0.001"}).trials
	if got := p.text("[data-live=origins] h2"); !strings.Contains(got, fmt.Sprintf("%d of %d trials", inside, trials)) || inside == 0 || inside == trials {
		t.Errorf("the page says %q, the log has %d of %d trials", got, inside, trials)
	}
}

func looks(t *testing.T, browser context.Context, a *apollo) {
	p := open(t, browser)
	colour := map[string]string{}
	for _, scheme := range []string{"light", "dark"} {
		p.do(scheme, media(scheme))
		p.visit(a.page("/studies/demo"))
		colour[scheme] = value[string](p, `getComputedStyle(document.body).backgroundColor + getComputedStyle(document.body).color`)
	}
	if colour["light"] == colour["dark"] {
		t.Errorf("light and dark are both %s", colour["light"])
	}
}

func restart(t *testing.T, browser context.Context, a *apollo) {
	p := open(t, browser)
	p.visit(a.page("/"))
	p.live()
	before := value[int](p, `document.querySelectorAll('[data-study]').length`)
	p.do("mark the page", chromedp.Evaluate(`window.mark = 1`, nil))
	p.away(true)
	a.down()
	p.wait(`document.querySelector('#link').textContent.startsWith('Not connected')`)
	a.up()
	p.wait(`document.documentElement.dataset.live === 'yes' && document.querySelector('#link').textContent === ''`)
	p.away(false)
	a.publish("after", edge(20), nil)
	p.wait(`document.querySelector('[data-study=after] .state')?.textContent === 'completed'`)
	if value[int](p, `window.mark`) != 1 {
		t.Error("the page was loaded again")
	}
	if n := value[int](p, `document.querySelectorAll('[data-study]').length`); n != before+1 {
		t.Errorf("%d studies are listed after the restart, want %d", n, before+1)
	}
}
