package main

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"apollo/evaluator/workload"
	"apollo/services/cli"
)

func (a *app) workloadCommand() *cobra.Command {
	return a.Group("workload", "Show and import networks", "  apollo workload show mobilenet_v2",
		a.workloadLsCommand(), a.workloadShowCommand(), a.workloadImportCommand())
}

func (a *app) workloadLsCommand() *cobra.Command {
	return &cobra.Command{
		Annotations: cli.PrintsRows(),
		Use:         "ls", Short: "List the built-in networks, and the families of networks",
		Example: "  apollo workload ls", Args: cli.Exactly(0),
		RunE: func(*cobra.Command, []string) error {
			rows, items := []networkRow{}, []any{}
			g := &cli.Grid{Header: []string{"NETWORK", ">LAYERS", ">MMACS", ">M PARAMETERS", ">PEAK LIVE", "IDENTITY", "SIZES"}}
			for _, name := range networkNamesListed() {
				w, err := network(name)
				if err != nil {
					return err
				}
				id, err := w.Identity()
				if err != nil {
					return err
				}
				r := networkRow{Name: name, SHA256: id, Totals: w.Totals(), Sizes: workload.SizesOf(name)}
				if f, ok := workload.FamilyNamed(name); ok {
					r.Family = &familyRow{f.Networks(), f.Params}
				}
				rows, items = append(rows, r), append(items, r)
				g.Add(name, strconv.Itoa(r.Layers), millions(r.MACs, 2), millions(r.Params, 3), cli.Quantity(float64(r.PeakLiveBytes), "B"), id[:12], strings.Join(r.Sizes, " "))
			}
			return a.Print(cli.Answer{Value: rows, Items: items, Grid: g, Text: func(out io.Writer, p cli.Paint) {
				g.Text(out, p)
				fmt.Fprintln(out, "\nfamilies, which a study searches ({family: NAME} in workload.networks):")
				listFamilies(out, p)
			}})
		},
	}
}

// networkRow is a network as `workload ls` prints it.
type networkRow struct {
	Name   string `json:"name"`
	SHA256 string `json:"sha256"`
	workload.Totals
	// Sizes are those that can be given: name:batch=8.
	Sizes []string `json:"sizes"`
	// Family is of a name that stands for more networks than its own.
	Family *familyRow `json:"family,omitempty"`
}

// familyRow is what a study can search in a family.
type familyRow struct {
	Networks   uint64                 `json:"networks"`
	Parameters []workload.FamilyParam `json:"parameters"`
}

// networkNamesListed are the built-in networks and the families, by name.
func networkNamesListed() []string {
	names := append(workload.Names(), workload.FamilyNames()...)
	slices.Sort(names)
	return slices.Compact(names)
}

func listFamilies(out io.Writer, p cli.Paint) {
	for _, f := range workload.Families() {
		var params []string
		for i := range f.Params {
			params = append(params, f.Params[i].Name)
		}
		fmt.Fprintln(out, p.Wrap(fmt.Sprintf("%s: %s networks, by %s", f.Name, cli.Significant(float64(f.Networks())), strings.Join(params, ", ")), "  "))
	}
}

func (a *app) workloadShowCommand() *cobra.Command {
	return &cobra.Command{
		Annotations: cli.PrintsRows(),
		Use:         "show NETWORK[:SIZES]|FILE", Short: "Show the layers of a network",
		Long:    "Show the layers of a network: a built-in one, or a workload file. Sizes that a built-in\nnetwork has (apollo workload ls) stand behind its name. -o json and -o yaml print the\napollo.workload/v1 document, which is what other tools can read.",
		Example: "  apollo workload show mobilenet_v2\n  apollo workload show llama_8b_decode:past=4096,batch=8", Args: cli.Exactly(1),
		ValidArgsFunction: completeNetworks,
		RunE: func(_ *cobra.Command, args []string) error {
			w, err := network(args[0])
			if err != nil {
				return err
			}
			return a.Print(showWorkload(w))
		},
	}
}

func showWorkload(w *workload.Workload) cli.Answer {
	g := &cli.Grid{Header: []string{"LAYER", "OP", "OUTPUT", ">CHANNELS IN", "FILTER", "STRIDE", ">KMACS", ">WEIGHTS", "READS"}}
	items := []any{}
	layers := w.Layers
	if w.Decode != nil {
		layers = append(slices.Clone(layers), w.Decode.Layers...)
	}
	for i := range layers {
		l := &layers[i]
		items = append(items, l)
		filter, stride := "", ""
		if l.Op.Spatial() {
			filter = fmt.Sprintf("%dx%d", l.R, l.S)
			stride = fmt.Sprintf("%dx%d", l.Stride[0], l.Stride[1])
		}
		op := string(l.Op)
		if l.Fn != "" {
			op += " " + l.Fn
		}
		g.Add(l.ID, op, outputShape(l), channels(l), filter, stride, cli.Count(l.MACs()/1000), cli.Count(l.WeightElements()), strings.Join(l.In, " "))
	}
	return cli.Answer{Value: w, Items: items, Grid: g, Text: func(out io.Writer, p cli.Paint) {
		t := w.Totals()
		fmt.Fprintln(out, p.Wrap(fmt.Sprintf("%s: %d layers, %s MMACs, %s M parameters, %s live at most", w.Name, t.Layers,
			millions(t.MACs, 2), millions(t.Params, 3), cli.Quantity(float64(t.PeakLiveBytes), "B")), "  "))
		if w.Decode != nil {
			fmt.Fprintf(out, "%d layers run once, over the prompt, then %d layers %s times\n", len(w.Layers), len(w.Decode.Layers), cli.Count(w.Decode.Steps))
		}
		if w.Source.Ref != "" {
			fmt.Fprintf(out, "source: %s\n", w.Source.Ref)
		}
		fmt.Fprintln(out)
		g.Text(out, p)
	}}
}

func outputShape(l *workload.Layer) string {
	if l.P > 0 {
		return fmt.Sprintf("%dx%dx%d", l.P, l.Q, l.K)
	}
	return fmt.Sprintf("%dx%d", max(l.M, 1), l.K)
}

func channels(l *workload.Layer) string {
	if l.C == 0 {
		return ""
	}
	return cli.Count(l.C)
}

func millions(n int64, digits int) string {
	return strconv.FormatFloat(float64(n)/1e6, 'f', digits, 64)
}

func completeNetworks(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return networkNamesListed(), cobra.ShellCompDirectiveNoFileComp
}
