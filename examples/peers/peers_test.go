// Package peers tests the peer that needs nothing but Python; the adapters of
// libraries are checked by `make peers`.
package peers

import (
	"os/exec"
	"slices"
	"testing"
	"time"

	"apollo/lab/peer"
	"apollo/optimizer"
	"apollo/optimizer/space"
)

// local_search.py follows the protocol: every design that it suggests is taken
// as it is, within its cap of checks, and it ends better than it began.
func TestLocalSearch(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("there is no python3")
	}
	params := []space.Param{{Name: "kind", Labels: []string{"a", "b", "c"}}}
	for _, name := range []string{"x", "y", "z"} {
		params = append(params, space.Param{Name: name, Values: []float64{1, 2, 4, 8, 16, 32, 64, 128}})
	}
	sp, err := space.New(params...)
	if err != nil {
		t.Fatal(err)
	}
	const trials = 40
	p := peer.Peer{Command: "python3 local_search.py", Budget: trials, Timeout: time.Minute}
	s, err := p.Start(optimizer.Problem{
		Space: sp, Seed: 3,
		Legal:    func(p space.Point) bool { return p[1]+p[2]+p[3] <= 9 },
		Features: func(p space.Point) []float64 { return []float64{float64(p[1] + p[2])} },
	})
	if err != nil {
		t.Fatal(err)
	}
	running := s.(*peer.Strategy)
	t.Cleanup(func() { _ = running.Close() })
	var values []float64
	for at := range uint64(trials) {
		proposals, err := s.Ask(at, 1, nil)
		if err != nil {
			t.Fatal(err)
		}
		q := proposals[0].Point
		o := optimizer.Observation{Point: q, Trial: int(at)}
		if q[0] == 2 {
			o.Status = optimizer.Infeasible
		} else {
			value := float64(20 - q[1] - 2*q[2] + q[0])
			o.Values = []float64{value}
			values = append(values, value)
		}
		s.Tell(o)
	}
	stats := running.Stats()
	if stats.Checks == 0 || stats.Illegal+stats.Duplicate+stats.Moved+stats.Refused+stats.Replaced != 0 {
		t.Errorf("stats %+v: want checks, and every suggestion taken", stats)
	}
	// The best is 4 (level 2 of x, 7 of y); forty trials get near.
	if best := slices.Min(values); best > 8 || best >= values[0] && values[0] > 8 {
		t.Errorf("the best of %d trials is %v, the first was %v", trials, best, values[0])
	}
}
