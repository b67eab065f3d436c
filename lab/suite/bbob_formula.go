package suite

import "math"

// The formulas of the 24 functions, each 0 at its optimum.

func sphere(in *instance, x []float64) float64 {
	z := in.shifted(x)
	return dot(z, z)
}

func ellipsoid(in *instance, x []float64) float64 {
	return conditioned(oscillateAll(in.shifted(x)))
}

func rastrigin(in *instance, x []float64) float64 {
	return waves(condition(skew(oscillateAll(in.shifted(x)), 0.2), 10))
}

// evenPositive puts the optimum of every other parameter, the first included,
// on the positive side.
func evenPositive(in *instance, _ int) {
	for i := 0; i < len(in.xopt); i += 2 {
		in.xopt[i] = math.Abs(in.xopt[i])
	}
}

func buecheRastrigin(in *instance, x []float64) float64 {
	z := oscillateAll(in.shifted(x))
	for i := range z {
		s := math.Pow(10, share(i, len(z))/2)
		if z[i] > 0 && i%2 == 0 {
			s *= 10
		}
		z[i] *= s
	}
	return waves(z) + 100*outside(x)
}

// atCorner moves the optimum to a corner.
func atCorner(in *instance, _ int) {
	for i, v := range in.xopt {
		in.xopt[i] = math.Copysign(5, v)
	}
}

func linearSlope(in *instance, x []float64) float64 {
	var sum float64
	for i, v := range x {
		s := math.Copysign(math.Pow(10, share(i, len(x))), in.xopt[i])
		if v*in.xopt[i] >= 25 {
			v = in.xopt[i]
		}
		sum += 5*math.Abs(s) - s*v
	}
	return sum
}

func attractiveSector(in *instance, x []float64) float64 {
	z := turned(in.q, condition(turned(in.r, in.shifted(x)), 10))
	var sum float64
	for i, v := range z {
		if v*in.xopt[i] > 0 {
			v *= 100
		}
		sum += v * v
	}
	return math.Pow(oscillate(sum), 0.9)
}

func stepEllipsoid(in *instance, x []float64) float64 {
	z := condition(turned(in.r, in.shifted(x)), 10)
	first := math.Abs(z[0])
	for i, v := range z {
		if math.Abs(v) > 0.5 {
			z[i] = math.Floor(0.5 + v)
		} else {
			z[i] = math.Floor(0.5+10*v) / 10
		}
	}
	z = turned(in.q, z)
	var sum float64
	for i, v := range z {
		sum += math.Pow(100, share(i, len(z))) * v * v
	}
	return 0.1*max(first/1e4, sum) + outside(x)
}

// inner draws the optimum nearer to the middle.
func inner(in *instance, _ int) {
	for i := range in.xopt {
		in.xopt[i] *= 0.75
	}
}

func valleyOf(z []float64) float64 {
	var sum float64
	for i := range len(z) - 1 {
		a, b := z[i]*z[i]-z[i+1], z[i]-1
		sum += 100*a*a + b*b
	}
	return sum
}

func rosenbrock(in *instance, x []float64) float64 {
	return valleyOf(valley(in.shifted(x)))
}

// rosenbrockOptimum is where the rotated functions of the report, which have no
// shift, have their optimum: max(1, √D/8)·R·xopt = 1/2.
func rosenbrockOptimum(in *instance, _ int) {
	dims := len(in.xopt)
	scale := max(1, math.Sqrt(float64(dims))/8)
	for j := range in.xopt {
		var sum float64
		for i := range dims {
			sum += in.r[i][j]
		}
		in.xopt[j] = sum / (2 * scale)
	}
}

func rosenbrockRotated(in *instance, x []float64) float64 {
	return valleyOf(valley(turned(in.r, in.shifted(x))))
}

func ellipsoidRotated(in *instance, x []float64) float64 {
	return conditioned(oscillateAll(turned(in.r, in.shifted(x))))
}

func discus(in *instance, x []float64) float64 {
	z := oscillateAll(turned(in.r, in.shifted(x)))
	return 1e6*z[0]*z[0] + dot(z[1:], z[1:])
}

func bentCigar(in *instance, x []float64) float64 {
	z := turned(in.r, skew(turned(in.r, in.shifted(x)), 0.5))
	return z[0]*z[0] + 1e6*dot(z[1:], z[1:])
}

func sharpRidge(in *instance, x []float64) float64 {
	z := turned(in.q, condition(turned(in.r, in.shifted(x)), 10))
	return z[0]*z[0] + 100*math.Sqrt(dot(z[1:], z[1:]))
}

func differentPowers(in *instance, x []float64) float64 {
	z := turned(in.r, in.shifted(x))
	var sum float64
	for i, v := range z {
		sum += math.Pow(math.Abs(v), 2+4*share(i, len(z)))
	}
	return math.Sqrt(sum)
}

func rastriginRotated(in *instance, x []float64) float64 {
	z := skew(oscillateAll(turned(in.r, in.shifted(x))), 0.2)
	return waves(turned(in.r, condition(turned(in.q, z), 10)))
}

