package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"apollo/evaluator/model"
	"apollo/evaluator/report"
	"apollo/examples/simulators/forms"
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
	var documents []exported
	for i := range mapped {
		m := &mapped[i]
		if err := inBytes(m); err != nil {
			return err
		}
		text, err := forms.Fill(forLayers, s.formValues(m))
		if err != nil {
			return err
		}
		documents = append(documents, exported{Network: m.Network, Layer: m.Layer, Groups: m.Problem.Bound[model.G], Document: text})
	}
	if as == "zigzag" {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		for _, part := range []string{"machine", "mapping"} {
			text, err := forms.Fill("zigzag-"+part+".yaml", s.formValues(&mapped[0]))
			if err != nil {
				return err
			}
			if err := os.WriteFile(filepath.Join(dir, part+".yaml"), []byte(text), 0o644); err != nil {
				return err
			}
		}
	}
	return a.printExport(documents, dir)
}

// formValues are the design's parameters, the layer's dimensions and the energies in J
// of a multiplication and of a bit.
func (s *subject) formValues(m *report.Mapped) *forms.Values {
	p := &m.Problem
	v := &forms.Values{
		Text: map[string]string{"id": strings.NewReplacer("/", "_", " ", "_").Replace(m.Layer)},
		Number: map[string]float64{
			"mac_energy": m.Arch.MACPJ * pico,
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

const (
	pico     = 1e-12
	byteBits = 8
)
