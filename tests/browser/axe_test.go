package browser

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// pages are all of the dashboard once the other tests have made their studies.
func pages(a *apollo, trials int) map[string]string {
	return map[string]string{
		"studies": "/", "study": "/studies/demo?importance=yes", "design": fmt.Sprintf("/studies/demo/trials/%d", a.log("demo", trials).best),
		"compare": "/compare?study=demo&study=left", "ladder": "/ladder?study=steps-5-mm2", "transfer": "/studies/steps-5-mm2/transfer?matched=yes", "new": "/new", "health": "/health", "hostile": "/studies/odd",
	}
}

// finding is a rule of axe-core that a page breaks.
type finding struct {
	ID, Impact, Help string
	Nodes            []struct{ HTML string }
}

// accessible has axe-core look at every page in both colours. `make browser` fetches it.
func accessible(t *testing.T, browser context.Context, a *apollo, trials int) {
	script, err := os.ReadFile("axe.min.js")
	if err != nil {
		t.Skip("no tests/browser/axe.min.js: `make axe` fetches it from npm")
	}
	p := open(t, browser)
	for name, path := range pages(a, trials) {
		for _, scheme := range []string{"light", "dark"} {
			p.do(scheme, media(scheme), width(1440))
			p.visit(a.page(path))
			p.settled()
			var found []finding
			p.do("look with axe-core", chromedp.Evaluate(string(script)+";0", nil), chromedp.Evaluate(
				`axe.run(document, {resultTypes: ['violations']}).then(r => r.violations.map(v => ({ID: v.id, Impact: v.impact, Help: v.help, Nodes: v.nodes.map(n => ({HTML: n.html}))})))`,
				&found, chromedp.EvalAsValue, awaited))
			for _, f := range found {
				if f.Impact == "serious" || f.Impact == "critical" {
					b, _ := json.Marshal(f.Nodes[0])
					t.Errorf("%s, %s: %s (%s): %s, %d times: %.400s", name, scheme, f.ID, f.Impact, f.Help, len(f.Nodes), b)
					continue
				}
				t.Logf("%s, %s: %s (%s): %s", name, scheme, f.ID, f.Impact, f.Help)
			}
		}
	}
}

// fits looks whether a page scrolls sideways on a desk, a tablet and a telephone, and
// keeps pictures of all where APOLLO_PICTURES names a folder.
func fits(t *testing.T, browser context.Context, a *apollo, trials int) {
	dir := os.Getenv("APOLLO_PICTURES")
	p := open(t, browser)
	for name, path := range pages(a, trials) {
		for _, points := range []int64{1440, 1024, 390} {
			for _, scheme := range []string{"light", "dark"} {
				p.do("resize", media(scheme), width(points))
				p.visit(a.page(path))
				p.settled()
				if value[bool](p, `document.documentElement.scrollWidth > innerWidth`) {
					t.Errorf("%s scrolls sideways at %d", name, points)
				}
				if dir == "" {
					break // colours move nothing
				}
				var picture []byte
				p.do("take a picture", chromedp.ActionFunc(func(ctx context.Context) (err error) {
					picture, err = page.CaptureScreenshot().WithFormat(page.CaptureScreenshotFormatPng).WithCaptureBeyondViewport(true).Do(ctx)
					return err
				}))
				if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%s-%d-%s.png", name, points, scheme)), picture, 0o600); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

// settled waits until the charts of a page are there, where it has some.
func (p *tab) settled() {
	p.t.Helper()
	p.wait(`document.readyState === 'complete' && (!document.querySelector('#explore') || document.querySelector('#explore').dataset.ready === 'yes')`)
}

// weighs counts the bytes that the page of a study takes, without a cache and with one.
func weighs(t *testing.T, browser context.Context, a *apollo) {
	p := open(t, browser)
	sum := `performance.getEntriesByType('resource').concat(performance.getEntriesByType('navigation')).filter(e => !e.name.includes('/events')).reduce((n, e) => n + e.transferSize, 0)`
	p.do("forget what was loaded", network.ClearBrowserCache())
	p.visit(a.page("/studies/demo"))
	p.settled()
	cold := value[int](p, sum)
	p.visit(a.page("/studies/demo"))
	p.settled()
	warm := value[int](p, sum)
	t.Logf("the page of a study with 400 trials takes %d bytes, and %d when it was looked at before", cold, warm)
	const mostCold, mostWarm = 400_000, 60_000
	if cold < mostWarm || cold > mostCold || warm > mostWarm || strings.TrimSpace(p.text("#trials")) == "" {
		t.Errorf("%d bytes cold and %d warm, want at most %d, with the chart library, and %d", cold, warm, mostCold, mostWarm)
	}
}
