// Package proposer runs studies: it accepts requests, and every run has an owner
// that asks the strategy, publishes work and folds the answers.
package proposer

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/trace"

	"apollo/archiver"
	"apollo/events"
	"apollo/services/catalog"
	"apollo/services/messages"
)

// Sources finds the trials of earlier studies.
type Sources interface {
	// Open returns the log of the run that ref names, which is not Auto. It is
	// read while the context lives. The error says what is missing.
	Open(ctx context.Context, ref events.Source) (*archiver.SourceLog, error)
	// Studies lists the ended studies that Open finds by name.
	Studies(ctx context.Context) ([]archiver.LoggedStudy, error)
}

// Proposer accepts studies and drives them: it proposes trials, sends them to
// evaluators and folds what comes back. Any number may run; the fence on the
// log makes a second owner of a run harmless.
type Proposer struct {
	Bus     events.Bus
	Catalog catalog.Catalog
	// Sources gives transfer its trials; nil refuses studies that want it.
	Sources Sources
	// Programs opens those that a study asks beside its evaluator; nil refuses
	// such studies.
	Programs Programs
	// Only restricts driving to the study of that name; "" drives all. Commands
	// for other studies are carried out all the same: they come to any proposer.
	Only string
	// Local accepts what only a study file on this machine may say, such as
	// paths of Parquet files.
	Local bool
	// Files: runs in the log may name files and programs of this machine, because
	// nobody else writes to the bus.
	Files bool
	// Quota is what an operator lets studies take; its zero value limits nothing.
	Quota Quota
	// Webhooks says why this service does not call a webhook; nil calls none.
	Webhooks func(url string) error
	Logger   *slog.Logger
	// Build is what the log calls this build of Apollo; "" says nothing.
	Build string
	// Suggested is told how long a strategy took to propose a batch; nil for
	// nobody. Calls may be concurrent.
	Suggested func(algorithm string, took time.Duration)
	// Tracer makes the spans of requests, asks and work; nil makes none.
	Tracer trace.Tracer
	// Failpoint is called at named points of the durable path, for crash
	// tests; nil does nothing. An error ends Run.
	Failpoint func(point string) error

	// highest is the last event of the log that an owner has seen lately.
	highest atomic.Uint64

	mu     sync.Mutex
	owners map[messages.RunKey]*owner
	wg     sync.WaitGroup
	roster roster
	queues queueLooks
	turns  turns

	rejections rejections
	accepted   acceptedRuns
	times      ownerTimes
}

