package compare

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"

	"apollo/events"
	"apollo/optimizer/pareto"
	"apollo/services/cli"
	"apollo/services/study"
)

// Report is the answer of `compare -o json`.
type Report struct {
	Objectives []Objective `json:"objectives"`
	// Level is what every study reached that has a feasible trial: the worst of
	// their bests, in the objective's unit, or the smallest of their
	// hypervolumes; null when none has one.
	Level *float64 `json:"level" jsonschema:"nullable"`
	// Reference is the corner of all hypervolumes: a tenth of the range of all
	// fronts behind their worst values, without those that are worse by far than all
	// others, as penalties are. Only with several objectives.
	Reference map[string]float64 `json:"reference,omitempty"`
	Studies   []StudyReport      `json:"studies"`
	// Arms are the studies by what they are but for their seeds.
	Arms []Arm `json:"arms"`
	// Differences are the fields in which the specifications differ.
	Differences []Difference `json:"differences"`

	spec   *events.Spec // of the first study
	corner []float64    // Reference, to be minimised
}

// Objective is one that all studies have.
type Objective struct {
	Metric string `json:"metric"`
	Unit   string `json:"unit"`
	Goal   string `json:"goal"`
}

// StudyReport is one study of a comparison.
type StudyReport struct {
	Name      string `json:"name"`
	Study     string `json:"study"`
	Run       string `json:"run"`
	State     string `json:"state"`
	Algorithm string `json:"algorithm"`
	Seed      uint64 `json:"seed"`
	Trials    int    `json:"trials"`
	Feasible  int    `json:"feasible"`
	// Voided is how many of Trials were measured anew, and LowFidelity how many of the
	// others could not be feasible, because their fidelity does not count. They are trials
	// like others for TrialsToLevel and Curve: they cost something.
	Voided      int `json:"voided,omitempty"`
	LowFidelity int `json:"low_fidelity,omitempty"`
	// Value is the best value, in the objective's unit, or the hypervolume below
	// the common reference; Trial is the number of the one that reached it. Both
	// are null when nothing is feasible.
	Value *float64 `json:"value" jsonschema:"nullable"`
	Trial *int     `json:"trial" jsonschema:"nullable"`
	// FrontSize is the size of the study's own front, and Joint how many of it
	// no other study's trial dominates. Only with several objectives.
	FrontSize int `json:"front_size,omitempty"`
	Joint     int `json:"joint,omitempty"`
	// TrialsToLevel is how many trials it took to reach Level.
	TrialsToLevel *int `json:"trials_to_level" jsonschema:"nullable"`
	// Curve is the value so far after a number of trials, where it changes.
	Curve []Point `json:"curve"`
	// Arm is its place in Arms.
	Arm int `json:"arm"`

	of *Study
}

// Point is the value so far after a number of trials.
type Point struct {
	Trials int     `json:"trials"`
	Value  float64 `json:"value"`
}

// Difference is a field with its value in each study, as JSON; "" where it is
// not there.
type Difference struct {
	Field  string   `json:"field"`
	Values []string `json:"values"`
}

// Of works out the answer. The error is for studies that have different
// objectives.
func Of(studies []*Study) (*Report, error) {
	if err := distinguish(studies); err != nil {
		return nil, err
	}
	if err := sameObjectives(studies); err != nil {
		return nil, err
	}
	spec := studies[0].Spec
	r := &Report{spec: spec, Differences: differences(studies)}
	for _, o := range spec.Objectives {
		r.Objectives = append(r.Objectives, Objective{o.Metric, spec.Metrics[spec.MetricIndex(o.Metric)].Unit, o.Goal})
	}
	score := func(c *Study) []float64 { return bests(c.steps) }
	if len(spec.Objectives) > 1 {
		r.corner = commonReference(studies)
		r.Reference = referenceOf(spec, r.corner)
		score = func(c *Study) []float64 { return volumes(c.steps, r.corner) }
	}
	for _, c := range studies {
		r.Studies = append(r.Studies, r.study(c, score(c)))
	}
	if len(spec.Objectives) > 1 {
		r.countFronts()
	}
	r.levels()
	r.findArms(studies)
	return r, nil
}

// FeasibleShare is the share of feasible trials, of those that could be feasible.
func (s *StudyReport) FeasibleShare() string {
	return cli.Share(s.Feasible, s.Trials-s.Voided-s.LowFidelity)
}

// study sums up one study; curve is its score after each of its steps, the smaller the
// better.
func (r *Report) study(c *Study, curve []float64) StudyReport {
	s := StudyReport{
		Name: c.name, Study: c.Study, Run: c.Run, State: c.State, Algorithm: c.Spec.Algorithm.Name, Seed: c.Spec.Seed,
		Trials: c.trials, Feasible: c.feasible, Voided: c.voided, LowFidelity: c.lowFidelity, Curve: []Point{}, of: c,
	}
	last := math.Inf(1)
	for i, v := range curve {
		if v < last {
			last = v
			s.Curve = append(s.Curve, Point{c.steps[i].after, r.shown(v)})
			s.Value, s.Trial = new(r.shown(v)), new(c.steps[i].trial)
		}
	}
	return s
}

