package validate

import (
	"fmt"
	"math"
	"regexp"

	"apollo/evaluator"
	"apollo/evaluator/report"
	"apollo/evaluator/tech"
	"apollo/evaluator/template"
	"apollo/evaluator/workload"
	"apollo/optimizer/space"
)

// notAtOnce is why peaks miss; docs/validation.md#power has what all at once take.
const notAtOnce = "a vendor's peak has all units and ports busy at once, with the worst data; no layer has"

// Reasons why published rows are left out.
const (
	noNode     = "its node and supply are not published"
	otherChips = "no design of ours is made like it"
)

// sized is a published number beside ours.
type sized struct {
	name         string
	theirs, ours float64
}

func (s *sized) error() float64 { return s.ours/s.theirs - 1 }

func (s *sized) String() string {
	return fmt.Sprintf("%s: theirs %g, ours %.3g, error %+.0f %%", s.name, s.theirs, s.ours, 100*s.error())
}

// silicon collects what chips are published to take, by what is compared.
type silicon struct {
	power, peak, frames []sized
	// left are rows that clock_energy was set from, with it set from the others.
	left       []sized
	nvdlaAreas []nvdlaArea
	out        []string
}

// publishedPower compares power, frames per second and area of published chips
// with the designs of our templates that are made like them, brought to the
// chip's node and supply. Off-chip memory is no part of a chip's power.
func publishedPower(t *table) ([]Row, error) {
	var s silicon
	for i := range t.rows {
		l := t.line(i)
		name := fmt.Sprintf("%s %s nm, %s, %s %s", l.text("chip"), l.text("node_nm"), l.text("config"), l.text("workload"), l.text("metric"))
		value := l.above("value")
		if l.err != nil {
			return nil, l.err
		}
		var err error
		switch chip, metric := l.text("chip"), l.text("metric"); {
		case l.text("node_nm") == "":
			s.out = append(s.out, name+": left out: "+noNode)
		case chip == "nvdla":
			err = s.nvdla(l, name, metric, value)
		case chip == "eyeriss" && metric == "power":
			err = s.eyeriss(l, name, value)
		default:
			s.out = append(s.out, name+": left out: "+otherChips)
		}
		if l.err != nil {
			return nil, l.err
		}
		if err != nil {
			return nil, t.bad(i, err)
		}
	}
	areas, _ := knownAreas()
	all := len(t.rows) + len(areas) + 1 // and the area that sets a constant
	return append(s.rows(), omitted(all, len(s.out), s.out)...), nil
}

// rows judges power, frames and areas.
func (s *silicon) rows() []Row {
	var rows []Row
	for _, g := range []struct {
		metric string
		list   []sized
		missed string
	}{
		{"average power", s.power, ""},
		{"peak power (ours: of the hottest layer)", s.peak, notAtOnce},
		{"frames per second", s.frames, ""},
	} {
		middle, worst, details := spread(g.list)
		m, w := atMost(g.metric+", median error", 0, middle, 0.30), within2(g.metric+", worst factor", worst)
		m.Misses = details
		if len(g.list) == 0 {
			m.Verdict, w.Verdict, m.Tolerance, w.Tolerance = Note, Note, "reported", "reported"
		}
		if g.missed != "" {
			m, w = missed(m, append(details, g.missed)...), missed(w, g.missed)
		}
		rows = append(rows, m, w)
	}
	rows = append(rows, s.areas()...)
	return append(rows, refitted("average power, rows that set clock_energy, median error without them", s.left)...)
}

// refitted judges rows that a constant was set from, each with the constant that the
// others ask for, as all rows are.
func refitted(metric string, list []sized) []Row {
	if len(list) == 0 {
		return nil
	}
	middle, _, details := spread(list)
	r := atMost(metric, 0, middle, 0.30)
	r.Misses = details
	return []Row{r}
}

