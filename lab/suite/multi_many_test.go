package suite

import (
	"math"
	"testing"
)

// Values as pymoo 0.6.1 gives them: dtlz2, dtlz7, c2dtlz2 (whose constraint has
// the same sign), and wfg4 with four parameters along the front.
func TestManyAgreesWithOtherImplementations(t *testing.T) {
	t.Parallel()
	x := []float64{0.1, 0.7, 0.3, 0.2, 0.9, 0.5, 0.55, 0.4, 0.15, 0.6, 0.8, 0.35}
	z := []float64{0.5, 3, 2.2, 7, 1, 10, 3, 4.4, 17, 0.2, 11, 20}
	for _, c := range []struct {
		name      string
		got, want []float64
	}{
		{"dtlz2, 3 objectives", dtlz2Of(3, squaresAbout(0.5))(x), []float64{0.6939007384, 1.3618568789, 0.2420823346}},
		{"dtlz2, 4 objectives", dtlz2Of(4, squaresAbout(0.5))(x), []float64{0.602288952, 0.306881549, 1.3266554087, 0.235824956}},
		{"dtlz7", dtlz7Of(3, mean)(x), []float64{0.1, 0.7, 17.7277864045}},
		{"c2-dtlz2", []float64{c2Outside(dtlz2Of(3, squaresAbout(0.5))(x))}, []float64{0.5110424922}},
		{"wfg4", wfg4Of(3, 2)(z), []float64{0.93578872, 1.87756839, 5.89538298}},
	} {
		for k, want := range c.want {
			if len(c.got) != len(c.want) || math.Abs(c.got[k]-want) > 1e-8 {
				t.Errorf("%s: %v, want %v", c.name, c.got, c.want)
				break
			}
		}
	}
}

// What no front leaves uncovered is nearly all of the box below the continuous
// one: of DTLZ2 all but an eighth of a ball.
func TestVolumeOfALatticeIsNearlyThatOfTheFront(t *testing.T) {
	t.Parallel()
	for _, p := range manies() {
		k := p.known()
		if p.name != "dtlz2-3" {
			continue
		}
		if whole := 1.1*1.1*1.1 - math.Pi/6; !(k.Volume < whole && k.Volume > 0.95*whole) {
			t.Errorf("%s: the volume is %v, want a little less than %v", p.name, k.Volume, whole)
		}
		for _, r := range k.Reference {
			if math.Abs(r-1.1) > 1e-12 {
				t.Errorf("%s: the reference is %v, want 1.1", p.name, k.Reference)
			}
		}
	}
}
