package template

// goal is what searches minimise.
type goal struct {
	// cyclesPerPJ is what a picojoule is worth, in cycles.
	cyclesPerPJ float64
}

// leastTime is the goal of the least time, and of equal times the least energy:
// its share stays below a cycle up to 10^12 pJ.
func leastTime() goal { return goal{1e-12} }

// value returns what cycles and picojoules are worth. It falls with neither, so
// the value of two bounds is a bound.
func (g goal) value(cycles, pj float64) float64 { return cycles + g.cyclesPerPJ*pj }

// of returns the value of a cost.
func (g goal) of(c *Cost) float64 { return g.value(float64(c.Cycles), c.EnergyPJ) }

// margin keeps the rounding of a bound from ruling out an equal candidate.
const margin = 1 - 1e-9
