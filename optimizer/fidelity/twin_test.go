package fidelity_test

import (
	"encoding/json"
	"fmt"
	"math"
	"os/exec"
	"strings"
	"testing"
)

// The twin that is measured with says what examples/cache.py says.
func TestTwin(t *testing.T) {
	t.Parallel()
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("there is no python3")
	}
	designs := []struct{ sets, ways, line, tile, count int }{
		{16, 1, 16, 4, 2000}, {64, 4, 64, 15, 2000}, {1024, 16, 128, 60, 2000}, {128, 2, 32, 12, 2000}, {32, 8, 64, 24, 20000},
	}
	var questions strings.Builder
	for i, d := range designs {
		fmt.Fprintf(&questions, `{"id":"%d","design":{"sets":%d,"ways":%d,"line":%d,"tile":%d,"trace":%d}}`+"\n", i, d.sets, d.ways, d.line, d.tile, d.count)
	}
	ask := exec.CommandContext(t.Context(), python, "cache.py")
	ask.Dir, ask.Stdin = "../../examples", strings.NewReader(questions.String())
	said, err := ask.Output()
	if err != nil {
		t.Fatal(err)
	}
	answers := json.NewDecoder(strings.NewReader(string(said)))
	for _, d := range designs {
		var a struct {
			Metrics struct {
				Access float64 `json:"access_s"`
				Area   float64 `json:"area_mm2"`
			}
		}
		if err := answers.Decode(&a); err != nil {
			t.Fatal(err)
		}
		c := simulate(d.sets, d.ways, d.line, d.tile, accesses(d.count, d.tile), d.count)
		if !near(a.Metrics.Access*1e9, c.value) || !near(a.Metrics.Area, c.area) {
			t.Errorf("%+v: cache.py says %v ns and %v mm2, its twin %v and %v", d, a.Metrics.Access*1e9, a.Metrics.Area, c.value, c.area)
		}
	}
}

// near allows for another order of the same sums.
func near(a, b float64) bool { return math.Abs(a-b) <= 1e-12*math.Abs(b) }
