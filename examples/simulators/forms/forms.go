// Package forms holds input files of other people's simulators, in their own syntax,
// with our parameters and dimensions in the places of numbers: "@rows@", "@rows*8@",
// "@input_buffer/1024@". `apollo design export` and the adapters beside it fill the
// same files, so that one place knows what a parameter is called there.
package forms

import (
	"embed"
	"fmt"
	"math"
	"regexp"
	"strconv"
)

//go:embed scalesim.cfg zigzag-machine.yaml zigzag-mapping.yaml zigzag-layer.yaml accelforge.yaml
var files embed.FS

var (
	place  = regexp.MustCompile(`@([^@\n]+)@`)
	factor = regexp.MustCompile(`[*/][^*/]+`)
)

// Values are what the places of a form need: numbers and texts.
type Values struct {
	Number map[string]float64
	Text   map[string]string
}

// Fill returns the text of a form. The error names a place that has no value.
func Fill(name string, v *Values) (string, error) {
	form, err := files.ReadFile(name)
	if err != nil {
		return "", err
	}
	var missing string
	text := place.ReplaceAllStringFunc(string(form), func(at string) string {
		at = at[1 : len(at)-1]
		if t, ok := v.Text[at]; ok {
			return t
		}
		product := 1.0
		for _, f := range factor.FindAllString("*"+at, -1) {
			n, known := v.Number[f[1:]]
			if !known {
				if n, err = strconv.ParseFloat(f[1:], 64); err != nil {
					missing = f[1:]
				}
			}
			if f[0] == '/' {
				product /= n
			} else {
				product *= n
			}
		}
		return number(product)
	})
	if missing != "" {
		return "", fmt.Errorf("the form %s has %s, which has no value", name, missing)
	}
	return text, nil
}

// number writes whole numbers whole, others with 12 digits.
func number(x float64) string {
	const digits = 12
	if x == math.Trunc(x) && math.Abs(x) < 1<<62 {
		return strconv.FormatInt(int64(x), 10)
	}
	return strconv.FormatFloat(x, 'g', digits, 64)
}
