package surrogate

import (
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
)

func near(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tolerance*max(1, math.Abs(want))) {
		t.Errorf("%s = %.15g, want %.15g", what, got, want)
	}
}

// cloud is n random inputs of d coordinates, every third one a category.
func cloud(seed uint64, n, d int) (categorical []bool, x, y []float64) {
	rng := rand.New(rand.NewPCG(seed, 0))
	categorical = make([]bool, d)
	for c := range categorical {
		categorical[c] = c%3 == 2
	}
	for range n {
		sum := 0.0
		for c := range d {
			v := float64(rng.IntN(8)) / 7
			if categorical[c] {
				v = float64(rng.IntN(4))
			}
			x = append(x, v)
			sum += math.Sin(3*v + float64(c))
		}
		y = append(y, sum+0.01*rng.NormFloat64())
	}
	return categorical, x, y
}

func hyperOf(d int) Hyper {
	h := Hyper{LogSignal: 0.3, LogNoise: -4}
	for c := range d {
		h.LogScale = append(h.LogScale, -0.5+0.3*float64(c))
	}
	return h
}

// The values are closed forms of Rasmussen and Williams 2006, equation 4.17,
// at r = 1 with σ² = 2: 2(1 + √5 + 5/3)e^−√5.
func TestKernel(t *testing.T) {
	t.Parallel()
	k := newKernel([]bool{false, true}, Hyper{LogScale: []float64{math.Log(0.5), math.Log(2)}, LogSignal: math.Log(2)})
	one := 2 * (1 + math.Sqrt(5) + 5.0/3) * math.Exp(-math.Sqrt(5))
	at := func(a, b []float64) float64 { return k.at(k.scale(nil, a), k.scale(nil, b)) }
	near(t, "k at 0", at([]float64{0.3, 1}, []float64{0.3, 1}), 2, 1e-15)
	near(t, "k at 1", at([]float64{0, 1}, []float64{0.5, 1}), one, 1e-14)
	half := math.Sqrt(5) / 2 // a category that differs, at ℓ = 2: r = 1/2
	near(t, "k of categories", at([]float64{0, 1}, []float64{0, 7}), 2*(1+half+half*half/3)*math.Exp(-half), 1e-14)
}

// With one input everything has a closed form, and with two the matrix has.
func TestPosteriorOfOneAndTwo(t *testing.T) {
	t.Parallel()
	h := Hyper{LogScale: []float64{0}, LogSignal: math.Log(2), LogNoise: math.Log(0.5)}
	g, err := NewGP([]bool{false}, h, 2)
	if err != nil {
		t.Fatal(err)
	}
	noise := 0.5 + jitter*2
	g.Append([]float64{0})
	g.SetLabels([]float64{3})
	k := 2 * (1 + math.Sqrt(5) + 5.0/3) * math.Exp(-math.Sqrt(5)) // at distance 1
	mean, deviation := make([]float64, 1), make([]float64, 1)
	g.Predict([]float64{1}, mean, deviation)
	near(t, "mean of one", mean[0], k*3/(2+noise), 1e-14)
	near(t, "deviation of one", deviation[0], math.Sqrt(2-k*k/(2+noise)), 1e-14)
	near(t, "Mean", g.Mean([]float64{1}), mean[0], 1e-14)

	g.Append([]float64{1})
	g.SetLabels([]float64{3, -1})
	a, b := 2+noise, k
	det := a*a - b*b
	w0, w1 := (a*3+b)/det, (-a-b*3)/det // [[a b][b a]]⁻¹ (3, −1)
	g.Predict([]float64{0}, mean, deviation)
	near(t, "mean of two", mean[0], 2*w0+k*w1, 1e-13)
	near(t, "deviation of two", deviation[0], math.Sqrt(2-(a*4-2*b*2*k+a*k*k)/det), 1e-12)
	near(t, "evidence", g.Evidence([]float64{3, -1}), -(3*w0-w1)/2-math.Log(det)/2-math.Log(2*math.Pi), 1e-13)
}