func weierstrass(in *instance, x []float64) float64 {
	z := condition(turned(in.q, oscillateAll(turned(in.r, in.shifted(x)))), 0.01)
	z = turned(in.r, z)
	dims := float64(len(z))
	var sum, least float64
	half, three := 1.0, 1.0
	for range 12 {
		least += half * math.Cos(math.Pi*three)
		for _, v := range z {
			sum += half * math.Cos(2*math.Pi*three*(v+0.5))
		}
		half, three = half/2, three*3
	}
	mean := sum/dims - least
	return 10*mean*mean*mean + 10/dims*outside(x)
}

func schaffers(in *instance, x []float64, alpha float64) float64 {
	z := condition(turned(in.q, skew(turned(in.r, in.shifted(x)), 0.5)), alpha)
	var sum float64
	for i := range len(z) - 1 {
		s := math.Hypot(z[i], z[i+1])
		wave := math.Sin(50 * math.Pow(s, 0.2))
		sum += math.Sqrt(s) * (1 + wave*wave)
	}
	mean := sum / float64(len(z)-1)
	return mean*mean + 10*outside(x)
}

func griewankRosenbrock(in *instance, x []float64) float64 {
	z := valley(turned(in.r, in.shifted(x)))
	var sum float64
	for i := range len(z) - 1 {
		a, b := z[i]*z[i]-z[i+1], 1-z[i]
		s := 100*a*a + b*b
		sum += s/4000 - math.Cos(s)
	}
	return 10*sum/float64(len(z)-1) + 10
}

// schwefelOptimum is the optimum of Schwefel's function in one dimension,
// divided by 100.
const schwefelOptimum = 4.2096874633

// schwefelSigns draws the corner that the optimum is near to.
func schwefelSigns(in *instance, seed int) { in.corner(seed, schwefelOptimum/2) }

// corner draws signs and puts the optimum at them times the distance.
func (in *instance) corner(seed int, distance float64) {
	in.signs = uniform(len(in.xopt), seed)
	for i, u := range in.signs {
		in.signs[i] = 1
		if u < 0.5 {
			in.signs[i] = -1
		}
		in.xopt[i] = in.signs[i] * distance
	}
}

// schwefel is the report's with x shifted, so that the optimum may lie where it
// is wanted: signs·2·x there is 2·signs·(x-xopt) + 4.2096874633 here.
func schwefel(in *instance, x []float64) float64 {
	dims := len(x)
	doubled := in.shifted(x)
	for i := range doubled {
		doubled[i] = 2*in.signs[i]*doubled[i] + schwefelOptimum
	}
	z := make([]float64, dims)
	for i, v := range doubled {
		z[i] = v - schwefelOptimum
		if i > 0 {
			z[i] += 0.25 * (doubled[i-1] - schwefelOptimum)
		}
	}
	var sum, beyond float64
	for _, v := range condition(z, 10) {
		v = 100 * (v + schwefelOptimum)
		sum += v * math.Sin(math.Sqrt(math.Abs(v)))
		if d := math.Abs(v/100) - 5; d > 0 {
			beyond += d * d
		}
	}
	// The largest value of v·sin√|v|/100 on [-500, 500] (report, f20).
	const largest = 4.189828872724339
	return largest - sum/(100*float64(dims)) + 100*beyond
}

func gallagherPeaks(in *instance, x []float64) float64 {
	dims := len(x)
	z := turned(in.r, x)
	var highest float64
	for _, p := range in.peaks {
		var sum float64
		for j := range z {
			d := z[j] - p.at[j]
			sum += p.scale[j] * d * d
		}
		highest = max(highest, p.weight*math.Exp(-sum/(2*float64(dims))))
	}
	v := oscillate(10 - highest)
	return v*v + outside(x)
}

func katsuura(in *instance, x []float64) float64 {
	z := turned(in.q, condition(turned(in.r, in.shifted(x)), 100))
	dims := float64(len(z))
	product := 1.0
	for i, v := range z {
		var sum float64
		for j := 1; j <= 32; j++ {
			p := math.Ldexp(1, j)
			sum += math.Abs(p*v-math.Round(p*v)) / p
		}
		product *= math.Pow(1+float64(i+1)*sum, 10/math.Pow(dims, 1.2))
	}
	return 10/(dims*dims)*(product-1) + outside(x)
}

// lunacekNear is the center of the better funnel.
const lunacekNear = 2.5

// lunacekSigns draws the corner of the better funnel.
func lunacekSigns(in *instance, seed int) {
	in.signs = gaussian(len(in.xopt), seed)
	for i, g := range in.signs {
		in.signs[i] = math.Copysign(1, g)
		in.xopt[i] = in.signs[i] * lunacekNear / 2
	}
}

func lunacek(in *instance, x []float64) float64 {
	dims := float64(len(x))
	s := 1 - 1/(2*math.Sqrt(dims+20)-8.2)
	far := -math.Sqrt((lunacekNear*lunacekNear - 1) / s)
	z := in.shifted(x)
	var near, beyond float64
	for i := range z {
		z[i] *= 2 * in.signs[i]
		v := z[i] + lunacekNear
		near += (v - lunacekNear) * (v - lunacekNear)
		beyond += (v - far) * (v - far)
	}
	z = turned(in.q, condition(turned(in.r, z), 100))
	var cosines float64
	for _, v := range z {
		cosines += math.Cos(2 * math.Pi * v)
	}
	return min(near, dims+s*beyond) + 10*(dims-cosines) + 1e4*outside(x)
}
