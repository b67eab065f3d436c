package forms

import (
	"strings"
	"testing"
)

func TestFill(t *testing.T) {
	v := &Values{Number: map[string]float64{"spatial_c": 64, "spatial_k": 6}, Text: map[string]string{"order": "[[K, 2]]"}}
	text, err := Fill("zigzag-mapping.yaml", v)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(text, `D1: ["C, 64"]`) || !strings.Contains(text, `D2: ["K, 6"]`) {
		t.Errorf("filled: %s", text)
	}
	delete(v.Number, "spatial_c") // the first place; the second has a value
	if _, err := Fill("zigzag-mapping.yaml", v); err == nil || !strings.Contains(err.Error(), "zigzag-mapping.yaml has spatial_c") {
		t.Errorf("error %v, want the place that has no value", err)
	}
	for x, want := range map[float64]string{1e15: "1000000000000000", 8e-12: "8e-12", 2.0 / 3: "0.666666666667"} {
		if got := number(x); got != want {
			t.Errorf("%v is written %s, want %s", x, got, want)
		}
	}
}
