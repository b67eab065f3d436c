package study

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"unicode"

	"apollo/events"
	near "apollo/internal/nearest"
	"apollo/optimizer"
	"apollo/optimizer/space"
)

// startPoints returns the points of the designs that the study tries first.
func startPoints(spec *events.Spec, sp space.Space) ([]space.Point, error) {
	points := make([]space.Point, len(spec.Start))
	for i, d := range spec.Start {
		p, err := sp.Point(d)
		if err != nil {
			return nil, fmt.Errorf("start design %d: %w", i, err)
		}
		points[i] = p
	}
	return points, nil
}

// fromStart adds the study's own first designs.
func (d *draft) fromStart(n int) {
	for _, p := range d.machine.first {
		if d.len() == n {
			return
		}
		d.appendIfNew(p, optimizer.StartOrigin, nil)
	}
}

// added is a design that a user asks for.
type added struct {
	point  space.Point
	origin string
	answer *events.TrialResult // nil: to be measured
}

// add carries out a request for designs of one's own, a batch at a time: it is
// called until all are there. A run that has ended is opened again first. What
// it proposes depends on the log alone, so that a command that comes again after
// a crash goes on where it was.
func (m *Machine) add(c *events.StudyControl) (events.Payload, error) {
	switch {
	case m.state != Running && m.state != Paused && m.state != Completed && m.state != Stopped:
		return nil, fmt.Errorf("study %s is %s: it takes no designs", m.spec.Study, m.state)
	case m.sharing():
		return nil, m.errSharing()
	case len(c.Designs) == 0 || len(c.Designs) > events.MaxAdded:
		return nil, fmt.Errorf("%d designs are asked for: want 1 to %d in one request", len(c.Designs), events.MaxAdded)
	}
	all := make([]added, len(c.Designs))
	for i := range c.Designs {
		one, err := m.read(&c.Designs[i])
		if err != nil && len(all) > 1 {
			return nil, fmt.Errorf("design %d of %d: %w", i+1, len(all), err)
		}
		if err != nil {
			return nil, err
		}
		all[i] = one
	}
	next := slices.IndexFunc(all, m.isNew)
	switch {
	case next < 0:
		return nil, fmt.Errorf("the study has tried what is asked for already (designs: %d): `apollo trial ls %s` shows its trials", len(all), m.spec.Study)
	case m.trials+m.countNew(all) > m.cfg.maxTrials():
		return nil, m.tooMany(m.trials + m.countNew(all))
	case m.state == Completed || m.state == Stopped:
		return events.StudyExtended{Study: m.spec.Study, Run: m.cfg.Run, Trials: m.trials}, nil
	}
	d := m.newDraft(len(all))
	d.event = events.TrialsProposed{Study: m.spec.Study, Run: m.cfg.Run, Batch: len(m.batches), FirstTrial: m.next, Told: m.told, Added: true}
	if m.spec.Order == "relaxed" {
		d.event.Told, d.event.ObservedThrough = 0, m.lastSeq
	}
	d.addFrom(all[next:])
	d.event.Parents = nil
	if !slices.ContainsFunc(all, func(a added) bool { return m.isNew(a) && !d.taken.Has(m.space.Key(a.point)) }) {
		d.event.Command = c.ID
	}
	return d.event, nil
}

func (m *Machine) isNew(a added) bool { return !m.seen.Has(m.space.Key(a.point)) }

// countNew counts those that are not trials yet: a request that comes again has some.
func (m *Machine) countNew(all []added) int {
	var fresh space.Set
	for _, a := range all {
		if m.isNew(a) {
			fresh.Add(m.space.Key(a.point))
		}
	}
	return fresh.Len()
}

// addFrom adds the first of the designs that make one batch: those that were
// measured elsewhere need no work item, and are not bound to the size of one.
func (d *draft) addFrom(all []added) {
	known, most := all[0].answer != nil, d.machine.spec.Budget.Batch
	if known {
		most = events.KnownBatch(d.machine.spec)
	}
	for _, a := range all {
		if d.len() == most {
			return
		}
		if (a.answer != nil) != known {
			continue
		}
		trial, ok := d.appendIfNew(a.point, a.origin, nil)
		if ok && known {
			a.answer.Trial = trial
			d.event.Reused = append(d.event.Reused, a.answer.Reusable())
		}
	}
}

// CheckAdded says what is wrong with a design that a user asks for, as far as the
// study's spec tells.
func CheckAdded(spec *events.Spec, sp space.Space, from *events.AddedDesign) error {
	_, err := readAdded(spec, sp, from)
	return err
}

// readAdded reads a design by its names, with its measurement where it has one.
func readAdded(spec *events.Spec, sp space.Space, from *events.AddedDesign) (a added, err error) {
	if a.point, err = PointOf(spec, sp, from.Design); err != nil {
		return a, err
	}
	a.origin = optimizer.UserOrigin
	if from.Outcome != "" {
		a.origin = optimizer.ImportOrigin
		if a.answer, err = measured(spec, from); err != nil {
			return a, err
		}
	} else if len(from.Metrics) > 0 {
		return a, fmt.Errorf("it has metrics and no outcome: say measured or infeasible, or leave the metrics out")
	}
	if strings.ContainsFunc(from.Origin, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return a, fmt.Errorf("the origin %q has a character that cannot be printed: want plain text", from.Origin)
	}
	if from.Origin != "" {
		a.origin += ":" + from.Origin
	}
	return a, nil
}

