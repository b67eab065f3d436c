package validate

import (
	"fmt"
	"math"
	"regexp"

	"apollo/evaluator/eyeriss"
	"apollo/evaluator/model"
)

// otherMapping is why wide layers of VGG-16 miss: docs/validation.md#eyeriss.
const otherMapping = "the chip ran passes with fewer input channels than our mappings, as the row below has them"

// eyerissVGG compares the published chip on the convolutions of VGG-16: the power of
// the template's design, and the time under the mappings of least energy x time.
// No constant is set from these rows.
func eyerissVGG(t *table) ([]Row, error) {
	convs, err := convolutions("vgg16")
	if err != nil {
		return nil, err
	}
	chip, worth := eyeriss.Silicon(), eyeriss.Published()
	var power []sized
	var theirs, ours, compared, alike float64
	var details, passes, out []string
	for i := range t.rows {
		l := t.line(i)
		name := l.text("layer")
		n, err := stageLayer(name)
		if err != nil {
			return nil, t.bad(i, err)
		}
		batch, clock, milliwatts := l.size("batch"), l.above("clock_MHz"), l.above("silicon_power_mW")
		if l.err != nil {
			return nil, l.err
		}
		w, err := oneConvolution("vgg16", n, batch)
		if err != nil {
			return nil, t.bad(i, err)
		}
		_, x, err := measured("eyeriss", w)
		if err != nil {
			return nil, t.bad(i, err)
		}
		const nm, volts = 65, 1 // of the chip
		power = append(power, sized{name, milliwatts, x.milliwatts(nm, volts, 1)})
		if l.text("silicon_latency_ms") == "" {
			out = append(out, name+" latency: left out: it is not legible in the transcription")
			continue
		}
		silicon := l.above("silicon_latency_ms")
		if l.err != nil {
			return nil, l.err
		}
		p := convs[n-1]
		p.Bound[model.N] = batch
		cost, ok := chip.Map(&p, &worth)
		if !ok {
			return nil, t.bad(i, fmt.Errorf("layer %s: no row-stationary mapping fits the chip", name))
		}
		const kilo = 1e3 // MHz are cycles per µs
		ms := float64(cost.Cycles) / (clock * kilo)
		theirs, ours = theirs+silicon, ours+ms
		details = append(details, (&sized{name + " latency, ms", silicon, ms}).String())
		if l.text("buffer_MB") == "" {
			continue
		}
		like, channels, ok := passesOf(&p, l.above("buffer_MB"))
		if l.err != nil {
			return nil, l.err
		}
		if !ok {
			return nil, t.bad(i, fmt.Errorf("layer %s: no row-stationary mapping fits the chip", name))
		}
		ms = float64(like.Cycles) / (clock * kilo)
		compared, alike = compared+silicon, alike+ms
		passes = append(passes, (&sized{fmt.Sprintf("%s latency with %d channels in a pass, ms", name, channels), silicon, ms}).String())
	}
	if len(power) == 0 {
		return nil, nil
	}
	middle, worst, rows := spread(power)
	m := atMost("power, median error", 0, middle, 0.30)
	m.Misses = rows
	all := []Row{m, within2("power, worst factor", worst)}
	if theirs > 0 {
		all = append(all, missed(relative("total latency", "ms", theirs, ours, 0.05), append(details, otherMapping)...))
	}
	if compared > 0 {
		r := relative("total latency, passes as wide as the chip's", "ms", compared, alike, 0.05)
		r.Misses = passes
		all = append(all, r)
	}
	return append(all, omitted(2*len(t.rows), len(out), out)...), nil
}

// passesOf returns the mapping of least energy x time whose passes have as many input
// channels, a power of two, as brings its accesses to the global buffer nearest to those
// of the chip. Over its buses these accesses are nearly its time.
func passesOf(p *model.Problem, megabytes float64) (best eyeriss.Cost, channels int64, ok bool) {
	const most, mega = 16, 1 << 20
	least := math.Inf(1)
	for n := int64(1); n <= most; n *= 2 {
		chip, worth := eyeriss.Silicon(), eyeriss.Published()
		x, found := chip.MapNarrow(p, &worth, n)
		if off := math.Abs(float64(x.Buffer*eyeriss.WordBytes)/mega/megabytes - 1); found && off < least {
			best, channels, ok, least = x, n, true, off
		}
	}
	return best, channels, ok
}

// stageLayer returns which convolution of VGG-16, from 1, a name of the table is.
func stageLayer(name string) (int, error) {
	m := regexp.MustCompile(`^CONV([1-5])-([1-3])$`).FindStringSubmatch(name)
	if m == nil {
		return 0, fmt.Errorf("layer %q: want CONV1-1 to CONV5-3", name)
	}
	first := [...]int{0, 2, 4, 7, 10, 13}
	stage := int(number(m[1]))
	n := first[stage-1] + int(number(m[2]))
	if n > first[stage] {
		return 0, fmt.Errorf("layer %q: stage %d has %d convolutions", name, stage, first[stage]-first[stage-1])
	}
	return n, nil
}
