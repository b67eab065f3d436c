// Package tech holds what a technology node costs: area, energy per access and
// leakage of memories, multipliers, adders, registers and off-chip transfers.
//
// A node is a value made of published figures, each with its source beside it.
// There is one file per node. Nothing falls back silently: what a node does
// not know is not in its type, and sizes outside the table follow the rule
// that SRAM states.
package tech
