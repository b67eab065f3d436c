package main

import (
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"apollo/evaluator/report"
	"apollo/evaluator/timeloop"
	"apollo/internal/atomicfile"
	"apollo/services/cli"
)

func (a *app) designExportCommand() *cobra.Command {
	var flags designFlags
	var layer, dir, as, mapping string
	c := &cobra.Command{
		Annotations: cli.PrintsRows(),
		Use:         "export", Short: "Write a design for Timeloop, SCALE-Sim, ZigZag or AccelForge, or its mappings to change and give back",
		Long: `Write a design and the mapping of each layer with multiplications. As timeloop: input of
Timeloop, version 0.3, with architecture, problem and mapping, one YAML document per layer;
without --layer or --dir all of them go to the standard output, separated by "---". As
mapping: one file of loop nests that "apollo design eval --mapping" takes. As scalesim: the
configuration and, for each network, the matrix products of its layers, for SCALE-Sim 3; of
the template systolic, into --dir. As zigzag or accelforge: the machine and each layer for
ZigZag 3 or AccelForge 1, of the template nvdla, into --dir, with the mapping as far as the
tool's format has it.`,
		Example: "  apollo design export --preset v2 --layer logits > logits.yaml\n  apollo design export --workload mobilenet_v2 --dir timeloop\n" +
			"  apollo design export --template nvdla --layer logits --as mapping > logits.yaml\n" +
			"  apollo design export --template systolic --as scalesim --dir scalesim",
		Args: cli.Exactly(0),
		RunE: func(c *cobra.Command, _ []string) error {
			s, err := flags.read(a, c)
			if err != nil {
				return err
			}
			if !slices.Contains(exportFormats(), as) {
				return cli.Usagef("--as %s: want %s", as, strings.Join(exportFormats(), ", "))
			}
			given, err := s.readMappings(mapping)
			if err != nil {
				return err
			}
			mapped, err := s.mapped(layer, given)
			if err != nil {
				return err
			}
			switch {
			case as == "timeloop":
				return a.printExport(documentsOf(mapped), dir)
			case as == "scalesim":
				return a.exportScaleSim(&s, mapped, dir)
			case as == "zigzag" || as == "accelforge":
				return a.exportForms(&s, as, mapped, dir)
			case dir != "":
				return cli.Usagef("--dir is for --as timeloop, scalesim, zigzag and accelforge: mappings are one file")
			}
			return a.Print(s.mappings(mapped))
		},
	}
	flags.register(c, true)
	c.Flags().StringVar(&layer, "layer", "", "only the layer with this `id`, or network/id")
	c.Flags().StringVar(&dir, "dir", "", "write a file per layer into this `directory`")
	c.Flags().StringVar(&as, "as", "timeloop", "`format`: "+strings.Join(exportFormats(), "|"))
	c.Flags().StringVar(&mapping, "mapping", "", "`file` of mappings to use instead of the mapper's, or the folder of an export for ZigZag or AccelForge")
	return c
}

func exportFormats() []string {
	return []string{"timeloop", "mapping", "scalesim", "zigzag", "accelforge"}
}

// exported is one layer of an export.
type exported struct {
	Network string `json:"network"`
	Layer   string `json:"layer"`
	// Groups is how many products a layer has of which one was written.
	Groups int64 `json:"groups,omitempty"`
	// File is where it was written; Document is what, without --dir.
	File     string `json:"file,omitempty"`
	Document string `json:"document,omitempty"`
}

// mapped returns the layers of an export: all, or the one that is asked for.
func (s *subject) mapped(only string, given []report.Given) ([]report.Mapped, error) {
	all, err := s.Template.Mapped(s.Networks, s.point, given)
	switch {
	case err != nil && len(given) > 0:
		return nil, cli.Hinted(cli.ExitUsage, "", err)
	case err != nil:
		return nil, cli.Hinted(cli.ExitInfeasible, "`apollo design neighbours` shows which changes repair it", err)
	}
	var out []report.Mapped
	for i := range all {
		if m := &all[i]; only == "" || only == m.Layer || only == m.Network+"/"+m.Layer {
			out = append(out, *m)
		}
	}
	if len(out) == 0 {
		return nil, cli.Hinted(cli.ExitNotFound, "`apollo workload show` lists the layers", fmt.Errorf("no layer with multiplications is called %q", only))
	}
	return out, nil
}

func documentsOf(mapped []report.Mapped) []exported {
	var out []exported
	for i := range mapped {
		m := &mapped[i]
		l := timeloop.Layer{
			Name: m.Network + "/" + m.Layer, Problem: m.Problem, Arch: m.Arch, Mapping: m.Mapping, CycleSeconds: m.CycleSeconds,
			Weights: m.Weights, Activations: m.Activations, Outputs: m.Outputs, Sums: m.Sums, Packed: m.Packed,
		}
		out = append(out, exported{Network: m.Network, Layer: m.Layer, Document: timeloop.Document(&l)})
	}
	return out
}

// mappings is the answer of export --as mapping.
func (s *subject) mappings(mapped []report.Mapped) cli.Answer {
	f := &mappingFile{Schema: mappingSchema, Template: s.Template.Name}
	for i := range mapped {
		m := &mapped[i]
		f.Layers = append(f.Layers, layerMapping{Network: m.Network, Layer: m.Layer, Nest: m.Mapping.String(&m.Arch)})
	}
	return cli.Answer{Value: f, Whole: true, Text: func(w io.Writer, _ cli.Paint) { fmt.Fprint(w, f.text()) }}
}

// layerFile is where a layer's file is.
func layerFile(dir string, m *report.Mapped, i int) string {
	return filepath.Join(dir, m.Network, fmt.Sprintf("%03d-%s.yaml", i+1, strings.ReplaceAll(m.Layer, "/", "_")))
}

func (a *app) printExport(documents []exported, dir string) error {
	g := &cli.Grid{Header: []string{"NETWORK", "LAYER", "FILE"}}
	var items []any
	for i := range documents {
		d := &documents[i]
		if dir != "" && d.File == "" {
			d.File = layerFile(dir, &report.Mapped{Network: d.Network, Layer: d.Layer}, i)
			if err := atomicfile.Write(d.File, []byte(d.Document)); err != nil {
				return err
			}
			d.Document = ""
		}
		items = append(items, d)
		g.Add(d.Network, d.Layer, d.File)
	}
	return a.Print(cli.Answer{Value: documents, Items: items, Grid: g, Whole: true, Text: func(w io.Writer, p cli.Paint) {
		if dir != "" {
			g.Text(w, p)
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
