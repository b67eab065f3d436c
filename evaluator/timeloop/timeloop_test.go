package timeloop_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"apollo/evaluator"
	"apollo/evaluator/edge"
	"apollo/evaluator/report"
	"apollo/evaluator/template"
	"apollo/evaluator/timeloop"
	"apollo/evaluator/workload"
)

type document struct {
	Architecture struct {
		Version string `yaml:"version"`
		Subtree []node `yaml:"subtree"`
	} `yaml:"architecture"`
	Problem struct {
		Shape struct {
			Dimensions []string `yaml:"dimensions"`
			DataSpaces []struct {
				Name       string       `yaml:"name"`
				Projection [][][]string `yaml:"projection"`
			} `yaml:"data-spaces"`
		} `yaml:"shape"`
		Instance map[string]int64 `yaml:"instance"`
	} `yaml:"problem"`
	Mapping []struct {
		Target, Type, Factors, Permutation string
		Keep, Bypass                       []string
	} `yaml:"mapping"`
}

type node struct {
	Name  string `yaml:"name"`
	Local []struct {
		Name, Class string
		Attributes  map[string]any
	} `yaml:"local"`
	Subtree []node `yaml:"subtree"`
}

// instances reads the number of instances from a name: "PE[0..7]" are 8.
func instances(t *testing.T, name string) int64 {
	t.Helper()
	_, last, ok := strings.Cut(strings.TrimSuffix(name, "]"), "[0..")
	if !ok {
		return 1
	}
	n, err := strconv.ParseInt(last, 10, 64)
	if err != nil {
		t.Fatalf("name %s: %v", name, err)
	}
	return n + 1
}

// Every document parses; its factors multiply to the dimensions, which are at
// least the layer's; its spatial factors fit the fan-outs; each operand has a
// home; and every mapping names a storage of the architecture.
func TestDocuments(t *testing.T) {
	t.Parallel()
	padded := 0
	for _, name := range []string{"mobilenet_v2", "mobilenet_edgetpu", "bert_base"} {
		w, err := workload.Builtin(name)
		if err != nil {
			t.Fatal(err)
		}
		v1 := edge.Spec().Presets()[2]
		mapped, err := edge.Spec().Mapped([]evaluator.Network{{Workload: w, Weight: 1}}, report.Point{Preset: v1.Name, Values: v1.Values}, nil)
		if err != nil {
			t.Fatal(err)
		}
		for i := range mapped {
			m := &mapped[i]
			l := timeloop.Layer{Name: m.Layer, Problem: m.Problem, Arch: m.Arch, Mapping: m.Mapping, CycleSeconds: 1e-9}
			padded += strings.Count(timeloop.Document(&l), "padded")
			checkDocument(t, m, timeloop.Document(&l))
		}
	}
	if padded == 0 {
		t.Error("no dimension is padded: the test proves little")
	}
}

