// Package template holds the published accelerators that a study can search
// besides evaluator/edge: each is a Spec, a list of parameters and a function
// from their values to a machine.
//
// Adding one is one file with a function that returns its Spec, and one row of
// Specs; CONTRIBUTING.md has the recipe. A machine either gives the
// core a hierarchy of memories with the spreads that its wires allow, and lets
// the package search the tiles (loops), or brings a closed form of its own.
//
// Layers run one after the other, activations pass through off-chip memory
// between them, latency is that of a cold inference.
package template
