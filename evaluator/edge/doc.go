// Package edge is the template of an Edge-TPU-like accelerator: ten
// parameters, a chip made of them, and a backend that measures latency, area
// and energy of the chip on networks, in closed form.
//
// Template returns everything a study needs; Explain answers in detail for one
// design. docs/model.md describes the machine, every formula and every
// constant.
package edge
