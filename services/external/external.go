package external

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"apollo/evaluator"
	"apollo/events"
	"apollo/optimizer/space"
)

// ErrClosed is returned by Evaluate after Close.
var ErrClosed = errors.New("the evaluator is closed")

// MaxLine is the longest line of a program, in bytes.
const MaxLine = 1 << 20

// DefaultStartup is what a process has to load, unless somebody says otherwise:
// the imports of a simulator take seconds on a busy machine.
const DefaultStartup = 30 * time.Second

// Options configure the processes of a Backend.
type Options struct {
	// Name is the evaluator's name where the program does not say it.
	Name string
	// Slots is how many processes run, and so how many designs are evaluated
	// at a time; 0 means 1.
	Slots int
	// Timeout bounds one design, from the moment that a process is free to its
	// answer; 0 means that only the context does. A process that takes the place
	// of one that ended gets all of it.
	Timeout time.Duration
	// Startup bounds the answer to describe, which every process of a program that
	// describes itself is asked first: loading has a clock of its own. 0 means
	// DefaultStartup.
	Startup time.Duration
	// Grace is what a process has to end after its input was closed; 0 means
	// 2 s.
	Grace time.Duration
	// MaxLine is the longest line of a program, in bytes; 0 means 1 MiB.
	MaxLine int
	// Dir is the working directory; "" means the current one.
	Dir string
	// Env is added to the environment, as NAME=value; "{slot}" in a value is the
	// number of the process's slot, from 0, which APOLLO_SLOT is too.
	Env []string
	// Memory bounds the data of each process, in bytes; 0 means nothing. It needs
	// Linux.
	Memory int64
	// Keep is the folder below which artifacts and the scratch folders of failed
	// attempts stay (StoreDir); "" keeps none.
	Keep string
	// Contents are what is known of large files among the arguments; nil means
	// nothing yet.
	Contents *Contents
	// Stderr receives what the processes write to standard error; nil means
	// that only the end is kept, for messages. Writes may come from several
	// processes at a time.
	Stderr io.Writer

	// slot is the number of the slot, for its command; "" leaves the command alone.
	slot string
}

func (o Options) withDefaults() Options {
	const (
		grace = 2 * time.Second
	)
	o.Slots = max(o.Slots, 1)
	if o.Startup <= 0 {
		o.Startup = DefaultStartup
	}
	if o.Grace <= 0 {
		o.Grace = grace
	}
	if o.MaxLine <= 0 {
		o.MaxLine = MaxLine
	}
	if o.Contents == nil {
		o.Contents = &Contents{}
	}
	return o
}

// forSlot returns the options of a slot's processes.
func (o Options) forSlot(slot int) Options {
	number := strconv.Itoa(slot)
	env := []string{"APOLLO_SLOT=" + number}
	for _, e := range o.Env {
		env = append(env, strings.ReplaceAll(e, "{slot}", number))
	}
	o.Env, o.slot = env, number
	return o
}

// inSlot writes the number of a slot into the words of a command.
func inSlot(argv []string, number string) []string {
	out := make([]string, len(argv))
	for i, word := range argv {
		out[i] = strings.ReplaceAll(word, "{slot}", number)
	}
	return out
}

// Backend evaluates designs by processes of one program. It is safe for
// concurrent use.
type Backend struct {
	argv []string
	o    Options
	// program is what was opened.
	program *events.Program
	info    Info
	free    chan *slot
	closed  chan struct{}
	close   sync.Once

	scratches scratches
	// single: a process answers one line and ends, so that none is left for a
	// design when it has described itself.
	single atomic.Bool

	ids      atomic.Uint64
	started  atomic.Uint64
	timeouts atomic.Uint64
	deaths   atomic.Uint64
}

var (
	_ evaluator.Backend = (*Backend)(nil)
	_ evaluator.Limited = (*taskEvaluator)(nil)
)

// slot is a place for one process. Who took it from Backend.free owns it.
type slot struct {
	index int
	p     *programProcess // nil before the first design and after a loss
	// futile counts the processes in a row that ended without one answer.
	futile int
	last   *Failure
	stderr string // what the last attempt that failed wrote there, at its end
}

// Open starts the program argv (Split makes it of a command line; "{slot}" in a word
// is the number of the slot), asks it to
// describe itself, and returns its backend. The caller closes it. The error is
// for a program that cannot be started or describes itself wrongly; not
// answering the question is no mistake.
func Open(ctx context.Context, argv []string, o Options) (*Backend, error) {
	if len(argv) == 0 {
		return nil, errors.New("open evaluator: the command is empty")
	}
	b := &Backend{argv: argv, o: o.withDefaults(), closed: make(chan struct{}), scratches: scratches{keep: o.Keep}}
	b.free = make(chan *slot, b.o.Slots)
	err := Findable(argv, o.Dir)
	if err != nil {
		return nil, fmt.Errorf("open evaluator: %w", err)
	}
	if b.program, err = b.o.Contents.identify(ctx, argv, o.Dir); err != nil {
		return nil, fmt.Errorf("open evaluator: %w", err)
	}
	first := &slot{}
	if err = b.handshake(ctx, first); err == nil {
		err = b.unchanged(ctx) // it was read when it started
	}
	if err != nil {
		if first.p != nil {
			first.p.Discard()
		}
		return nil, fmt.Errorf("open evaluator: %w", err)
	}
	b.free <- first
	for i := 1; i < b.o.Slots; i++ {
		b.free <- &slot{index: i}
	}
	return b, nil
}

