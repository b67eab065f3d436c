// Package scalesim writes a systolic array and the layers that it runs as input
// of SCALE-Sim 3 (R. Raj et al., "SCALE-Sim v3", ISPASS 2025): a configuration,
// a topology of matrix products, and the layout file that the tool reads even
// where no layout is modelled.
package scalesim

import (
	"fmt"
	"strings"

	"apollo/evaluator/systolic"
	"apollo/examples/simulators/forms"
)

// Machine is what the configuration says.
type Machine struct {
	Name string
	systolic.Array
	// InputBytes, WeightBytes and OutputBytes are the memories, each used in two
	// halves; the tool counts words, of one byte here, and whole KiB.
	InputBytes, WeightBytes, OutputBytes int64
	// WordsPerCycle is the bandwidth of the interface, of each operand.
	WordsPerCycle int64
}

const (
	kib = 1 << 10
	// hertz is the clock by which the form makes words a cycle of bytes a second.
	hertz = 1e9
)

// Config returns the configuration file. The error names what the tool cannot
// express.
func (m *Machine) Config() (string, error) {
	if err := m.Validate(); err != nil {
		return "", err
	}
	for _, memory := range []struct {
		name  string
		bytes int64
	}{{"input_buffer", m.InputBytes}, {"weight_buffer", m.WeightBytes}, {"output_buffer", m.OutputBytes}} {
		if memory.bytes < kib || memory.bytes%kib != 0 {
			return "", fmt.Errorf("%s has %d bytes; SCALE-Sim takes whole KiB, at least 1", memory.name, memory.bytes)
		}
	}
	if m.WordsPerCycle < 1 {
		return "", fmt.Errorf("the interface moves less than a byte a cycle; SCALE-Sim takes whole words a cycle, at least 1")
	}
	return forms.Fill("scalesim.cfg", &forms.Values{
		Text: map[string]string{"run": m.Name, "dataflow": m.Dataflow.String(), "interface": "USER"},
		Number: map[string]float64{
			"rows": float64(m.Rows), "cols": float64(m.Cols),
			"input_buffer": float64(m.InputBytes), "weight_buffer": float64(m.WeightBytes), "output_buffer": float64(m.OutputBytes),
			"io_bandwidth": float64(m.WordsPerCycle) * hertz,
		},
	})
}

// Layer is a layer as a matrix product.
type Layer struct {
	Name string
	systolic.GEMM
	// Groups is how many such products the layer has; the tool runs one of them.
	Groups int64
}

// RowName is the layer's name in the topology: SCALE-Sim knows no groups, so it
// says how many products like this the layer has.
func (l *Layer) RowName() string {
	name := strings.NewReplacer(",", "_", "\n", "_", "/", "_").Replace(l.Name)
	if l.Groups > 1 {
		return fmt.Sprintf("%s:x%d", name, l.Groups)
	}
	return name
}

// Topology returns the file of products, for the tool's option -i gemm.
func Topology(layers []Layer) string {
	var b strings.Builder
	b.WriteString("Layer,M,N,K,\n")
	for i := range layers {
		l := &layers[i]
		fmt.Fprintf(&b, "%s,%d,%d,%d,\n", l.RowName(), l.M, l.N, l.K)
	}
	return b.String()
}

// Layout returns the file of layouts, with a row for each layer.
func Layout(layers []Layer) string {
	var b strings.Builder
	b.WriteString("Layer,\n")
	for i := range layers {
		b.WriteString(layers[i].RowName() + "," + strings.Repeat("1,", 20) + "\n")
	}
	return b.String()
}
