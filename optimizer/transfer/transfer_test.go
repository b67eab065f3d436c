package transfer_test

import (
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"apollo/optimizer"
	"apollo/optimizer/space"
	"apollo/optimizer/transfer"
)

// bowl is a valley over four parameters of nine levels; its optimum is where
// each level is at.
func bowl(at float64) func(space.Point) float64 {
	return func(p space.Point) float64 {
		sum := 1.0
		for i, level := range p {
			d := float64(level) - at - float64(i%2)
			sum += d * d
		}
		return sum
	}
}

func lattice(t testing.TB) space.Space {
	t.Helper()
	var params []space.Param
	for _, name := range []string{"a", "b", "c", "d"} {
		params = append(params, space.Param{Name: name, Values: []float64{1, 2, 3, 4, 5, 6, 7, 8, 9}})
	}
	s, err := space.New(params...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// study is what a source measured: 60 designs of random search, without those
// that value leaves out with a NaN.
func study(t testing.TB, name string, s space.Space, value func(space.Point) float64) optimizer.Task {
	t.Helper()
	task := optimizer.Task{Name: name, Space: s}
	search, err := optimizer.Random{}.Start(optimizer.Problem{Space: s, Seed: 4})
	if err != nil {
		t.Fatal(err)
	}
	got, err := search.Ask(0, 60, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, g := range got {
		o := optimizer.Observation{Point: g.Point, Trial: i, Values: []float64{value(g.Point)}}
		if math.IsNaN(o.Values[0]) {
			o.Status, o.Values = optimizer.Infeasible, nil
		}
		task.Observations = append(task.Observations, o)
	}
	return task
}

// drive asks and tells n trials one by one and returns their origins and best value.
func drive(t testing.TB, s optimizer.Strategy, n int, value func(space.Point) float64) (origins []string, best float64) {
	t.Helper()
	best = math.Inf(1)
	for _, o := range designs(t, s, n, value) {
		if o.Status == optimizer.Measured {
			best = min(best, o.Values[0])
		}
		origins = append(origins, o.Origin)
	}
	return origins, best
}

func start(t testing.TB, a transfer.Algorithm, p optimizer.Problem) optimizer.Strategy {
	t.Helper()
	if a.Base == nil {
		a.Base = optimizer.GA{}
	}
	s, err := a.Start(p)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func count(origins []string, prefix string) (n int) {
	for _, o := range origins {
		if strings.HasPrefix(o, prefix) {
			n++
		}
	}
	return n
}

func TestRelatedSourceIsUsedAndHelps(t *testing.T) {
	t.Parallel()
	s := lattice(t)
	alone, plain := drive(t, start(t, transfer.Algorithm{}, optimizer.Problem{Space: s, Seed: 1}), 25, bowl(4))
	if count(alone, "seed:")+count(alone, "transfer:") > 0 {
		t.Errorf("origins without sources: %v", alone)
	}
	p := optimizer.Problem{Space: s, Seed: 1, Prior: []optimizer.Task{study(t, "near/r1", s, bowl(3.5))}}
	origins, best := drive(t, start(t, transfer.Algorithm{}, p), 25, bowl(4))
	if best >= plain {
		t.Errorf("the best of 25 trials is %v, and %v without the source", best, plain)
	}
	if n := count(origins, "seed:near/"); n == 0 || n > 5 {
		t.Errorf("%d seeds of one source, want 1 to 5", n)
	}
	if count(origins, "transfer:") == 0 || count(origins, "ga") == 0 {
		t.Errorf("models and base share the proposals: %v", origins)
	}
}

func TestNegatedSourceLosesItsInfluence(t *testing.T) {
	t.Parallel()
	s := lattice(t)
	value := bowl(2)
	p := optimizer.Problem{Space: s, Seed: 1, Prior: []optimizer.Task{study(t, "enemy/r1", s, func(p space.Point) float64 { return 1000 / value(p) })}}
	origins, _ := drive(t, start(t, transfer.Algorithm{}, p), 40, value)
	if late := count(origins[15:], "transfer:"); late > 0 {
		t.Errorf("models of a negated source made %d of the last 25 proposals: %v", late, origins)
	}
}

func TestTwoBadSeedsEndASourcesSeeding(t *testing.T) {
	t.Parallel()
	s := lattice(t)
	p := optimizer.Problem{Space: s, Seed: 1, Prior: []optimizer.Task{
		study(t, "crash/r1", s, bowl(7)), study(t, "good/r1", s, bowl(1)),
	}}
	// Everything that is good in the first source is infeasible here.
	value := func(p space.Point) float64 {
		if p[0]+p[1]+p[2]+p[3] > 20 {
			return math.NaN()
		}
		return bowl(1)(p)
	}
	origins, _ := drive(t, start(t, transfer.Algorithm{Method: "seed"}, p), 20, value)
	if bad, good := count(origins, "seed:crash/"), count(origins, "seed:good/"); bad != 2 || good < 3 {
		t.Errorf("%d seeds of the source that fails and %d of the other, want 2 and at least 3: %v", bad, good, origins)
	}
	all := start(t, transfer.Algorithm{Method: "seed", Seeds: 1}, p)
	batch, err := all.Ask(0, 8, nil)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, b := range batch {
		n += count([]string{b.Origin}, "seed:")
	}
	if n != 1 || len(batch) != 8 {
		t.Errorf("%d seeds in a batch of %d, want 1 of 8", n, len(batch))
	}
}

// witness is a base that notes what it is told.
type witness struct {
	optimizer.Strategy
	told []optimizer.Observation
}

func (w *witness) Start(p optimizer.Problem) (optimizer.Strategy, error) {
	base, err := optimizer.GP{}.Start(p)
	*w = witness{Strategy: base}
	return w, err
}

func (w *witness) Tell(obs ...optimizer.Observation) {
	w.told = append(w.told, obs...)
	w.Strategy.Tell(obs...)
}

// Sources that are never any good cost their seeds. Their results are withheld
// from the base, which proposes what it would propose without any source.
func TestUselessSourcesCostTheirSeedsAndSteerNothing(t *testing.T) {
	t.Parallel()
	s := lattice(t)
	enemy := study(t, "enemy/r1", s, func(p space.Point) float64 { return 1000 / bowl(4)(p) })
	for name, value := range map[string]func(space.Point) float64{
		"worse than the base's": bowl(4),
		"infeasible": func(p space.Point) float64 {
			if v := bowl(4)(p); v < 40 {
				return v
			}
			return math.NaN()
		},
	} {
		alone := start(t, transfer.Algorithm{Base: optimizer.GP{}}, optimizer.Problem{Space: s, Seed: 1})
		base := &witness{}
		with := designs(t, start(t, transfer.Algorithm{Base: base, Method: "seed"}, optimizer.Problem{Space: s, Seed: 1, Prior: []optimizer.Task{enemy}}), 30, value)
		own := slices.DeleteFunc(slices.Clone(with), func(o optimizer.Observation) bool { return strings.HasPrefix(o.Origin, "seed:") })
		seeds := len(with) - len(own)
		// The second would come after four trials of the base, which say the reverse.
		if seeds != 1 {
			t.Errorf("%s: %d seeds, want 1", name, seeds)
		}
		for _, o := range base.told {
			withheld := o.Status == optimizer.Withheld && o.Values == nil
			if seed := strings.HasPrefix(o.Origin, "seed:"); withheld != seed {
				t.Errorf("%s: %v of %q is withheld from the base: %t", name, o.Point, o.Origin, withheld)
			}
		}
		for i, o := range own {
			want, err := alone.Ask(uint64(i), 1, nil)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(want[0].Point, o.Point) {
				t.Errorf("%s: proposal %d of the base is %v, without sources %v", name, i, o.Point, want[0].Point)
			}
			alone.Tell(o)
		}
	}
}

// A source of which no design runs costs no trial, and its sources beside it count.
func TestSourceThatMeasuredNothingIsNone(t *testing.T) {
	t.Parallel()
	s := lattice(t)
	base := optimizer.GP{}
	problem := optimizer.Problem{Space: s, Seed: 3}
	alone, err := base.Start(problem)
	if err != nil {
		t.Fatal(err)
	}
	want := designs(t, alone, 12, bowl(4))
	nothing := study(t, "nothing", s, func(space.Point) float64 { return math.NaN() })
	problem.Prior = []optimizer.Task{nothing}
	if got := designs(t, start(t, transfer.Algorithm{Base: base}, problem), 12, bowl(4)); !reflect.DeepEqual(got, want) {
		t.Errorf("with a source that measured nothing the search is\n%v\nwant\n%v", got, want)
	}
	problem.Prior = []optimizer.Task{nothing, study(t, "related", s, bowl(3.5))}
	origins, _ := drive(t, start(t, transfer.Algorithm{Base: base}, problem), 12, bowl(4))
	if count(origins, "seed:related") == 0 {
		t.Errorf("beside it a source that is right seeds nothing: %v", origins)
	}
}

// A trial that is told twice counts once, also among those that sources proposed.
func TestRepeatsChangeNothing(t *testing.T) {
	t.Parallel()
	s := lattice(t)
	enemy := study(t, "enemy/r1", s, func(p space.Point) float64 { return 1000 / bowl(4)(p) })
	p := optimizer.Problem{Space: s, Seed: 1, Prior: []optimizer.Task{enemy}}
	a := transfer.Algorithm{Base: optimizer.Random{}, Method: "seed"}
	log := designs(t, start(t, a, p), 12, bowl(4))
	if !slices.ContainsFunc(log, func(o optimizer.Observation) bool { return strings.HasPrefix(o.Origin, "seed:") }) {
		t.Fatal("the source has no seeds")
	}
	once, twice := start(t, a, p), start(t, a, p)
	once.Tell(log...)
	for _, o := range log {
		twice.Tell(o, o)
	}
	want, err := once.Ask(12, 4, nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := twice.Ask(12, 4, nil)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("after trials that were told twice %v, %v, want %v", got, err, want)
	}
}

// designs are the trials of a search, one by one.
func designs(t testing.TB, s optimizer.Strategy, n int, value func(space.Point) float64) (out []optimizer.Observation) {
	t.Helper()
	for i := range n {
		got, err := s.Ask(uint64(i), 1, nil)
		if err != nil {
			t.Fatal(err)
		}
		o := optimizer.Observation{Point: got[0].Point, Origin: got[0].Origin, Trial: i, Values: []float64{value(got[0].Point)}}
		if math.IsNaN(o.Values[0]) {
			o.Status, o.Values = optimizer.Infeasible, nil
		}
		s.Tell(o)
		out = append(out, o)
	}
	return out
}

// Models get fewer turns the longer they have improved nothing.
func TestModelsThatImproveNothingFade(t *testing.T) {
	t.Parallel()
	s := lattice(t)
	p := optimizer.Problem{Space: s, Seed: 1, Prior: []optimizer.Task{study(t, "same/r1", s, bowl(4))}}
	origins, _ := drive(t, start(t, transfer.Algorithm{}, p), 120, bowl(4))
	early, late := count(origins[:30], "transfer:"), count(origins[90:], "transfer:")
	if early == 0 || late*3 > early {
		t.Errorf("%d of the first and %d of the last 30 proposals are of models: %v", early, late, origins)
	}
}

// A seed that is bad at the first of several objectives may be good at another.
func TestSeedsOfAnotherObjectiveAreNotBad(t *testing.T) {
	t.Parallel()
	s := lattice(t)
	task := study(t, "two/r1", s, bowl(2))
	for i := range task.Observations {
		o := &task.Observations[i]
		o.Values = append(o.Values, bowl(6)(o.Point))
	}
	search := start(t, transfer.Algorithm{Base: optimizer.Random{}}, optimizer.Problem{Space: s, Seed: 1, Objectives: 2, Prior: []optimizer.Task{task}})
	seeds := 0
	for i := range 8 {
		got, err := search.Ask(uint64(i), 1, nil)
		if err != nil {
			t.Fatal(err)
		}
		seeds += count([]string{got[0].Origin}, "seed:")
		search.Tell(optimizer.Observation{Point: got[0].Point, Origin: got[0].Origin, Trial: i, Values: []float64{bowl(2)(got[0].Point), bowl(6)(got[0].Point)}})
	}
	if seeds != 5 {
		t.Errorf("%d seeds of a source that is good at both objectives, want 5", seeds)
	}
}

func TestSeedsAreRepaired(t *testing.T) {
	t.Parallel()
	s := lattice(t)
	legal := func(p space.Point) bool { return p[0]%2 == 0 && p[1] <= 3 }
	p := optimizer.Problem{Space: s, Legal: legal, Prior: []optimizer.Task{study(t, "far/r1", s, bowl(6))}}
	got, err := start(t, transfer.Algorithm{Method: "seed"}, p).Ask(0, 5, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 5 {
		t.Fatalf("%d proposals, want 5", len(got))
	}
	if g := got[0]; !strings.HasPrefix(g.Origin, "seed:far/") || !legal(g.Point) {
		t.Errorf("%v of %s, want a legal seed", g.Point, g.Origin)
	}
}

// With several objectives there are seeds of each, and no models.
func TestSeveralObjectivesAreSeeded(t *testing.T) {
	t.Parallel()
	s := lattice(t)
	task := study(t, "two/r1", s, bowl(2))
	for i := range task.Observations {
		o := &task.Observations[i]
		o.Values = append(o.Values, bowl(6)(o.Point))
	}
	p := optimizer.Problem{Space: s, Seed: 1, Objectives: 2, Prior: []optimizer.Task{task}}
	got, err := start(t, transfer.Algorithm{Base: optimizer.Random{}}, p).Ask(0, 8, nil)
	if err != nil {
		t.Fatal(err)
	}
	best := [2]float64{math.Inf(1), math.Inf(1)}
	for _, g := range got {
		if strings.HasPrefix(g.Origin, "seed:") {
			best[0], best[1] = min(best[0], bowl(2)(g.Point)), min(best[1], bowl(6)(g.Point))
		}
	}
	for k := range best {
		for _, o := range task.Observations {
			if o.Values[k] < best[k] {
				t.Errorf("no seed is the best known of objective %d: %v, known %v", k, best[k], o.Values[k])
				break
			}
		}
	}
}

// Sources whose values say nothing of each other have no say: the search is that of
// the base.
func TestUnorderedSourcesAreDropped(t *testing.T) {
	t.Parallel()
	s := lattice(t)
	rng := rand.New(rand.NewPCG(1, 2))
	noise := study(t, "noise/r1", s, func(space.Point) float64 { return 1 + rng.Float64() })
	alone, _ := drive(t, start(t, transfer.Algorithm{}, optimizer.Problem{Space: s, Seed: 1}), 12, bowl(4))
	for name, prior := range map[string][]optimizer.Task{"noise": {noise}, "noise and an order": {noise, study(t, "near/r1", s, bowl(3.5))}} {
		problem := optimizer.Problem{Space: s, Seed: 1, Prior: prior}
		if dropped, err := transfer.Unordered(problem); err != nil || !slices.Equal(dropped, []int{0}) {
			t.Errorf("%s: the sources %v are in no order, %v, want the first", name, dropped, err)
		}
		origins, _ := drive(t, start(t, transfer.Algorithm{}, problem), 12, bowl(4))
		switch {
		case len(prior) == 1 && !slices.Equal(origins, alone):
			t.Errorf("%s: %v, want the search without sources: %v", name, origins, alone)
		case len(prior) == 2 && (count(origins, "seed:noise/") > 0 || count(origins, "seed:near/") == 0):
			t.Errorf("%s: %v, want seeds of the other source only", name, origins)
		}
	}
}

// While answers are waited for the sources have the same bound: the first design is
// the base's, the second a seed.
func TestSourcesAreBoundedWhileDesignsWait(t *testing.T) {
	t.Parallel()
	s := lattice(t)
	p := optimizer.Problem{Space: s, Seed: 1, Prior: []optimizer.Task{study(t, "near/r1", s, bowl(3.5))}}
	search := start(t, transfer.Algorithm{}, p)
	var pending []space.Point
	var origins []string
	for i := range 8 {
		got, err := search.Ask(uint64(i), 1, pending)
		if err != nil {
			t.Fatal(err)
		}
		pending, origins = append(pending, got[0].Point), append(origins, got[0].Origin)
	}
	if optimizer.FromSource(origins[0]) || !optimizer.FromSource(origins[1]) || count(origins, "seed:")+count(origins, "transfer:") != 1 {
		t.Errorf("without an answer %v, want one design of the source, the second", origins)
	}
}

// Any number of sources that fail have two designs together, until the base has
// found a feasible one, and then one more at a time.
func TestFailingSourcesHaveOneBoundTogether(t *testing.T) {
	t.Parallel()
	s := lattice(t)
	var prior []optimizer.Task
	for i := range 5 {
		prior = append(prior, study(t, "crash"+strconv.Itoa(i)+"/r1", s, bowl(7)))
	}
	value := func(p space.Point) float64 {
		if p[0]+p[1]+p[2]+p[3] > 8 {
			return math.NaN()
		}
		return bowl(1)(p)
	}
	told := designs(t, start(t, transfer.Algorithm{}, optimizer.Problem{Space: s, Seed: 1, Prior: prior}), 60, value)
	var origins []string
	for _, o := range told {
		origins = append(origins, o.Origin)
	}
	from := func(n int) int { return count(origins[:n], "seed:") + count(origins[:n], "transfer:") }
	own := slices.IndexFunc(told, func(o optimizer.Observation) bool { return o.Status == optimizer.Measured })
	if own < 5 || from(own) != 2 {
		t.Errorf("%d designs of the sources before the first feasible design, trial %d, want 2 before a late one: %v", from(own), own, origins)
	}
	if got := from(60); got > 4 {
		t.Errorf("%d of 60 designs are the sources', want 4 at most: %v", got, origins)
	}
}

// Designs of sources whose evaluation fails have the same bound.
func TestBrokenSourcesHaveTheSameBound(t *testing.T) {
	t.Parallel()
	s := lattice(t)
	p := optimizer.Problem{Space: s, Seed: 1, Prior: []optimizer.Task{study(t, "broken/r1", s, bowl(7))}}
	search := start(t, transfer.Algorithm{}, p)
	var origins []string
	for i := range 30 {
		got, err := search.Ask(uint64(i), 1, nil)
		if err != nil {
			t.Fatal(err)
		}
		o := optimizer.Observation{Point: got[0].Point, Trial: i, Origin: got[0].Origin, Status: optimizer.Infeasible}
		if optimizer.FromSource(o.Origin) {
			o.Status = optimizer.Failed
		}
		search.Tell(o)
		origins = append(origins, o.Origin)
	}
	if n := count(origins, "seed:") + count(origins, "transfer:"); n != 2 {
		t.Errorf("%d of 30 designs are the source's, want 2: %v", n, origins)
	}
}

// A study may ask far ahead of its answers: models that nothing has tested do
// not fill all of that.
func TestUntestedModelsDoNotFillTheQueue(t *testing.T) {
	t.Parallel()
	s := lattice(t)
	p := optimizer.Problem{Space: s, Seed: 1, Prior: []optimizer.Task{study(t, "near/r1", s, bowl(3.5))}}
	search := start(t, transfer.Algorithm{Seeds: -1}, p)
	var pending []space.Point
	var origins []string
	for range 8 {
		got, err := search.Ask(uint64(len(pending)), 8, pending)
		if err != nil {
			t.Fatal(err)
		}
		for _, g := range got {
			pending, origins = append(pending, g.Point), append(origins, g.Origin)
		}
	}
	if early, late := count(origins[:24], "transfer:"), count(origins[24:], "transfer:"); early == 0 || late > 0 {
		t.Errorf("%d of the first 24 proposals are of models, and %d of 40 more without an answer; want some, and none", early, late)
	}
}

// The sources are only read, and two strategies of one problem agree.
func TestSourcesAreReadOnly(t *testing.T) {
	t.Parallel()
	s := lattice(t)
	before, p := study(t, "near/r1", s, bowl(3)), optimizer.Problem{Space: s, Seed: 2, Prior: []optimizer.Task{study(t, "near/r1", s, bowl(3))}}
	first, _ := drive(t, start(t, transfer.Algorithm{}, p), 12, bowl(4))
	second, _ := drive(t, start(t, transfer.Algorithm{}, p), 12, bowl(4))
	if !reflect.DeepEqual(first, second) {
		t.Errorf("two runs differ:\n%v\n%v", first, second)
	}
	if !reflect.DeepEqual(before, p.Prior[0]) {
		t.Error("the source was written")
	}
}

func TestStartNamesWhatIsWrong(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a    transfer.Algorithm
		want string
	}{
		{transfer.Algorithm{}, "no base strategy"},
		{transfer.Algorithm{Base: optimizer.GA{}, Method: "x"}, `method is "x"`},
		{transfer.Algorithm{Base: optimizer.GA{Population: -1}}, "population"},
	} {
		if _, err := c.a.Start(optimizer.Problem{}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("Start() = %v, want an error with %q", err, c.want)
		}
	}
}
