//go:build unix

package chaos

import (
	"context"
	"fmt"
	"os"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	// longFreeze is beyond every election (4 to 9 s) and what a client bears
	// without an answer to its pings: the others go on without the frozen one.
	longFreeze = 12 * time.Second
	// shortFreeze is beyond the first two attempts of an operation (2 and 5 s),
	// and most elections.
	shortFreeze = 6 * time.Second
	// attempt bounds one question to the servers, whose answer an election may lose.
	attempt = 5 * time.Second
	// two is the freeze of two servers of three: nobody can store anything.
	two = "two servers"
	// full is a stream that has no room for a while: nothing more can be stored in it.
	full = "full stream"
)

// gale is a storm over three servers: they freeze and lead in turn, and streams are full.
type gale struct {
	*storm
	nc *nats.Conn
	js jetstream.JetStream
	// freezes are wanted; hit counts those that hit work in flight, by who was
	// frozen.
	freezes int
	hit     map[string]int
	// moves counts leaders that were told to step down, blackouts the deaths of
	// all servers at once.
	moves, blackouts int
	// frozen are the freezes of this round, waits how long each kept results
	// from being stored.
	frozen []freeze
	waits  []time.Duration
}

// freeze is one server, or two, that did not run for a while.
type freeze struct {
	who      string
	from, to time.Time
}

// leaders are whose server is frozen, in turn.
func leaders() []string {
	return []string{"APOLLO_WORK", two, "APOLLO_RESULT", "APOLLO_WORK/ev-edge", "APOLLO_LOG", "meta", full}
}

func newGale(c *cluster, seed uint64, kills, freezes int) *gale {
	g := &gale{storm: newStorm(c, seed, kills), freezes: freezes, hit: map[string]int{}}
	g.act = g.strikeAny
	if kills == 0 {
		c.point = func(string) string { return "" }
	}
	nc, err := nats.Connect(c.url, nats.Token(token), nats.MaxReconnects(-1))
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(nc.Close)
	g.nc = nc
	if g.js, err = jetstream.New(nc); err != nil {
		c.t.Fatal(err)
	}
	return g
}

// done reports whether there was enough of everything.
func (g *gale) done() bool {
	return sum(g.hit) >= g.freezes && (g.want == 0 || g.storm.done() && g.blackouts > 0)
}

// strikeAny freezes, kills, or moves a leader, in proportion to what is left.
func (g *gale) strikeAny() {
	g.t.Helper()
	if g.rng.IntN(3) == 0 {
		g.move()
	}
	kills, freezes := max(0, g.want-g.kills()), max(0, g.freezes-sum(g.hit)-len(g.frozen))
	switch {
	case freezes > 0 && g.rng.IntN(kills+freezes) < freezes:
		g.freeze()
	case g.want > 0 && g.rng.IntN(20) == 0:
		g.blackout()
	case g.want > 0:
		g.disturb()
	}
}

// freeze stops the server of a leader, or two, for a while.
func (g *gale) freeze() {
	g.t.Helper()
	n := sum(g.hit) + len(g.frozen)
	f := freeze{who: leaders()[n%len(leaders())]}
	duration := shortFreeze
	if n%len(leaders()) == 0 || n > len(leaders()) && g.rng.IntN(3) == 0 {
		duration = longFreeze
	}
	if f.who == full {
		g.fill()
		return
	}
	var stopped []*node
	if f.who == two {
		first := g.rng.IntN(len(g.nodes))
		stopped = append(stopped, g.nodes[first], g.nodes[(first+1)%len(g.nodes)])
	} else if led := g.leader(f.who); led != nil {
		stopped = append(stopped, led)
	}
	if len(stopped) == 0 {
		return // it elects: another time
	}
	g.epoch++
	f.from = time.Now()
	for _, s := range stopped {
		g.signal(s, syscall.SIGSTOP)
	}
	g.pass(duration)
	for _, s := range stopped {
		g.signal(s, syscall.SIGCONT)
	}
	f.to = time.Now()
	g.epoch++
	g.frozen = append(g.frozen, f)
}

// fill leaves a stream no room for a while: the study pauses or waits. A proposer that starts
// meanwhile makes room: it gives the stream its limit again.
func (g *gale) fill() {
	g.t.Helper()
	name := []string{"APOLLO_RESULT", "APOLLO_WORK", "APOLLO_LOG"}[g.rng.IntN(3)]
	ctx, cancel := context.WithTimeout(g.t.Context(), attempt)
	stream, err := g.js.Stream(ctx, name)
	cancel()
	if err != nil {
		return // it elects: another time
	}
	info := stream.CachedInfo()
	tight := info.Config
	tight.MaxBytes = max(1, int64(info.State.Bytes))
	f := freeze{who: full, from: time.Now()}
	// A lost answer does not say that the limit stays as it was: it is given back in any case.
	lost := g.update(tight)
	if lost == nil {
		g.pass(shortFreeze)
	}
	for end := time.Now().Add(2 * startPatience); ; {
		err := g.update(info.Config)
		if err == nil {
			break
		}
		if time.Now().After(end) {
			g.t.Fatalf("give %s its room again: %v", name, err)
		}
	}
	if lost != nil {
		return // perhaps it was full for a moment: that counts for nothing
	}
	f.to = time.Now()
	g.frozen = append(g.frozen, f)
}