// trendedOf is hyperOf with a trend.
func trendedOf(d int) Hyper {
	h := hyperOf(d)
	h.LogTrend, h.Trended = -0.4, true
	return h
}

// The covariances of a trend of one coordinate at τ² = 2: its line and its parabola
// have variance 1 each over [0, 1], that is 12·u·v and 180·(u² − 1/12)(v² − 1/12).
// Categories have none.
func TestTrend(t *testing.T) {
	t.Parallel()
	h := Hyper{LogScale: []float64{0, 0}, LogSignal: math.Log(2), LogTrend: math.Log(2), Trended: true}
	k := newKernel([]bool{true, false}, h)
	plain := newKernel([]bool{true, false}, Hyper{LogScale: h.LogScale, LogSignal: h.LogSignal})
	a, b := []float64{3, 1}, []float64{5, 0.25} // 1/2 and −1/4 from the middle
	want := 12*-0.125 + 180*(0.25-1.0/12)*(0.0625-1.0/12)
	near(t, "trend", k.at(k.scale(nil, a), k.scale(nil, b))-plain.at(plain.scale(nil, a), plain.scale(nil, b)), want, 1e-13)
	near(t, "variance", k.variance(k.scale(nil, a)), 2+12*0.25+180*(0.25-1.0/12)*(0.25-1.0/12), 1e-13)
}

// A sum of parabolas is known from few designs, far from them too, and the fit says so.
func TestTrendLearnsASumOfParabolas(t *testing.T) {
	t.Parallel()
	const d, n = 6, 30
	rng := rand.New(rand.NewPCG(4, 0))
	bowl := func(x []float64) (sum float64) {
		for i, v := range x {
			sum += (v - 0.1*float64(i)) * (v - 0.1*float64(i))
		}
		return sum
	}
	var x, y []float64
	for range n {
		row := make([]float64, d)
		for i := range row {
			row[i] = rng.Float64()
		}
		x, y = append(x, row...), append(y, bowl(row))
	}
	labels, mean, deviation := Standardize(y)
	prior := DefaultPrior()
	miss := map[bool]float64{}
	for _, trended := range []bool{false, true} {
		if trended {
			prior.Trend = Normal{Deviation: 1}
		}
		categorical := make([]bool, d)
		g := process(t, categorical, Fit{Prior: prior}.Hyper(categorical, x, labels), x, n)
		g.SetLabels(labels)
		corner := []float64{1, 1, 1, 1, 1, 1}
		miss[trended] = math.Abs(mean + deviation*g.Mean(corner) - bowl(corner))
	}
	if !(miss[true] < 0.2 && miss[true] < miss[false]/2) {
		t.Errorf("off by %v at a corner with a trend, want less than 0.2 and half of the %v without", miss[true], miss[false])
	}
}

// The gradient against central differences, with categories and a trend, at several places.
func TestGradient(t *testing.T) {
	t.Parallel()
	categorical, x, y := cloud(1, 25, 4)
	prior := VizierPrior()
	prior.Trend = Normal{Mean: 0.2, Deviation: 1}
	p := newPosterior(categorical, prior, x, y)
	for _, shift := range []float64{-1, 0, 0.7} {
		theta := trendedOf(4).flat()
		for i := range theta {
			theta[i] += shift
		}
		got, scratch := make([]float64, len(theta)), make([]float64, len(theta))
		p.at(theta, got)
		for i := range theta {
			const step = 1e-5 // error about step² = 1e-10, and 1e-16/step of rounding
			up, down := slices.Clone(theta), slices.Clone(theta)
			up[i] += step
			down[i] -= step
			want := (p.at(up, scratch) - p.at(down, scratch)) / (2 * step)
			near(t, "slope", got[i], want, 1e-5)
		}
	}
}