// handshake asks a new process to describe itself.
func (b *Backend) handshake(ctx context.Context, s *slot) error {
	p, err := b.start(ctx, s)
	if err != nil {
		return err
	}
	s.p = p
	within, cancel := context.WithTimeout(ctx, b.o.Startup)
	defer cancel()
	id := b.nextID()
	a, err := p.ask(within, id, describeLine(id))
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		if broken := b.neverReads(ctx, s, err); broken != nil {
			return broken
		}
		b.info.Note = err.Error()
		if f, ok := errors.AsType[*Failure](err); ok {
			switch f.Code {
			case CodeTimeout:
				b.info.Waited = b.o.Startup
				b.info.Note = fmt.Sprintf("it did not answer describe within %s", b.o.Startup)
			case CodeBadAnswer:
				b.info.Spoilt, b.info.Note = true, f.Message
			}
		}
		p.Discard() // what it may still say would answer nothing
		s.p = nil
		return nil
	}
	info, ok, err := readInfo(a)
	if err != nil {
		return err
	}
	if ok {
		b.info = info
		p.said = info.said
		return nil
	}
	b.info.Note = "it took the question for something else"
	return nil
}

// neverReads is of a program that ended with an error at describe without a look at the
// question, and ends with the same words where there is nothing to read: a syntax error,
// a module that is missing. It would end at every question. One that reads may answer
// all others, whatever it says to this one.
func (b *Backend) neverReads(ctx context.Context, s *slot, died error) error {
	f, ok := errors.AsType[*Failure](died)
	if !ok || f.Code != CodeDied || !s.p.Exited() || s.p.State().Success() || s.p.Note() == "" || !s.p.ReadNothing() {
		return nil
	}
	p, err := b.start(ctx, s)
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, p.Kill)()
	if !p.Stop(b.o.Startup) || p.State().String() != s.p.State().String() || p.Note() != s.p.Note() {
		return nil
	}
	return fmt.Errorf("%w (%s)%s", errNeverReads, p.State(), p.Note())
}

// errNeverReads is of a program that ends with an error whatever it is asked.
var errNeverReads = errors.New("the program ends before it reads a question")

func (b *Backend) nextID() string { return strconv.FormatUint(b.ids.Add(1), 10) }

// Info returns what the program said about itself.
func (b *Backend) Info() Info { return b.info }

// Describe returns the program's description, or what stands for it: the name
// of the options, deterministic, any batch, and the metrics of each task. No
// metric is cheap: asking the program is an evaluation.
func (b *Backend) Describe() evaluator.Description {
	if !b.info.Described {
		return evaluator.Description{Name: b.o.Name, Deterministic: true}
	}
	d := evaluator.Description{
		Name: b.info.Name, Version: b.info.Version, Deterministic: b.info.Deterministic, MaxBatch: b.info.MaxBatch,
	}
	if d.Name == "" {
		d.Name = b.o.Name
	}
	for _, m := range b.info.Metrics {
		d.Metrics = append(d.Metrics, evaluator.Metric{Name: m.Name, Unit: plain(m.Unit)})
	}
	return d
}

// Stats counts what has happened to the processes.
type Stats struct {
	// Started counts processes; Timeouts and Deaths count designs that ended so.
	Started, Timeouts, Deaths uint64
}

// Stats returns the counts so far.
func (b *Backend) Stats() Stats {
	return Stats{Started: b.started.Load(), Timeouts: b.timeouts.Load(), Deaths: b.deaths.Load()}
}

// New binds the program to a task. The error names every parameter and metric
// in which study and program differ.
func (b *Backend) New(t evaluator.Task) (evaluator.Evaluator, error) {
	e := &taskEvaluator{b: b, params: len(t.Params), choice: t.Choice}
	if t.Choice != nil {
		var err error
		if e.chosen, e.own, err = t.Choice.Split(t.Params); err != nil {
			return nil, fmt.Errorf("bind evaluator %s: %w", b.Describe().Name, err)
		}
		var own []space.Param
		for _, at := range e.own {
			own = append(own, t.Params[at])
		}
		t.Params = own
	}
	if err := b.info.match(t); err != nil {
		return nil, fmt.Errorf("bind evaluator %s: %w", b.Describe().Name, err)
	}
	if e.want = b.Describe().Metrics; len(e.want) == 0 {
		e.want = t.Metrics
	}
	e.q = newQuestion(t.Params, e.want, t.Networks)
	return e, nil
}

// Close ends every process, after the evaluations in progress: end their
// contexts first to be quick. A process gets Options.Grace after its input was
// closed, then its group is killed. Close returns when none is left.
func (b *Backend) Close() error {
	b.close.Do(func() {
		close(b.closed)
		var stopping sync.WaitGroup
		for range b.o.Slots {
			s := <-b.free
			if s.p != nil {
				stopping.Go(func() { s.p.Stop(b.o.Grace) })
			}
		}
		stopping.Wait()
		b.scratches.close()
	})
	return nil
}
