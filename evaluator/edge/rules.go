package edge

import (
	"fmt"
	"slices"

	"apollo/evaluator"
	"apollo/evaluator/model"
)

// Codes of the reasons for which a chip cannot run a network, cheapest check
// first.
const (
	CodePEPort            = "pe_port"
	CodeCoreMemory        = "core_memory"
	CodeActivationMemory  = "activation_memory"
	CodeParameterMemory   = "parameter_memory"
	CodeInstructionMemory = "instruction_memory"
)

// limits are the thresholds that follow from a network.
type limits struct {
	// distinct is the largest number of lanes of one PE that read different
	// elements in a cycle: the channels of the widest depthwise layer.
	distinct, distinctAt int64
	// window is the largest windowBytes.
	window, windowAt int64
	// band is the largest window of input rows in bytes.
	band, bandAt int64
	// slices lists the layers whose weights per output channel and whose
	// number of output channels no other layer exceeds both.
	slices []weightSlice
}

// weightSlice is a layer's output channels and the bytes of weights of one.
type weightSlice struct {
	channels, bytes int64
	layer           int
}

func newLimits(layers []layer, shapes []shape) limits {
	var l limits
	for i := range layers {
		s := &shapes[layers[i].shape]
		if s.vector {
			continue
		}
		at := int64(i)
		if s.channel == model.G && s.p.Bound[model.G] > l.distinct {
			l.distinct, l.distinctAt = s.p.Bound[model.G], at
		}
		if w := windowBytes(s); w > l.window {
			l.window, l.windowAt = w, at
		}
		if layers[i].window > l.band {
			l.band, l.bandAt = layers[i].window, at
		}
		l.add(weightSlice{
			channels: s.p.Bound[s.channel],
			bytes:    s.p.Bound[model.C] * s.p.Bound[model.R] * s.p.Bound[model.S] * s.p.Bytes[model.Weights],
			layer:    i,
		})
	}
	return l
}

func (l *limits) add(w weightSlice) {
	if slices.ContainsFunc(l.slices, func(o weightSlice) bool { return o.channels >= w.channels && o.bytes >= w.bytes }) {
		return
	}
	l.slices = slices.DeleteFunc(l.slices, func(o weightSlice) bool { return o.channels <= w.channels && o.bytes <= w.bytes })
	l.slices = append(l.slices, w)
}

// needParameters returns the parameter entries for the largest slice of weights
// that all lanes of a PE work on at a time, and the layer that needs it.
func (l *limits) needParameters(c *Chip, k *constants) (entries int64, layer int) {
	var bytes int64
	for _, w := range l.slices {
		if n := min(w.channels, c.Cores*c.Lanes) * w.bytes; n > bytes {
			bytes, layer = n, w.layer
		}
	}
	return model.CeilDiv(bytes, k.parameterEntryBytes), layer
}

// rule is a check that needs no mapping: what the chip needs and has.
type rule struct {
	code       string
	need, have int64
	layer      int
}

// ruleCount is the number of rules that check applies.
const ruleCount = 4

// check returns rule i of a network.
func (l *limits) check(i int, c *Chip, k *constants) rule {
	switch i {
	case 0:
		return rule{CodePEPort, min(c.Cores*c.Lanes, l.distinct), k.portBytes, int(l.distinctAt)}
	case 1:
		return rule{CodeCoreMemory, 2 * c.Lanes * l.window, c.CoreMemory, int(l.windowAt)}
	case 2:
		return rule{CodeActivationMemory, model.CeilDiv(l.band, k.activationEntryBytes), c.ActivationMemory, int(l.bandAt)}
	}
	need, layer := l.needParameters(c, k)
	return rule{CodeParameterMemory, need, c.ParameterMemory, layer}
}

// firstBroken applies the rules that need no mapping, cheapest first, to every
// network, and explains the first that is broken; nil when all hold.
func (b *bound) firstBroken(c *Chip) *evaluator.Reason {
	for i := range ruleCount {
		for n := range b.nets {
			net := &b.nets[n]
			if r := net.limits.check(i, c, &b.sizer.constants); r.need > r.have {
				return b.explainRule(net, &r, c)
			}
		}
	}
	return nil
}

func (b *bound) explainRule(net *network, r *rule, c *Chip) *evaluator.Reason {
	name := b.layerName(net, net.layers[r.layer].id)
	why := &evaluator.Reason{Code: r.code, Layer: name, Need: float64(r.need), Have: float64(r.have)}
	switch r.code {
	case CodePEPort:
		why.Unit = "B/cycle"
		why.Message = fmt.Sprintf("layer %s: %d lanes of a PE (cores x lanes) read %d different bytes per cycle, the PE memory's port gives %d: %s",
			name, c.Cores*c.Lanes, r.need, r.have, b.eitherFix("cores", b.sizer.portBytes/c.Lanes, "lanes", b.sizer.portBytes/c.Cores))
	case CodeCoreMemory:
		why.Unit = "B"
		perLane := model.CeilDiv(r.need, c.Lanes)
		why.Message = fmt.Sprintf("layer %s: two weight tiles of %d lanes need %d B of core memory, there are %d: %s",
			name, c.Lanes, r.need, r.have, b.eitherFix("core_memory", -r.need, "lanes", r.have/perLane))
	case CodeActivationMemory:
		why.Unit = "entries"
		why.Message = fmt.Sprintf("layer %s: one window of input rows needs %d entries of activation memory, there are %d: %s",
			name, r.need, r.have, b.eitherFix("activation_memory", -r.need, "", 0))
	case CodeParameterMemory:
		why.Unit = "entries"
		why.Message = fmt.Sprintf("layer %s: the weights of %d output channels (cores x lanes) need %d entries of parameter memory, there are %d: %s",
			name, c.Cores*c.Lanes, r.need, r.have, b.eitherFix("parameter_memory", -r.need, "lanes", b.parameterLanes(net, c)))
	}
	return why
}

// parameterLanes returns the largest number of lanes that the parameter memory
// feeds, 0 when none does.
func (b *bound) parameterLanes(net *network, c *Chip) int64 {
	less := *c
	for less.Lanes = c.Lanes / 2; less.Lanes > 0; less.Lanes /= 2 {
		if need, _ := net.limits.needParameters(&less, &b.sizer.constants); need <= c.ParameterMemory {
			return less.Lanes
		}
	}
	return 0
}

// eitherFix words the smallest change that repairs a broken rule: a parameter
// and its bound, at most, or at least where it is negative. The level named is
// the nearest of the task's; a parameter without such a level is left out.
func (b *bound) eitherFix(a string, boundA int64, other string, boundB int64) string {
	fixA, fixB := b.fix(a, boundA), b.fix(other, boundB)
	switch {
	case fixA == "" && fixB == "":
		return "no single parameter of the space repairs it"
	case fixA == "":
		return fixB + " would do"
	case fixB == "":
		return fixA + " would do"
	}
	return fixA + " or " + fixB + " would do"
}

func (b *bound) fix(name string, limit int64) string {
	for i := range b.params {
		p := &b.params[i]
		if p.Name != name {
			continue
		}
		best := 0.0
		for _, v := range p.Values {
			if limit < 0 && v >= float64(-limit) {
				return fmt.Sprintf("%s %.0f%s", name, v, spaced(p.Unit))
			}
			if limit > 0 && v <= float64(limit) {
				best = v
			}
		}
		if best > 0 {
			return fmt.Sprintf("%s %.0f%s", name, best, spaced(p.Unit))
		}
	}
	return ""
}

func spaced(unit string) string {
	if unit == "" {
		return ""
	}
	return " " + unit
}
