package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"apollo/evaluator/model"
	"apollo/evaluator/report"
	"apollo/examples/simulators/forms"
	"apollo/internal/atomicfile"
	"apollo/services/cli"
)

// exportForms writes a design of the template nvdla for ZigZag, a machine, a mapping
// and a file for each layer, or for AccelForge, a file for each layer with the machine.
func (a *app) exportForms(s *subject, as string, mapped []report.Mapped, dir string) error {
	if s.Template.Name != "nvdla" {
		return cli.Usagef("--as %s is for --template nvdla, not %s: its form is that of NVDLA's machine", as, s.Template.Name)
	}
	if dir == "" {
		return cli.Usagef("--as %s writes several files: want --dir", as)
	}
	forLayers := map[string]string{"zigzag": "zigzag-layer.yaml", "accelforge": "accelforge.yaml"}[as]
	write := func(form, path string, m *report.Mapped) error {
		text, err := forms.Fill(form, s.formValues(m))
		if err != nil {
			return err
		}
		return atomicfile.Write(path, []byte(text))
	}
	var documents []exported
	for i := range mapped {
		m := &mapped[i]
		if err := inBytes(m); err != nil {
			return err
		}
		d := exported{Network: m.Network, Layer: m.Layer, Groups: m.Problem.Bound[model.G], File: layerFile(dir, m, i)}
		if err := write(forLayers, d.File, m); err != nil {
			return err
		}
		if as == "zigzag" {
			if err := write("zigzag-mapping.yaml", zigzagMappingFile(d.File), m); err != nil {
				return err
			}
		}
		documents = append(documents, d)
	}
	if as == "zigzag" {
		if err := write("zigzag-machine.yaml", zigzagMachineFile(dir), &mapped[0]); err != nil {
			return err
		}
	}
	return a.printExport(documents, dir)
}

func zigzagMachineFile(dir string) string { return filepath.Join(dir, "machine.yaml") }

// zigzagMappingFile is the file of the mapping beside that of the layer.
func zigzagMappingFile(layer string) string {
	return strings.TrimSuffix(layer, ".yaml") + ".mapping.yaml"
}

// formValues are the design's parameters, the layer's dimensions and the energies in J
// of a multiplication and of a bit.
func (s *subject) formValues(m *report.Mapped) *forms.Values {
	p := &m.Problem
	v := &forms.Values{
		Text: map[string]string{"id": strings.NewReplacer("/", "_", " ", "_").Replace(m.Layer), "order": zigzagOrder(m), "nodes": accelforgeNodes(m)},
		Number: map[string]float64{
			"mac_energy": m.Arch.MACPJ * pico,
			"spatial_c":  float64(m.Mapping.Loops[arrayLevel].Spatial[model.C]),
			"spatial_k":  float64(m.Mapping.Loops[arrayLevel].Spatial[model.K]),
			"stride_y":   float64(p.Stride[0]), "stride_x": float64(p.Stride[1]),
			"dilation_y": float64(p.Dilation[0]), "dilation_x": float64(p.Dilation[1]),
			"Y": float64((p.Bound[model.P]-1)*p.Stride[0] + (p.Bound[model.R]-1)*p.Dilation[0] + 1),
			"X": float64((p.Bound[model.Q]-1)*p.Stride[1] + (p.Bound[model.S]-1)*p.Dilation[1] + 1),
		},
	}
	for d := range model.Dims {
		v.Number[fmt.Sprint(d)] = float64(p.Bound[d])
	}
	for i := range s.Template.Params {
		v.Number[s.Template.Params[i].Name] = s.point.Values[i].Num
	}
	// The levels of the template, outermost first.
	for i, name := range []string{"dram_energy", "buffer_energy", "accumulator_energy", "register_energy"} {
		v.Number[name] = m.Arch.Level[i].ReadPJ * pico / byteBits
	}
	return v
}

// arrayLevel is the level of nvdla below whose loops the array spreads channels.
const arrayLevel = 2

// onArray reports whether a mapping spreads nothing but the channels of a group, as the
// tools' machine does.
func onArray(m *report.Mapped) bool {
	for level := range m.Arch.Levels {
		for d, n := range m.Mapping.Loops[level].Spatial {
			if n > 1 && (level != arrayLevel || model.Dim(d) != model.K && model.Dim(d) != model.C) {
				return false
			}
		}
	}
	return true
}

// zigzagDims are the dimensions of zigzag-layer.yaml. Groups are none of the tool's.
func zigzagDims() map[model.Dim]string {
	return map[model.Dim]string{model.N: "B", model.K: "K", model.C: "C", model.P: "OY", model.Q: "OX", model.R: "FY", model.S: "FX"}
}