// shown turns a score into the number that people know.
func (r *Report) shown(v float64) float64 {
	if len(r.Objectives) > 1 || r.Objectives[0].Goal == "maximize" {
		return -v
	}
	return v
}

// better reports whether a is the better one of two numbers as people know them.
func (r *Report) better(a, b float64) bool { return r.shown(a) < r.shown(b) }

// bests are the best values so far of one objective.
func bests(steps []step) []float64 {
	curve := make([]float64, len(steps))
	for i := range steps {
		curve[i] = steps[i].point[0]
	}
	return curve
}

// volumes are the hypervolumes so far, negative: the smaller the better.
func volumes(steps []step, corner []float64) []float64 {
	curve, volume := make([]float64, len(steps)), 0.0
	var front [][]float64
	for i := range steps {
		p := steps[i].point
		volume += pareto.Contribution(p, front, corner)
		front = slices.DeleteFunc(front, func(q []float64) bool { return pareto.Dominates(p, q) })
		front = append(front, p)
		curve[i] = -min(volume, math.MaxFloat64)
	}
	return curve
}

// commonReference is the corner of all fronts, so that every end of every front counts
// but what is no part of the landscape.
func commonReference(studies []*Study) []float64 {
	var all [][]float64
	for _, c := range studies {
		all = append(all, c.front...)
	}
	return study.Corner(all)
}

func referenceOf(spec *events.Spec, corner []float64) map[string]float64 {
	reference := map[string]float64{}
	for k, v := range corner {
		if spec.Objectives[k].Goal == "maximize" {
			v = -v
		}
		reference[spec.Objectives[k].Metric] = v
	}
	return reference
}

// beyond is how many designs of the fronts are no better than the reference in an objective.
func (r *Report) beyond() (n int) {
	for i := range r.Studies {
		for _, p := range r.Studies[i].of.front {
			for k, v := range p {
				if v >= r.corner[k] {
					n++
					break
				}
			}
		}
	}
	return n
}

// countFronts says how much of each front is on the joint one.
func (r *Report) countFronts() {
	var all [][]float64
	for i := range r.Studies {
		all = append(all, r.Studies[i].of.front...)
	}
	for i := range r.Studies {
		s := &r.Studies[i]
		s.FrontSize = len(s.of.front)
		for _, p := range s.of.front {
			if !slices.ContainsFunc(all, func(q []float64) bool { return pareto.Dominates(q, p) }) {
				s.Joint++
			}
		}
	}
}

// levels finds what all reached, and when.
func (r *Report) levels() {
	for i := range r.Studies {
		if v := r.Studies[i].Value; v != nil && (r.Level == nil || r.better(*r.Level, *v)) {
			r.Level = v
		}
	}
	for i := range r.Studies {
		for _, p := range r.Studies[i].Curve {
			if !r.better(*r.Level, p.Value) {
				r.Studies[i].TrialsToLevel = new(p.Trials)
				break
			}
		}
	}
}

// differences lists the fields in which the specifications differ, by name.
// Names and labels are no difference.
func differences(studies []*Study) []Difference {
	fields := make([]map[string]string, len(studies))
	all := map[string]bool{}
	for i, c := range studies {
		bare := c.Spec.WithoutNotes()
		bare.Study = ""
		fields[i] = map[string]string{}
		b, err := json.Marshal(bare)
		if err != nil {
			continue // a specification that was read has a JSON form
		}
		d := json.NewDecoder(bytes.NewReader(b))
		d.UseNumber()
		var tree any
		if err := d.Decode(&tree); err != nil {
			continue
		}
		flatten("", tree, fields[i])
		for field := range fields[i] {
			all[field] = true
		}
	}
	out := []Difference{}
	for _, field := range slices.Sorted(maps.Keys(all)) {
		d := Difference{Field: field}
		for i := range studies {
			d.Values = append(d.Values, fields[i][field])
		}
		if slices.ContainsFunc(d.Values, func(v string) bool { return v != d.Values[0] }) {
			out = append(out, d)
		}
	}
	return out
}

// flatten writes the leaves of a JSON tree by their paths: algorithm.name,
// objectives[0].metric. Lists of plain values are one leaf.
func flatten(at string, v any, into map[string]string) {
	switch v := v.(type) {
	case map[string]any:
		for key, e := range v {
			path := key
			if at != "" {
				path = at + "." + key
			}
			flatten(path, e, into)
		}
		return
	case []any:
		plain := !slices.ContainsFunc(v, func(e any) bool {
			switch e.(type) {
			case map[string]any, []any:
				return true
			}
			return false
		})
		if !plain {
			for i, e := range v {
				flatten(fmt.Sprintf("%s[%d]", at, i), e, into)
			}
			return
		}
	}
	b, err := json.Marshal(v)
	if err != nil {
		return
	}
	into[at] = string(b)
}