// The value that is minimised is the negative evidence and the penalty.
func TestPosteriorIsEvidence(t *testing.T) {
	t.Parallel()
	categorical, x, y := cloud(2, 20, 3)
	h := trendedOf(3)
	g := process(t, categorical, h, x, len(y))
	g.SetLabels(y)
	prior := DefaultPrior()
	prior.Trend = Normal{Mean: 0, Deviation: 1}
	theta := h.flat()
	gradient := make([]float64, len(theta))
	got := newPosterior(categorical, prior, x, y).at(theta, gradient)
	near(t, "posterior", got, -g.Evidence(y)+prior.penalty(nil, len(categorical), theta, gradient), 1e-12)
}

func process(t *testing.T, categorical []bool, h Hyper, x []float64, n int) *GP {
	t.Helper()
	g, err := NewGP(categorical, h, n+5)
	if err != nil {
		t.Fatal(err)
	}
	d := len(categorical)
	for i := range n {
		g.Append(x[i*d : (i+1)*d])
	}
	return g
}

// Appending, dropping and appending again is the same process, bit for bit,
// and pending inputs narrow deviations without moving means.
func TestAppendAndTruncate(t *testing.T) {
	t.Parallel()
	categorical, x, y := cloud(3, 40, 3)
	g := process(t, categorical, trendedOf(3), x, 30)
	g.SetLabels(y[:30])
	probe := x[35*3 : 36*3]
	mean, deviation, mean2, deviation2 := []float64{0}, []float64{0}, []float64{0}, []float64{0}
	g.Predict(probe, mean, deviation)
	g.Append(probe)
	g.Predict(probe, mean2, deviation2)
	near(t, "mean with a pending input", mean2[0], mean[0], 1e-12)
	if !(deviation2[0] < deviation[0]/2) {
		t.Errorf("a pending input leaves deviation %v, was %v", deviation2[0], deviation[0])
	}
	g.Truncate(30)
	g.SetLabels(y[:30])
	g.Predict(probe, mean2, deviation2)
	if mean[0] != mean2[0] || deviation[0] != deviation2[0] || g.Len() != 30 {
		t.Errorf("after Truncate: %v ± %v, want %v ± %v", mean2, deviation2, mean, deviation)
	}
}

// Batches of any size give what single predictions give.
func TestPredictBatches(t *testing.T) {
	t.Parallel()
	categorical, x, y := cloud(4, 60, 3)
	g := process(t, categorical, hyperOf(3), x, 30)
	g.SetLabels(y[:30])
	mean, deviation := make([]float64, 30), make([]float64, 30)
	g.Predict(x[90:], mean, deviation)
	for i := range mean {
		m, d := []float64{0}, []float64{0}
		g.Predict(x[90+3*i:93+3*i], m, d)
		if m[0] != mean[i] || d[0] != deviation[i] {
			t.Errorf("candidate %d: %v ± %v in a batch, %v ± %v alone", i, mean[i], deviation[i], m[0], d[0])
		}
	}
}

// Repeated inputs and hyper-parameters at the edge must not give NaN.
func TestSingular(t *testing.T) {
	t.Parallel()
	for _, noise := range []float64{-40, math.Log(1e-6), 2} {
		h := Hyper{LogScale: []float64{math.Log(100)}, LogSignal: math.Log(1e3), LogNoise: noise}
		g, err := NewGP([]bool{false}, h, 40)
		if err != nil {
			t.Fatal(err)
		}
		y := make([]float64, 40)
		for i := range y {
			g.Append([]float64{float64(i%3) / 2})
			y[i] = float64(i % 3)
		}
		g.SetLabels(y)
		mean, deviation := []float64{0}, []float64{0}
		g.Predict([]float64{0.25}, mean, deviation)
		if !finite(mean[0]) || !finite(deviation[0]) || deviation[0] <= 0 {
			t.Errorf("noise %v: %v ± %v", noise, mean, deviation)
		}
	}
	if _, err := NewGP([]bool{false, true}, Hyper{LogScale: []float64{0}}, 1); err == nil {
		t.Error("one length scale for two coordinates is accepted")
	}
}

