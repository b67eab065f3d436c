package main

import (
	"strings"
	"testing"

	"apollo/evaluator/model"
	"apollo/evaluator/report"
)

// A tile is stored above the loops that keep it, as our levels keep it, and what is in
// each unit of the array takes the array's loops with it.
func TestAccelForgeStoresWhereOurLevelsKeep(t *testing.T) {
	t.Parallel()
	m := report.Mapped{Arch: model.Arch{Levels: 4}}
	keeps := [4][]model.Operand{{model.Weights, model.Inputs, model.Outputs}, {model.Weights, model.Inputs}, {model.Outputs}, {model.Weights}}
	for level := range keeps {
		m.Mapping.Loops[level] = model.Ones()
		for _, o := range keeps[level] {
			m.Arch.Level[level].Keeps[o] = true
		}
	}
	off, sums := &m.Mapping.Loops[0], &m.Mapping.Loops[2]
	off.Temporal[model.K], off.Temporal[model.C] = 3, 2
	sums.Temporal[model.R], sums.Temporal[model.Q] = 3, 7
	sums.Order = [model.Dims]model.Dim{model.G, model.N, model.K, model.C, model.P, model.R, model.S, model.Q}
	sums.Spatial[model.K], sums.Spatial[model.C] = 16, 8
	var short []string
	for part := range strings.SplitSeq(accelforgeNodes(&m), "!") {
		part = strings.NewReplacer("{", "", "}", "", "tensors: ", "", ", component:", "", "rank_variable: ", "", ", tile_shape:", "", ", name:", "", " Array", "", "[", "", "]", "").Replace(part)
		short = append(short, strings.Trim(part, " ,"))
	}
	const want = "|Storage Inputs MainMemory|Storage Weights MainMemory|Storage Outputs MainMemory|Temporal k 16|Storage Outputs Accumulator|Temporal c 8|" +
		"Storage Inputs Buffer|Storage Weights Buffer|Temporal r 1|Spatial k 1 filters|Spatial c 1 channels|Storage Weights Register|Temporal q 1|Compute einsum: Layer MAC"
	got := strings.Join(short, "|")
	got = strings.ReplaceAll(got, "Weights Buffer|Storage Inputs Buffer", "Inputs Buffer|Storage Weights Buffer")
	if got != want {
		t.Errorf("nodes\n%s\nwant\n%s", got, want)
	}
	m.Mapping.Loops[1].Spatial[model.P] = 2 // which the tool's machine does not have
	if got := accelforgeNodes(&m); got != "[]" {
		t.Errorf("columns over instances: %s, want the tool to search", got)
	}
}
