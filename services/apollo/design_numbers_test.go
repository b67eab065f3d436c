package main

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// twoLayers is a network whose numbers are counted by hand: 8*8*16 * 4*3*3 =
// 36,864 MACs and 4*4*8 * 16 = 2,048.
const twoLayers = `schema: apollo.workload/v1
name: NAME
inputs:
- {name: image, shape: [1, 8, 8, 4]}
layers:
- {id: one, op: conv, N: 1, K: 16, C: 4, P: 8, Q: 8, R: 3, S: 3, H: 8, W: 8, in: [image]}
- {id: two, op: conv, N: 1, K: 8, C: 16, P: 4, Q: 4, R: 1, S: 1, H: 8, W: 8, stride: [2, 2], in: [one]}
`

// handNetworks writes two such networks, the second one larger.
func handNetworks(t *testing.T) (small, large string) {
	t.Helper()
	dir := t.TempDir()
	small, large = filepath.Join(dir, "small.yaml"), filepath.Join(dir, "large.yaml")
	for path, text := range map[string]string{
		small: strings.Replace(twoLayers, "NAME", "small", 1),
		large: strings.NewReplacer("NAME", "large", "K: 8,", "K: 2048,").Replace(twoLayers),
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return small, large
}

type numbers = map[string]float64

// answerOf runs a command and reads its JSON answer.
func answerOf(t *testing.T, into any, args ...string) {
	t.Helper()
	code, stdout, stderr := try(t, append(args, "-o", "json")...)
	if code != 0 {
		t.Fatalf("apollo %s: exit code %d: %s", strings.Join(args, " "), code, stderr)
	}
	if err := json.Unmarshal([]byte(stdout), into); err != nil {
		t.Fatal(err)
	}
}

func close12(t *testing.T, what string, got, want float64) {
	t.Helper()
	// Sums in another order differ in the last digits.
	if !(math.Abs(got-want) <= 1e-12*math.Abs(want)) {
		t.Errorf("%s is %.15g, want %.15g", what, got, want)
	}
}

// sumOf adds what a breakdown has beside its total.
func sumOf(parts numbers) (sum float64) {
	for name, v := range parts {
		if !strings.HasPrefix(name, "total") {
			sum += v
		}
	}
	return sum
}

// evaluated is what this test reads of `design eval`.
type evaluated struct {
	ClockHz      float64 `json:"clock_hz"`
	MACsPerCycle float64 `json:"macs_per_cycle"`
	PeakTOPS     float64 `json:"peak_tops"`
	Metrics      numbers `json:"metrics"`
	Area         numbers `json:"area"`
	Networks     []struct {
		MACs         float64 `json:"macs"`
		LatencyS     float64 `json:"latency_s"`
		Utilisation  float64 `json:"utilisation"`
		Latency      numbers `json:"latency"`
		Energy       numbers `json:"energy"`
		OffChipBytes float64 `json:"off_chip_bytes"`
		Power        struct {
			Mean      float64 `json:"mean_w"`
			Peak      float64 `json:"peak_w"`
			PeakLayer string  `json:"peak_layer"`
		} `json:"power"`
		Roofline struct {
			MACsPerByte float64 `json:"macs_per_byte"`
			Achieved    float64 `json:"achieved_macs_per_s"`
		} `json:"roofline"`
	} `json:"networks"`
	Layers []evaluatedLayer `json:"layers"`
}

type evaluatedLayer struct {
	ID       string  `json:"id"`
	MACs     float64 `json:"macs"`
	Cycles   float64 `json:"cycles"`
	LatencyS float64 `json:"latency_s"`
	EnergyJ  float64 `json:"energy_j"`
	Bytes    struct {
		OffChip float64 `json:"off_chip"`
	} `json:"bytes"`
}

func TestEvalAddsUp(t *testing.T) {
	t.Parallel()
	small, large := handNetworks(t)
	var d evaluated
	answerOf(t, &d, "design", "eval", "--workload", small)
	n := d.Networks[0]
	if n.MACs != 38912 || d.Layers[0].MACs != 36864 || d.Layers[1].MACs != 2048 {
		t.Errorf("MACs: %g = %g + %g, want 38,912 = 36,864 + 2,048", n.MACs, d.Layers[0].MACs, d.Layers[1].MACs)
	}
	// The baseline has 4 x 2 PEs with one core of 64 lanes of four multipliers.
	if d.MACsPerCycle != 2048 {
		t.Errorf("%g MACs per cycle, want 2,048", d.MACsPerCycle)
	}
	close12(t, "peak", d.PeakTOPS, 2*2048*d.ClockHz/1e12)
	close12(t, "sum of the area's parts", sumOf(d.Area), d.Metrics["area_mm2"])
	close12(t, "sum of the latency's parts", sumOf(n.Latency), d.Metrics["latency_s"])
	close12(t, "sum of the energy's parts", sumOf(n.Energy), d.Metrics["energy_j"])
	close12(t, "total area", d.Area["total"], d.Metrics["area_mm2"])
	close12(t, "sum of the layers' cycles", (d.Layers[0].Cycles+d.Layers[1].Cycles)/d.ClockHz, n.LatencyS)
	close12(t, "sum of the layers' times", d.Layers[0].LatencyS+d.Layers[1].LatencyS, n.LatencyS)
	close12(t, "sum of the layers' bytes", d.Layers[0].Bytes.OffChip+d.Layers[1].Bytes.OffChip, n.OffChipBytes)
	close12(t, "mean power", n.Power.Mean, d.Metrics["energy_j"]/n.LatencyS)
	// What is no layer's is the same power all the time.
	rest := (d.Metrics["energy_j"] - d.Layers[0].EnergyJ - d.Layers[1].EnergyJ) / n.LatencyS
	first, second := d.Layers[0].EnergyJ/d.Layers[0].LatencyS, d.Layers[1].EnergyJ/d.Layers[1].LatencyS
	close12(t, "peak power", n.Power.Peak, rest+max(first, second))
	if hottest := d.Layers[map[bool]int{true: 0, false: 1}[first > second]].ID; n.Power.PeakLayer != hottest || n.Power.Peak <= n.Power.Mean {
		t.Errorf("the peak power is %+v, want that of %s, above the mean", n.Power, hottest)
	}
	close12(t, "utilisation", n.Utilisation, 38912/(n.LatencyS*d.ClockHz*2048))
	close12(t, "MACs per byte", n.Roofline.MACsPerByte, 38912/n.OffChipBytes)
	close12(t, "MACs per second", n.Roofline.Achieved, 38912/n.LatencyS)

	// People read the same: shares of the time, rounded.
	_, text, _ := try(t, "design", "eval", "--workload", small)
	for _, l := range d.Layers {
		if want := fmt.Sprintf("  %.1f %%  ", 100*l.LatencyS/n.LatencyS); !strings.Contains(lineOf(text, l.ID), want) {
			t.Errorf("line %q has no share %q", lineOf(text, l.ID), want)
		}
	}

	// Of several networks the weighted geometric mean.
	var other, both evaluated
	answerOf(t, &other, "design", "eval", "--workload", large)
	answerOf(t, &both, "design", "eval", "--workload", small, "--workload", large+"=3")
	for _, metric := range []string{"latency_s", "energy_j"} {
		a, b := d.Metrics[metric], other.Metrics[metric]
		if a == b {
			t.Fatalf("both networks have the %s %g", metric, a)
		}
		close12(t, metric, both.Metrics[metric], math.Pow(a*b*b*b, 0.25))
	}
}

func lineOf(text, name string) string {
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, name+" ") {
			return line
		}
	}
	return ""
}

