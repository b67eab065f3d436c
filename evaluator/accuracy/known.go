package accuracy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"apollo/evaluator/workload"
)

// Schema is that of a document that Parse reads.
const Schema = "apollo.accuracy/v1"

// The scales of accuracies. Those after a short training for comparison are no
// measure beside published ones.
const (
	Published = "published"
	Proxy     = "proxy"
)

// Scales lists the scales.
func Scales() []string { return []string{Published, Proxy} }

// Known is what is known of the accuracies of a family's networks.
type Known struct {
	// Scale is Published or Proxy, Source where the numbers come from.
	Scale, Source string

	family    *workload.Family
	measured  map[uint64]float64 // in percent, by Key
	predictor *Predictor         // nil where only the table counts
}

// Document is what Known is outside of a program: schema apollo.accuracy/v1.
type Document struct {
	Schema string `json:"schema"`
	Family string `json:"family"`
	Scale  string `json:"scale"`
	Source string `json:"source"`
	// Measured is a table, packed (see pack).
	Measured []byte `json:"measured,omitempty"`
	// Predictor says the others.
	Predictor *Predictor `json:"predictor,omitempty"`
}

// Family returns the family whose networks these are.
func (k *Known) Family() *workload.Family { return k.family }

// At returns the accuracy of a network in percent, and half of the interval that
// holds it with a probability of 95 %: 0 for one that the table has. Both are NaN
// where nobody knows.
func (k *Known) At(values []int64) (percent, interval float64) {
	key, ok := k.family.Key(values)
	if !ok {
		return math.NaN(), math.NaN()
	}
	if v, ok := k.measured[key]; ok {
		return v, 0
	}
	if k.predictor == nil {
		return math.NaN(), math.NaN()
	}
	return k.predictor.at(k.family, values), k.predictor.Interval
}

// Measured returns the networks that the table has, from the least accurate to the
// most accurate one.
func (k *Known) Measured() (list [][]int64) {
	keys := make([]uint64, 0, len(k.measured))
	for key := range k.measured {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b uint64) int {
		switch {
		case k.measured[a] != k.measured[b]:
			return order(k.measured[a] < k.measured[b])
		default:
			return order(a < b)
		}
	})
	for _, key := range keys {
		list = append(list, k.family.ValuesOf(key))
	}
	return list
}

func order(less bool) int {
	if less {
		return -1
	}
	return 1
}

// Covers says whether the accuracy of every network whose parameters have these
// levels is known. The error names a parameter and the levels that are, or a
// network.
func (k *Known) Covers(levels [][]int64) error {
	var unknown LevelsError
	for i := range k.family.Params {
		p := &k.family.Params[i]
		known := k.levels(i)
		if k.predictor != nil {
			known = k.predictor.knows(p)
		}
		without := slices.DeleteFunc(slices.Clone(levels[i]), func(v int64) bool { return slices.Contains(known, v) })
		if len(without) > 0 {
			unknown = append(unknown, UnknownLevels{i, without, known})
		}
	}
	if len(unknown) > 0 {
		return unknown
	}
	if k.predictor != nil {
		return nil
	}
	values := make([]int64, len(levels))
	var walk func(i int) error
	walk = func(i int) error {
		if i == len(levels) {
			if v, _ := k.At(values); math.IsNaN(v) {
				return fmt.Errorf("nobody knows the accuracy of %s", k.family.Called(values))
			}
			return nil
		}
		for _, values[i] = range levels[i] {
			if err := walk(i + 1); err != nil {
				return err
			}
		}
		return nil
	}
	return walk(0)
}

// levels are those of a parameter that the table has.
func (k *Known) levels(param int) (list []int64) {
	for key := range k.measured {
		if v := k.family.ValuesOf(key)[param]; !slices.Contains(list, v) {
			list = append(list, v)
		}
	}
	slices.Sort(list)
	return list
}

// LevelsError names the levels of parameters whose networks nobody knows.
type LevelsError []UnknownLevels

// UnknownLevels are those of one parameter, by its place in the family, beside the
// levels whose networks are known.
type UnknownLevels struct {
	Param          int
	Unknown, Known []int64
}

func (e LevelsError) Error() string {
	return fmt.Sprintf("nobody knows the accuracy of networks with these levels of %d parameters", len(e))
}

// Parse reads a document of schema apollo.accuracy/v1. The error says what is wrong
// with it.
func Parse(data []byte) (*Known, error) {
	var d Document
	r := json.NewDecoder(bytes.NewReader(data))
	r.DisallowUnknownFields()
	if err := r.Decode(&d); err != nil {
		return nil, fmt.Errorf("read accuracies: %w", err)
	}
	if _, err := r.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("read accuracies: something follows the document")
	}
	if d.Schema != Schema {
		return nil, fmt.Errorf("the schema is %.40q, want %q", d.Schema, Schema)
	}
	f, ok := workload.FamilyNamed(d.Family)
	if !ok {
		return nil, fmt.Errorf("there is no network family %.40q, there are %v", d.Family, workload.FamilyNames())
	}
	if !slices.Contains(Scales(), d.Scale) {
		return nil, fmt.Errorf("the scale is %.40q, want one of %v", d.Scale, Scales())
	}
	k := &Known{Scale: d.Scale, Source: d.Source, family: f, measured: map[uint64]float64{}}
	if err := k.unpack(d.Measured); err != nil {
		return nil, err
	}
	if d.Predictor != nil {
		if err := d.Predictor.prepare(f); err != nil {
			return nil, err
		}
		k.predictor = d.Predictor
	}
	if len(k.measured) == 0 && k.predictor == nil {
		return nil, errors.New("there is neither a table nor a predictor")
	}
	return k, nil
}

// Document returns the document of k.
func (k *Known) Document() Document {
	return Document{Schema: Schema, Family: k.family.Name, Scale: k.Scale, Source: k.Source, Measured: k.pack(), Predictor: k.predictor}
}

// With returns what both know: the table's networks, and the predictor's beside
// them. The error is for two families, and for two scales, which never meet.
func (k *Known) With(p *Known) (*Known, error) {
	switch {
	case k.family.Name != p.family.Name:
		return nil, fmt.Errorf("the table is of family %s, the predictor of %s", k.family.Name, p.family.Name)
	case k.Scale != p.Scale:
		return nil, fmt.Errorf("the table has %s accuracies, the predictor %s ones: they cannot be compared", k.Scale, p.Scale)
	}
	both := *k
	both.predictor = p.predictor
	return &both, nil
}
