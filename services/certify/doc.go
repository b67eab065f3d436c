// Package certify proves the best design of a study's space: no legal design
// has a better value.
//
// A proof visits every legal design, one by one or in groups. The evaluator of
// the template fixes the parameters in stages (evaluator.Prover); a group of
// designs that share the first stages is left out when its bound is worse than
// the best value known, so designs that tie with the optimum are always
// counted. Groups are visited in the order of their bounds, in rounds: all
// groups of a round start from the best value before it, which makes every
// count independent of the number of workers and of interruptions.
//
// A template whose evaluator cannot bound partial designs is enumerated.
package certify
