package optimizer_test

import (
	"testing"

	"apollo/optimizer"
	"apollo/optimizer/optimizertest"
)

// FuzzPrograms runs arbitrary programs of asks, tells and restarts.
func FuzzPrograms(f *testing.F) {
	f.Add([]byte("ask tell ask restart ask"))
	f.Add([]byte{3, 200, 0, 1, 2, 3, 0, 8, 3, 5, 6, 2, 1, 1, 1, 1})
	f.Fuzz(func(t *testing.T, code []byte) {
		if len(code) > 300 {
			return // longer programs only repeat themselves
		}
		for _, a := range []optimizer.Algorithm{
			optimizer.Random{},
			optimizer.Evolution{Population: 5},
			optimizer.GA{Population: 4, Initial: 6},
		} {
			optimizertest.Program(t, a, code)
		}
	})
}
