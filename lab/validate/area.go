package validate

import (
	"fmt"
	"slices"
	"strings"

	"apollo/evaluator/report"
	"apollo/evaluator/tech"
	"apollo/evaluator/template"
)

// built is the template of a name, and the area of one of its designs: of the
// baseline where there are no values.
func built(name string, values ...int64) (template.Spec, report.Breakdown) {
	specs := template.Specs()
	s := specs[slices.IndexFunc(specs, func(s template.Spec) bool { return s.Name == name })]
	for i := len(values); i < len(s.Params); i++ {
		values = append(values, int64(s.Params[i].Baseline.Num))
	}
	return s, s.Machine(values, s.NetworkBytes).Area
}

// partsOf adds the parts of these names.
func partsOf(area report.Breakdown, names ...string) float64 {
	sum := 0.0
	for _, p := range area {
		if slices.Contains(names, p.Name) {
			sum += p.Value
		}
	}
	return sum
}

// areaAt brings an area of ours, at 22 nm, to another node.
func areaAt(nm, mm2 float64) float64 { return mm2 * tech.Layout(nm) / tech.Layout(tech.Node22().NM) }

// knownAreas are published areas of chips that a baseline is made like, and the
// one that a constant was set from.
func knownAreas() (judged []sized, set sized) {
	_, gemmini := built("gemmini")
	_, dianNao := built("shidiannao")
	_, simba := built("simba")
	_, eyeriss := built("eyeriss")
	const older = 65
	return []sized{
			// H. Genc et al., DAC 2021, area of the parts in Intel 22 nm; the whole
			// without its processor.
			{"gemmini 22 nm, accumulator of 64 KiB, mm2", 0.146, partsOf(gemmini, "accumulator")},
			{"gemmini 22 nm, array of 16 x 16, mm2", 0.116, partsOf(gemmini, "arithmetic", "registers")},
			{"gemmini 22 nm, all but the processor, mm2", 1.029 - 0.171, gemmini.Total()},
			// Z. Du et al., ISCA 2015, Table 4: NBin and NBout, SB, and all of it,
			// which has an instruction buffer of 32 KiB too.
			{"shidiannao 65 nm, neuron buffers of 128 KiB, mm2", 2 * 1.12, areaAt(older, partsOf(dianNao, "neuron_buffer"))},
			{"shidiannao 65 nm, synapse buffer of 128 KiB, mm2", 1.65, areaAt(older, partsOf(dianNao, "synapse_buffer"))},
			{"shidiannao 65 nm, chip, mm2", 4.86, areaAt(older, dianNao.Total())},
			// B. Zimmer et al., VLSI Circuits 2019: 4.01 TOPS at 1.29 TOPS per mm².
			{"simba 16 nm, one chip, mm2", 4.01 / 1.29, areaAt(16, simba.Total())},
			// Y.-H. Chen et al., JSSC 2017: core of 3.5 mm x 3.5 mm.
			{"eyeriss 65 nm, core, mm2", 3.5 * 3.5, areaAt(older, eyeriss.Total())},
		},
		sized{"gemmini 22 nm, scratchpad of 256 KiB, mm2", 0.544, partsOf(gemmini, "scratchpad")}
}

// nvdlaArea is a row of NVDLA's areas. They are sums of cells: of ours, what is
// logic without the gaps of a placed one.
type nvdlaArea struct {
	sized
	// without is ours without engines, engine what a share of 1 adds.
	without, engine float64
}

// share is the constant engines that the row alone asks for.
func (a *nvdlaArea) share() float64 { return (a.theirs - a.without) / a.engine }

// with is the row with another constant.
func (a *nvdlaArea) with(share float64) sized {
	return sized{a.name, a.theirs, a.without + share*a.engine}
}

func newNVDLAArea(name string, nm, theirs float64, values ...int64) nvdlaArea {
	s, _ := built("nvdla", values...)
	utilisation := 0.0
	named, _ := template.Named("nvdla")
	for _, c := range named.Constants() {
		if c.Name == "utilisation" {
			utilisation = c.Value
		}
	}
	cells := func(engines float64) float64 {
		s.Engines = engines
		area := s.Machine(values, s.NetworkBytes).Area
		hard := partsOf(area, "conv_buffer", "accumulator", "io")
		return areaAt(nm, hard+utilisation*(area.Total()-hard))
	}
	own := s.Engines
	a := nvdlaArea{without: cells(0)}
	a.engine = cells(1) - a.without
	a.sized = sized{name, theirs, a.without + own*a.engine}
	return a
}

// areas judges the published areas. Rows that a constant was set from do not
// count: they are compared with the constant that the others ask for.
func (s *silicon) areas() []Row {
	judged, set := knownAreas()
	accumulator := judged[0]
	left := []sized{{set.name, set.theirs, set.ours * accumulator.theirs / accumulator.ours}}
	var others []float64
	for i := range s.nvdlaAreas {
		if a := &s.nvdlaAreas[i]; !a.sets() {
			others = append(others, a.share())
			judged = append(judged, a.sized)
		}
	}
	for i := range s.nvdlaAreas {
		if a := &s.nvdlaAreas[i]; a.sets() {
			if len(others) > 0 {
				left = append(left, a.with(median(others)))
			}
		}
	}
	middle, worst, details := spread(judged)
	m, w := atMost("area, median error", 0, middle, 0.30), within2("area, worst factor", worst)
	m.Misses = details
	l := refitted("area, rows that set constants, median error without them", left)
	l[0].Misses = append(l[0].Misses, fmt.Sprintf("engines of each other row alone: %.2f", others))
	return append([]Row{m, w}, l...)
}

// sets tells the row that the constant engines was set from.
func (a *nvdlaArea) sets() bool { return strings.HasPrefix(a.name, "nvdla 16 nm, 2048 MACs") }