// Run works until ctx ends. It returns an error when the bus cannot be
// provisioned or read at the start.
func (p *Proposer) Run(ctx context.Context) error {
	p.owners, p.queues = map[messages.RunKey]*owner{}, newQueueLooks()
	p.Catalog.Shared = catalog.NewShared()
	if err := p.Bus.Provision(ctx); err != nil {
		return fmt.Errorf("provision streams: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer p.wg.Wait()
	defer cancel()
	p.wg.Go(func() { p.roster.listen(ctx, p.Bus, p.Logger) })
	before, err := p.Bus.Log().Info(ctx, events.RunFilter("*", "*"))
	if err != nil {
		return fmt.Errorf("look at the log: %w", err)
	}
	runs, err := openRuns(ctx, p.Bus.Log())
	if err != nil {
		return err
	}
	for _, r := range runs {
		if p.drives(r.key.Study) {
			p.drive(ctx, r.key, r.who)
		}
	}
	p.wg.Go(func() { p.watchForRollback(ctx, before.Last) })
	if p.Only == "" {
		p.wg.Go(func() { p.watchQueues(ctx) })
	}
	commands, err := p.Bus.Queue(1).Subscribe(ctx, "cmd")
	if err != nil {
		return fmt.Errorf("subscribe to commands: %w", err)
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case msg, ok := <-commands:
			if !ok {
				return nil
			}
			p.carryOut(ctx, msg)
		}
	}
}

// watch drives the runs that another proposer accepts or moves from sequence
// from on: whoever is left goes on with them, and the owner of a run hears of a
// request that another proposer carried out. What is removed is forgotten.
func (p *Proposer) watch(ctx context.Context, from uint64) {
	var filters []string
	for _, kind := range []string{"accepted", "extended", "resumed", "stopping", "removed"} {
		filters = append(filters, events.StudySubject("*", "*", kind))
	}
	for m, err := range p.Bus.Log().Follow(ctx, from, filters...) {
		if err != nil {
			p.Logger.Error("follow the log: the runs of other proposers are not taken over", "error", err)
			return
		}
		if name, run, kind, ok := events.ParseStudySubject(m.Subject); ok && p.drives(name) {
			key := messages.RunKey{Study: name, Run: run}
			if kind == "removed" {
				p.accepted.drop(key)
				continue
			}
			o := p.owner(ctx, key, false)
			if kind == "accepted" {
				p.belongs(o, opened(key, m).who)
			}
			o.nudge()
			o.waiting.Add(-1)
		}
	}
}

// watchLetters tells owners of dead letters about their work, so that not each of them
// has to follow the letters. Those from before it are their own to read.
func (p *Proposer) watchLetters(ctx context.Context) {
	filters := letterFilters("*")
	var wait messages.Backoff
	for {
		info, err := p.Bus.Log().Info(ctx, filters[0])
		if err == nil {
			p.lettersCame("") // who has read some, and then none until now
			for m, failed := range p.Bus.Log().Follow(ctx, info.Last+1, filters...) {
				if err = failed; err != nil {
					break
				}
				wait = messages.Backoff{}
				p.lettersCame(m.Subject[strings.LastIndexByte(m.Subject, '.')+1:])
			}
		}
		if ctx.Err() != nil || err == nil {
			return
		}
		p.Logger.Warn("follow the dead letters: work that is given up is heard of later", "error", err)
		if wait.Wait(ctx) != nil {
			return
		}
	}
}

// lettersCame tells the owners of a study's runs that there are dead letters about it; ""
// is any.
func (p *Proposer) lettersCame(study string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for key, o := range p.owners {
		if study == "" || key.Study == study {
			token(o.lettered)
		}
	}
}

func (p *Proposer) drives(study string) bool { return p.Only == "" || p.Only == study }

func (p *Proposer) at(point string) error {
	if p.Failpoint == nil {
		return nil
	}
	return p.Failpoint(point)
}

// openRun is a run that has not ended, whose it is, and who measures it.
type openRun struct {
	key            messages.RunKey
	who, evaluator string
}

// opened reads the accepted event of a run; what it does not say is "".
func opened(key messages.RunKey, m events.Message) openRun {
	var e struct {
		Data struct {
			Owner string `json:"owner"`
			Spec  struct {
				Evaluator struct {
					Name string `json:"name"`
				} `json:"evaluator"`
			} `json:"spec"`
		} `json:"data"`
	}
	_ = json.Unmarshal(m.Data, &e) // the run's owner says what is wrong with it
	return openRun{key, e.Data.Owner, e.Data.Spec.Evaluator.Name}
}

// openRuns returns every run that has not ended, oldest first. An earlier run of a study
// is one of them when it was opened again.
func openRuns(ctx context.Context, log events.Log) (open []openRun, err error) {
	ended := map[messages.RunKey]bool{}
	for m, err := range log.Read(ctx, 0, events.BoundsOfRuns("*", "*")...) {
		if err != nil {
			return nil, fmt.Errorf("read the log: %w", err)
		}
		s, run, kind, ok := events.ParseStudySubject(m.Subject)
		if !ok {
			continue
		}
		key := messages.RunKey{Study: s, Run: run}
		switch kind {
		case "accepted":
			open = append(open, opened(key, m))
		case "extended":
			ended[key] = false
		default:
			ended[key] = true
		}
	}
	return slices.DeleteFunc(open, func(r openRun) bool { return ended[r.key] }), nil
}

// owner returns the running owner of a run, and starts it when there is none.
// It stays while its waiting is not 0; the caller counts it down. A new one that
// is only to cancel the run does without its sources: they may be what is gone.
// Of a study that this proposer does not drive it carries out one request.
func (p *Proposer) owner(ctx context.Context, key messages.RunKey, cancelling bool) *owner {
	p.mu.Lock()
	defer p.mu.Unlock()
	// One that still reads slow sources or a long log is left to find out that
	// the run was cancelled: the fence keeps the two apart.
	if o := p.owners[key]; o != nil && (!cancelling || !o.isLoading.Load()) {
		o.waiting.Add(1)
		return o
	}
	o := &owner{
		proposer: p, key: key, brief: cancelling || !p.drives(key.Study), cancelling: cancelling,
		requests: make(chan ownerRequest), moved: make(chan struct{}, 1), lettered: make(chan struct{}, 1), done: make(chan struct{}),
		log: p.Logger.With("study", key.Study, "run", key.Run),
	}
	o.waiting.Add(1)
	p.owners[key] = o
	p.wg.Go(func() {
		o.err = o.live(ctx)
		if o.err != nil {
			o.giveUp(ctx)
		}
		if o.spec != nil {
			p.turns.leave(o.spec.Evaluator.Name, key)
		}
		p.mu.Lock()
		if p.owners[key] == o {
			delete(p.owners, key)
		}
		p.mu.Unlock()
		close(o.done)
	})
	return o
}

// drive starts the owner of a run unless it works already.
func (p *Proposer) drive(ctx context.Context, key messages.RunKey, who string) {
	o := p.owner(ctx, key, false)
	p.belongs(o, who)
	o.waiting.Add(-1)
}

// nudge makes the owner read the log.
func (o *owner) nudge() { token(o.moved) }

// token leaves a token in a channel that holds one.
func token(in chan<- struct{}) {
	select {
	case in <- struct{}{}:
	default: // the one that is there will do
	}
}

// retire takes an owner with nothing left to do out of service. It reports
// false when somebody waits for it.
func (p *Proposer) retire(o *owner) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if o.waiting.Load() > 0 {
		return false
	}
	if p.owners[o.key] == o {
		delete(p.owners, o.key)
	}
	return true
}

// runID derives a run from the command that asked for it, so that a command
// that is delivered twice means one run. The command's sequence keeps it from
// the name of a run that was removed: people ask again under the same id. The
// time at which it was stored keeps it from that of a run that only the archive
// knows, because the bus was restored from an older copy.
func runID(c command) string {
	sum := sha256.Sum256([]byte(c.study + "\x00" + c.id + "\x00" + c.sequence + "\x00" + c.stored))
	return hex.EncodeToString(sum[:4])
}
