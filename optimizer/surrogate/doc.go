// Package surrogate holds the models that strategies put in place of costly
// evaluations: an exact Gaussian process on the design lattice, a model of
// feasibility, regressors for ensembles, and the transforms of labels and
// designs that they need.
//
// All of it is pure: the same inputs give the same outputs, bit for bit on one
// platform; nothing draws randomness that was not passed in, does I/O or starts
// a goroutine. Models are minimised-value agnostic: what a label means is the
// strategy's affair, except where a name says otherwise.
package surrogate
