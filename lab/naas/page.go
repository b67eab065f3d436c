package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"slices"
	"strings"

	"apollo/evaluator"
	"apollo/evaluator/report"
	"apollo/evaluator/template"
	"apollo/lab/stats"
)

// The marks between which the tables of the page stand.
const (
	begin = "<!-- naas: written by make results-naas -->\n"
	end   = "<!-- naas: end -->\n"
)

// writePage replaces the tables of the page.
func (r *run) writePage(ctx context.Context) error {
	p, err := r.newPage(ctx)
	if err != nil {
		return err
	}
	var out bytes.Buffer
	p.print(&out)
	return replaceBetween(r.page, begin, end, out.Bytes())
}

// replaceBetween puts text between two lines of a document.
func replaceBetween(page, begin, end string, text []byte) error {
	b, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	before, rest, ok := bytes.Cut(b, []byte(begin))
	_, after, also := bytes.Cut(rest, []byte(end))
	if !ok || !also {
		return fmt.Errorf("%s: want the lines %q and %q", page, strings.TrimSpace(begin), strings.TrimSpace(end))
	}
	return os.WriteFile(page, slices.Concat(before, []byte(begin), text, []byte(end), after), 0o644)
}

// page is all that the tables say.
type page struct {
	*run
	found   results
	hours   float64
	version string
	// replicated is what the template eyeriss takes for each network, by its name.
	replicated map[string]cost
	rows       []row
}

// row is a network under the caps of a chip.
type row struct {
	chip    chip
	network network
	// own is the chip's design with its own loops, mapped the same with loops of any
	// order, floor what nothing under the caps is below.
	own, mapped, floor cost
}

func (r *run) newPage(ctx context.Context) (*page, error) {
	found, err := readResults(r.data)
	if err != nil {
		return nil, err
	}
	spent, err := r.spentBefore()
	if err != nil {
		return nil, err
	}
	version, err := modelVersion()
	if err != nil {
		return nil, err
	}
	p := &page{run: r, found: found, hours: spent / 3600, version: version, replicated: map[string]cost{}}
	for _, n := range networks() {
		if p.replicated[n.name], err = replicated(n.name); err != nil {
			return nil, err
		}
	}
	for _, c := range chips() {
		for _, n := range networks() {
			x := row{chip: c, network: n}
			for _, v := range []struct {
				variant string
				into    *cost
			}{{sizing, &x.own}, {mapping, &x.mapped}} {
				task, err := newTask(&c, &n, v.variant)
				if err != nil {
					return nil, err
				}
				if *v.into, err = measured(ctx, &task); err != nil {
					return nil, err
				}
			}
			net, _, err := builtin(n.name)
			if err != nil {
				return nil, err
			}
			if x.floor.latency, x.floor.energy, err = template.SpatialFloor(net, c.units(), int64(c.io)); err != nil {
				return nil, err
			}
			x.floor.edp = x.floor.latency * x.floor.energy
			p.rows = append(p.rows, x)
		}
	}
	return p, nil
}

// best are the designs that the searches of a variant found for a row, by seed.
func (p *page) best(x *row, variant, strategy string) map[uint64]cost {
	return p.found.of(taskName(&x.chip, &x.network, variant), strategy, p.trials)
}

// other is the best found for any network that its authors publish at least the accuracy
// of, by seed.
func (p *page) other(x *row) (best map[uint64]cost, from []string) {
	best = map[uint64]cost{}
	if x.network.accuracy == 0 {
		return best, nil
	}
	names := map[uint64]string{}
	own := p.best(x, connectivity, p.strategies[0])
	for i := range p.rows {
		o := &p.rows[i]
		if o.chip.name != x.chip.name || o.network.accuracy < x.network.accuracy {
			continue
		}
		for seed, c := range p.best(o, connectivity, p.strategies[0]) {
			_, mine := own[seed]
			if b, ok := best[seed]; mine && (!ok || c.edp < b.edp) {
				best[seed], names[seed] = c, o.network.title
			}
		}
	}
	return best, slices.Compact(slices.Sorted(maps.Values(names)))
}

// gain is how much better designs are than a row's own, with an interval over seeds.
func gain(own cost, best map[uint64]cost) (edp stats.Interval, speed, energy float64, seeds int) {
	var ratios, faster, less []float64
	for _, seed := range slices.Sorted(maps.Keys(best)) {
		c := best[seed]
		ratios, faster, less = append(ratios, own.edp/c.edp), append(faster, own.latency/c.latency), append(less, own.energy/c.energy)
	}
	return stats.MedianInterval(ratios), stats.Median(faster), stats.Median(less), len(ratios)
}

