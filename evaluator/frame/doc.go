// Package frame makes a template out of what only it knows. A Spec names its
// parameters, constants and metrics and gives a Model: how long a design takes
// for each network, and where the time goes. The frame does the rest, once for
// all templates: it binds tasks, checks networks, means over them, moves
// constants, answers the tools that look at single designs, and bounds partial
// designs for proofs.
package frame
