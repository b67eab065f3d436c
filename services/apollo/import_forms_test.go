package main

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"apollo/evaluator"
	"apollo/evaluator/report"
	"apollo/evaluator/template"
	"apollo/evaluator/workload"
	"apollo/services/cli"
	"apollo/services/inspect"
)

func nvdlaOf(t *testing.T, network string) *subject {
	t.Helper()
	spec, _ := template.Named("nvdla")
	w, err := workload.Builtin(network)
	if err != nil {
		t.Fatal(err)
	}
	s := &subject{Subject: inspect.Subject{Template: spec, Networks: []evaluator.Network{{Workload: w, Weight: 1}}}}
	s.point = report.Point{Values: spec.Template().Baseline}
	return s
}

func exportInto(t *testing.T, s *subject, as string) string {
	t.Helper()
	dir := t.TempDir()
	mapped, err := s.mapped("", nil)
	if err != nil {
		t.Fatal(err)
	}
	a := &app{Terminal: cli.NewTerminal(nil, &bytes.Buffer{}, &bytes.Buffer{}, "")}
	if err := a.exportForms(s, as, mapped, dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

// Mappings go to the text of another tool and back: each layer costs what it did.
func TestMappingsOfOtherToolsAreReadBack(t *testing.T) {
	t.Parallel()
	s := nvdlaOf(t, "mobilenet_v2")
	own, err := s.Inspect(s.point, nil)
	if err != nil {
		t.Fatal(err)
	}
	for as, want := range map[string]int{"zigzag": 31, "accelforge": 35} {
		dir := exportInto(t, s, as)
		given, err := s.readMappings(dir)
		if err != nil {
			t.Fatalf("%s: %v", as, err)
		}
		back, err := s.Inspect(s.point, given)
		if err != nil {
			t.Fatalf("%s: %v", as, err)
		}
		read := 0
		for i := range back.Layers {
			b, o := &back.Layers[i], &own.Layers[i]
			if b.Given {
				read++
			}
			if b.Cycles != o.Cycles || math.Abs(b.EnergyJ-o.EnergyJ) > 1e-9*o.EnergyJ {
				t.Errorf("%s: layer %s takes %d cycles and %g J, before %d and %g; it was\n%s\nis\n%s", as, b.ID, b.Cycles, b.EnergyJ, o.Cycles, o.EnergyJ, o.Mapping, b.Mapping)
			}
		}
		if read != want {
			t.Errorf("%s: %d layers were read back, want %d", as, read, want)
		}
	}
}

// What was changed in a file is what is evaluated, or is refused with its place.
func TestChangedMappingsOfOtherTools(t *testing.T) {
	t.Parallel()
	s := nvdlaOf(t, "mobilenet_v2")
	dirs := map[string]string{"zigzag": exportInto(t, s, "zigzag"), "accelforge": exportInto(t, s, "accelforge")}
	const (
		weights = "!Storage {tensors: [Weights], component: Buffer}, "
		inputs  = "!Storage {tensors: [Inputs], component: Buffer}, "
		outputs = "!Storage {tensors: [Outputs], component: Accumulator}, "
		filters = "!Temporal {rank_variable: k, tile_shape: 6}, "
		loops   = "!Temporal {rank_variable: p, tile_shape: 14}, !Temporal {rank_variable: q, tile_shape: 28}, "
	)
	for _, c := range []struct{ as, file, old, new, want string }{
		{"zigzag", "machine.yaml", "sizes: [64, 32]", "sizes: [64, 16]", `machine.yaml, line`},
		{"zigzag", "mobilenet_v2/003-block0.project.mapping.yaml", "temporal_ordering: [[", "temporal_ordering: [[Z, 2], [", "temporal_ordering[0]: [Z 2] is no loop"},
		{"zigzag", "mobilenet_v2/003-block0.project.mapping.yaml", `D1: ["C, `, `D1: ["OX, `, `the array spreads C there`},
		{"zigzag", "mobilenet_v2/003-block0.project.mapping.yaml", "[K, 3]", "[K, 2]", "the loops over K cover 12 of 16"},
		{"zigzag", "mobilenet_v2/003-block0.project.mapping.yaml", "- name", "- [", "003-block0.project.mapping.yaml: "},
		{"zigzag", "mobilenet_v2/003-block0.project.mapping.yaml", `D1: ["C`, `D7: ["C`, "spatial_mapping: D7: the array has no such axis, want D1 for C or D2 for K"},
		{"zigzag", "mobilenet_v2/003-block0.project.mapping.yaml", `["C, 32"]`, `["C, 4611686018427387904", "C, 4"]`, `spatial_mapping: D1[0]: "C, 4611686018427387904" is more than the 2048 multipliers of the array`},
		{"zigzag", "mobilenet_v2/003-block0.project.mapping.yaml", `["C, 32"]`, `["C, 32", "C, 65"]`, `spatial_mapping: D1[1]: "C, 65" is more than the 2048 multipliers of the array`},
		{"zigzag", "mobilenet_v2/003-block0.project.mapping.yaml", "[K, 3]", "[K, 9223372036854775807]", "temporal_ordering[2]: [K 9223372036854775807]: 9223372036854775807 steps over K, of which this layer has 16"},
		{"zigzag", "mobilenet_v2/003-block0.project.mapping.yaml", "[OX, 4]", "[OX, 4]" + strings.Repeat(", [OX, 2]", 400), "[OX 2]: the other loops over Q cover 128 of 112 already"},
		{"zigzag", "mobilenet_v2/003-block0.project.mapping.yaml", "- name", "# " + strings.Repeat("x", maxMappingFile) + "\n- name", "the limit is 4194304"},
		{"zigzag", "mobilenet_v2/003-block0.project.yaml", "- id", "# " + strings.Repeat("x", maxMappingFile) + "\n- id", "the limit is 4194304"},
		{"accelforge", "mobilenet_v2/003-block0.project.yaml", "!Temporal {rank_variable: q, tile_shape: 28}, ", "!Temporal {rank_variable: q, tile_shape: 28}, " + tiles("q", 27, 2), "the other loops over Q cover 128 of 112 already"},
		{"accelforge", "mobilenet_v2/003-block0.project.yaml", weights + loops + inputs, inputs + loops + weights, "Buffer stores Weights where no loop of this template can begin"},
		{"accelforge", "mobilenet_v2/003-block0.project.yaml", weights + loops + inputs + filters + outputs, outputs + weights + loops + inputs + filters, "Accumulator stores Outputs where no loop of this template can begin"},
		{"accelforge", "mobilenet_v2/003-block0.project.yaml", "rank_variable: q", "rank_variable: z", `rank_variable "z"`},
		{"accelforge", "mobilenet_v2/003-block0.project.yaml", "!Storage {tensors: [Outputs], component: Accumulator}, ", "", "Accumulator and Outputs"},
		{"accelforge", "mobilenet_v2/003-block0.project.yaml", filters, filters + weights, "Buffer stores Weights a second time"},
		{"accelforge", "mobilenet_v2/003-block0.project.yaml", "tensors: [Weights], component: Buffer", "tensors: [Weights, Weights], component: Buffer", "Buffer stores Weights a second time"},
		{"accelforge", "mobilenet_v2/003-block0.project.yaml", "!Compute {", "!Toll {", "!Toll is none of"},
		{"accelforge", "mobilenet_v2/003-block0.project.yaml", "rank_sizes: {N: 1", "rank_sizes: {N: 2", "of this design and layer it is"},
		{"accelforge", "mobilenet_v2/003-block0.project.yaml", "mapping: {nodes: [", "mapping: {nodes: [[], ", "nodes[0] has no tag"},
	} {
		dir := dirs[c.as]
		path := filepath.Join(dir, c.file)
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		changed := strings.Replace(string(text), c.old, c.new, 1)
		if changed == string(text) {
			t.Fatalf("%s has no %q:\n%s", c.file, c.old, text)
		}
		if err := os.WriteFile(path, []byte(changed), 0o600); err != nil {
			t.Fatal(err)
		}
		given, err := s.readMappings(dir)
		if err == nil {
			_, err = s.Inspect(s.point, given)
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s with %.80q: error %v, want one with %q", c.file, c.new, err, c.want)
		}
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.readMappings(t.TempDir()); err == nil || !strings.Contains(err.Error(), "there is no file of a layer") {
		t.Errorf("an empty folder: %v", err)
	}
}

// tiles are loops in time of AccelForge over ever smaller tiles.
func tiles(rank string, from, to int) string {
	var b strings.Builder
	for tile := from; tile >= to; tile-- {
		fmt.Fprintf(&b, "!Temporal {rank_variable: %s, tile_shape: %d}, ", rank, tile)
	}
	return b.String()
}
