package edge

import (
	"fmt"
	"slices"
	"strings"

	"apollo/evaluator"
	"apollo/evaluator/model"
)

// Codes of the reasons for which a chip cannot run a network, cheapest check
// first.
const (
	codePEPort            = "pe_port"
	codeCoreMemory        = "core_memory"
	codeActivationMemory  = "activation_memory"
	codeParameterMemory   = "parameter_memory"
	codeInstructionMemory = "instruction_memory"
)

// limits are the thresholds that follow from a network.
type limits struct {
	// distinct are the channels of depthwise layers, which lanes of one PE read
	// different elements of in a cycle, with the half bytes of an element.
	distinct pieces
	// window is the largest window of weights of one lane.
	window, windowAt int64
	// windows are the windows of input rows of the channel groups that lanes
	// spread over, weights those of output channels.
	windows, weights pieces
}

// piece is how many pieces a layer has and the bytes of one.
type piece struct {
	count, bytes int64
	layer        int
}

// pieces lists the layers whose number of pieces and whose bytes no other layer
// exceeds both.
type pieces []piece

func (ps *pieces) add(p piece) {
	if slices.ContainsFunc(*ps, func(o piece) bool { return o.count >= p.count && o.bytes >= p.bytes }) {
		return
	}
	*ps = append(slices.DeleteFunc(*ps, func(o piece) bool { return o.count <= p.count && o.bytes <= p.bytes }), p)
}

// most returns the bytes of the layer that needs most for n of its pieces, or
// for all where it has fewer.
func (ps pieces) most(n int64) (bytes int64, layer int) {
	for i := range ps {
		if need := min(ps[i].count, n) * ps[i].bytes; need > bytes {
			bytes, layer = need, ps[i].layer
		}
	}
	return bytes, layer
}

func newLimits(layers []layer, shapes []shape) limits {
	var l limits
	for i := range layers {
		s := &shapes[layers[i].shape]
		if s.vector {
			continue
		}
		at := int64(i)
		if s.channel == model.G {
			l.distinct.add(piece{s.p.Bound[model.G], s.halves[model.Inputs], i})
		}
		if w := s.window; w > l.window {
			l.window, l.windowAt = w, at
		}
		y := &layers[i]
		l.windows.add(piece{y.together(y.groups), y.window, i})
		l.weights.add(piece{
			count: s.p.Bound[s.channel],
			bytes: s.size(model.Weights, s.p.Bound[model.C]*s.p.Bound[model.R]*s.p.Bound[model.S]),
			layer: i,
		})
	}
	return l
}

// needParameters returns the parameter entries for the largest slice of weights
// that all lanes of a PE work on at a time, and the layer that needs it.
func (l *limits) needParameters(c *chip, k *constants) (entries int64, layer int) {
	bytes, layer := l.weights.most(c.Cores * c.Lanes)
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
func (l *limits) check(i int, c *chip, k *constants) rule {
	switch i {
	case 0:
		halves, layer := l.distinct.most(c.Cores * c.Lanes)
		return rule{codePEPort, model.CeilDiv(halves, 2), k.portBytes, layer}
	case 1:
		return rule{codeCoreMemory, 2 * c.Lanes * l.window, c.CoreMemory, int(l.windowAt)}
	case 2:
		// One window of input rows of the channels that a core works on at a time.
		bytes, layer := l.windows.most(c.Lanes)
		return rule{codeActivationMemory, model.CeilDiv(bytes, k.activationEntryBytes), c.ActivationMemory, layer}
	}
	need, layer := l.needParameters(c, k)
	return rule{codeParameterMemory, need, c.ParameterMemory, layer}
}

// firstBroken applies the rules that need no mapping, cheapest first, to every
// network, and returns the first that is broken.
func (b *taskModel) firstBroken(c *chip) (net *network, r rule, broken bool) {
	for i := range ruleCount {
		for n := range b.nets {
			net = &b.nets[n]
			if r = net.limits.check(i, c, &b.sizer.constants); r.need > r.have {
				return net, r, true
			}
		}
	}
	return nil, r, false
}

func (b *taskModel) explainRule(net *network, r *rule, c *chip) *evaluator.Reason {
	name := b.layerName(net, r.layer)
	why := &evaluator.Reason{Code: r.code, Layer: name, Need: float64(r.need), Have: float64(r.have)}
	switch r.code {
	case codePEPort:
		why.Unit = "B/cycle"
		at := slices.IndexFunc(net.limits.distinct, func(p piece) bool { return p.layer == r.layer })
		lanes := 2 * b.sizer.portBytes / net.limits.distinct[at].bytes
		why.Message = fmt.Sprintf("layer %s: %d lanes of a PE (cores x lanes) read %d different bytes per cycle, the PE memory's port gives %d: %s",
			name, c.Cores*c.Lanes, r.need, r.have, b.eitherFix("cores", lanes/c.Lanes, "lanes", lanes/c.Cores))
	case codeCoreMemory:
		why.Unit = "B"
		perLane := model.CeilDiv(r.need, c.Lanes)
		why.Message = fmt.Sprintf("layer %s: two weight tiles of %d lanes need %d B of core memory, there are %d: %s",
			name, c.Lanes, r.need, r.have, b.eitherFix("core_memory", -r.need, "lanes", r.have/perLane))
	case codeActivationMemory:
		why.Unit = "entries"
		why.Message = fmt.Sprintf("layer %s: one window of input rows needs %d entries of activation memory, there are %d: %s",
			name, r.need, r.have, b.eitherFix("activation_memory", -r.need, "", 0))
	case codeParameterMemory:
		why.Unit = "entries"
		why.Message = fmt.Sprintf("layer %s: the weights of %d output channels (cores x lanes) need %d entries of parameter memory, there are %d: %s",
			name, c.Cores*c.Lanes, r.need, r.have, b.eitherFix("parameter_memory", -r.need, "lanes", b.parameterLanes(net, c)))
	}
	return why
}

// parameterLanes returns the largest number of lanes that the parameter memory
// feeds, 0 when none does.
func (b *taskModel) parameterLanes(net *network, c *chip) int64 {
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
func (b *taskModel) eitherFix(a string, boundA int64, other string, boundB int64) string {
	fixes := slices.DeleteFunc([]string{b.fix(a, boundA), b.fix(other, boundB)}, func(fix string) bool { return fix == "" })
	if len(fixes) == 0 {
		return "no single parameter of the space repairs it"
	}
	return strings.Join(fixes, " or ") + " would do"
}

func (b *taskModel) fix(name string, limit int64) string {
	for i := range b.params {
		p := &b.params[i]
		if p.Name != name {
			continue
		}
		best := 0.0
		for _, v := range p.Values {
			if limit < 0 && v >= float64(-limit) {
				best = v
				break
			}
			if limit > 0 && v <= float64(limit) {
				best = v
			}
		}
		if best > 0 {
			return strings.TrimSuffix(fmt.Sprintf("%s %.0f %s", name, best, p.Unit), " ")
		}
	}
	return ""
}