func cell(own cost, best map[uint64]cost) string {
	i, speed, energy, seeds := gain(own, best)
	if seeds == 0 {
		return "–"
	}
	if math.IsNaN(i.Low) {
		return fmt.Sprintf("%.2f (%d) = %.2f · %.2f", i.Value, seeds, speed, energy)
	}
	return fmt.Sprintf("%.2f [%.2f, %.2f] (%d) = %.2f · %.2f", i.Value, i.Low, i.High, seeds, speed, energy)
}

func (p *page) print(out *bytes.Buffer) {
	fmt.Fprintf(out, "\nVersion %s of the template. %d designs a search, strategy `%s`, at most %d seeds, %.2f hours of processor time in all.\n",
		p.version, p.trials, p.strategies[0], p.seeds, p.hours)
	for _, c := range chips() {
		fmt.Fprintf(out, "\n### %s\n\n", c.title)
		out.WriteString("| network | own design: latency, energy | its loops in any order | sizing | + mapping | + connectivity | + network | bound |\n|---|---|--:|---|---|---|---|---|\n")
		for i := range p.rows {
			if x := &p.rows[i]; x.chip.name == c.name {
				p.printRow(out, x)
			}
		}
	}
	p.summary(out)
	p.longer(out)
	p.besideReplicated(out)
	p.strategiesTable(out)
}

// counts are the numbers of designs of searches, the page's first.
func (p *page) counts() []int {
	others := map[int]bool{}
	for at := range p.found {
		others[at.trials] = at.trials != p.trials
	}
	counts := []int{p.trials}
	for _, n := range slices.Sorted(maps.Keys(others)) {
		if others[n] {
			counts = append(counts, n)
		}
	}
	return counts
}

// longer has the searches of the connectivity with another number of designs.
func (p *page) longer(out *bytes.Buffer) {
	for _, n := range p.counts()[1:] {
		fmt.Fprintf(out, "\n### %d designs\n\n| caps | network | + connectivity | of %d designs | bound |\n|---|---|---|---|--:|\n", n, p.trials)
		for i := range p.rows {
			x := &p.rows[i]
			task := taskName(&x.chip, &x.network, connectivity)
			if best := p.found.of(task, p.strategies[0], n); len(best) > 0 {
				fmt.Fprintf(out, "| %s | %s | %s | %s | %.2f |\n", x.chip.title, x.network.title, cell(x.own, best), cell(x.own, p.best(x, connectivity, p.strategies[0])), x.own.edp/x.floor.edp)
			}
		}
	}
}

func (p *page) printRow(out *bytes.Buffer, x *row) {
	first := p.strategies[0]
	other, names := p.other(x)
	with := cell(x.own, other)
	if len(names) > 0 {
		with += " " + strings.Join(names, ", ")
	}
	fmt.Fprintf(out, "| %s | %.3g ms, %.3g mJ | %.2f | %s | %s | %s | %s | %.2f = %.2f · %.2f |\n", x.network.title, x.own.latency*1e3, x.own.energy*1e3,
		x.own.edp/x.mapped.edp, cell(x.own, p.best(x, sizing, first)), cell(x.own, p.best(x, mapping, first)), cell(x.own, p.best(x, connectivity, first)), with,
		x.own.edp/x.floor.edp, x.own.latency/x.floor.latency, x.own.energy/x.floor.energy)
}

// summary is the geometric mean over the networks, beside what the paper prints.
func (p *page) summary(out *bytes.Buffer) {
	out.WriteString("\n### Over the networks\n\nGeometric means of the medians.\n\n| caps | sizing | + mapping | + connectivity | of it speed-up, energy | bound | the paper |\n|---|--:|--:|--:|---|--:|--:|\n")
	for _, c := range chips() {
		mean := map[string]float64{}
		n := 0.0
		whole := map[string]bool{sizing: true, mapping: true, connectivity: true}
		for i := range p.rows {
			x := &p.rows[i]
			if x.chip.name != c.name {
				continue
			}
			n++
			mean["bound"] += math.Log(x.own.edp / x.floor.edp)
			for _, v := range variants() {
				edp, speed, energy, seeds := gain(x.own, p.best(x, v, p.strategies[0]))
				if seeds == 0 {
					whole[v] = false
					continue
				}
				mean[v] += math.Log(edp.Value)
				if v == connectivity {
					mean["speed"] += math.Log(speed)
					mean["energy"] += math.Log(energy)
				}
			}
		}
		of := func(name string) string {
			if ok, is := whole[name]; is && !ok {
				return "–"
			}
			return fmt.Sprintf("%.2f", math.Exp(mean[name]/n))
		}
		parts := "–"
		if whole[connectivity] {
			parts = of("speed") + ", " + of("energy")
		}
		fmt.Fprintf(out, "| %s | %s | %s | %s | %s | %s | %.1f |\n", c.title, of(sizing), of(mapping), of(connectivity), parts, of("bound"), c.paper)
	}
}

