// Package model is the analytical core: the cost of one layer (Problem) on a
// hierarchy of memories (Arch) under a loop nest (Mapping), in closed form.
//
//	result := model.Eval(&problem, &arch, &mapping)
//
// Counts are int64 and exact for the given loops; only energy is a float. The
// core knows no accelerator: a template turns its parameters into an Arch and
// chooses mappings.
//
// # Notation
//
// Dimensions are those of a grouped convolution: groups G, batch N, output
// channels per group K, input channels per group C, output rows P and columns
// Q, filter rows R and columns S. A fully connected layer has P = Q = R = S =
// 1, a matrix multiplication has its rows in P, a depthwise convolution has
// its channels in G and K = C = 1.
//
// Levels are ordered from the outermost (off-chip memory) to the innermost
// (registers beside the multiplier). The temporal loops of a level step over
// tiles of the levels inside it; its spatial loops spread those tiles over the
// instances of the next level.
package model
