package workload

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Family is a set of networks whose layers follow from parameters.
type Family struct {
	// Name is what studies write: "accel_nasbench".
	Name string
	// Doc is one sentence for people, Ref where the architecture is published.
	Doc, Ref string
	// Params are in the order of Build's values.
	Params []FamilyParam

	build func(b *builder, in string, v []int64) (*Workload, error)
}

// FamilyParam is a parameter of a family.
type FamilyParam struct {
	Name, Doc string
	// Values are in ascending order; Own is the one of the network that a family
	// stands for, its baseline.
	Values []int64
	Own    int64
}

// Families returns the families, by name.
func Families() []Family { return []Family{accelNASBench()} }

// FamilyNamed returns the family of a name.
func FamilyNamed(name string) (*Family, bool) {
	all := Families()
	at := slices.IndexFunc(all, func(f Family) bool { return f.Name == name })
	if at < 0 {
		return nil, false
	}
	return &all[at], true
}

// Build returns the network of these values of Params. It is named by the family
// and the values that are not the family's own.
func (f *Family) Build(values []int64) (*Workload, error) {
	if len(values) != len(f.Params) {
		return nil, fmt.Errorf("network family %s: %d values, it has %d parameters", f.Name, len(values), len(f.Params))
	}
	var other []string
	for i, v := range values {
		p := &f.Params[i]
		if !slices.Contains(p.Values, v) {
			return nil, fmt.Errorf("network family %s: %s is %d, want one of %v", f.Name, p.Name, v, p.Values)
		}
		if v != p.Own {
			other = append(other, p.Name+"="+strconv.FormatInt(v, 10))
		}
	}
	name := f.Name
	if len(other) > 0 {
		name += ":" + strings.Join(other, ",")
	}
	b, in := image(name, f.Ref, 224, 224)
	return f.build(b, in, values)
}
