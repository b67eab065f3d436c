package services_test

import (
	"context"
	"iter"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"apollo/events"
	"apollo/events/membus"
	"apollo/services/proposer"
	"apollo/services/study"
	"apollo/services/worker"
)

// skewed is what an evaluator of another identity adds to the latency, so that
// one of its answers among the others changes the hash.
const skewed = 0.5

// defences are what keeps the answers of other evaluators out of a study, as
// far as a test leaves them there.
type defences struct{ handBack, judgement bool }

var allDefences = defences{handBack: true, judgement: true}

// openWorld is a study that a right evaluator answers, with as many wrong ones
// beside it: of another version, of another program under the name, and one
// whose version moves to and fro.
func openWorld(t *testing.T, seed uint64, faults membus.Faults, kills int, d defences, body string) (e ending, strangers int64) {
	t.Helper()
	var foreign atomic.Int64
	e = withArchive(t, seed, faults, kills, body, d == allDefences, func(s *sim, startArchiver func(wrap func(events.Bus) events.Bus)) {
		logger := slog.New(slog.DiscardHandler)
		another, sameWords := s.toy, s.toy
		another.version, another.skew, another.evaluations = "2", skewed, func(int) { foreign.Add(1) }
		sameWords.skew, sameWords.evaluations = 2*skewed, func(int) { foreign.Add(1) }
		s.start("proposer", func(b events.Bus) service {
			return &proposer.Proposer{Bus: d.facts(b), Catalog: toyCatalog(s.toy), Logger: logger}
		})
		serve := func(name string, which func() worker.Evaluator) {
			s.start("evaluator-"+name, func(b events.Bus) service {
				ev := which()
				ev.Bus, ev.Name, ev.Worker, ev.Logger = d.queue(b), "toy", name, logger
				return &ev
			})
		}
		serve("right", func() worker.Evaluator { return worker.Evaluator{Catalog: toyCatalog(s.toy)} })
		serve("other version", func() worker.Evaluator { return worker.Evaluator{Catalog: toyCatalog(another)} })
		serve("other program", func() worker.Evaluator {
			return worker.Evaluator{Backend: sameWords, Catalog: toyCatalog(sameWords), Program: &events.Program{Args: []string{"toy"}, Path: "/bin/toy"}}
		})
		starts := 0
		serve("moving", func() worker.Evaluator {
			if starts++; starts%2 == 0 {
				return worker.Evaluator{Catalog: toyCatalog(s.toy), Slots: 2}
			}
			return worker.Evaluator{Catalog: toyCatalog(another), Slots: 2}
		})
		s.wg.Go(func() {
			for s.ctx.Err() == nil {
				select {
				case <-s.ctx.Done():
				case <-time.After(400 * time.Millisecond):
					s.kill("evaluator-moving")
				}
			}
		})
		startArchiver(d.facts)
	})
	return e, foreign.Load()
}

// queue is the bus of an evaluator; without hand-back it is not told who is
// asked, as one that was written before there was an identity.
func (d defences) queue(b events.Bus) events.Bus {
	if d.handBack {
		return b
	}
	return unasked{b}
}

// facts is the bus of those who judge answers; without judgement every answer
// looks as if it were of the right identity.
func (d defences) facts(b events.Bus) events.Bus {
	if d.judgement {
		return b
	}
	return unsigned{b}
}

type unasked struct{ events.Bus }

func (u unasked) Queue(slots int) events.Queue { return unaskedQueue{u.Bus.Queue(slots)} }

type unaskedQueue struct{ events.Queue }

func (q unaskedQueue) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	from, err := q.Queue.Subscribe(ctx, topic)
	if err != nil {
		return nil, err
	}
	to := make(chan *message.Message)
	go func() {
		defer close(to)
		for m := range from {
			if env, work, err := events.DecodeAs[events.BatchRequested](m.Payload); err == nil {
				work.Identity = nil
				m.Payload, _ = events.Encode(env.ID, env.Source, env.Subject, env.Time, work)
			}
			to <- m
		}
	}()
	return to, nil
}

type unsigned struct{ events.Bus }

func (u unsigned) Facts() events.Facts { return unsignedFacts{u.Bus.Facts()} }

type unsignedFacts struct{ events.Facts }

func (f unsignedFacts) Read(ctx context.Context, from uint64, filters ...string) iter.Seq2[events.Message, error] {
	return sign(f.Facts.Read(ctx, from, filters...))
}

func (f unsignedFacts) Follow(ctx context.Context, from uint64, filters ...string) iter.Seq2[events.Message, error] {
	return sign(f.Facts.Follow(ctx, from, filters...))
}

func sign(messages iter.Seq2[events.Message, error]) iter.Seq2[events.Message, error] {
	return func(yield func(events.Message, error) bool) {
		for m, err := range messages {
			if env, answer, bad := events.DecodeAs[events.BatchEvaluated](m.Data); err == nil && bad == nil {
				answer.EvaluatorVersion, answer.Program = "1", ""
				m.Data, _ = events.Encode(env.ID, env.Source, env.Subject, env.Time, answer)
			}
			if !yield(m, err) {
				return
			}
		}
	}
}

// Evaluators of other versions and programs under the same name, crashes and
// faults: the study is the one that the right evaluator alone measures.
func TestOnlyTheAskedEvaluatorMeasures(t *testing.T) {
	t.Parallel()
	body := toyStudy("sim", 96, "")
	want := simulateAll(t, 0, membus.Faults{}, 0, 1, body)
	n := seeds(t, 9)
	var hits tally
	var mu sync.Mutex // guards refused
	refused := map[string]int64{}
	t.Run("seeds", func(t *testing.T) {
		for seed := range n {
			// Either defence alone is enough, with large answers and without.
			d := []defences{allDefences, {handBack: true}, {judgement: true}}[seed/3%3]
			t.Run(strconv.FormatUint(seed+1, 10), func(t *testing.T) {
				t.Parallel()
				got, strangers := openWorld(t, seed+1, allFaults, 8, d, body)
				hits.add(got)
				mu.Lock()
				refused[name(d)] += strangers
				mu.Unlock()
				compare(t, seed+1, want, got)
				for _, r := range got.rows {
					if r.EvaluatorVersion != "1" {
						t.Fatalf("%s: trial %d is of version %q", name(d), r.Trial, r.EvaluatorVersion)
					}
				}
			})
		}
	})
	hits.report(t, n)
	if refused[name(allDefences)] != 0 || refused[name(defences{handBack: true})] != 0 || refused[name(defences{judgement: true})] == 0 {
		t.Errorf("evaluations by others: %v; want none where items are handed back, and some where they are not", refused)
	}
	t.Logf("evaluations by others: %v", refused)
}

// Without either defence the answers of others do get in: the test above can
// fail.
func TestWithoutDefencesOthersMeasure(t *testing.T) {
	t.Parallel()
	body := toyStudy("sim", 160, "")
	want := simulateAll(t, 0, membus.Faults{}, 0, 1, body)
	for seed := range uint64(4) {
		t.Run(strconv.FormatUint(seed+1, 10), func(t *testing.T) {
			t.Parallel()
			got, _ := openWorld(t, seed+1, membus.Faults{}, 0, defences{}, body)
			if got.view.State != study.Completed || hashOf(got.view) == want.view.Summary.Hash {
				t.Errorf("%s, hash %.12s as if nobody else had answered", got.view.State, hashOf(got.view))
			}
		})
	}
}

func name(d defences) string {
	var words []string
	if d.handBack {
		words = append(words, "hand-back")
	}
	if d.judgement {
		words = append(words, "judgement")
	}
	return strings.Join(words, " and ")
}
