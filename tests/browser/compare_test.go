package browser

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"testing"

	"github.com/chromedp/chromedp"

	"apollo/archiver"
	"apollo/events"
)

// compares ticks four studies of the list, and compares the page with their logs.
func compares(t *testing.T, browser context.Context, a *apollo, trials int) {
	names := []string{"demo", "left", "right", "short"}
	for i, name := range names[1:] {
		spec := edge(trials / (i + 1))
		spec["seed"] = 20 + i
		a.publish(name, spec, nil)
	}
	p := open(t, browser)
	p.visit(a.page("/"))
	for _, name := range names {
		p.wait(fmt.Sprintf(`document.querySelector('[data-study=%s] .state')?.textContent === 'completed'`, name))
	}
	p.live()
	for _, name := range names {
		p.click(fmt.Sprintf(`[data-study=%s] input[type=checkbox]`, name))
	}
	p.do("compare", chromedp.Click(`//button[text()="Compare"]`, chromedp.BySearch))
	p.wait(`location.pathname === '/compare' && document.querySelectorAll('#compared tbody tr').length === 4`)
	if n := value[int](p, `document.querySelectorAll('svg.picture polyline[class^=line]').length`); n != len(names)+1 {
		t.Errorf("%d curves are drawn, want those of %d studies and the median of an arm", n, len(names))
	}
	lengths := map[string]int{"demo": trials, "left": trials, "right": trials / 2, "short": trials / 3}
	seeds := "seed"
	for i, name := range value[[]string](p, `new URLSearchParams(location.search).getAll('study')`) {
		n := lengths[name]
		f := a.log(name, n)
		row := value[[]string](p, fmt.Sprintf(`[...document.querySelector('#compared [data-study=%s]').cells].map(c => c.textContent)`, name))
		if row[4] != strconv.Itoa(n) || row[6] != micro(f.latency) || row[7] != strconv.Itoa(f.best) {
			t.Errorf("%s is %q, the log has %d trials, the best %s by trial %d", name, row, n, micro(f.latency), f.best)
		}
		src, err := archiver.LoadSource(os.DirFS(a.dir), events.Source{Study: name})
		if err != nil {
			t.Fatal(err)
		}
		seeds += strconv.FormatUint(src.Spec.Seed, 10)
		for k, param := range src.Spec.Parameters {
			if param.Unit != "" || len(param.Labels) > 0 {
				continue
			}
			want := src.Trials[f.best].Design[k].String()
			cell := fmt.Sprintf(`[...document.querySelectorAll('#designs tbody tr')].find(r => r.cells[0].textContent === %q).cells[%d].textContent`, param.Name, i+1)
			if got := value[string](p, cell); got != want {
				t.Errorf("%s: the best design's %s is %q, the log has %q", name, param.Name, got, want)
			}
		}
	}
	// Two of them differ in their seeds alone: the interval of their median is both.
	first, second := a.log("demo", trials).latency, a.log("left", trials).latency
	want := []string{"2", micro((first + second) / 2), micro(min(first, second)) + " to " + micro(max(first, second)), "50.0\u00a0%"}
	arm := value[[]string](p, `[...[...document.querySelectorAll('#arms tbody tr')].find(r => r.cells[1].textContent === '2').cells].map(c => c.textContent)`)
	if got := slices.Concat(arm[1:4], arm[6:7]); !slices.Equal(got, want) {
		t.Errorf("the arm of demo and left is %q, want %q", got, want)
	}
	if got := value[string](p, `[...document.querySelectorAll('#fields tbody tr')].find(r => r.cells[0].textContent === 'seed').textContent`); got != seeds {
		t.Errorf("the seeds are %q, the logs have %q", got, seeds)
	}
	p.do("make it narrow", width(390))
	if value[bool](p, `document.documentElement.scrollWidth > innerWidth`) {
		t.Error("the page scrolls sideways at 390")
	}
}
