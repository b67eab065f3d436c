package external

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"apollo/events/unit"
	"apollo/services/child"
)

// programProcess is one run of the program. One goroutine at a time may call ask and
// its parts; Kill and Done are safe for all.
type programProcess struct {
	*child.Process
	max int // longest line, in bytes
	// answered counts the questions that this process has answered.
	answered int
	// stray counts the lines that answered nothing that was pending.
	stray     int
	lastStray string
	// knows are the networks whose layers it has got.
	knows map[string]bool
	// probed: it has described itself before its first design.
	probed bool
	// said are the metrics that it calls otherwise than the log does.
	said map[string]string
	// limit is what the question at hand may take; 0 means that only the context bounds it.
	limit time.Duration
	// onNote is called with the notes before the answer to the question at hand.
	// It reports whether the answer is not waited for.
	onNote func(*note) (ends bool)
	// sharers are the processes that read the questions beside it, seen before a
	// time-out killed them.
	sharers []string
}

// start runs argv. The error says why it cannot.
func start(argv []string, o Options) (*programProcess, error) {
	if o.slot != "" {
		argv = inSlot(argv, o.slot)
	}
	p, err := child.Start(argv, child.Options{Dir: o.Dir, Env: o.Env, MaxLine: o.MaxLine, Stderr: o.Stderr, MemoryBytes: o.Memory})
	if err != nil {
		return nil, err
	}
	return &programProcess{Process: p, max: o.MaxLine, knows: map[string]bool{}}, nil
}

// errEnough ends a question whose answer nobody waits for any more.
var errEnough = errors.New("the evaluation is stopped early")

// readLine returns the next line, or a *Failure for one that is too long.
func (p *programProcess) readLine() ([]byte, error) {
	line, err := p.ReadLine()
	if errors.Is(err, child.ErrTooLong) {
		return nil, &Failure{CodeTooLong, fmt.Sprintf("the program wrote a line of more than %d bytes; an answer is one short line", p.max)}
	}
	return line, err
}

// ask sends line, the question called id, and returns its answer. Answers to
// other questions are counted and ignored. When ctx ends first the process
// group is killed. The error is a *Failure, or ctx's error when it was
// cancelled.
func (p *programProcess) ask(ctx context.Context, id string, line []byte) (answer, error) {
	began := time.Now()
	p.Mark()
	var sharers []string
	looked := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		sharers = p.InputSharers()
		close(looked)
		p.Kill()
	})
	a, err := p.exchange(id, line)
	if !stop() {
		<-looked
		<-p.Done() // killed, perhaps a moment after a good answer
		p.sharers = sharers
	}
	if err == nil {
		p.answered++
		return a, nil
	}
	if errors.Is(err, errEnough) {
		return answer{}, err
	}
	if f, ok := errors.AsType[*Failure](err); ok {
		if f.Code == CodeTooLong {
			p.Discard()
		}
		return answer{}, &Failure{f.Code, f.Message + p.Said()}
	}
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		if p.limit > 0 {
			return answer{}, p.timeout(p.limit, "spec.evaluator.timeout")
		}
		return answer{}, p.timeout(time.Since(began), "spec.evaluator.timeout")
	case ctx.Err() != nil:
		return answer{}, ctx.Err()
	}
	return answer{}, p.death()
}

func (p *programProcess) exchange(id string, line []byte) (answer, error) {
	// A process that ended may have answered before: read on all the same.
	werr := p.Write(line)
	for {
		text, err := p.readLine()
		if err != nil {
			return answer{}, errors.Join(err, werr)
		}
		a, err := p.parse(text)
		if err != nil {
			return answer{}, err
		}
		switch {
		case a.id == id && a.note == nil:
			return a, nil
		case a.id == id:
			if p.onNote != nil && p.onNote(a.note) {
				return answer{}, errEnough
			}
			continue
		}
		p.stray++
		p.lastStray = a.id
	}
}

// parse reads a line, with the metrics called as the log does.
func (p *programProcess) parse(line []byte) (answer, error) {
	a, err := parseAnswer(line)
	for logged, name := range p.said {
		if raw := a.metrics[name]; raw != nil && a.metrics[logged] == nil {
			a.metrics[logged] = raw
			delete(a.metrics, name)
		}
		if a.note != nil && a.note.values[name] != nil && a.note.values[logged] == nil {
			a.note.values[logged] = a.note.values[name]
		}
	}
	return a, err
}

// timeout says that no answer came within limit, which setting bounds.
func (p *programProcess) timeout(limit time.Duration, setting string) *Failure {
	return &Failure{CodeTimeout, fmt.Sprintf("no answer within %s%s%s; write one line per design and flush it, or raise %s%s",
		unit.Format(limit.Round(time.Millisecond).Seconds(), "s"), p.strayNote(), p.sharerNote(), setting, p.Note())}
}

// sharerNote names the helpers that may have taken the question, or wait for one.
func (p *programProcess) sharerNote() string {
	if len(p.sharers) == 0 {
		return ""
	}
	return fmt.Sprintf("; %s reads the questions too: start helpers with an empty standard input (Python: stdin=subprocess.DEVNULL)",
		child.Clip(strings.Join(p.sharers, ", "), maxExcerpt))
}

func (p *programProcess) strayNote() string {
	if p.stray == 0 {
		return ""
	}
	return fmt.Sprintf(" (answers with the id of another line: %d, the last %q)", p.stray, child.Clip(p.lastStray, maxCode))
}

// death ends a process whose output has ended, and describes it.
func (p *programProcess) death() *Failure {
	timer := time.NewTimer(child.Drain)
	defer timer.Stop()
	select {
	case <-p.Done():
		p.CloseOutput()
	case <-timer.C:
		p.Discard()
		return &Failure{CodeDied, "the program closed its standard output before it answered" + p.Note()}
	}
	return &Failure{CodeDied, fmt.Sprintf("the program ended (%s) before it answered%s", p.State(), p.Note())}
}
