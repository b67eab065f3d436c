package browser

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"apollo/archiver"
	"apollo/events"
)

// steps is a campaign over three areas, each study with a control arm.
const steps = `apiVersion: apollo/v1
kind: Study
metadata: {name: steps}
spec:
  seed: 5
  space:
    template: edge
    restrict: {cores: [1, 2], lanes: [32, 64], pe_memory: [256 KiB], core_memory: [32 KiB], activation_memory: [16384],
      instruction_memory: [16384], parameter_memory: [16384], io_bandwidth: [20 GB/s]}
  workload: {networks: [{name: mobilenet_v2}]}
  objectives: [{metric: latency, goal: minimize}]
  constraints: [{metric: area, max: 6.8 mm2}]
  algorithm: {name: random}
  transfer: {control: 40%, method: seed, sources: [{study: demo}]}
  budget: {trials: 20}
matrix:
  spec.constraints[0].max: [4 mm2, 5 mm2, 6.8 mm2]
`

// laddersAndSources runs a campaign over limits and a sweep of proofs, and compares the
// pages of both with the Parquet log and with what the command line proved.
func laddersAndSources(t *testing.T, browser context.Context, a *apollo) {
	file := filepath.Join(t.TempDir(), "study.yaml")
	if err := os.WriteFile(file, []byte(steps), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), a.binary, "study", "submit", file, "--data", a.dir).CombinedOutput(); err != nil {
		t.Fatalf("submit: %v\n%s", err, out)
	}
	out, err := exec.CommandContext(t.Context(), a.binary, "certify", file, "--set", "matrix=null", "--sweep", "area=4..6.8", "--steps", "3", "--data", a.dir, "-o", "json").Output()
	var swept struct {
		Steps []struct{ Limit, Value, Slope *float64 }
	}
	if err != nil || json.Unmarshal(out, &swept) != nil || len(swept.Steps) != 3 {
		t.Fatalf("certify --sweep: %v\n%s", err, out)
	}
	p := open(t, browser)
	p.visit(a.page("/?q=steps"))
	p.wait(`document.querySelectorAll('[data-study]').length === 3 && [...document.querySelectorAll('[data-study] .state')].every(s => s.textContent === 'completed')`)
	names := value[[]string](p, `[...document.querySelectorAll('[data-study]')].map(r => r.dataset.study)`)
	slices.Sort(names)
	p.click(fmt.Sprintf(`[data-study="%s"] a`, names[2]))
	p.click(`.facts a[href^="/ladder"]`)
	p.wait(`document.querySelectorAll('#rungs tbody tr').length === 3`)
	p.do("a tablet", width(1024))
	if value[bool](p, `(r => r.scrollWidth > r.clientWidth)(document.querySelector('#rungs').closest('.wide'))`) {
		t.Error("at 1024 points the table of studies is cut")
	}
	var known float64
	for i, area := range []float64{4, 5, 6.8} {
		row := value[[]string](p, fmt.Sprintf(`[...document.querySelectorAll('#rungs tbody tr')[%d].cells].map(c => c.textContent)`, i))
		f := a.log(row[1], 20)
		if known == 0 || f.latency < known {
			known = f.latency
		}
		limit := fmt.Sprintf("%g\u00a0mm²", area)
		if row[0] != limit || row[4] != micro(f.latency) || row[6] != fmt.Sprint(f.best) || row[8] != micro(known) {
			t.Errorf("row %d is %q; the log has the best %s by trial %d, and %s is known", i, row, micro(f.latency), f.best, micro(known))
		}
	}
	proven := value[[][]string](p, `[...document.querySelectorAll('#proven tbody tr')].map(r => [...r.cells].map(c => c.textContent))`)
	if len(proven) != len(swept.Steps) {
		t.Fatalf("proven: %q, want %d rows", proven, len(swept.Steps))
	}
	for i, step := range swept.Steps {
		slope := "–"
		if step.Slope != nil {
			slope = "−" + micro(-*step.Slope)
		}
		if proven[i][1] != micro(*step.Value) || proven[i][2] != slope {
			t.Errorf("proven step %d is %q, the command line says %s and %s", i, proven[i], micro(*step.Value), slope)
		}
	}
	if got := value[string](p, `document.querySelector('#price-below').textContent`); got != proven[2][2] {
		t.Errorf("the price at the study's limit is %q, want %q", got, proven[2][2])
	}
	p.click(fmt.Sprintf(`#rungs tr[data-study="%s"] a`, names[1]))
	p.wait(fmt.Sprintf(`location.pathname === '/studies/%s'`, names[1]))
	brings(t, p, a, names[1])
}

// brings follows the link of a study to its sources, and compares the arms and the credit
// with the log.
func brings(t *testing.T, p *tab, a *apollo, study string) {
	t.Helper()
	p.click(`.facts a[href*="/transfer"]`)
	p.wait(`document.querySelectorAll('#arms tbody tr').length === 2 && document.querySelectorAll('#sources tbody tr').length > 0`)
	a.log(study, 20) // until all are there
	src, err := archiver.LoadSource(os.DirFS(a.dir), events.Source{Study: study})
	if err != nil {
		t.Fatal(err)
	}
	best, trials, credited := [2]float64{math.Inf(1), math.Inf(1)}, [2]int{}, map[string]int{}
	for row, err := range archiver.Scan(os.DirFS(a.dir), archiver.Query{Study: study}) {
		if err != nil {
			t.Fatal(err)
		}
		arm := 0
		if strings.HasPrefix(row.Origin, "control/") {
			arm = 1
		}
		trials[arm]++
		if v := row.Values[src.Spec.MetricIndex("latency_s")]; row.Feasible {
			best[arm] = min(best[arm], v)
		}
		if from, ok := strings.CutPrefix(row.Origin, "seed:"); ok {
			name, _, _ := strings.Cut(from, "/")
			credited[name]++
		}
	}
	arms := value[[][]string](p, `[...document.querySelectorAll('#arms tbody tr')].map(r => [...r.cells].map(c => c.textContent))`)
	for i, arm := range arms {
		want := "–"
		if !math.IsInf(best[i], 1) {
			want = micro(best[i])
		}
		if arm[1] != fmt.Sprint(trials[i]) || arm[4] != want {
			t.Errorf("arm %q, the log has %d trials and the best %s", arm, trials[i], want)
		}
	}
	if trials[1] == 0 || len(credited) == 0 {
		t.Errorf("the log has no control arm, or no seeds: %v, %v", trials, credited)
	}
	for name, n := range credited {
		cell := fmt.Sprintf(`document.querySelector('#sources [data-source="%s"]')?.cells[4].textContent`, name)
		if got := value[string](p, cell); got != fmt.Sprint(n) {
			t.Errorf("%s proposed %q trials by the page, %d by the log", name, got, n)
		}
	}
	p.click(`#matched a`)
	p.wait(`document.querySelectorAll('#matches tbody tr').length > 0`)
	if n := value[int](p, `[...document.querySelectorAll('#matches tbody tr')].filter(r => r.cells[2].textContent === 'mapped').length`); n == 0 {
		t.Error("nothing of the sources is mapped")
	}
}
