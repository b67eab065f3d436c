package model_test

import (
	"strings"
	"testing"

	"apollo/evaluator/model"
)

func nestArch() model.Arch {
	a := model.Arch{Levels: 2}
	a.Level[0] = model.Level{Name: "off-chip memory", Keeps: [model.Operands]bool{true, true, true}, Fanout: 1}
	a.Level[1] = model.Level{Name: "buffer", Keeps: [model.Operands]bool{true, true, true}, Fanout: 16}
	return a
}

const nest = `off-chip memory:
 for P in 0..6
  for K in 0..3
   buffer:
    for C in 0..7
     par K in 0..15
`

// A nest that was written is read again, with the order of its loops.
func TestParseMapping(t *testing.T) {
	t.Parallel()
	a := nestArch()
	m, err := model.ParseMapping(nest, &a)
	if err != nil {
		t.Fatal(err)
	}
	if got := m.String(&a); got != nest {
		t.Errorf("written again:\n%s\nwant:\n%s", got, nest)
	}
	if m.Loops[0].Temporal[model.K] != 4 || m.Loops[1].Spatial[model.K] != 16 {
		t.Errorf("got %+v", m.Loops[:2])
	}
	p := model.Problem{
		Bound: [model.Dims]int64{1, 1, 64, 8, 7, 1, 1, 1}, Stride: [2]int64{1, 1}, Dilation: [2]int64{1, 1},
		Bytes: [model.Operands]int64{1, 1, 1}, PartialBytes: 4,
	}
	if err := m.Validate(&p, &a); err != nil {
		t.Error(err)
	}
}

func TestParseMappingRefuses(t *testing.T) {
	t.Parallel()
	a := nestArch()
	for text, want := range map[string]string{
		"":                                `ends before the level "off-chip memory"`,
		"off-chip memory:\n":              `ends before the level "buffer"`,
		"buffer:\n":                       `line 1: there is no level "buffer" here`,
		nest + "registers:\n":             `line 7: there is no level "registers" here`,
		"for K in 0..3\n":                 "line 1: \"for K in 0..3\" stands before the first level",
		"off-chip memory:\nfor K in 3\n":  "line 2: \"for K in 3\": the range",
		"off-chip memory:\nfor K to 3":    "is no loop",
		"off-chip memory:\nfor X in 0..3": `no dimension "X"`,
		"off-chip memory:\nfor K in 0..3\nfor K in 0..1":         "two such loops over K",
		"off-chip memory:\nfor K in 0..99999999999999999999":     "the range is",
		"off-chip memory:\npar K in 0..-1\nbuffer:\n":            "the range is",
		"off-chip memory:\nfor K in 0..16777216\nbuffer:\n":      "the range is",
		"off-chip memory:\n for K in 0..3\nbuffer:\nbuffer:\n\n": `no level "buffer" here`,
	} {
		if _, err := model.ParseMapping(text, &a); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: the error is %v, want one with %q", text, err, want)
		}
	}
}

// Whatever is read is written in a form that reads the same.
func FuzzParseMapping(f *testing.F) {
	f.Add(nest)
	f.Add("off-chip memory:\nbuffer:\n")
	f.Fuzz(func(t *testing.T, text string) {
		a := nestArch()
		m, err := model.ParseMapping(text, &a)
		if err != nil {
			return
		}
		again, err := model.ParseMapping(m.String(&a), &a)
		if err != nil || again.String(&a) != m.String(&a) {
			t.Errorf("%q is read as %+v, written and read again as %+v, %v", text, m, again, err)
		}
	})
}
