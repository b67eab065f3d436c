package evaluator

import (
	"fmt"
	"math"
	"slices"
	"sync"

	"apollo/evaluator/accuracy"
	"apollo/evaluator/workload"
	"apollo/optimizer/space"
)

// Family is a family of networks that a study searches.
type Family struct {
	*workload.Family
	// Sizes are those of all of its networks.
	Sizes workload.Sizes
	// Known says how accurate they are; nil where the study does not ask.
	Known *accuracy.Known
	// Measured says that only the networks that Known has a measurement of can be
	// chosen: one parameter, called Param, numbers them from the least accurate to
	// the most accurate one.
	Measured bool
	Param    string
}

// HasOwn reports whether the family's own network can be chosen: a table may lack it.
func (f *Family) HasOwn() bool {
	return !f.Measured || f.ownNumber(f.Known.Measured()) >= 0
}

// ownNumber is the place of the family's own network in a list, -1 where it is not.
func (f *Family) ownNumber(list [][]int64) int {
	own := f.Own()
	return slices.IndexFunc(list, func(v []int64) bool { return slices.Equal(v, own) })
}

// OfFamily is the choice of a family's networks by values of its parameters.
func OfFamily(own Network) *Choice {
	m := &members{Family: own.Family, own: own, weight: own.Weight, built: map[uint64]*workload.Workload{}, sizes: map[uint64]sizes{}}
	for _, group := range m.Apart {
		n := 1
		for _, i := range group {
			n *= len(m.Params[i].Values)
		}
		m.added = append(m.added, make([]*sizes, n))
	}
	c := &Choice{All: []Network{own}, Alike: true, Network: m.network, Values: m.values}
	if m.Measured {
		m.numbered = m.Known.Measured()
		m.known = make([][]float64, len(m.numbered))
		c.Params = []space.Param{{Name: m.Param, Values: make([]float64, len(m.numbered))}}
		for i := range m.numbered {
			c.Params[0].Values[i] = float64(i)
		}
		c.Docs, c.Extra = []string{"The network, by accuracy: 0 is the least accurate one."}, m.extra
		c.Baseline = []space.Value{{Num: float64(m.baseline())}}
	} else {
		for i := range m.Params {
			p := &m.Params[i]
			levels := make([]float64, len(p.Values))
			for k, v := range p.Values {
				levels[k] = float64(v)
			}
			c.Params = append(c.Params, space.Param{Name: p.Name, Unit: p.Unit, Values: levels})
			c.Docs = append(c.Docs, p.Doc)
			c.Baseline = append(c.Baseline, space.Value{Num: float64(p.Own)})
		}
	}
	if m.Known != nil {
		c.Metrics = append(c.Metrics, ofAccuracy())
		if !m.Measured {
			c.Metrics = append(c.Metrics, Metric{Name: "accuracy_interval_percent", Unit: "%", Cheap: true})
		}
	}
	c.Metrics = append(c.Metrics, Metric{Name: "network_macs", Cheap: true}, Metric{Name: "network_parameters", Cheap: true})
	return c
}

// members are the networks of a family.
type members struct {
	*Family
	own      Network
	weight   float64
	numbered [][]int64 // where only measured networks can be chosen

	mu sync.Mutex
	// known are the metrics of numbered networks that were asked for.
	known [][]float64
	built map[uint64]*workload.Workload
	sizes map[uint64]sizes // of networks
	// base is the size of the family's own network, added what each combination of a
	// group of parameters that stand apart adds to it; nil before they are asked for.
	base  *sizes
	added [][]*sizes
}

// sizes are what a network's layers add up to.
type sizes struct{ macs, params float64 }

const (
	// maxBuilt and maxSizes bound what is kept; all of it is forgotten then. Chosen:
	// 10 MB each.
	maxBuilt = 512
	maxSizes = 1 << 16
)

// baseline is the number of the family's own network, or of the most accurate one
// where nobody measured that.
func (m *members) baseline() int {
	if at := m.ownNumber(m.numbered); at >= 0 {
		return at
	}
	return len(m.numbered) - 1
}

// number is the place of a network in the list of those that are measured.
func (m *members) number(values []space.Value) (int, error) {
	if len(values) != 1 {
		return 0, fmt.Errorf("%d values choose a network, want one", len(values))
	}
	i := int(values[0].Num)
	if i < 0 || i >= len(m.numbered) || float64(i) != values[0].Num {
		return 0, fmt.Errorf("%s is %g, want a whole number from 0 to %d", m.Param, values[0].Num, len(m.numbered)-1)
	}
	return i, nil
}

