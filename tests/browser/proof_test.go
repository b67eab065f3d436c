package browser

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// small is a study whose best design is proven in a moment.
const small = `apiVersion: apollo/v1
kind: Study
metadata: {name: proven}
spec:
  space:
    template: edge
    restrict: {pes_x: [2, 4], pes_y: [2, 4], cores: [1, 2], lanes: [32, 64], pe_memory: [256 KiB], core_memory: [32 KiB], activation_memory: [16384],
      instruction_memory: [16384], parameter_memory: [16384], io_bandwidth: [20 GB/s]}
  workload: {networks: [{name: mobilenet_v2}]}
  objectives: [{metric: latency, goal: minimize}]
  algorithm: {name: random}
  budget: {trials: 16}
`

// proven proves the optimum of a study by the command line, and looks for it on the
// page; then it has importance measured, and compares what happened with the log.
func proven(t *testing.T, browser context.Context, a *apollo) {
	file := filepath.Join(t.TempDir(), "study.yaml")
	if err := os.WriteFile(file, []byte(small), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), a.binary, "certify", file, "--data", a.dir, "-o", "json").Output()
	var proof struct {
		Value  float64
		Proven bool
	}
	if err != nil || json.Unmarshal(out, &proof) != nil || !proof.Proven || proof.Value <= 0 {
		t.Fatalf("certify: %v\n%s", err, out)
	}
	if out, err := exec.CommandContext(t.Context(), a.binary, "study", "submit", file, "--data", a.dir).CombinedOutput(); err != nil {
		t.Fatalf("submit: %v\n%s", err, out)
	}
	p := open(t, browser)
	p.visit(a.page("/"))
	p.wait(`document.querySelector('[data-study=proven] .state')?.textContent === 'completed'`)
	p.click(`[data-study=proven] a`)
	p.wait(`document.querySelector('text.optimum')?.textContent === ` + quoted("proven optimum "+micro(proof.Value)))
	f := a.log("proven", 16)
	note := value[string](p, `document.querySelector('#best').closest('.card').textContent`)
	if f.latency == proof.Value && !strings.Contains(note, "optimal, proven") || f.latency != proof.Value && !strings.Contains(note, "from the proven optimum") {
		t.Errorf("the best is %v of %v, and the page says %q", f.latency, proof.Value, note)
	}
	if got := value[string](p, `[...document.querySelectorAll('#feed tr')].map(r => r.cells[1].textContent).reverse().join().replaceAll(',improved', '')`); got != "accepted,started,completed" {
		t.Errorf("what happened is %q", got)
	}
	p.visit(a.page("/studies/demo"))
	p.click(`#importance a`)
	p.wait(`document.querySelectorAll('#matters tr').length > 0`)
	shares := value[[]int](p, `[...document.querySelectorAll('#matters progress')].map(b => b.value)`)
	for i := 1; i < len(shares); i++ {
		if shares[i] > shares[i-1] {
			t.Errorf("the parameters are not in order: %v", shares)
		}
	}
	if len(shares) != value[int](p, `document.querySelectorAll('#last thead th').length`)-7 {
		t.Errorf("%d parameters are weighed", len(shares))
	}
}

func quoted(text string) string {
	b, _ := json.Marshal(text)
	return string(b)
}
