// Package external runs evaluators that are programs of their own, in any
// language: one line of JSON per design on their standard input, one line with
// the same id on their standard output. docs/plug-in-evaluator.md is the
// protocol.
//
// Open starts a program and returns a Backend, an evaluator.Backend over a
// pool of such processes. The backend owns their life: a process that is too
// slow, or dies, or writes nonsense costs the design at hand and nothing else.
// Every process leads a process group of its own, and the group dies with it.
//
// Check is the conformance suite for authors of such programs.
package external
