// Package edge is the template of an Edge-TPU-like accelerator: ten
// parameters, a chip made of them, and its latency, area and energy on
// networks, in closed form.
//
// docs/model.md describes the machine, every formula and every constant.
package edge
