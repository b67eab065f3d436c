package main

import (
	"path/filepath"

	"apollo/evaluator/number"
	"apollo/evaluator/report"
	"apollo/evaluator/scalesim"
	"apollo/evaluator/systolic"
	"apollo/internal/atomicfile"
	"apollo/optimizer/space"
	"apollo/services/cli"
)

// exportScaleSim writes scalesim.cfg, and NETWORK.csv with NETWORK.layout.csv for
// each network.
func (a *app) exportScaleSim(s *subject, mapped []report.Mapped, dir string) error {
	if s.Template.Name != "systolic" {
		return cli.Usagef("--as scalesim is for --template systolic, not %s: SCALE-Sim has one systolic array", s.Template.Name)
	}
	if dir == "" {
		return cli.Usagef("--as scalesim writes several files: want --dir")
	}
	config, err := s.scaleSim(mapped[0].CycleSeconds).Config()
	if err != nil {
		return cli.Hinted(cli.ExitUsage, "", err)
	}
	files, answer := map[string]string{filepath.Join(dir, "scalesim.cfg"): config}, []exported(nil)
	layers := map[string][]scalesim.Layer{}
	for i := range mapped {
		m := &mapped[i]
		if err := inBytes(m); err != nil {
			return err
		}
		gemm, groups := systolic.Of(&m.Problem)
		layers[m.Network] = append(layers[m.Network], scalesim.Layer{Name: m.Layer, GEMM: gemm, Groups: groups})
		answer = append(answer, exported{Network: m.Network, Layer: m.Layer, Groups: groups, File: filepath.Join(dir, m.Network+".csv")})
	}
	for network, list := range layers {
		files[filepath.Join(dir, network+".csv")] = scalesim.Topology(list)
		files[filepath.Join(dir, network+".layout.csv")] = scalesim.Layout(list)
	}
	for path, text := range files {
		if err := atomicfile.Write(path, []byte(text)); err != nil {
			return err
		}
	}
	return a.printExport(answer, dir)
}

// inBytes refuses a layer whose numbers are no bytes: the exports say 8 bits, or words
// that are bytes.
func inBytes(m *report.Mapped) error {
	for _, f := range []number.Format{m.Weights, m.Activations} {
		if f.Bits != 8 {
			return cli.Usagef("layer %s/%s has numbers in %s; the export has words of 8 bits: want int8", m.Network, m.Layer, f)
		}
	}
	return nil
}

// scaleSim is the design in the tool's terms.
func (s *subject) scaleSim(cycleSeconds float64) *scalesim.Machine {
	at := map[string]space.Value{}
	for i := range s.Template.Params {
		at[s.Template.Params[i].Name] = s.point.Values[i]
	}
	size := func(name string) int64 { return int64(at[name].Num) }
	m := &scalesim.Machine{
		Name:  "apollo",
		Array: systolic.Array{Rows: size("rows"), Cols: size("cols")}, InputBytes: size("input_buffer"),
		WeightBytes: size("weight_buffer"), OutputBytes: size("output_buffer"),
		WordsPerCycle: int64(at["io_bandwidth"].Num * cycleSeconds),
	}
	for d := systolic.WeightStationary; d <= systolic.InputStationary; d++ {
		if d.String() == at["dataflow"].Label {
			m.Dataflow = d
		}
	}
	return m
}
