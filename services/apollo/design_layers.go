package main

import (
	"cmp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"apollo/evaluator/report"
	"apollo/services/cli"
)

// layerOrder says which layers of a design are shown, and in which order.
type layerOrder struct {
	by  string
	top int
}

// orders are the values of --by.
func orders() []string { return []string{"latency", "waits-for", "energy", "traffic"} }

func (o *layerOrder) register(c *cobra.Command) {
	c.Flags().StringVar(&o.by, "by", "", "`order` of the layers: "+strings.Join(orders(), "|")+"; default: that of the network, with --top latency")
	c.Flags().IntVar(&o.top, "top", 0, "only the first `n` layers")
	_ = c.RegisterFlagCompletionFunc("by", cobra.FixedCompletions(orders(), cobra.ShellCompDirectiveNoFileComp))
}

func (o *layerOrder) check(c *cobra.Command) error {
	if c.Flags().Changed("top") && o.top < 1 {
		return cli.Usagef("--top %d: want how many layers, at least 1", o.top)
	}
	if o.by != "" && !slices.Contains(orders(), o.by) {
		return cli.Usagef("--by %s: want %s", o.by, strings.Join(orders(), ", "))
	}
	if o.by == "" && o.top > 0 {
		o.by = orders()[0]
	}
	return nil
}

// of are the layers to show, by index. With waits-for those come first that wait for
// what most of the time is spent on.
func (o *layerOrder) of(layers []report.Layer, runs map[string]float64) []int {
	order := make([]int, len(layers))
	waits := map[string]float64{}
	for i := range layers {
		order[i] = i
		waits[layers[i].Bottleneck] += layers[i].LatencySeconds * runs[layers[i].Network]
	}
	key := func(i int) (group, own float64) {
		l := &layers[i]
		switch n := runs[l.Network]; o.by {
		case "energy":
			return 0, l.EnergyJ * n
		case "traffic":
			return 0, float64(l.Bytes.Of(report.OffChip)) * n
		case "waits-for":
			return waits[l.Bottleneck], l.LatencySeconds * n
		case "latency":
			return 0, l.LatencySeconds * n
		}
		return 0, 0
	}
	slices.SortStableFunc(order, func(a, b int) int {
		groupA, ownA := key(a)
		groupB, ownB := key(b)
		return cmp.Or(cmp.Compare(groupB, groupA), cmp.Compare(ownB, ownA))
	})
	if o.top > 0 {
		order = order[:min(o.top, len(order))]
	}
	return order
}

// kindsOf sums layers by what they do, most time first.
func kindsOf(layers []report.Layer, runs map[string]float64) *cli.Grid {
	type sum struct {
		op              string
		layers          int
		seconds, joules float64
		bytes           float64
	}
	var sums []sum
	var seconds, joules float64
	for i := range layers {
		l := &layers[i]
		n := runs[l.Network]
		k := slices.IndexFunc(sums, func(s sum) bool { return s.op == l.Op })
		if k < 0 {
			k = len(sums)
			sums = append(sums, sum{op: l.Op})
		}
		sums[k].layers++
		sums[k].seconds += n * l.LatencySeconds
		sums[k].joules += n * l.EnergyJ
		sums[k].bytes += n * float64(l.Bytes.Of(report.OffChip))
		seconds, joules = seconds+n*l.LatencySeconds, joules+n*l.EnergyJ
	}
	slices.SortStableFunc(sums, func(a, b sum) int { return cmp.Compare(b.seconds, a.seconds) })
	g := &cli.Grid{Header: []string{"KIND", ">LAYERS", ">LATENCY", ">SHARE", ">ENERGY", ">SHARE", ">OFF-CHIP"}}
	for _, s := range sums {
		g.Add(s.op, cli.Count(s.layers), cli.Quantity(s.seconds, "s"), cli.Percent(s.seconds/seconds), cli.Quantity(s.joules, "J"), cli.Percent(s.joules/joules), cli.Quantity(s.bytes, "B"))
	}
	return g
}

// smallestShare of the time is worth a sentence.
const smallestShare = 0.1

// timeSpent says what a part of the latency is, and what lowers it.
func timeSpent(part string) string {
	return map[string]string{
		"compute":      "the multipliers set the pace; more of them, or a shape that fills them better, lowers it",
		"memory":       "on-chip memories and wires set the pace; larger memories near the multipliers, or fewer units that share one, lower it",
		"I/O":          "the chip's border sets the pace; more bandwidth, or memories that keep weights and activations on the chip, lower it",
		"instructions": "the issue of work sets the pace; layers in fewer pieces, so larger memories, lower it",
		"serial":       "starting layers, filling and draining, while nothing else runs; fewer layers or bands of rows, so larger activation memories, or more pictures in a batch, lower it",
	}[part]
}