// diffRow is what this test reads of `design diff`.
type diffRow struct {
	Name         string
	A, B, Change *float64
}

func TestDiffIsTheDifference(t *testing.T) {
	t.Parallel()
	_, large := handNetworks(t)
	var d struct {
		Parameters, Metrics, Parts []diffRow
		Layers                     []struct {
			Layer string
			A     float64 `json:"a_s"`
			B     float64 `json:"b_s"`
		}
	}
	var a, b evaluated
	answerOf(t, &d, "design", "diff", "baseline", "baseline,pes_y=4,io_bandwidth=25GB/s", "--workload", large)
	answerOf(t, &a, "design", "eval", "--workload", large)
	answerOf(t, &b, "design", "eval", "--workload", large, "--set", "pes_y=4", "--set", "io_bandwidth=25GB/s")
	if len(d.Parameters) != 2 || *d.Parameters[0].A != 2 || *d.Parameters[0].B != 4 || *d.Parameters[0].Change != 1 || *d.Parameters[1].Change != -1./6 {
		t.Errorf("parameters %+v, want pes_y 2 to 4 and the bandwidth a sixth less", d.Parameters)
	}
	full := map[string]string{"latency": "latency_s", "area": "area_mm2", "energy": "energy_j"}
	if len(d.Metrics) != len(full) {
		t.Errorf("metrics %+v, want %d", d.Metrics, len(full))
	}
	for _, m := range d.Metrics {
		va, vb := a.Metrics[full[m.Name]], b.Metrics[full[m.Name]]
		if va == 0 || *m.A != va || *m.B != vb {
			t.Errorf("%s: %g and %g, want %g and %g", m.Name, *m.A, *m.B, va, vb)
		}
		close12(t, "change of "+m.Name, *m.Change, vb/va-1)
		// What the parts differ by is what the whole differs by.
		sum := 0.0
		for _, p := range d.Parts {
			if strings.HasPrefix(p.Name, m.Name+": ") {
				sum += *p.B - *p.A
			}
		}
		if math.Abs(sum-(vb-va)) > 1e-12*vb {
			t.Errorf("the parts of the %s differ by %g, the whole by %g", m.Name, sum, vb-va)
		}
	}
	for i, l := range d.Layers {
		at := slices.IndexFunc(a.Layers, func(x evaluatedLayer) bool { return x.ID == l.Layer })
		if at < 0 || l.A != a.Layers[at].LatencyS || l.B != b.Layers[at].LatencyS {
			t.Errorf("layer %+v, want the times of design eval", l)
		}
		if i > 0 && math.Abs(l.B-l.A) > math.Abs(d.Layers[i-1].B-d.Layers[i-1].A) {
			t.Errorf("layer %s differs more than the one above it", l.Layer)
		}
	}
	if len(d.Layers) == 0 {
		t.Error("no layer differs")
	}
}