// update tells the servers once what a stream is to be like.
func (g *gale) update(conf jetstream.StreamConfig) error {
	ctx, cancel := context.WithTimeout(g.t.Context(), attempt)
	defer cancel()
	_, err := g.js.UpdateStream(ctx, conf)
	return err
}

// pass lets time go by, and starts what ends meanwhile.
func (g *gale) pass(d time.Duration) {
	g.t.Helper()
	over := time.NewTimer(d)
	defer over.Stop()
	for {
		select {
		case <-over.C:
			return
		case c := <-g.exits:
			g.exited(c)
		}
	}
}

// blackout kills all servers, and starts them again.
func (g *gale) blackout() {
	g.t.Helper()
	for _, n := range g.nodes {
		n.child.killed = true
		if err := n.child.kill(); err != nil {
			g.t.Fatalf("kill %s: %v", n.name, err)
		}
	}
	for _, n := range g.nodes {
		g.start(n)
	}
	for _, n := range g.nodes {
		g.awaitNode(n)
	}
	if m, err := g.observe(g.run); err == nil && !m.ended && m.proposed > m.answered {
		g.signals["server"] += len(g.nodes)
		g.blackouts++
	}
}

// move tells the leader of a stream or of a consumer to let another one lead.
func (g *gale) move() {
	subjects := []string{
		"STREAM.LEADER.STEPDOWN.APOLLO_WORK", "STREAM.LEADER.STEPDOWN.APOLLO_RESULT", "STREAM.LEADER.STEPDOWN.APOLLO_LOG",
		"CONSUMER.LEADER.STEPDOWN.APOLLO_WORK.ev-edge",
	}
	if _, err := g.nc.Request("$JS.API."+subjects[g.rng.IntN(len(subjects))], nil, time.Second); err == nil {
		g.moves++
	}
}

// settle counts the freezes of a round that ended: those after which there
// were still results to store.
func (g *gale) settle() {
	g.t.Helper()
	var stored []time.Time
	for m, err := range g.bus.Facts().Read(g.t.Context(), 0, resultFilter(g.run)) {
		if err != nil {
			g.t.Fatal(err)
		}
		stored = append(stored, m.Time)
	}
	slices.SortFunc(stored, time.Time.Compare)
	for _, f := range g.frozen {
		wait, hit := silence(f, stored)
		if !hit {
			continue
		}
		g.hit[f.who]++
		g.t.Logf("%s frozen at %s for %.1f s: %.1f s to the first result", f.who, f.from.UTC().Format(time.TimeOnly), f.to.Sub(f.from).Seconds(), wait.Seconds())
		if f.who != two && f.who != full { // there is no result before they are back
			g.waits = append(g.waits, wait)
		}
	}
	g.frozen = nil
}

// silence returns when, counted from the start of a freeze, the longest silence
// ended that began in it. hit is false when no result came after its start.
func silence(f freeze, stored []time.Time) (wait time.Duration, hit bool) {
	last, longest := f.from, time.Duration(-1)
	for _, at := range stored {
		if !at.After(f.from) {
			continue
		}
		if last.After(f.to) {
			break
		}
		if at.Sub(last) > longest {
			longest, wait, hit = at.Sub(last), at.Sub(f.from), true
		}
		last = at
	}
	return wait, hit
}

func TestChaosCluster(t *testing.T) {
	t.Parallel()
	freezes := setting(t, freezesVariable, os.Getenv(freezesVariable), 0)
	if testing.Short() || freezes == 0 {
		t.Skipf("it freezes the servers of a cluster for a while: ask with %s=6, or `make chaos-cluster`", freezesVariable)
	}
	kills := setting(t, killsVariable, os.Getenv(killsVariable), 0)
	seed := setting(t, seedVariable, os.Getenv(seedVariable), 1)
	c := newCluster(t, gusty, 3)
	for _, name := range []string{"proposer", "archiver", "evaluator-1", "evaluator-2", "evaluator-3"} {
		c.serve(name, 0)
	}
	want := undisturbed(c)
	c.serve(stranger, 0)
	began := time.Now()
	g := newGale(c, uint64(seed), kills, freezes)
	rounds := 0
	for ; !g.done(); rounds++ {
		if rounds > 10+2*kills+freezes {
			t.Fatalf("after %d rounds still not everything was hit: %v %v %v, %v idle", rounds, g.hit, g.signals, g.points, g.idle)
		}
		got := g.round()
		compare(t, fmt.Sprintf("round %d (run %s)", rounds, g.run), want, got)
		if t.Failed() {
			t.Fatal(g.tails())
		}
		g.settle()
	}
	g.noLetters()
	slices.Sort(g.waits)
	t.Logf("seed %d: %d freezes and %d kills in flight in %d studies of %d trials and %.0f s; frozen %v; killed by signal %v, by crash point %v, all servers at once %d times; leaders moved %d times; resumed after a full stream %d times; %v more hit nothing; a stranger handed work back %d times",
		seed, sum(g.hit), g.kills(), rounds, c.trials, time.Since(began).Seconds(), g.hit, g.signals, g.points, g.blackouts, g.moves, g.resumed, g.idle, c.handedBack())
	if n := len(g.waits); n > 0 {
		t.Logf("time to the first result after a frozen leader: median %.1f s, worst %.1f s; lost 0, doubled 0, wrong 0, hash equal, studies that needed a person 0 but for full streams", g.waits[n/2].Seconds(), g.waits[n-1].Seconds())
	}
}
