package correlation

import (
	"math"
	"testing"
)

func TestCoefficients(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ got, want float64 }{
		// Ranks 0, 1.5, 1.5, 3 and 0, 2, 1, 3: 4.5 / sqrt(4.5 * 5).
		"ties":             {Spearman([]float64{1, 2, 2, 4}, []float64{10, 30, 20, 40}), 4.5 / math.Sqrt(22.5)},
		"any growth":       {Spearman([]float64{1, 2, 3}, []float64{1, 10, 1e9}), 1},
		"reversed":         {Spearman([]float64{1, 2, 3}, []float64{3, 2, 1}), -1},
		"nothing to order": {Spearman([]float64{1, 2, 3}, []float64{5, 5, 5}), 0},
		// Deviations -1, 0, 1 and -1, -1, 2: 3 / sqrt(2 * 6).
		"values":          {Pearson([]float64{7, 8, 9}, []float64{3, 3, 6}), 3 / math.Sqrt(12)},
		"a line":          {Pearson([]float64{1, 2, 4}, []float64{5, 3, -1}), -1},
		"nothing differs": {Pearson([]float64{2, 2}, []float64{1, 3}), 0},
	} {
		if math.Abs(test.got-test.want) > 1e-12 {
			t.Errorf("%s: %g, want %g", name, test.got, test.want)
		}
	}
}