func TestNeighboursAreEvaluated(t *testing.T) {
	t.Parallel()
	small, _ := handNetworks(t)
	var n struct {
		Metrics    numbers
		Neighbours []struct {
			Parameter string
			From, To  float64
			Metrics   numbers
			Change    numbers
		}
	}
	answerOf(t, &n, "design", "neighbours", "--workload", small)
	var steps []string
	for _, x := range n.Neighbours {
		switch x.Parameter {
		case "pes_x", "lanes", "pe_memory":
			steps = append(steps, fmt.Sprintf("%s %g %g", x.Parameter, x.From, x.To))
		default:
			continue
		}
		unit := ""
		if x.Parameter == "pe_memory" {
			unit = "B"
		}
		var d evaluated
		answerOf(t, &d, "design", "eval", "--workload", small, "--set", fmt.Sprintf("%s=%g%s", x.Parameter, x.To, unit))
		for metric, home := range n.Metrics {
			if x.Metrics[metric] != d.Metrics[metric] {
				t.Errorf("%s=%g: %s %g, design eval has %g", x.Parameter, x.To, metric, x.Metrics[metric], d.Metrics[metric])
			}
			if want := d.Metrics[metric]/home - 1; math.Abs(x.Change[metric]-want) > 1e-12 {
				t.Errorf("%s=%g: %s changes by %g, want %g", x.Parameter, x.To, metric, x.Change[metric], want)
			}
		}
	}
	// The levels next to the baseline's; its PE memory is the smallest.
	want := []string{"lanes 64 128", "lanes 64 32", "pe_memory 262144 524288", "pes_x 4 2", "pes_x 4 6"}
	slices.Sort(steps) // their own order is that of their worth
	if !slices.Equal(steps, want) {
		t.Errorf("neighbours %q, want %q", steps, want)
	}
}

