// Package stats compares search strategies by their regret curves.
//
// A curve holds the regret of the best feasible design after each trial. Curves
// come in cells of task, algorithm and seed; seeds are paired: cell s of every
// algorithm started from the same seed. Intervals are percentile bootstraps
// that resample seeds within each task, the same seeds for all algorithms, so
// that they speak of new seeds on these tasks.
package stats
