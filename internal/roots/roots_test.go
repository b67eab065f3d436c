package roots_test

import (
	"testing"

	"apollo/internal/roots"
	"apollo/internal/roots/rootstest"
)

// A machine without certificates has those of the bundle, after it was asked for them.
func TestEnsure(t *testing.T) {
	t.Parallel()
	rootstest.Bare(t, func(*testing.T) {
		roots.Ensure()
		roots.Ensure() // once is enough, twice is no mistake
	})
}