// accelforgeTensors and accelforgeLevels are those of accelforge.yaml.
func accelforgeTensors() map[model.Operand]string {
	return map[model.Operand]string{model.Inputs: "Inputs", model.Weights: "Weights", model.Outputs: "Outputs"}
}

func accelforgeLevels() []string { return []string{"MainMemory", "Buffer", "Accumulator", "Register"} }

// zigzagOrder lists the loops in time of one group, innermost first. Where they are not
// those that the tool asks for, because tiles of ours pad a dimension, there are none,
// and the tool searches.
func zigzagOrder(m *report.Mapped) string {
	names := zigzagDims()
	wanted := m.Problem.Bound
	for _, d := range []model.Dim{model.K, model.C} {
		array := m.Mapping.Loops[arrayLevel].Spatial[d]
		wanted[d] = (wanted[d] + array - 1) / array
	}
	var loops []string
	for level := m.Arch.Levels - 1; level >= 0; level-- {
		l := &m.Mapping.Loops[level]
		for i := len(l.Order) - 1; i >= 0; i-- {
			d := l.Order[i]
			if n := l.Temporal[d]; n > 1 && d != model.G {
				loops = append(loops, fmt.Sprintf("[%s, %d]", names[d], n))
				if wanted[d]%n != 0 {
					return "[]"
				}
				wanted[d] /= n
			}
		}
	}
	for d, left := range wanted {
		if left != 1 && model.Dim(d) != model.G {
			return "[]"
		}
	}
	if !onArray(m) {
		return "[]"
	}
	return "[" + strings.Join(loops, ", ") + "]"
}

// accelforgeNodes is the whole mapping of one group, outermost first; none where the
// array spreads what the tool's does not. The tool keeps what is stored for as long as
// the loops below its place run, so a tile that our levels keep while loops above them
// do not touch it is stored above those.
func accelforgeNodes(m *report.Mapped) string {
	if !onArray(m) {
		return "[]"
	}
	var n nodes
	for d := range n.tile {
		n.tile[d] = 1
		for level := range m.Arch.Levels {
			n.tile[d] *= m.Mapping.Loops[level].Temporal[d] * m.Mapping.Loops[level].Spatial[d]
		}
	}
	for level, component := range accelforgeLevels() {
		l := &m.Mapping.Loops[level]
		for _, o := range []model.Operand{model.Inputs, model.Weights, model.Outputs} {
			if m.Arch.Level[level].Keeps[o] {
				n.store(o, component, level == 0)
			}
		}
		for _, d := range l.Order {
			n.loop(d, l.Temporal[d], "")
		}
		n.loop(model.K, l.Spatial[model.K], "filters")
		n.loop(model.C, l.Spatial[model.C], "channels")
	}
	var text []string
	for _, one := range n.list {
		text = append(text, one.text)
	}
	return "[" + strings.Join(append(text, "!Compute {einsum: Layer, component: MAC}"), ", ") + "]"
}

// nodes are those of a mapping for AccelForge; tile is what is left of each dimension.
type nodes struct {
	list []node
	tile [model.Dims]int64
}

type node struct {
	text    string
	dim     model.Dim
	loop    bool
	spatial bool
}

// loop adds a loop of n steps, over instances where it has a name.
func (n *nodes) loop(d model.Dim, steps int64, over string) {
	if steps == 1 || d == model.G {
		return
	}
	n.tile[d] /= steps
	kind, more := "Temporal", ""
	if over != "" {
		kind, more = "Spatial", fmt.Sprintf(", name: %s, component: Array", over)
	}
	text := fmt.Sprintf("!%s {rank_variable: %s, tile_shape: %d%s}", kind, strings.ToLower(fmt.Sprint(d)), n.tile[d], more)
	n.list = append(n.list, node{text, d, true, over != ""})
}

// store adds where an operand is stored: above the loops that do not touch it. What is
// stored in each unit of the array takes the array's loops with it.
func (n *nodes) store(o model.Operand, component string, outermost bool) {
	tensor := accelforgeTensors()[o]
	stored := node{text: fmt.Sprintf("!Storage {tensors: [%s], component: %s}", tensor, component)}
	end := len(n.list)
	array := end
	for array > 0 && n.list[array-1].spatial {
		array--
	}
	at := array
	passes := func(above *node) bool {
		if !above.loop {
			return array == end // another store
		}
		return !above.spatial && !o.Uses(above.dim)
	}
	for !outermost && at > 0 && passes(&n.list[at-1]) {
		at--
	}
	for at < array && !n.list[at].loop { // not above what others store without a reason
		at++
	}
	moved := slices.Concat(n.list[array:end], []node{stored}, n.list[at:array])
	n.list = append(n.list[:at], moved...)
}

const (
	pico     = 1e-12
	byteBits = 8
)
