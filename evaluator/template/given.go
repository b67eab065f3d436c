package template

import (
	"fmt"
	"slices"
	"strings"

	"apollo/evaluator/model"
	"apollo/evaluator/report"
)

// Detail implements Dataflow.
func (l *loops) Detail(p *model.Problem, m *model.Mapping) (Detail, error) {
	if err := l.allowed(m); err != nil {
		return Detail{}, err
	}
	if err := check(p, &l.arch, m); err != nil {
		return Detail{}, err
	}
	r := model.Eval(p, &l.arch, m)
	d := Detail{Cost: l.cost(p, m, &r), Accesses: report.Accesses(&l.arch, &r)}
	d.split()
	d.Energy = append(d.Energy, report.Part{Name: "arithmetic", Value: r.ComputePJ})
	for i := range l.arch.Levels {
		name := partName(&l.arch, i)
		d.Energy = append(d.Energy, report.Part{Name: name, Value: r.LevelPJ[i]})
		read, write := r.Traffic(p, i)
		d.Bytes = append(d.Bytes, report.Count{Name: name, Value: read + write})
	}
	return d, nil
}

// partName is the name of a level in breakdowns.
func partName(a *model.Arch, level int) string {
	if level == 0 {
		return report.OffChip
	}
	return strings.ReplaceAll(a.Level[level].Name, " ", "_")
}

// check refuses a mapping that does not cover the problem, runs loops that
// have nothing left to do, or does not fit.
func check(p *model.Problem, a *model.Arch, m *model.Mapping) error {
	if err := m.Validate(p, a); err != nil {
		return err
	}
	for d := range model.Dims {
		inside := int64(1)
		for i := a.Levels - 1; i >= 0; i-- {
			loops := &m.Loops[i]
			for _, n := range []int64{loops.Spatial[d], loops.Temporal[d]} {
				if most := model.CeilDiv(p.Bound[d], inside); n > most {
					return fmt.Errorf("level %s: a loop over %s has %d steps of %d each, the layer has %d in all: %d steps are enough",
						a.Level[i].Name, d, n, inside, p.Bound[d], most)
				}
				inside *= n
			}
		}
	}
	return nil
}

// allowed refuses loops that the machine cannot have.
func (l *loops) allowed(m *model.Mapping) error {
	last := l.inner
	if last == 0 {
		last = 1
	}
	for i := last + 1; i < l.arch.Levels; i++ {
		for d, n := range m.Loops[i].Temporal {
			if over := model.Dim(d); n > 1 && (i != l.window || over != model.R && over != model.S) {
				return fmt.Errorf("level %s: for %s in 0..%d: this level has no loops in time; the innermost that has is %s",
					l.arch.Level[i].Name, model.Dim(d), n-1, l.arch.Level[last].Name)
			}
		}
	}
	if err := l.ordered(last, &m.Loops[last]); err != nil {
		return err
	}
	var nearest error
	fewest := 0
	for i := range l.spreads {
		wrong, err := l.spreadable(l.spreads[i], m)
		if err == nil {
			return nil
		}
		if nearest == nil || wrong < fewest {
			nearest, fewest = err, wrong
		}
	}
	if len(l.spreads) > 1 {
		return fmt.Errorf("the wires can spread loops in %d ways, none like this; of the nearest: %w", len(l.spreads), nearest)
	}
	return nearest
}

// ordered refuses another order of the innermost loops than the dataflow's.
func (l *loops) ordered(level int, loops *model.Loops) error {
	var place [model.Dims]int
	var want []string
	for i, d := range l.order {
		place[d] = i
		want = append(want, d.String())
	}
	last := -1
	for _, d := range loops.Order {
		if d >= model.Dims || loops.Temporal[d] <= 1 {
			continue
		}
		if place[d] < last {
			return fmt.Errorf("level %s: the loop over %s stands too far inside: the dataflow has the order %s", l.arch.Level[level].Name, d, strings.Join(want, " "))
		}
		last = place[d]
	}
	return nil
}

// spreadable counts the spatial loops that an alternative of the wires does not
// have; the error names the first.
func (l *loops) spreadable(list []Spread, m *model.Mapping) (wrong int, err error) {
	for i := range l.arch.Levels {
		for d, n := range m.Loops[i].Spatial {
			limit := int64(1)
			for at := range list {
				if x := &list[at]; x.Level == i && slices.Contains(x.Dims, model.Dim(d)) {
					limit *= x.left(&m.Loops[i].Spatial, model.Dim(d))
				}
			}
			if n <= limit {
				continue
			}
			wrong++
			if err == nil {
				err = fmt.Errorf("level %s: par %s in 0..%d: the wires spread %s over %d there", l.arch.Level[i].Name, model.Dim(d), n-1, model.Dim(d), limit)
			}
		}
	}
	return wrong, err
}

// left returns on how many instances a dimension may be beside the others of
// its axis.
func (s *Spread) left(spatial *[model.Dims]int64, d model.Dim) int64 {
	others := int64(1)
	for _, x := range s.Dims {
		if x != d {
			others *= spatial[x]
		}
	}
	return s.Limit / others
}
