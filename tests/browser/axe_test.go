package browser

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"maps"
	"os"
	"path/filepath"
	"slices"
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
// keeps pictures of all where APOLLO_PICTURES names a folder; those of the documents go to
// APOLLO_FIGURES.
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
				if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%s-%d-%s.png", name, points, scheme)), p.picture(), 0o600); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	if dir = os.Getenv("APOLLO_FIGURES"); dir != "" {
		figures(p, a, trials, dir)
	}
}

// figures are the pictures of the documents: the upper part of every page, in both colours.
func figures(p *tab, a *apollo, trials int, dir string) {
	all := pages(a, trials)
	delete(all, "hostile")
	all["studies"] += "?q=mobilenet_v2"
	all["design"] += "?set.io_bandwidth=2"
	all["compare"] += "&study=right&study=short"
	for name, path := range all {
		for _, scheme := range []string{"light", "dark"} {
			p.do("resize", media(scheme), width(1024))
			p.visit(a.page(path))
			p.settled()
			const most = 1500
			b, err := smaller(p.picture(), most)
			if err == nil {
				err = os.WriteFile(filepath.Join(dir, fmt.Sprintf("dashboard-%s-%s.png", name, scheme)), b, 0o644)
			}
			if err != nil {
				p.t.Fatal(err)
			}
		}
	}
}

// picture is the whole page.
func (p *tab) picture() (picture []byte) {
	p.t.Helper()
	p.do("take a picture", chromedp.ActionFunc(func(ctx context.Context) (err error) {
		picture, err = page.CaptureScreenshot().WithFormat(page.CaptureScreenshotFormatPng).WithCaptureBeyondViewport(true).Do(ctx)
		return err
	}))
	return picture
}

// smaller is a picture without what is below height, in the colours that it has most of.
func smaller(picture []byte, height int) ([]byte, error) {
	whole, err := png.Decode(bytes.NewReader(picture))
	if err != nil {
		return nil, err
	}
	bounds := whole.Bounds()
	bounds.Max.Y = min(bounds.Max.Y, bounds.Min.Y+height)
	count := map[color.RGBA]int{}
	at := func(x, y int) color.RGBA {
		r, g, b, _ := whole.At(x, y).RGBA()
		return color.RGBA{uint8(r >> 8), uint8(g >> 8), uint8(b >> 8), 0xFF}
	}
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			count[at(x, y)]++
		}
	}
	colours := slices.SortedFunc(maps.Keys(count), func(a, b color.RGBA) int {
		return cmp.Or(count[b]-count[a], int(a.R)-int(b.R), int(a.G)-int(b.G), int(a.B)-int(b.B))
	})
	const most = 256
	palette := color.Palette{}
	for _, c := range colours[:min(len(colours), most)] {
		palette = append(palette, c)
	}
	index := map[color.RGBA]uint8{}
	for _, c := range colours {
		index[c] = uint8(palette.Index(c))
	}
	out := image.NewPaletted(bounds, palette)
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			out.SetColorIndex(x, y, index[at(x, y)])
		}
	}
	var b bytes.Buffer
	err = (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&b, out)
	return b.Bytes(), err
}

// settled waits until all that comes by itself is there: charts, pictures, the designs
// around a design, and what is said of a study file.
func (p *tab) settled() {
	p.t.Helper()
	p.wait(`document.readyState === 'complete' && (!document.querySelector('#explore') || document.querySelector('#explore').dataset.ready === 'yes')
		&& !document.querySelector('#more') && (!document.querySelector('#editor') || document.querySelector('#found #count')) && [...document.images].every(i => i.complete)`)
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
