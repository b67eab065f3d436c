package workload

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Family is a set of networks whose layers follow from parameters.
type Family struct {
	// Name is what studies write: "mobilenet_v2".
	Name string
	// Doc is one sentence for people, Ref where the architecture is published.
	Doc, Ref string
	// Params are in the order of Build's values.
	Params []FamilyParam
	// Apart are groups of parameters whose layers have no dimension in common: what
	// one group does to sums over layers has nothing to do with the others. Nil
	// says nothing.
	Apart [][]int

	build func(name string, v []int64) (*Workload, error)
}

// FamilyParam is a parameter of a family.
type FamilyParam struct {
	Name string `json:"name"`
	Doc  string `json:"doc"`
	// Unit is that of the values: "%", "" for a count.
	Unit string `json:"unit,omitempty"`
	// Values are in ascending order; Own is the one of the network that a family
	// stands for, its baseline.
	Values []int64 `json:"values"`
	Own    int64   `json:"own"`
}

// widthParam multiplies the channels of all layers.
func widthParam(values ...int64) FamilyParam {
	return FamilyParam{"width", "Channels of all layers, relative to the published network.", "%", values, 100}
}

// resolutionParam is the size of the picture.
func resolutionParam(values ...int64) FamilyParam {
	return FamilyParam{"resolution", "Height and width of the picture.", "", values, 224}
}

// Families returns the families, by name.
func Families() []Family {
	return []Family{accelNASBench(), mnasNetFamily(), mobileNetV1Family(), mobileNetV2Family(), resNetFamily()}
}

// FamilyNames returns the names that FamilyNamed knows.
func FamilyNames() (names []string) {
	for _, f := range Families() {
		names = append(names, f.Name)
	}
	return names
}

// FamilyNamed returns the family of a name.
func FamilyNamed(name string) (*Family, bool) {
	all := Families()
	at := slices.IndexFunc(all, func(f Family) bool { return f.Name == name })
	if at < 0 {
		return nil, false
	}
	return &all[at], true
}

// Own are the values of the family's own network.
func (f *Family) Own() (values []int64) {
	for i := range f.Params {
		values = append(values, f.Params[i].Own)
	}
	return values
}

// Called is the name of the network of these values: that of the family, and the
// values that are not its own network's.
func (f *Family) Called(values []int64) string {
	var other []string
	for i, v := range values {
		if p := &f.Params[i]; v != p.Own {
			other = append(other, p.Name+"="+strconv.FormatInt(v, 10))
		}
	}
	if len(other) == 0 {
		return f.Name
	}
	return f.Name + ":" + strings.Join(other, ",")
}

// Build returns the network of these values of Params.
func (f *Family) Build(values []int64) (*Workload, error) { return f.Sized(values, Sizes{}) }

// Sized is Build with a batch and formats; the error for another size says what
// there is.
func (f *Family) Sized(values []int64, s Sizes) (*Workload, error) {
	if err := f.check(values); err != nil {
		return nil, err
	}
	one := picture(f.Called(values), func(name string) (*Workload, error) { return f.build(name, values) })
	return one.sized(s)
}

func (f *Family) check(values []int64) error {
	if len(values) != len(f.Params) {
		return fmt.Errorf("network family %s: %d values, it has %d parameters", f.Name, len(values), len(f.Params))
	}
	for i, v := range values {
		if p := &f.Params[i]; !slices.Contains(p.Values, v) {
			return fmt.Errorf("network family %s: %s is %d, want one of %v", f.Name, p.Name, v, p.Values)
		}
	}
	return nil
}

// ParseValues reads what stands behind the family's name, "width=50,batch=8": the
// values of its parameters, its own network's for the others, and the rest, which
// is of ParseSizes.
func (f *Family) ParseValues(text string) (values []int64, rest string, err error) {
	values = f.Own()
	var others []string
	seen := map[string]bool{}
	for part := range strings.SplitSeq(text, ",") {
		name, value, _ := strings.Cut(part, "=")
		at := slices.IndexFunc(f.Params, func(p FamilyParam) bool { return p.Name == name })
		if at < 0 {
			others = append(others, part)
			continue
		}
		if seen[name] {
			return nil, "", fmt.Errorf("%q: %s is given twice, say it once", part, name)
		}
		seen[name] = true
		p := &f.Params[at]
		if values[at], err = strconv.ParseInt(value, 10, 64); err != nil || !slices.Contains(p.Values, values[at]) {
			return nil, "", fmt.Errorf("%q: want one of %v behind %s=", part, p.Values, name)
		}
	}
	return values, strings.Join(others, ","), nil
}

// percent is p percent of n.
func percent(n, p int64) int64 {
	const hundred = 100
	return n * p / hundred
}

// Networks is how many networks the family has.
func (f *Family) Networks() uint64 {
	n := uint64(1)
	for i := range f.Params {
		n *= uint64(len(f.Params[i].Values))
	}
	return n
}

// Key numbers the networks from 0 on, the last parameter's values next to each
// other; false for values that no network has.
func (f *Family) Key(values []int64) (key uint64, ok bool) {
	if len(values) != len(f.Params) {
		return 0, false
	}
	for i := range f.Params {
		list := f.Params[i].Values
		at := slices.Index(list, values[i])
		if at < 0 {
			return 0, false
		}
		key = key*uint64(len(list)) + uint64(at)
	}
	return key, true
}

// ValuesOf returns the values of the network with a number below Networks.
func (f *Family) ValuesOf(key uint64) []int64 {
	values := make([]int64, len(f.Params))
	for i := len(f.Params) - 1; i >= 0; i-- {
		list := f.Params[i].Values
		values[i] = list[key%uint64(len(list))]
		key /= uint64(len(list))
	}
	return values
}