func TestSensitivityMovesTheConstant(t *testing.T) {
	t.Parallel()
	small, _ := handNetworks(t)
	var d evaluated
	answerOf(t, &d, "design", "eval", "--workload", small)
	type standing struct {
		Value      float64
		RivalValue float64 `json:"rival_value"`
		Margin     float64
		Ahead      bool
	}
	var s struct {
		Declared standing
		Moves    []struct {
			standing
			Constant string
			From, To float64
		}
		Ahead int
	}
	answerOf(t, &s, "design", "sensitivity", "--workload", small, "--metric", "energy", "--rival", "baseline,pes_x=2", "--rival", "baseline,pes_y=4", "--by", "0.25")
	energy := d.Metrics["energy_j"]
	close12(t, "declared", s.Declared.Value, energy)
	var rival evaluated
	answerOf(t, &rival, "design", "eval", "--workload", small, "--set", "pes_x=2")
	close12(t, "the best rival", s.Declared.RivalValue, rival.Metrics["energy_j"])
	ahead, seen := 0, 0
	for _, m := range s.Moves {
		close12(t, m.Constant+": margin", m.Margin, m.RivalValue/m.Value-1)
		if m.Ahead != (m.Value <= m.RivalValue) {
			t.Errorf("%s: ahead %t with %g against %g", m.Constant, m.Ahead, m.Value, m.RivalValue)
		}
		if m.Ahead {
			ahead++
		}
		if m.Constant == "off_chip_energy" {
			// What crosses the border costs that much more or less, nothing else does.
			close12(t, m.Constant, m.Value, energy+d.Networks[0].Energy["off_chip"]*(m.To/m.From-1))
			if math.Abs(math.Abs(m.To/m.From-1)-0.25) > 1e-12 {
				t.Errorf("%s moves from %g to %g, want a quarter", m.Constant, m.From, m.To)
			}
			seen++
		}
	}
	if s.Ahead != ahead || seen != 2 {
		t.Errorf("ahead in %d, counted %d; the energy of the border moves %d times, want 2", s.Ahead, ahead, seen)
	}
}

// The parts of a breakdown are joined by name: a design without an axis over input channels has no reduction trees.
func TestDiffJoinsPartsByName(t *testing.T) {
	t.Parallel()
	const other = "baseline,axes=K+P+Q"
	small, _ := handNetworks(t)
	var d struct {
		Parameters []struct {
			Name string `json:"name"`
			A    any    `json:"a"`
			B    any    `json:"b"`
		} `json:"parameters"`
		Parts []struct {
			Name string   `json:"name"`
			A    *float64 `json:"a"`
			B    *float64 `json:"b"`
		} `json:"parts"`
	}
	answerOf(t, &d, "design", "diff", "--template", "spatial", "--workload", small, "baseline", other)
	var a, b struct {
		Area numbers `json:"area"`
	}
	answerOf(t, &a, "design", "eval", "--template", "spatial", "--workload", small)
	answerOf(t, &b, "design", "eval", "--template", "spatial", "--workload", small, "--set", "axes=K+P+Q")
	said := map[string]bool{}
	for _, p := range d.Parts {
		name, isArea := strings.CutPrefix(p.Name, "area: ")
		if !isArea {
			continue
		}
		name = strings.ReplaceAll(name, " ", "_")
		said[name] = true
		for side, of := range map[string]struct {
			got *float64
			all numbers
		}{"baseline": {p.A, a.Area}, other: {p.B, b.Area}} {
			want, there := of.all[name]
			if there != (of.got != nil) || there && *of.got != want {
				t.Errorf("%s of %s is %v, want %v (there %t)", p.Name, side, of.got, want, there)
			}
		}
	}
	if _, there := b.Area["reduction_trees"]; there || !said["reduction_trees"] || !said["wires"] || said["io"] {
		t.Errorf("the parts are %v of %v and %v", said, a.Area, b.Area)
	}
	// What means nothing in a design has no level.
	for _, p := range d.Parameters {
		if p.Name == "grouped_sums" && (p.A != "idle" || p.B != nil) || p.Name == "z" && (p.A != nil || p.B == nil) {
			t.Errorf("%s is %v and %v, want null where it means nothing", p.Name, p.A, p.B)
		}
	}
	// Two axes that sum have one part together.
	_, stdout, _ := try(t, "design", "eval", "--template", "spatial", "--workload", small, "--set", "axes=C+R", "-o", "json")
	if n := strings.Count(stdout, `"reduction_trees"`); n != 1 {
		t.Errorf("the answer has %d members reduction_trees, want 1", n)
	}
	for _, text := range []string{"area: reduction trees +[0-9.]+ mm2 +- +-\n", "grouped_sums +idle +- +-\n"} {
		if _, stdout, _ := try(t, "design", "diff", "--template", "spatial", "--workload", small, "baseline", other); !regexp.MustCompile(text).MatchString(stdout) {
			t.Errorf("there is no %q in\n%s", text, stdout)
		}
	}
}
