package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"apollo/evaluator/edge"
	"apollo/evaluator/timeloop"
)

func (a *app) designExportCommand() *cobra.Command {
	var flags designFlags
	var layer, dir string
	c := &cobra.Command{
		Use: "export", Short: "Write a design and its mappings as Timeloop input",
		Long: `Write a design and the mapping of each layer with multiplications as Timeloop input,
version 0.3: architecture, problem and mapping, one YAML document per layer. Without
--layer or --dir all of them go to the standard output, separated by "---".`,
		Example: "  apollo design export --preset v2 --layer logits > logits.yaml\n  apollo design export --workload mobilenet_v2 --dir timeloop",
		Args:    exactly(0),
		RunE: func(*cobra.Command, []string) error {
			s, err := flags.read()
			if err != nil {
				return err
			}
			documents, err := s.timeloop(layer)
			if err != nil {
				return err
			}
			return a.printExport(documents, dir)
		},
	}
	flags.add(c, true)
	c.Flags().StringVar(&layer, "layer", "", "only the layer with this `id`, or network/id")
	c.Flags().StringVar(&dir, "dir", "", "write a file per layer into this `directory`")
	return c
}

// exported is one layer of an export.
type exported struct {
	Network string `json:"network"`
	Layer   string `json:"layer"`
	// File is where it was written; Document is what, without --dir.
	File     string `json:"file,omitempty"`
	Document string `json:"document,omitempty"`
}

func (s *subject) timeloop(only string) ([]exported, error) {
	mapped, err := edge.Mappings(s.networks, s.chip)
	if err != nil {
		return nil, hinted(exitInfeasible, "`apollo design neighbours` shows which changes repair it", err)
	}
	hz := float64(s.chip.ClockHz)
	if hz == 0 {
		hz = float64(edge.ClockHz)
	}
	var out []exported
	for i := range mapped {
		m := &mapped[i]
		full := m.Network + "/" + m.Layer
		if only != "" && only != m.Layer && only != full {
			continue
		}
		l := timeloop.Layer{Name: full, Problem: m.Problem, Arch: m.Arch, Mapping: m.Mapping, CycleSeconds: 1 / hz}
		out = append(out, exported{Network: m.Network, Layer: m.Layer, Document: timeloop.Document(&l)})
	}
	if len(out) == 0 {
		return nil, hinted(exitNotFound, "`apollo workload show` lists the layers", fmt.Errorf("no layer with multiplications is called %q", only))
	}
	return out, nil
}

func (a *app) printExport(documents []exported, dir string) error {
	g := &grid{header: []string{"NETWORK", "LAYER", "FILE"}}
	var items []any
	for i := range documents {
		d := &documents[i]
		if dir != "" {
			d.File = filepath.Join(dir, d.Network, fmt.Sprintf("%03d-%s.yaml", i+1, strings.ReplaceAll(d.Layer, "/", "_")))
			if err := os.MkdirAll(filepath.Dir(d.File), 0o755); err != nil {
				return err
			}
			if err := os.WriteFile(d.File, []byte(d.Document), 0o644); err != nil {
				return err
			}
			d.Document = ""
		}
		items = append(items, d)
		g.add(d.Network, d.Layer, d.File)
	}
	return a.print(answer{value: documents, items: items, grid: g, text: func(w io.Writer, p paint) {
		if dir != "" {
			g.text(w, p)
			return
		}
		for i := range documents {
			if i > 0 {
				fmt.Fprintln(w, "---")
			}
			fmt.Fprint(w, documents[i].Document)
		}
	}})
}