// Words are as wide as what a storage keeps: capacities and rates in words are those
// of the same bytes, the units those of the formats.
func TestWordsFollowTheFormats(t *testing.T) {
	t.Parallel()
	spec, _ := template.Named("nvdla")
	export := func(sizes workload.Sizes) document {
		w, err := workload.Sized("gpt2_decode", sizes)
		if err != nil {
			t.Fatal(err)
		}
		baseline := report.Point{Values: spec.Presets()[0].Values}
		mapped, err := spec.Mapped([]evaluator.Network{{Workload: w, Weight: 1}}, baseline, nil)
		if err != nil {
			t.Fatal(err)
		}
		m := &mapped[0]
		l := timeloop.Layer{
			Name: m.Layer, Problem: m.Problem, Arch: m.Arch, Mapping: m.Mapping, CycleSeconds: m.CycleSeconds,
			Weights: m.Weights, Activations: m.Activations, Outputs: m.Outputs, Sums: m.Sums, Packed: m.Packed,
		}
		var d document
		if err := yaml.Unmarshal([]byte(timeloop.Document(&l)), &d); err != nil {
			t.Fatal(err)
		}
		return d
	}
	for _, test := range []struct {
		weights, activations string
		// of off-chip memory, convolution buffer, accumulator and weight registers
		words [4]uint64
		class string
		bits  uint64
	}{
		{"int8", "int8", [4]uint64{8, 8, 32, 8}, "intmac", 8},
		{"fp16", "fp16", [4]uint64{16, 16, 32, 16}, "fpmac", 16},
		{"int4", "fp16", [4]uint64{16, 16, 32, 4}, "fpmac", 16},
		{"int4", "int4", [4]uint64{4, 4, 32, 4}, "intmac", 4},
	} {
		d := export(workload.Sizes{Weights: test.weights, Activations: test.activations})
		i := 0
		for at := d.Architecture.Subtree; len(at) > 0; at = at[0].Subtree {
			storage := at[0].Local[0]
			if got := storage.Attributes["word-bits"]; got != test.words[i] {
				t.Errorf("%s, %s: %s has words of %v bits, want %d", test.weights, test.activations, storage.Name, got, test.words[i])
			}
			const conv = 1
			if got, want := storage.Attributes["entries"], 512<<10*8/test.words[conv]; i == conv && got != want {
				t.Errorf("%s, %s: the convolution buffer has %v entries, want %d", test.weights, test.activations, got, want)
			}
			if len(at[0].Subtree) == 0 {
				if unit := at[0].Local[1]; unit.Class != test.class || unit.Attributes["datawidth"] != test.bits {
					t.Errorf("%s, %s: units %+v, want %s of %d bits", test.weights, test.activations, unit, test.class, test.bits)
				}
			}
			i++
		}
	}
}

func checkDocument(t *testing.T, m *report.Mapped, text string) {
	t.Helper()
	var d document
	if err := yaml.Unmarshal([]byte(text), &d); err != nil {
		t.Fatalf("%s: %v\n%s", m.Layer, err, text)
	}
	fanout := map[string]int64{} // per storage: instances below one of it
	var last string
	for at := d.Architecture.Subtree; len(at) > 0; at = at[0].Subtree {
		if last != "" {
			fanout[last] = instances(t, at[0].Name)
		}
		last = at[0].Local[0].Name
		if len(at[0].Subtree) == 0 {
			fanout[last] = instances(t, at[0].Local[1].Name)
		}
	}
	product := map[string]int64{}
	kept := map[string]bool{}
	for _, x := range d.Mapping {
		if _, ok := fanout[x.Target]; !ok {
			t.Fatalf("%s: the mapping names %s, which is no storage of the architecture", m.Layer, x.Target)
		}
		for _, o := range x.Keep {
			kept[o] = true
		}
		if x.Type == "datatype" {
			if len(x.Keep)+len(x.Bypass) != 3 {
				t.Errorf("%s: %s keeps %v and bypasses %v, want three operands", m.Layer, x.Target, x.Keep, x.Bypass)
			}
			continue
		}
		if len(x.Permutation) != 8 {
			t.Errorf("%s: permutation %q", m.Layer, x.Permutation)
		}
		spread := int64(1)
		for f := range strings.FieldsSeq(x.Factors) {
			dim, value, _ := strings.Cut(f, "=")
			n, err := strconv.ParseInt(value, 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			if product[dim] == 0 {
				product[dim] = 1
			}
			product[dim] *= n
			spread *= n
		}
		if x.Type == "spatial" && spread > fanout[x.Target] {
			t.Errorf("%s: %d instances below %s are used, there are %d", m.Layer, spread, x.Target, fanout[x.Target])
		}
	}
	for d2, want := range d.Problem.Instance {
		if len(d2) == 1 && product[d2] != want {
			t.Errorf("%s: the factors of %s multiply to %d, the instance says %d", m.Layer, d2, product[d2], want)
		}
	}
	for i, dim := range d.Problem.Shape.Dimensions {
		if d.Problem.Instance[dim] < m.Problem.Bound[i] {
			t.Errorf("%s: %s is %d, the layer has %d", m.Layer, dim, d.Problem.Instance[dim], m.Problem.Bound[i])
		}
	}
	for _, ds := range d.Problem.Shape.DataSpaces {
		if !kept[ds.Name] || len(ds.Projection) < 5 {
			t.Errorf("%s: %s is kept: %t, projection %v", m.Layer, ds.Name, kept[ds.Name], ds.Projection)
		}
	}
}
