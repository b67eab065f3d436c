package workload

import (
	"strings"
	"testing"
)

// EfficientNet-B0 has 5,288,548 parameters (M. Tan and Q. Le, arXiv 1905.11946,
// Table 2: 5.3M), 42,016 of them scale and shift of batch normalisation, of which
// ours keep half, and 0.39 G multiplications.
func TestNASBenchHasEfficientNetB0(t *testing.T) {
	t.Parallel()
	f, _ := FamilyNamed("accel_nasbench")
	w, err := f.Build(f.Own())
	if err != nil {
		t.Fatal(err)
	}
	if w.Name != "accel_nasbench" {
		t.Errorf("the family's own network is called %q", w.Name)
	}
	if got := w.Totals(); got.Params != 5_288_548-42_016/2 || got.MACs < 380e6 || got.MACs > 395e6 {
		t.Errorf("%d parameters and %d MACs, want %d and 0.39 G", got.Params, got.MACs, 5_288_548-42_016/2)
	}
}

// Every value of every parameter is another network, in its name too.
func TestFamiliesHaveNoNetworkTwice(t *testing.T) {
	t.Parallel()
	for _, f := range Families() {
		seen := map[string]string{}
		build := func(v []int64) {
			w, err := f.Build(v)
			if err != nil {
				t.Fatal(err)
			}
			id, err := w.Identity()
			if err != nil {
				t.Fatal(err)
			}
			if other, ok := seen[id]; ok {
				t.Errorf("%s and %s are the same network", w.Name, other)
			}
			seen[id] = w.Name
		}
		own := f.Own()
		build(own)
		for i := range f.Params {
			for _, value := range f.Params[i].Values {
				if v := append([]int64(nil), own...); value != own[i] {
					v[i] = value
					build(v)
				}
			}
		}
	}
}

func TestFamilyRefusesOtherValues(t *testing.T) {
	t.Parallel()
	f, _ := FamilyNamed("accel_nasbench")
	v := f.Own()
	v[1] = 7
	if _, err := f.Build(v); err == nil || !strings.Contains(err.Error(), "b0_k is 7, want one of [3 5]") {
		t.Errorf("a kernel of 7: %v", err)
	}
	if _, err := f.Build(v[1:]); err == nil || !strings.Contains(err.Error(), "27 values, it has 28 parameters") {
		t.Errorf("too few values: %v", err)
	}
	if _, ok := FamilyNamed("nobody"); ok {
		t.Error("a family of another name was found")
	}
}

// The name of a network is read as the network.
func TestParseValues(t *testing.T) {
	t.Parallel()
	f, _ := FamilyNamed("mobilenet_v2")
	values, rest, err := f.ParseValues("batch=8,width=50,weights=int4,resolution=160")
	if err != nil || rest != "batch=8,weights=int4" || f.Called(values) != "mobilenet_v2:width=50,resolution=160" {
		t.Errorf("%v, the rest %q, %v", values, rest, err)
	}
	if _, _, err := f.ParseValues("width=50,width=75"); err == nil || err.Error() != `"width=75": width is given twice, say it once` {
		t.Errorf("a value given twice: error %v", err)
	}
	if _, _, err := f.ParseValues("width=60"); err == nil || err.Error() != `"width=60": want one of [35 50 75 100 130 140] behind width=` {
		t.Error(err)
	}
}
