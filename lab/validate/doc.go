// Package validate compares the cost model with references that this project
// did not make: silicon, RTL simulation, other people's models and compilers.
//
// Run reads whatever rows it finds in a file system and judges each reference
// by the tolerance that docs/validation.md states. No number of a reference's
// row is an input of the model except what the row says of the machine, the
// layer and the mapping; rows are judged, never looked up.
//
// The package does no I/O of its own: the caller gives it the folder as an
// fs.FS.
package validate