// spread returns the median error, the worst ratio and one line for each row.
func spread(list []sized) (middle, worst float64, details []string) {
	errors := make([]float64, len(list))
	for i := range list {
		errors[i] = math.Abs(list[i].error())
		worst = max(worst, list[i].ours/list[i].theirs, list[i].theirs/list[i].ours)
		details = append(details, list[i].String())
	}
	return median(errors), worst, details
}

// within2 judges a ratio of at least 1.
func within2(metric string, ratio float64) Row {
	const most = 2
	r := Row{Metric: metric, Theirs: 1, Ours: ratio, Unit: "ratio", Error: ratio - 1, Tolerance: "within a factor 2", Verdict: Pass}
	if !(ratio <= most) {
		r.Verdict = Fail
	}
	return r
}

// supply returns the voltage of a published chip: what its row says, else the
// nominal one of the node.
func supply(config string, nm float64) float64 {
	if m := regexp.MustCompile(`([\d.]+) V\b`).FindStringSubmatch(config); m != nil {
		return decimal(m[1])
	}
	const nominal, older = 0.8, 0.9 // volts at 22 nm and below, and at 28 to 45 nm
	if nm > tech.Node22().NM {
		return older
	}
	return nominal
}

// chipPower is the power of a design on a network in W: what follows the work
// and the clock, at a node and supply relative to ours, and leakage as it is.
type chipPower struct{ work, clock, leakage float64 }

func (p chipPower) milliwatts(nm, volts, clock float64) float64 {
	const milli = 1e3
	n := tech.Node22()
	scale := tech.Switching(nm, volts) / tech.Switching(n.NM, n.Volts)
	return milli * ((p.work+clock*p.clock)*scale + p.leakage)
}

// measured is a design of a template on one network.
func measured(name string, w *workload.Workload, values ...float64) (report.Design, chipPower, error) {
	spec, _ := template.Named(name)
	var p report.Point
	for i := range spec.Params {
		v := spec.Params[i].Baseline
		if i < len(values) {
			v = space.Value{Num: values[i]}
		}
		p.Values = append(p.Values, v)
	}
	r, err := spec.Inspect([]evaluator.Network{{Workload: w, Weight: 1}}, p, nil)
	if err != nil {
		return r, chipPower{}, err
	}
	if !r.Feasible {
		return r, chipPower{}, fmt.Errorf("%s cannot run %s: %s", name, w.Name, r.Reason.Message)
	}
	var x chipPower
	for _, part := range r.Networks[0].Energy {
		switch watts := part.Value / r.Networks[0].Latency.Total; part.Name {
		case report.OffChip:
		case "clock":
			x.clock += watts
		case "leakage":
			x.leakage += watts
		default:
			x.work += watts
		}
	}
	return r, x, nil
}

// nvdla compares a row of NVDLA's table: sizes as of its RTL, whose array takes
// twice as many input channels as it makes output channels, and whose
// accumulator grows with those.
func (s *silicon) nvdla(l *line, name, metric string, value float64) error {
	const kib, mega, giga, accumulator = 1 << 10, 1e6, 1e9, 2 << 10
	m := regexp.MustCompile(`^(\d+) MACs; (\d+) KB buffer; ([\d.]+) GB/s$`).FindStringSubmatch(l.text("config"))
	nm := l.above("node_nm")
	if m == nil {
		return fmt.Errorf("the configuration is %q, want MACs; KB buffer; GB/s", l.text("config"))
	}
	if mhz := l.above("clock_mhz"); l.err == nil && mhz*mega != giga {
		return fmt.Errorf("the clock is %g MHz, want the template's 1000", mhz)
	}
	w, err := workload.Builtin("resnet50_v1")
	if err != nil {
		return err
	}
	k := math.Sqrt(decimal(m[1]) / 2)
	r, x, err := measured("nvdla", w, 2*k, k, decimal(m[2])*kib, accumulator*k, decimal(m[3])*giga)
	if err != nil {
		return err
	}
	switch metric {
	case "power_average":
		s.power = append(s.power, sized{name, value, x.milliwatts(nm, supply(l.text("config"), nm), 1)})
	case "power_peak":
		peak, err := hottest(w.Name, nm, supply(l.text("config"), nm), 2*k, k, decimal(m[2])*kib, accumulator*k, decimal(m[3])*giga)
		s.peak = append(s.peak, sized{name, value, peak})
		return err
	case "frames_per_second":
		s.frames = append(s.frames, sized{name, value, 1 / r.Networks[0].Latency.Total})
	case "cell_area":
		s.nvdlaAreas = append(s.nvdlaAreas, newNVDLAArea(name, nm, value, int64(2*k), int64(k), int64(decimal(m[2])*kib), int64(accumulator*k), int64(decimal(m[3])*giga)))
	default:
		s.out = append(s.out, name+": left out: there is no such metric here")
	}
	return nil
}

