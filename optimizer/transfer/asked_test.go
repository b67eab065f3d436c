package transfer_test

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"apollo/optimizer"
	"apollo/optimizer/space"
	"apollo/optimizer/transfer"
)

// asked is a model that can be asked for every design.
func asked(t *testing.T, s space.Space, value func(space.Point) float64) optimizer.Task {
	task := study(t, "fast/v1", s, value)
	task.Ask = func(p space.Point) (optimizer.Observation, error) {
		return optimizer.Observation{Point: p, Values: []float64{value(p)}, Trial: -1}, nil
	}
	return task
}

func TestAModelLeadsWhereItIsRight(t *testing.T) {
	t.Parallel()
	s := lattice(t)
	truth := bowl(5)
	problem := optimizer.Problem{Space: s, Seed: 1}
	problem.Prior = []optimizer.Task{asked(t, s, func(p space.Point) float64 { return 3 * truth(p) * truth(p) })}
	origins, best := drive(t, start(t, transfer.Algorithm{}, problem), 12, truth)
	if best != 1 {
		t.Errorf("after 12 trials the best is %v, want the optimum, 1", best)
	}
	if !strings.Contains(strings.Join(origins, " "), "transfer:prior:fast/v1") {
		t.Errorf("origins %v, want some of the model's", origins)
	}
}

// A model that says the opposite is dropped once the trials say so.
func TestAModelThatMisleadsIsDropped(t *testing.T) {
	t.Parallel()
	s := lattice(t)
	truth := bowl(5)
	problem := optimizer.Problem{Space: s, Seed: 1}
	problem.Prior = []optimizer.Task{asked(t, s, func(p space.Point) float64 { return 1 / truth(p) })}
	origins, _ := drive(t, start(t, transfer.Algorithm{}, problem), 40, truth)
	for i, o := range origins {
		if optimizer.FromSource(o) && i >= 10 {
			t.Errorf("trial %d is the model's (%s)", i, o)
		}
	}
}

var errGone = errors.New("gone")

func TestAnAskOfAModelThatIsGoneFails(t *testing.T) {
	t.Parallel()
	s := lattice(t)
	task := asked(t, s, bowl(5))
	ask, gone := task.Ask, false
	task.Ask = func(p space.Point) (optimizer.Observation, error) {
		if gone {
			return optimizer.Observation{}, errGone
		}
		return ask(p)
	}
	search := start(t, transfer.Algorithm{}, optimizer.Problem{Space: s, Seed: 1, Prior: []optimizer.Task{task}})
	if _, err := search.Ask(0, 1, nil); err != nil {
		t.Fatal(err)
	}
	gone = true
	search.Tell(optimizer.Observation{Point: space.Point{0, 1, 2, 3}, Values: []float64{9}, Trial: 0, Origin: "random"})
	if _, err := search.Ask(1, 1, nil); !errors.Is(err, errGone) {
		t.Errorf("Ask() = %v, want the model's error", err)
	}
}

// A model that can be asked seeds two designs, and its model goes on; a table seeds five.
func TestAModelSeedsTwo(t *testing.T) {
	t.Parallel()
	s := lattice(t)
	truth := bowl(5)
	for _, want := range []int{2, 5} {
		task := asked(t, s, truth)
		if want == 5 {
			task.Ask = nil
		}
		origins, _ := drive(t, start(t, transfer.Algorithm{}, optimizer.Problem{Space: s, Seed: 1, Prior: []optimizer.Task{task}}), 12, truth)
		if seeds := strings.Count(strings.Join(origins, " "), "seed:"); seeds != want {
			t.Errorf("%d seeds, want %d: %v", seeds, want, origins)
		}
	}
}

// The seeds of a model are the best of its sample, also where these are neighbours.
func TestAModelSeedsItsBest(t *testing.T) {
	t.Parallel()
	s := lattice(t)
	bowl := bowl(5)
	truth := func(p space.Point) float64 { return bowl(space.Point{p[0], p[1], p[2], 0}) + 1e-3*float64(p[3]) }
	task := asked(t, s, truth)
	task.Observations = nil
	for i, p := range s.All() {
		task.Observations = append(task.Observations, optimizer.Observation{Point: p.Clone(), Values: []float64{truth(p)}, Trial: int(i)})
	}
	best := slices.SortedStableFunc(slices.Values(task.Observations), func(a, b optimizer.Observation) int { return cmp.Compare(a.Values[0], b.Values[0]) })
	want := []string{fmt.Sprintf("seed:fast/%d", best[0].Trial), fmt.Sprintf("seed:fast/%d", best[1].Trial)}
	origins, _ := drive(t, start(t, transfer.Algorithm{}, optimizer.Problem{Space: s, Seed: 1, Prior: []optimizer.Task{task}}), 12, truth)
	seeds := slices.DeleteFunc(origins, func(o string) bool { return !strings.HasPrefix(o, "seed:") })
	if !slices.Equal(seeds, want) {
		t.Errorf("seeds %v, want %v", seeds, want)
	}
}

// With two objectives the second seed of a model makes up for the first: it has the lead
// in the objective in which the first is behind.
func TestAModelSeedsBothObjectives(t *testing.T) {
	t.Parallel()
	s := lattice(t)
	// The first objective orders most designs as the second does, and wants the other end of the last axis.
	truth := func(p space.Point) []float64 {
		common := bowl(5)(space.Point{p[0], p[1], p[2], 0})
		return []float64{common + 2*float64(p[3]), common + 1.9*float64(s.Param(3).Len()-1-p[3])}
	}
	task := asked(t, s, bowl(5))
	task.Ask = func(p space.Point) (optimizer.Observation, error) {
		return optimizer.Observation{Point: p, Values: truth(p), Trial: -1}, nil
	}
	task.Observations = nil
	for i, p := range s.All() {
		task.Observations = append(task.Observations, optimizer.Observation{Point: p.Clone(), Values: truth(p), Trial: int(i)})
	}
	got, err := start(t, transfer.Algorithm{Base: optimizer.Random{}}, optimizer.Problem{Space: s, Seed: 1, Objectives: 2, Prior: []optimizer.Task{task}}).Ask(0, 8, nil)
	if err != nil {
		t.Fatal(err)
	}
	var seeds [][]float64
	for _, g := range got {
		if strings.HasPrefix(g.Origin, "seed:") {
			seeds = append(seeds, truth(g.Point))
		}
	}
	if len(seeds) != 2 {
		t.Fatalf("%d seeds, want 2", len(seeds))
	}
	if a, b := seeds[0], seeds[1]; (a[0] < b[0]) == (a[1] < b[1]) {
		t.Errorf("seeds of %v and %v: want each to lead in one objective", a, b)
	}
}