// replicated is the baseline of the template eyeriss, which puts sets on idle rows, with its
// cycles taken to the clock of spatial, and leakage with them.
func replicated(network string) (cost, error) {
	net, _, err := builtin(network)
	if err != nil {
		return cost{}, err
	}
	s, ok := template.Named("eyeriss")
	if !ok {
		return cost{}, errors.New("there is no template eyeriss")
	}
	s.MapperGoal = evaluator.MapEnergyDelay
	r, err := s.Inspect([]evaluator.Network{net}, report.Point{Values: s.Presets()[0].Values}, nil)
	if err != nil {
		return cost{}, err
	}
	if !r.Feasible {
		return cost{}, fmt.Errorf("the baseline of eyeriss on %s: %s", network, r.Reason.Message)
	}
	n, slower := &r.Networks[0], clockHz/float64(r.ClockHz)
	c := cost{latency: n.Latency.Total / slower}
	for _, part := range n.Energy.Parts() {
		if part.Name == "leakage" {
			part.Value /= slower
		}
		c.energy += part.Value
	}
	c.edp = c.latency * c.energy
	return c, nil
}

// clockHz is that of the template spatial.
const clockHz = 1e9

// besideReplicated is what of the gain over a plain array is left beside one with replication.
func (p *page) besideReplicated(out *bytes.Buffer) {
	out.WriteString("\n### Beside the template eyeriss\n\n| network | `eyeriss` over the plain array |")
	counts := p.counts()
	for _, n := range counts {
		fmt.Fprintf(out, " + connectivity over `eyeriss`, %d designs |", n)
	}
	out.WriteString("\n|---|--:|" + strings.Repeat("---|", len(counts)) + "\n")
	for i := range p.rows {
		x := &p.rows[i]
		if x.chip.axes != "P+R" {
			continue
		}
		other := p.replicated[x.network.name]
		fmt.Fprintf(out, "| %s | %.2f |", x.network.title, x.own.edp/other.edp)
		for _, n := range counts {
			fmt.Fprintf(out, " %s |", cell(other, p.found.of(taskName(&x.chip, &x.network, connectivity), p.strategies[0], n)))
		}
		out.WriteString("\n")
	}
}

// strategiesTable compares the strategies that search the connectivity.
func (p *page) strategiesTable(out *bytes.Buffer) {
	if len(p.strategies) < 2 {
		return
	}
	fmt.Fprintf(out, "\n### Strategies\n\nEnergy-delay product of the best of %d designs with connectivity, over that of `%s` with the same seed.\n\n| caps | network |", p.trials, p.strategies[0])
	for _, s := range p.strategies[1:] {
		fmt.Fprintf(out, " `%s` |", s)
	}
	out.WriteString("\n|---|---|" + strings.Repeat("---|", len(p.strategies)-1) + "\n")
	for i := range p.rows {
		x := &p.rows[i]
		base := p.best(x, connectivity, p.strategies[0])
		var line strings.Builder
		any := false
		fmt.Fprintf(&line, "| %s | %s |", x.chip.title, x.network.title)
		for _, s := range p.strategies[1:] {
			ratio := map[uint64]cost{}
			for seed, c := range p.best(x, connectivity, s) {
				if b, ok := base[seed]; ok {
					ratio[seed] = cost{edp: b.edp / c.edp}
				}
			}
			edp, _, _, n := gain(cost{edp: 1}, ratio)
			if n == 0 {
				line.WriteString(" – |")
				continue
			}
			any = true
			if math.IsNaN(edp.Low) {
				fmt.Fprintf(&line, " %.2f (%d) |", edp.Value, n)
				continue
			}
			fmt.Fprintf(&line, " %.2f [%.2f, %.2f] (%d) |", edp.Value, edp.Low, edp.High, n)
		}
		if any {
			out.WriteString(line.String() + "\n")
		}
	}
}
