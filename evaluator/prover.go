package evaluator

import "apollo/optimizer/space"

// Prover is implemented by evaluators whose answers can be bounded from below
// before a design is complete, so that the best design of a space can be proven
// without measuring all of it.
//
// A prover that is also a Checker promises that no value of Check falls when a
// numeric parameter rises, so that the smallest and the largest completion of a
// partial design enclose all of them.
type Prover interface {
	// Stages groups the indices of Task.Params in the order in which a proof
	// fixes them. Every index is in exactly one group; there are at least two.
	Stages() [][]int
	// NewProbe returns the state of one walk over partial designs, which only
	// one goroutine may use. wanted has one entry per metric of the
	// description: the probe may leave out the others.
	NewProbe(wanted []bool) Probe
}

// Probe bounds partial designs.
type Probe interface {
	// Fix takes the values of a stage's parameters from design; those of the
	// stages before are as they were last fixed, those of later ones are not
	// read. Into values, which is as long as the description's metrics, it
	// writes for each wanted metric a number that no completion of the design
	// is below; at the last stage it is the value that Evaluate gives, bit for
	// bit. Fix returns false, and values mean nothing, when every completion is
	// infeasible; at the last stage exactly when the design is.
	Fix(stage int, design []space.Value, values []float64) bool
}
