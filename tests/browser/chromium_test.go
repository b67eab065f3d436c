package browser

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// patience is how long a page may take to show what it should; far more than it does.
const patience = 30 * time.Second

// tab is a page in a browser, with what its console said.
type tab struct {
	t   *testing.T
	ctx context.Context //nolint:containedctx // chromedp hands a page around as a context

	mu     sync.Mutex // guards what follows
	errors []string
	outage bool // the server is away: that requests fail is no news

}

// chromium finds the browser. Where there is none the test is skipped, but not in
// continuous integration.
func chromium(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	if os.Getenv("CI") == "true" {
		t.Fatal("no chromium: install it (on Debian apt-get install chromium)")
	}
	t.Skip("no chromium: on Debian `apt-get install chromium` gives one")
	return ""
}

// browse starts a browser for the whole test.
func browse(t *testing.T) context.Context {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(chromium(t)), chromedp.NoSandbox, chromedp.DisableGPU)
	allocator, stop := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(stop)
	ctx, cancel := chromedp.NewContext(allocator)
	t.Cleanup(cancel)
	if err := chromedp.Run(ctx); err != nil {
		t.Fatalf("start chromium: %v", err)
	}
	return ctx
}

// open opens a tab of its own.
func open(t *testing.T, browser context.Context) *tab {
	t.Helper()
	ctx, cancel := chromedp.NewContext(browser)
	p := &tab{t: t, ctx: ctx}
	chromedp.ListenTarget(ctx, func(event any) {
		switch e := event.(type) {
		case *runtime.EventExceptionThrown:
			p.note(e.ExceptionDetails.Error())
		case *runtime.EventConsoleAPICalled:
			if e.Type == runtime.APITypeError {
				p.note(fmt.Sprint("console.error: ", e.Args))
			}
		case *log.EventEntryAdded:
			if e.Entry.Level == log.LevelError {
				p.note(string(e.Entry.Source) + ": " + e.Entry.Text)
			}
		}
	})
	// The first run makes the tab, which lives as long as that run's context.
	if err := chromedp.Run(ctx); err != nil {
		t.Fatalf("open a tab: %v", err)
	}
	t.Cleanup(func() {
		cancel()
		p.mu.Lock()
		defer p.mu.Unlock()
		if len(p.errors) > 0 {
			t.Errorf("the console said:\n%s", strings.Join(p.errors, "\n"))
		}
	})
	return p
}

func (p *tab) note(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.outage || !strings.HasPrefix(text, "network: ") {
		p.errors = append(p.errors, text)
	}
}

func (p *tab) away(is bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.outage = is
}

func (p *tab) do(what string, actions ...chromedp.Action) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	if err := chromedp.Run(ctx, actions...); err != nil {
		p.t.Fatalf("%s: %v\nthe page:\n%s", what, err, p.text("body"))
	}
}

func (p *tab) visit(url string) {
	p.t.Helper()
	p.do("visit "+url, chromedp.Navigate(url), chromedp.WaitVisible("main"))
}

// wait waits until a condition in the page's own language holds. chromedp's own Poll
// makes a function of a text, which the page's policy forbids.
func (p *tab) wait(condition string) {
	p.t.Helper()
	p.do("wait for "+condition, chromedp.ActionFunc(func(ctx context.Context) error {
		for {
			var holds bool
			// An error is a page that is just being loaded.
			if err := chromedp.Evaluate("Boolean("+condition+")", &holds).Do(ctx); err == nil && holds {
				return nil
			}
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(50 * time.Millisecond):
			}
		}
	}))
}

// live waits until the page's script runs and hears of changes.
func (p *tab) live() {
	p.t.Helper()
	p.wait(`document.documentElement.dataset.live === 'yes'`)
}

func (p *tab) text(selector string) (text string) {
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	_ = chromedp.Run(ctx, chromedp.Text(selector, &text, chromedp.ByQuery)) // "" is the answer where there is none
	return text
}

// value evaluates an expression in the page.
func value[T any](p *tab, expression string) (v T) {
	p.t.Helper()
	p.do("evaluate "+expression, chromedp.Evaluate(expression, &v))
	return v
}

func (p *tab) click(selector string) {
	p.t.Helper()
	p.do("click "+selector, chromedp.WaitVisible(selector, chromedp.ByQuery), chromedp.Click(selector, chromedp.ByQuery))
}

// press presses keys one by one, as a keyboard does: a page that takes a key keeps
// it from the field that has the focus afterwards.
func (p *tab) press(keys ...string) {
	p.t.Helper()
	for _, key := range keys {
		p.do("press "+key, input.DispatchKeyEvent(input.KeyDown).WithKey(key).WithText(key), input.DispatchKeyEvent(input.KeyUp).WithKey(key))
	}
}

// tabTo presses Tab until a condition holds.
func (p *tab) tabTo(condition string) {
	p.t.Helper()
	const most = 60
	for range most {
		if value[bool](p, condition) {
			return
		}
		p.do("press Tab", chromedp.KeyEvent(kb.Tab))
	}
	p.t.Fatalf("%d times Tab never led to %s", most, condition)
}

// drag moves the mouse with its button down.
func (p *tab) drag(x, y, toX, toY float64) {
	p.t.Helper()
	at := func(kind input.MouseType, x, y float64) chromedp.Action {
		return input.DispatchMouseEvent(kind, x, y).WithButton(input.Left).WithButtons(1).WithClickCount(1)
	}
	p.do("drag", at(input.MouseMoved, x, y), at(input.MousePressed, x, y), at(input.MouseMoved, (x+toX)/2, (y+toY)/2),
		at(input.MouseMoved, toX, toY), at(input.MouseReleased, toX, toY))
}

func media(scheme string) chromedp.Action {
	return emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}})
}

func width(points int64) chromedp.Action {
	const height = 900
	return emulation.SetDeviceMetricsOverride(points, height, 1, false)
}

// awaited has an expression's promise kept before its value is taken.
func awaited(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }
