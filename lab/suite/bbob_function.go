package suite

import "math"

// bbobFunction is one of the noiseless functions.
type bbobFunction struct {
	id     int
	name   string
	family string
	// seed is the id that instances are drawn from: two functions share that of
	// their simpler relative.
	seed int
	// shiftSeed draws the optimum from the seed of the rotation.
	shiftSeed bool
	// swapped draws R from the seed that Q has elsewhere, and Q from R's.
	swapped bool
	// place changes what was drawn.
	place func(in *instance, seed int)
	// value is the function above its minimum.
	value func(in *instance, x []float64) float64
}

// bbobFunctions are the 24 functions in the order of the report. Families are
// functions of one base.
func bbobFunctions() []bbobFunction {
	f := []bbobFunction{
		{name: "sphere", family: "sphere", value: sphere},
		{name: "ellipsoid", family: "ellipsoid", value: ellipsoid},
		{name: "rastrigin", family: "rastrigin", value: rastrigin},
		{name: "bueche-rastrigin", family: "rastrigin", seed: 3, place: evenPositive, value: buecheRastrigin},
		{name: "linear-slope", family: "linear-slope", place: atCorner, value: linearSlope},
		{name: "attractive-sector", family: "attractive-sector", swapped: true, value: attractiveSector},
		{name: "step-ellipsoid", family: "ellipsoid", swapped: true, value: stepEllipsoid},
		{name: "rosenbrock", family: "rosenbrock", place: inner, value: rosenbrock},
		{name: "rosenbrock-rotated", family: "rosenbrock", swapped: true, place: rosenbrockOptimum, value: rosenbrockRotated},
		{name: "ellipsoid-rotated", family: "ellipsoid", value: ellipsoidRotated},
		{name: "discus", family: "discus", value: discus},
		{name: "bent-cigar", family: "bent-cigar", shiftSeed: true, value: bentCigar},
		{name: "sharp-ridge", family: "sharp-ridge", swapped: true, value: sharpRidge},
		{name: "different-powers", family: "different-powers", value: differentPowers},
		{name: "rastrigin-rotated", family: "rastrigin", value: rastriginRotated},
		{name: "weierstrass", family: "weierstrass", value: weierstrass},
		{name: "schaffers", family: "schaffers", value: func(in *instance, x []float64) float64 { return schaffers(in, x, 10) }},
		{name: "schaffers-conditioned", family: "schaffers", seed: 17, value: func(in *instance, x []float64) float64 { return schaffers(in, x, 1000) }},
		{name: "griewank-rosenbrock", family: "rosenbrock", swapped: true, place: rosenbrockOptimum, value: griewankRosenbrock},
		{name: "schwefel", family: "schwefel", place: schwefelSigns, value: schwefel},
		{name: "gallagher-101", family: "gallagher", swapped: true, place: gallagher{101, math.Sqrt(1000), 10, 5}.place, value: gallagherPeaks},
		{name: "gallagher-21", family: "gallagher", swapped: true, place: gallagher{21, 1000, 9.8, 4.9}.place, value: gallagherPeaks},
		{name: "katsuura", family: "katsuura", swapped: true, value: katsuura},
		{name: "lunacek", family: "lunacek", swapped: true, place: lunacekSigns, value: lunacek},
	}
	for i := range f {
		f[i].id = i + 1
		if f[i].seed == 0 {
			f[i].seed = f[i].id
		}
	}
	return f
}

// share is i/(D-1).
func share(i, dims int) float64 { return float64(i) / float64(dims-1) }

// oscillate is T_osz of one number.
func oscillate(x float64) float64 {
	if x == 0 {
		return 0
	}
	l := math.Log(math.Abs(x))
	c1, c2 := 5.5, 3.1
	if x > 0 {
		c1, c2 = 10, 7.9
	}
	return math.Copysign(math.Exp(l+0.049*(math.Sin(c1*l)+math.Sin(c2*l))), x)
}

func oscillateAll(z []float64) []float64 {
	for i := range z {
		z[i] = oscillate(z[i])
	}
	return z
}

// skew is T_asy with exponent beta, in place.
func skew(z []float64, beta float64) []float64 {
	for i, v := range z {
		if v > 0 {
			z[i] = math.Pow(v, 1+beta*share(i, len(z))*math.Sqrt(v))
		}
	}
	return z
}

// condition is Λ^alpha, in place.
func condition(z []float64, alpha float64) []float64 {
	for i := range z {
		z[i] *= math.Pow(alpha, share(i, len(z))/2)
	}
	return z
}

// shifted is x - xopt.
func (in *instance) shifted(x []float64) []float64 {
	z := make([]float64, len(x))
	for i := range z {
		z[i] = x[i] - in.xopt[i]
	}
	return z
}

// turned is m·z as a new vector.
func turned(m [][]float64, z []float64) []float64 {
	out := make([]float64, len(z))
	multiply(out, m, z)
	return out
}

// valley is max(1, √D/8)·z + 1, in place: where Rosenbrock's valley has its
// usual optimum.
func valley(z []float64) []float64 {
	scale := max(1, math.Sqrt(float64(len(z)))/8)
	for i := range z {
		z[i] = scale*z[i] + 1
	}
	return z
}

// conditioned is the sum of squares with weights of 10^(6 i/(D-1)).
func conditioned(z []float64) float64 {
	var sum float64
	for i, v := range z {
		sum += math.Pow(1e6, share(i, len(z))) * v * v
	}
	return sum
}

// waves is 10(D - Σcos 2πz) + ‖z‖².
func waves(z []float64) float64 {
	var cosines float64
	for _, v := range z {
		cosines += math.Cos(2 * math.Pi * v)
	}
	return 10*(float64(len(z))-cosines) + dot(z, z)
}

// outside is the penalty of leaving [-5, 5].
func outside(x []float64) float64 {
	var sum float64
	for _, v := range x {
		if d := math.Abs(v) - 5; d > 0 {
			sum += d * d
		}
	}
	return sum
}