// read finds the family's values of those of the choice's parameters.
func (m *members) read(to []int64, values []space.Value) ([]int64, error) {
	if m.Measured {
		i, err := m.number(values)
		if err != nil {
			return nil, err
		}
		return append(to, m.numbered[i]...), nil
	}
	if len(values) != len(m.Params) {
		return nil, fmt.Errorf("%d values choose a network of %s, want %d", len(values), m.Name, len(m.Params))
	}
	for i, v := range values {
		p := &m.Params[i]
		n := int64(v.Num)
		if float64(n) != v.Num || !slices.Contains(p.Values, n) {
			return nil, fmt.Errorf("%s is %g, want one of %v", p.Name, v.Num, p.Values)
		}
		to = append(to, n)
	}
	return to, nil
}

// network builds a network, or finds it.
func (m *members) network(values []space.Value) (Network, error) {
	own, err := m.read(nil, values)
	if err != nil {
		return Network{}, err
	}
	key, _ := m.Key(own)
	m.mu.Lock()
	defer m.mu.Unlock()
	n := Network{Workload: m.built[key], Weight: m.weight}
	if n.Workload == nil {
		if n.Workload, err = m.Sized(own, m.Sizes); err != nil {
			return Network{}, err
		}
		if len(m.built) >= maxBuilt {
			clear(m.built)
		}
		m.built[key] = n.Workload
	}
	return n, nil
}

// extra are the values of the family's parameters.
func (m *members) extra(values []space.Value) (list []Extra) {
	own, err := m.read(nil, values)
	if err != nil {
		return nil
	}
	for i := range m.Params {
		name := m.Params[i].Name
		if m.Params[i].Unit == "%" {
			name += "_percent"
		}
		list = append(list, Extra{Name: name, Value: float64(own[i])})
	}
	return list
}

// maxFamilyParams is what a family's parameters fit into without memory of their own.
const maxFamilyParams = 64

// values appends the metrics of a network. Those of one that has a number are kept: a search asks
// for them again and again.
func (m *members) values(to []float64, values []space.Value) []float64 {
	if !m.Measured {
		return m.metrics(to, values)
	}
	i, err := m.number(values)
	if err != nil {
		return m.metrics(to, values)
	}
	m.mu.Lock()
	list := m.known[i]
	m.mu.Unlock()
	if list == nil {
		list = m.metrics(nil, values)
		m.mu.Lock()
		m.known[i] = list
		m.mu.Unlock()
	}
	return append(to, list...)
}

func (m *members) metrics(to []float64, values []space.Value) []float64 {
	var room [maxFamilyParams]int64
	own, err := m.read(room[:0], values)
	percent, interval, size := math.NaN(), math.NaN(), sizes{math.NaN(), math.NaN()}
	if err == nil {
		size = m.size(own)
	}
	if m.Known != nil {
		if err == nil {
			percent, interval = m.Known.At(own)
		}
		if to = append(to, percent); !m.Measured {
			to = append(to, interval)
		}
	}
	return append(to, size.macs, size.params)
}

// size is that of a network. What groups of parameters that stand apart add to the
// family's own network is known after one network for every combination of a group.
func (m *members) size(values []int64) sizes {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.Apart) == 0 {
		return m.laid(values)
	}
	if m.base == nil {
		own := m.laid(m.Own())
		m.base = &own
	}
	sum := *m.base
	for g, group := range m.Apart {
		at := 0
		for _, i := range group {
			list := m.Params[i].Values
			at = at*len(list) + slices.Index(list, values[i])
		}
		if m.added[g][at] == nil {
			one := m.Own()
			for _, i := range group {
				one[i] = values[i]
			}
			with := m.laid(one)
			m.added[g][at] = &sizes{with.macs - m.base.macs, with.params - m.base.params}
		}
		sum.macs += m.added[g][at].macs
		sum.params += m.added[g][at].params
	}
	return sum
}

// laid is the size of a network by its layers.
func (m *members) laid(values []int64) sizes {
	key, _ := m.Key(values)
	if s, ok := m.sizes[key]; ok {
		return s
	}
	w, err := m.Sized(values, m.Sizes)
	if err != nil { // its values were read, its sizes are the family's
		return sizes{math.NaN(), math.NaN()}
	}
	t := w.Totals()
	if len(m.sizes) >= maxSizes {
		clear(m.sizes)
	}
	s := sizes{float64(t.MACs), float64(t.Params)}
	m.sizes[key] = s
	return s
}