// hottest is the largest power of a convolution of a network, each run alone, in mW.
func hottest(network string, nm, volts float64, values ...float64) (float64, error) {
	most := 0.0
	for n := 1; ; n++ {
		w, err := oneConvolution(network, n, 1)
		if err != nil {
			return most, nil // there are no more
		}
		_, x, err := measured("nvdla", w, values...)
		if err != nil {
			return 0, err
		}
		most = max(most, x.milliwatts(nm, volts, 1))
	}
}

// The clock network of Eyeriss as a share of its power, by layer: what the
// constant clock_energy was set from.
func clockShare(layer string) (share float64, ok bool) {
	share, ok = map[string]float64{"CONV1": 0.329, "CONV5": 0.450}[layer]
	return share, ok
}

// eyeriss compares the power of a layer of AlexNet. Those that the clock's
// constant was set from do not count: they are compared with a constant set from
// the other one alone.
func (s *silicon) eyeriss(l *line, name string, value float64) error {
	m := regexp.MustCompile(`^alexnet (CONV(\d)) batch (\d+)$`).FindStringSubmatch(l.text("workload"))
	if m == nil {
		return fmt.Errorf("the workload is %q, want alexnet CONVn batch n", l.text("workload"))
	}
	w, err := oneConvolution("alexnet", int(number(m[2])), number(m[3]))
	if err != nil {
		return err
	}
	_, x, err := measured("eyeriss", w)
	if err != nil {
		return err
	}
	nm := l.above("node_nm")
	volts := supply(l.text("config"), nm)
	share, sets := clockShare(m[1])
	if !sets {
		s.power = append(s.power, sized{name, value, x.milliwatts(nm, volts, 1)})
		return nil
	}
	// The constant is the mean of two: without this row it is the other one.
	const two = 2
	clock := chipPower{clock: x.clock}.milliwatts(nm, volts, 1)
	other := two*clock - share*value
	s.left = append(s.left, sized{name, value, x.milliwatts(nm, volts, other/clock)})
	return nil
}

// oneConvolution returns the nth convolution of a built-in network alone, from 1.
func oneConvolution(network string, n int, batch int64) (*workload.Workload, error) {
	w, err := workload.Builtin(network)
	if err != nil {
		return nil, err
	}
	for _, l := range w.Layers {
		if l.Op != workload.Conv && l.Op != workload.GroupConv {
			continue
		}
		if n--; n > 0 {
			continue
		}
		one := *w
		l.N = batch
		l.In = []string{"input"}
		one.Inputs = []workload.Input{{Name: "input", Shape: []int64{batch, l.H, l.W, l.C * max(l.Groups, 1)}}}
		one.Layers = []workload.Layer{l}
		return &one, nil
	}
	return nil, fmt.Errorf("the network %s has too few convolutions", network)
}

func decimal(s string) float64 {
	var v float64
	_, _ = fmt.Sscan(s, &v) // the pattern is a number
	return v
}
