package dashboard

import "testing"

func TestAPlaneDrawsTheLimitsNearItsValues(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		limit, low, high float64
		want             bool
	}{
		{6.8, 3, 5, true},
		{9.5, 5, 5, true}, // one value: up to a factor of two
		{10.5, 5, 5, false},
		{1e-9, 0.9, 1.1, false}, // nine decades below
		{0, 0.9, 1.1, false},    // none of a logarithmic axis
		{5e4, 1, 1000, true},    // as long again as the values
		{2e6, 1, 1000, false},
		{-1.5, -2, -1, true},
		{-1.5, -1, -1, true},
		{-100, -2, -1, false},
		{0, 0, 4, true},
		{0, -3, 4, true},
		{0, 0, 0, true},
	} {
		if got := isNear(c.limit, c.low, c.high); got != c.want {
			t.Errorf("isNear(%v, %v, %v) = %t", c.limit, c.low, c.high, got)
		}
	}
}