// read reads a design that the study may try.
func (m *Machine) read(from *events.AddedDesign) (added, error) {
	a, err := readAdded(m.spec, m.space, from)
	if err != nil {
		return a, err
	}
	resetInactive(m.space, m.judge, a.point)
	if a.answer != nil {
		m.judge.Deriver().Fill(a.answer.Values)
	}
	if a.answer == nil && m.legal != nil && !m.legal(a.point) {
		return a, fmt.Errorf("it is not legal: %s", m.illegal(a.point))
	}
	return a, nil
}

// illegal says which free check a design fails.
func (m *Machine) illegal(p space.Point) string {
	values := m.space.Values(p)
	if broken := m.judge.Rules(values); broken != nil {
		return cmp.Or(broken.Message, broken.Code)
	}
	if m.cfg.Checker != nil {
		metrics := make([]float64, len(m.spec.Metrics))
		m.cfg.Checker.Check(values, metrics)
		m.judge.Deriver().Fill(metrics)
		if _, broken := m.judge.Metrics(metrics); broken != nil {
			return broken.Message
		}
	}
	return "a rule or a constraint refuses it"
}

// measured reads what was measured elsewhere.
func measured(spec *events.Spec, from *events.AddedDesign) (*events.TrialResult, error) {
	r := &events.TrialResult{Outcome: from.Outcome, Values: make(events.Numbers, len(spec.Metrics))}
	for i := range r.Values {
		r.Values[i] = math.NaN()
	}
	if r.Outcome != events.OutcomeMeasured && r.Outcome != events.OutcomeInfeasible {
		return nil, fmt.Errorf("the outcome %q is unknown: want measured or infeasible", events.Cut(from.Outcome, events.MaxCodeBytes))
	}
	for _, name := range slices.Sorted(maps.Keys(from.Metrics)) {
		i := spec.MetricIndex(name)
		if i < 0 {
			return nil, unknownName("metric", name, metricNames(spec))
		}
		r.Values[i] = from.Metrics[name]
	}
	for i, metric := range spec.Measured() {
		switch v := r.Values[i]; {
		case math.IsInf(v, 0):
			return nil, fmt.Errorf("the metric %s is infinite", metric.Name)
		case math.IsNaN(v) && r.Outcome == events.OutcomeMeasured:
			return nil, fmt.Errorf("the metric %s is missing: a measured design has all of %s", metric.Name, strings.Join(metricNames(spec), ", "))
		}
	}
	if r.Outcome == events.OutcomeInfeasible {
		r.Reason = &events.Reason{Code: events.OutcomeInfeasible}
		if from.Reason != nil {
			r.Reason = from.Reason
		}
	}
	return r, nil
}

func metricNames(spec *events.Spec) (names []string) {
	for _, m := range spec.Measured() {
		names = append(names, m.Name)
	}
	return names
}

// PointOf returns the point of a design by its parameters' names: numbers in
// their units, and labels. A parameter with one level may be left out, and so may the
// study's fidelity: its full value is the one that counts.
func PointOf(spec *events.Spec, sp space.Space, design map[string]any) (space.Point, error) {
	p, full := make(space.Point, sp.Len()), spec.FidelityColumn()
	var names, missing []string
	for i := range p {
		param := sp.Param(i)
		names = append(names, param.Name)
		value := design[param.Name]
		switch {
		case value != nil:
		case param.Len() == 1:
			continue
		case i == full:
			p[i] = param.Len() - 1
			continue
		default:
			missing = append(missing, param.Name)
			continue
		}
		var v space.Value
		switch value := value.(type) {
		case float64:
			v.Num = value
		case string:
			v.Label = value
		}
		level, ok := param.Level(v)
		if !ok || param.Categorical() != (v.Label != "") {
			return nil, fmt.Errorf("the parameter %s has no level %v: it has %s", param.Name, value, levelsText(param, spec.Parameters[i].Unit))
		}
		p[i] = level
	}
	for _, name := range slices.Sorted(maps.Keys(design)) {
		if !slices.Contains(names, name) {
			return nil, unknownName("parameter", name, names)
		}
	}
	if len(missing) > 0 {
		return nil, fmt.Errorf("a design has a level of each parameter; what is missing: %s", strings.Join(missing, ", "))
	}
	return p, nil
}

func unknownName(what, name string, known []string) error {
	hint := ""
	if n := near.Name(name, known); n != "" {
		hint = fmt.Sprintf("; did you mean %s?", n)
	}
	return fmt.Errorf("the study has no %s %q: it has %s%s", what, events.Cut(name, events.MaxCodeBytes), strings.Join(known, ", "), hint)
}

// levelsText lists the first levels of a parameter.
func levelsText(p space.Param, unit string) string {
	const most = 12
	var texts []string
	for i := range min(p.Len(), most) {
		texts = append(texts, p.Value(i).String())
	}
	text := strings.Join(texts, ", ")
	if p.Len() > most {
		text += fmt.Sprintf(" and %d more", p.Len()-most)
	}
	if unit != "" {
		text += " (" + unit + ")"
	}
	return text
}
