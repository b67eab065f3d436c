package browser

import (
	"bytes"
	"context"
	"encoding/csv"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	cdp "github.com/chromedp/cdproto/browser"
	"github.com/chromedp/chromedp"

	"apollo/archiver"
)

// exports clicks the links to the files of a study, and compares them with what the
// command line says and with the trial log.
func exports(t *testing.T, browser context.Context, a *apollo, trials int) {
	p, dir := open(t, browser), t.TempDir()
	p.do("keep files", cdp.SetDownloadBehavior(cdp.SetDownloadBehaviorBehaviorAllow).WithDownloadPath(dir))
	p.visit(a.page("/studies/demo"))
	p.do("ask for CSV", chromedp.Click(`//section[@id="trials-table"]//a[text()="CSV"]`, chromedp.BySearch))
	got := downloaded(t, dir, "demo-*.csv")
	want, err := exec.CommandContext(t.Context(), a.binary, "trial", "ls", "demo", "--data", a.dir, "-o", "csv").Output()
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(bytes.NewReader(got)).ReadAll()
	if err != nil || len(rows) != trials+1 || !bytes.Equal(got, want) {
		t.Errorf("the CSV file has %d rows, want %d and a head, as `trial ls -o csv` prints them; %v", len(rows), trials, err)
	}
	p.do("ask for Parquet", chromedp.Click(`//section[@id="trials-table"]//a[text()="Parquet"]`, chromedp.BySearch))
	downloaded(t, dir, "demo-*.parquet")
	a.log("demo", trials) // until all are on disk
	next := func(root string, q archiver.Query) (all []archiver.Row) {
		for row, err := range archiver.Scan(os.DirFS(root), q) {
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, row)
		}
		return all
	}
	file, log := next(dir, archiver.Query{Globs: []string{"*.parquet"}}), next(a.dir, archiver.Query{Study: "demo"})
	if len(file) != trials || len(log) != trials {
		t.Fatalf("the Parquet file has %d trials, the log %d, want %d", len(file), len(log), trials)
	}
	at := log[0].Columns.Spec.MetricIndex("latency_s")
	for i := range file {
		f, l := &file[i], &log[i]
		measured := f.Outcome == "measured"
		if f.Key() != l.Key() || f.Outcome != l.Outcome || f.Feasible != l.Feasible || f.Origin != l.Origin || f.StreamSeq != l.StreamSeq ||
			f.DesignHash != l.DesignHash || !f.Start.Equal(l.Start) || measured && f.Values[at] != l.Values[at] {
			t.Fatalf("trial %d of the file is %+v, the log has %+v", i, f, l)
		}
	}
}

// downloaded waits for a file that the browser fetches, and returns what is in it.
func downloaded(t *testing.T, dir, pattern string) []byte {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		names, _ := filepath.Glob(filepath.Join(dir, pattern)) // one that is not whole ends in .crdownload
		if len(names) == 1 {
			b, err := os.ReadFile(names[0])
			if err != nil {
				t.Fatal(err)
			}
			return b
		}
	}
	t.Fatalf("no file %s came", pattern)
	return nil
}
