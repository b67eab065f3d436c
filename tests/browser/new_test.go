package browser

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// written is a study as somebody writes it, with two mistakes.
const written = `apiVersion: apollo/v1
kind: Study
metadata: {name: %s, labels: {note: "<script>document.title='taken'</script>"}}
spec:
  seed: 3
  space: {template: edgy}
  workload: {networks: [{name: mobilenet_v2}]}
  objectives: [{metric: latency, goal: minimize}]
  algorithm: {name: random}
  budget: {trails: 20}
`

// writes writes a study in the editor, mends what is marked, and submits it.
func writes(t *testing.T, browser context.Context, a *apollo) {
	p := open(t, browser)
	p.visit(a.page("/new"))
	p.wait(`document.querySelector('#editor').dataset.ready === 'yes'`)
	p.click("#text")
	p.do("empty the editor", chromedp.Evaluate(`document.querySelector('#text').select()`, nil), chromedp.KeyEvent(kb.Delete))
	text := fmt.Sprintf(written, "written")
	p.do("write", chromedp.SendKeys("#text", text, chromedp.ByQuery))
	p.wait(`document.querySelectorAll('#found li').length > 0`)
	// The lines are those that the command line names.
	file := filepath.Join(t.TempDir(), "study.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	out, _ := exec.CommandContext(t.Context(), a.binary, "study", "lint", file).CombinedOutput() // it has mistakes
	var want []string
	for _, line := range []string{"6", "10"} {
		if strings.Contains(string(out), file+":"+line+":") {
			want = append(want, line)
		}
	}
	if len(want) != 2 {
		t.Fatalf("study lint says:\n%s", out)
	}
	p.wait(`[...document.querySelectorAll('#lines .wrong')].map(l => l.textContent.trim()).join() === '6,10'`)
	if got := value[string](p, `document.querySelector('#found li pre').textContent`); !strings.Contains(got, "edgy") || !strings.Contains(got, "^^^^") {
		t.Errorf("the mistake is shown as %q", got)
	}
	if value[bool](p, `document.querySelector('#lines').clientHeight < document.querySelector('#text').clientHeight - 4`) {
		t.Error("the numbers of the lines do not reach as far as the text")
	}
	p.click(`#found li .goto`)
	if at := value[int](p, `document.querySelector('#text').selectionStart`); at != strings.Index(text, "edgy") {
		t.Errorf("the caret is at %d, want %d", at, strings.Index(text, "edgy"))
	}
	// From here on there is a keyboard alone: F8 goes from mistake to mistake, which is said.
	p.wait(`document.querySelector('#said').textContent.startsWith('Line 6: ') && document.querySelector('#text').getAttribute('aria-invalid') === 'true'`)
	for i, right := range []string{"edge", "trials"} {
		if i > 0 {
			p.do("press F8", chromedp.KeyEvent(kb.F8))
			p.wait(`document.querySelector('#said').textContent.startsWith('Line 10: ')`)
		}
		p.do("mend it", chromedp.KeyEvent(strings.Repeat(kb.Delete, len(right))), chromedp.KeyEvent(right))
		p.wait(fmt.Sprintf(`document.querySelectorAll('#lines .wrong').length === %d`, 1-i))
	}
	p.wait(`document.querySelector('#count')?.textContent === 'No mistake' && document.querySelector('#said').textContent === 'No mistake' && document.querySelector('#text').getAttribute('aria-invalid') === 'false'`)
	p.tabTo(`document.activeElement.value === 'submit'`)
	p.do("submit", chromedp.KeyEvent(kb.Enter))
	p.wait(`location.pathname === '/studies/written' && document.querySelector('.state')?.textContent === 'completed'`)
	if f := a.log("written", 20); f.trials != 20 {
		t.Errorf("the log has %d trials", f.trials)
	}
	if title := value[string](p, `document.title`); title != "written · Apollo" {
		t.Errorf("title = %q: a script of a user ran", title)
	}
	// Without JavaScript the form does it all; another file of that name is refused.
	q := open(t, browser)
	q.away(true) // it is refused
	q.do("switch scripts off", emulation.SetScriptExecutionDisabled(true))
	q.visit(a.page("/new?template=simba&network=resnet50_v1"))
	q.do("look at the beginning", chromedp.WaitVisible("#text"))
	q.do("check", chromedp.Click(`//button[text()="Check"]`, chromedp.BySearch), chromedp.WaitVisible("#facts"))
	q.do("write", chromedp.SetValue("#text", text, chromedp.ByQuery), chromedp.Click(`//button[text()="Submit"]`, chromedp.BySearch), chromedp.WaitVisible(`#found li[data-line="10"]`))
	other := strings.NewReplacer("edgy", "edge", "trails: 20", "trials: 30").Replace(text)
	q.do("submit another", chromedp.SetValue("#text", other, chromedp.ByQuery), chromedp.Click(`//button[text()="Submit"]`, chromedp.BySearch), chromedp.WaitVisible(`#found .note.bad`))
	if got := q.text("#found .note.bad"); !strings.Contains(got, "written") {
		t.Errorf("another study of the name is refused with %q", got)
	}
	p.visit(a.page("/new"))
	p.do("make it narrow", width(390))
	if value[bool](p, `document.documentElement.scrollWidth > innerWidth`) {
		t.Error("the page scrolls sideways at 390")
	}
}
