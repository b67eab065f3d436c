package bench

import (
	"context"
	"path"
	"time"

	"apollo/evaluator"
	"apollo/events"
	"apollo/optimizer"
	"apollo/optimizer/space"
	process "apollo/services/child"
)

// CPUCounter is implemented by strategies that also work outside this process:
// it returns the CPU time that they have used there so far, in seconds.
type CPUCounter interface{ CPUSeconds() float64 }

// laneContender is a contender in a lane: it adds what the lane gives for free, takes
// away what the contender goes without, and counts CPU time.
type laneContender struct {
	inner optimizer.Algorithm
	task  *Task
	cell  *Job
	meter *meter
}

// Start implements optimizer.Algorithm.
func (d *laneContender) Start(p optimizer.Problem) (optimizer.Strategy, error) {
	if d.cell.NoFeatures {
		p.Features = nil
	}
	if d.cell.Lane == AllKnown {
		p.Legal = allKnown(p, d.task.Evaluator)
	}
	var baseline space.Point
	if d.cell.Lane == Paper && d.task.Baseline != nil {
		var err error
		if baseline, err = p.Space.Point(d.task.Baseline); err != nil {
			return nil, err
		}
	}
	began := process.CPUTime().Seconds()
	s, err := d.inner.Start(p)
	d.meter.cpu += process.CPUTime().Seconds() - began
	if err != nil {
		return nil, err
	}
	d.meter.inner = s
	return &metered{inner: s, meter: d.meter, baseline: baseline}, nil
}

// allKnown returns the legality of a problem together with the evaluator's own
// verdict. What was judged is remembered: searches ask again and again.
func allKnown(p optimizer.Problem, ev evaluator.Evaluator) func(space.Point) bool {
	var known space.Map[bool]
	free := p.Legal
	return func(at space.Point) bool {
		if free != nil && !free(at) {
			return false
		}
		key := p.Space.Key(at)
		ok, seen := known.Get(key)
		if !seen {
			r, err := ev.Evaluate(context.Background(), evaluator.Request{Trial: -1, Design: p.Space.Values(at)})
			ok = err == nil && r.Outcome == evaluator.Measured
			known.Put(key, ok)
		}
		return ok
	}
}

// meter adds up the CPU time of a strategy.
type meter struct {
	inner optimizer.Strategy
	// cpu is the time in this process, in seconds.
	cpu float64
}

// seconds is all CPU time so far.
func (m *meter) seconds() float64 {
	if outside, ok := m.inner.(CPUCounter); ok {
		return m.cpu + outside.CPUSeconds()
	}
	return m.cpu
}

// metered is a running strategy whose time is counted. In lane Paper its first
// proposal is the baseline.
type metered struct {
	inner    optimizer.Strategy
	meter    *meter
	baseline space.Point
}

// Ask implements optimizer.Strategy.
func (m *metered) Ask(at uint64, n int, pending []space.Point) ([]optimizer.Proposal, error) {
	var out []optimizer.Proposal
	if at == 0 && m.baseline != nil {
		out = append(out, optimizer.Proposal{Point: m.baseline.Clone(), Origin: "baseline"})
		if n == 1 {
			return out, nil
		}
		pending = append(pending, m.baseline)
		at, n = 1, n-1
	}
	began := process.CPUTime().Seconds()
	proposals, err := m.inner.Ask(at, n, pending)
	m.meter.cpu += process.CPUTime().Seconds() - began
	return append(out, proposals...), err
}

// Tell implements optimizer.Strategy.
func (m *metered) Tell(obs ...optimizer.Observation) {
	began := process.CPUTime().Seconds()
	m.inner.Tell(obs...)
	m.meter.cpu += process.CPUTime().Seconds() - began
}

// matchName is path.Match for names without slashes.
func matchName(pattern, name string) (bool, error) { return path.Match(pattern, name) }

// microseconds is a time as the log keeps it.
func microseconds(t time.Time) events.Micros { return events.Micros(t.UnixMicro()) }
