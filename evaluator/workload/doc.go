// Package workload holds neural networks as layer tables: the form in which
// cost models see them.
//
// A Workload is a list of layers in execution order. Every layer carries the
// dimensions of its loop nest (N, K, C, P, Q, R, S), and the layers and inputs
// that it reads: the edges decide how long an activation stays in memory
// (Workload.PeakLiveBytes). Counts of multiply-accumulate operations (MACs),
// weights and bytes are methods, so that a table cannot disagree with itself.
//
// Builtin returns networks that are generated from their published
// architecture; Parse reads the hand-written form, YAML or JSON:
//
//	schema: apollo.workload/v1
//	name: tiny
//	inputs: [{name: image, shape: [1, 8, 8, 3]}]
//	layers:
//	  - {id: c0, op: conv, K: 16, C: 3, P: 4, Q: 4, R: 3, S: 3, stride: [2, 2], act: relu, in: [image]}
//	  - {id: d0, op: dwconv, K: 16, P: 4, Q: 4, R: 3, S: 3, in: [c0]}
//	  - {id: a0, op: eltwise, fn: add, in: [c0, d0]}
//
// Dimensions that follow from the edges may be left out (N, H, W, and all of
// them for operations that keep their input's shape).
//
// The package does no I/O.
package workload
