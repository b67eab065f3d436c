package browser

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"apollo/archiver"
)

// healthPage sends what no service can handle, and compares the page with what the
// server itself counts.
func healthPage(t *testing.T, browser context.Context, a *apollo) {
	p := open(t, browser)
	p.visit(a.page("/health"))
	p.wait(`document.querySelectorAll('#workers tbody tr').length > 0 && document.querySelectorAll('#archivers tbody tr').length === 1`)
	got := p.text("#verdict")
	if got == "" { // its node was replaced by a fresh drawing in the middle of the question
		got = p.text("#verdict")
	}
	if !strings.HasPrefix(got, "No problem") {
		t.Errorf("the verdict is %q:\n%s", got, p.text("main"))
	}
	nc, err := nats.Connect(a.url)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	before := letters(t, js)
	const sent = 3
	for i := range sent {
		if _, err := js.Publish(t.Context(), "apollo.v1.work.edge.demo.nothing.1", []byte(hostile()), jetstream.WithMsgID(fmt.Sprint("garbage", i))); err != nil {
			t.Fatal(err)
		}
	}
	p.wait(fmt.Sprintf(`document.querySelectorAll('#letters tbody tr').length === %d`, before+sent))
	if stored := letters(t, js); stored != before+sent {
		t.Errorf("the server stores %d letters, the page shows %d", stored, before+sent)
	}
	p.do("open a letter", chromedp.Click(`#letters summary`, chromedp.ByQuery))
	if body := value[string](p, `document.querySelector('#letters details[open] pre').textContent`); body == "" || !strings.HasPrefix(hostile(), body) {
		t.Errorf("the message is %.80q, want the text as it was sent", body)
	}
	if n := value[int](p, `document.querySelectorAll('main script, main img').length`); n > 0 {
		t.Errorf("%d elements came out of a text", n)
	}
	if value[bool](p, `document.documentElement.scrollWidth > innerWidth`) {
		t.Error("a long word makes the page scroll sideways")
	}
	stream, err := js.Stream(t.Context(), value[string](p, `document.querySelector('#streams tbody tr').cells[0].textContent`))
	if err != nil {
		t.Fatal(err)
	}
	info, err := stream.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	holds(t, p, a)
	p.wait(fmt.Sprintf(`document.querySelector('#streams tbody tr').cells[1].textContent.replaceAll(',', '') === '%d'`, info.State.Msgs))
}

// holds compares what the page says of the trial log with the files, and looks for a
// study that only the log has.
func holds(t *testing.T, p *tab, a *apollo) {
	t.Helper()
	a.publish("brief", edge(20), nil)
	a.log("brief", 20)
	for began := time.Now(); ; time.Sleep(100 * time.Millisecond) { // until the archiver has told
		out, err := exec.CommandContext(t.Context(), a.binary, "study", "rm", "brief", "--yes", "--data", a.dir).CombinedOutput()
		if err == nil {
			break
		}
		if time.Since(began) > patience {
			t.Fatalf("study rm: %v\n%s", err, out)
		}
	}
	p.wait(`document.querySelector('#log [data-removed="brief"]')?.cells[3].textContent === '20'`)
	rows := 0
	for row, err := range archiver.Scan(os.DirFS(a.dir), archiver.Query{AllRuns: true}) {
		if err != nil {
			t.Fatal(err)
		}
		rows += min(len(row.Study), 1)
	}
	files, err := filepath.Glob(filepath.Join(a.dir, "trials", "gen-*", "study=*", "run=*", "*.parquet"))
	if err != nil {
		t.Fatal(err)
	}
	said := value[[]string](p, `[...document.querySelector('#log tbody tr').cells].map(c => c.textContent.replaceAll(',', ''))`)
	if said[2] != fmt.Sprint(len(files)) || said[3] != fmt.Sprint(rows) {
		t.Errorf("the page says of the log %q, it has %d files with %d trials", said, len(files), rows)
	}
}

// letters counts the dead letters that the server stores.
func letters(t *testing.T, js jetstream.JetStream) int {
	t.Helper()
	name, err := js.StreamNameBySubject(t.Context(), "apollo.v1.dlq.>")
	if err != nil {
		t.Fatal(err)
	}
	stream, err := js.Stream(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	info, err := stream.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return int(info.State.Msgs)
}
