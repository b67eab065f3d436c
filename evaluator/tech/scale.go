package tech

import "math"

// process is a row of the published scaling of CMOS: A. Stillmaker and B. Baas,
// "Scaling equations for the accurate prediction of CMOS device performance from
// 180 nm to 7 nm", Integration 58, 2017, as printed in the library plug-in of
// Accelergy.
type process struct {
	nm float64
	// energy is a polynomial in the supply voltage: a V² + b V + c.
	energy [3]float64
	// area is that of the same circuit, relative to 32 nm.
	area float64
}

// processes are in descending order.
var processes = [...]process{
	{65, [3]float64{3.755, -4.398, 1.975}, 3.3},
	{45, [3]float64{1.103, -0.362, 0.2767}, 2.2},
	{32, [3]float64{0.9559, -0.7823, 0.471}, 1},
	{20, [3]float64{0.373, -0.1582, 0.04104}, 0.46},
	{16, [3]float64{0.2958, -0.1241, 0.03024}, 0.41},
}

// at returns a figure at a node, between two of the table log-log.
func at(nm float64, of func(*process) float64) float64 {
	i := 1
	for i < len(processes)-1 && processes[i].nm > nm {
		i++
	}
	a, b := &processes[i-1], &processes[i]
	t := math.Log(nm/a.nm) / math.Log(b.nm/a.nm)
	return of(a) * math.Pow(of(b)/of(a), t)
}

// Switching returns the energy of the same logic at a node, 16 to 65 nm, and a
// supply voltage, relative to other nodes and voltages.
func Switching(nm, volts float64) float64 {
	return at(nm, func(p *process) float64 { return (p.energy[0]*volts+p.energy[1])*volts + p.energy[2] })
}

// Layout returns the area of the same circuit at a node, 16 to 65 nm, relative to
// other nodes.
func Layout(nm float64) float64 { return at(nm, func(p *process) float64 { return p.area }) }