// Data drawn from a known process give back its hyper-parameters, within what
// 150 inputs can tell, and an irrelevant coordinate gets a long scale.
func TestFitFindsTheProcess(t *testing.T) {
	t.Parallel()
	const n = 150
	rng := rand.New(rand.NewPCG(7, 7))
	categorical := []bool{false, false}
	x := make([]float64, 2*n)
	for i := range x {
		x[i] = rng.Float64()
	}
	truth := Hyper{LogScale: []float64{math.Log(0.3), math.Log(30)}, LogNoise: math.Log(1e-2)}
	g := process(t, categorical, truth, x, n)
	y := make([]float64, n) // L·z has the covariance LLᵀ
	z := make([]float64, n)
	for i := range z {
		z[i] = rng.NormFloat64()
		for j, l := range g.chol.row(i) {
			y[i] += l * z[j]
		}
	}
	got := Fit{}.Hyper(categorical, x, y)
	if math.Abs(got.LogScale[0]-truth.LogScale[0]) > 0.5 || got.LogScale[1] < 0.5 || math.Abs(got.LogNoise-truth.LogNoise) > 0.5 {
		t.Errorf("Hyper = %+v, want about %+v", got, truth)
	}
	again := Fit{}.Hyper(categorical, x, y)
	if !slices.Equal(got.flat(), again.flat()) {
		t.Errorf("a second fit gives %+v, was %+v", again, got)
	}
	if mode := (Fit{}).Hyper(categorical, nil, nil); mode.LogScale[1] != math.Log(0.8) {
		t.Errorf("without data the scale is %v, want the prior's mode", mode.LogScale)
	}
}

// Rosenbrock's function, minimum 0 at (1, 1), and a box that cuts it off.
func TestMinimizer(t *testing.T) {
	t.Parallel()
	f := func(x, gradient []float64) float64 {
		a, b := x[1]-x[0]*x[0], 1-x[0]
		gradient[0], gradient[1] = -400*a*x[0]-2*b, 200*a
		return 100*a*a + b*b
	}
	x := []float64{-1.2, 1}
	m := minimizer{low: []float64{-5, -5}, high: []float64{5, 5}, evaluations: 300}
	near(t, "minimum", m.minimize(f, x), 0, 1e-5)
	near(t, "x", x[0], 1, 1e-2)
	// With x₀ ≤ 0.5 the minimum is at (0.5, 0.25): (1 − 0.5)².
	x = []float64{-1.2, 1}
	m = minimizer{low: []float64{-5, -5}, high: []float64{0.5, 5}, evaluations: 300}
	near(t, "minimum in the box", m.minimize(f, x), 0.25, 1e-4)
	if m.evaluations < 0 {
		t.Errorf("the budget of evaluations is exceeded: %d", m.evaluations)
	}
}

func BenchmarkGP(b *testing.B) {
	for _, n := range []int{100, 250, 500} {
		categorical, x, y := cloud(1, n+800, 12)
		mean, deviation := make([]float64, 800), make([]float64, 800)
		var g *GP
		b.Run("build/"+strconv.Itoa(n), func(b *testing.B) {
			for b.Loop() {
				g, _ = NewGP(categorical, hyperOf(12), n)
				for i := range n {
					g.Append(x[i*12 : (i+1)*12])
				}
				g.SetLabels(y[:n])
			}
		})
		b.Run("predict800/"+strconv.Itoa(n), func(b *testing.B) {
			for b.Loop() {
				g.Predict(x[n*12:], mean, deviation)
			}
		})
		p := newPosterior(categorical, DefaultPrior(), x, y[:n])
		theta := hyperOf(12).flat()
		gradient := make([]float64, len(theta))
		b.Run("gradient/"+strconv.Itoa(n), func(b *testing.B) {
			for b.Loop() {
				p.at(theta, gradient)
			}
		})
	}
}
