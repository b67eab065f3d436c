package optimizer_test

import (
	"slices"
	"testing"

	"apollo/optimizer"
	"apollo/optimizer/optimizertest"
)

// Who starts on several objectives is exactly who is listed.
func TestManyNames(t *testing.T) {
	t.Parallel()
	for _, name := range optimizer.Names() {
		a, err := optimizer.New(name, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, err = a.Start(optimizertest.Fronts()[0].Start(1))
		if got, want := err == nil, slices.Contains(optimizer.MultiObjectiveNames(), name); got != want {
			t.Errorf("%s: starts on two objectives: %t (%v), listed: %t", name, got, err, want)
		}
	}
}
