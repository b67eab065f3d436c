package study

import (
	"apollo/events"
	"apollo/optimizer"
	"apollo/optimizer/space"
)

// Knowledge is what a run starts with: what its pinned sources gave.
type Knowledge struct {
	// Merged are trials of the same measurement under other constraints. They
	// are told to the strategy before the first ask.
	Merged []Known
	// Best are those of Merged that become trials of this run without an
	// evaluation, so that its answer is never worse than what was known.
	Best []Known
	// Tasks are the sources that measured something else, in this study's space
	// and units, judged under its constraints.
	Tasks []optimizer.Task
	// Workload describes this study's networks as the tasks' Workload does
	// theirs; nil when a network's layers are not known.
	Workload []float64
}

// Known is a trial of a source in the study's space.
type Known struct {
	// From is "study/trial".
	From    string
	Point   space.Point
	Design  events.Design
	Outcome string
	Values  []float64 // per Spec.Metrics of this study
	Reason  *events.Reason
}
