package external

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"
)

// drain is how long output is read after the process has ended. It matters
// only when a process that left the group still holds the pipe.
const drain = 500 * time.Millisecond

// process is one run of the program. One goroutine at a time may call ask and
// its parts; kill and done are safe for all.
type process struct {
	cmd    *exec.Cmd
	stdin  *os.File
	stdout *os.File
	lines  *bufio.Reader
	line   []byte // what has been read of the current line
	max    int    // longest line, in bytes
	stderr *tail
	// answered counts the questions that this process has answered.
	answered int
	// stray counts the lines that answered nothing that was pending.
	stray     int
	lastStray string
	// done is closed when the process has been reaped, its group killed, and
	// stderr read to the end.
	done chan struct{}

	mu     sync.Mutex
	reaped bool
}

// start runs argv. The error says why it cannot.
func start(argv []string, o Options) (*process, error) {
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir = o.Dir
	// Python holds back what it prints into a pipe, which looks like a hang.
	cmd.Env = append(append(os.Environ(), "PYTHONUNBUFFERED=1"), o.Env...)
	lead(cmd)
	p := &process{cmd: cmd, max: o.MaxLine, stderr: &tail{also: o.Stderr}, done: make(chan struct{})}
	var theirs [3]*os.File
	var stderr *os.File
	for i, ours := range []**os.File{&p.stdin, &p.stdout, &stderr} {
		r, w, err := os.Pipe()
		if err != nil {
			closeAll(append(theirs[:], p.stdin, p.stdout, stderr)...)
			return nil, fmt.Errorf("start %s: %w", argv[0], err)
		}
		theirs[i], *ours = w, r
		if i == 0 {
			theirs[i], *ours = r, w
		}
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = theirs[0], theirs[1], theirs[2]
	err := cmd.Start()
	closeAll(theirs[:]...)
	if err != nil {
		closeAll(p.stdin, p.stdout, stderr)
		return nil, fmt.Errorf("start %s: %w", argv[0], err)
	}
	p.lines = bufio.NewReader(p.stdout)
	go p.wait(stderr)
	return p, nil
}

func closeAll(files ...*os.File) {
	for _, f := range files {
		if f != nil {
			_ = f.Close()
		}
	}
}

// wait reaps the process and cleans up behind it.
func (p *process) wait(stderr *os.File) {
	defer close(p.done)
	var reading sync.WaitGroup
	reading.Go(func() { _, _ = io.Copy(p.stderr, stderr) })
	_ = p.cmd.Wait() // the state is read from cmd.ProcessState
	p.mu.Lock()
	p.reaped = true
	killGroup(p.cmd)
	p.mu.Unlock()
	end := time.Now().Add(drain)
	_ = p.stdout.SetReadDeadline(end)
	_ = stderr.SetReadDeadline(end)
	reading.Wait()
	closeAll(p.stdin, stderr)
}

// kill kills the process group and ends every read and write in progress.
func (p *process) kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.reaped {
		killGroup(p.cmd)
	}
	past := time.Unix(1, 0)
	_ = p.stdin.SetWriteDeadline(past)
	_ = p.stdout.SetReadDeadline(past)
}

// exited reports whether the process has ended.
func (p *process) exited() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// stop closes the process's input, gives it grace to end, kills what is left,
// and waits. It reports whether the process ended by itself.
func (p *process) stop(grace time.Duration) bool {
	_ = p.stdin.Close()
	timer := time.NewTimer(grace)
	defer timer.Stop()
	polite := true
	select {
	case <-p.done:
	case <-timer.C:
		polite = false
		p.kill()
		<-p.done
	}
	_ = p.stdout.Close()
	return polite
}

// discard kills the process and waits.
func (p *process) discard() {
	p.kill()
	<-p.done
	_ = p.stdout.Close()
}

// readLine returns the next line of standard output without its end. After a
// deadline it may be called again: nothing that was read is lost. The bytes
// are valid until the next call.
func (p *process) readLine() ([]byte, error) {
	if n := len(p.line); n > 0 && p.line[n-1] == '\n' {
		p.line = p.line[:0]
	}
	for {
		part, err := p.lines.ReadSlice('\n')
		p.line = append(p.line, part...)
		if len(p.line) > p.max {
			return nil, &Failure{CodeTooLong, fmt.Sprintf("the program wrote a line of more than %d bytes; an answer is one short line", p.max)}
		}
		if err == nil {
			return p.line[:len(p.line)-1], nil
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return nil, err
		}
	}
}

// write sends one line.
func (p *process) write(line []byte) error {
	_, err := p.stdin.Write(line)
	return err
}

// ask sends line, the question called id, and returns its answer. Answers to
// other questions are counted and ignored. When ctx ends first the process
// group is killed. The error is a *Failure, or ctx's error when it was
// cancelled.
func (p *process) ask(ctx context.Context, id string, line []byte) (answer, error) {
	began := time.Now()
	stop := context.AfterFunc(ctx, p.kill)
	a, err := p.exchange(id, line)
	if !stop() {
		<-p.done // killed, perhaps a moment after a good answer
	}
	if err == nil {
		p.answered++
		return a, nil
	}
	if f, ok := errors.AsType[*Failure](err); ok {
		if f.Code == CodeTooLong {
			p.discard()
		}
		return answer{}, f
	}
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return answer{}, p.timeout(time.Since(began))
	case ctx.Err() != nil:
		return answer{}, ctx.Err()
	}
	return answer{}, p.death()
}

func (p *process) exchange(id string, line []byte) (answer, error) {
	// A process that ended may have answered before: read on all the same.
	werr := p.write(line)
	for {
		text, err := p.readLine()
		if err != nil {
			return answer{}, errors.Join(err, werr)
		}
		a, err := parseAnswer(text)
		if err != nil {
			return answer{}, err
		}
		if a.id == id {
			return a, nil
		}
		p.stray++
		p.lastStray = a.id
	}
}

func (p *process) timeout(waited time.Duration) *Failure {
	return &Failure{CodeTimeout, fmt.Sprintf("no answer within %s%s; write one line per design and flush it, or raise the time-out%s",
		waited.Round(time.Millisecond), p.strayNote(), p.stderr.note())}
}

func (p *process) strayNote() string {
	if p.stray == 0 {
		return ""
	}
	return fmt.Sprintf(" (%d answers had the id of another line, the last %q)", p.stray, clip(p.lastStray, maxCode))
}

// death ends a process whose output has ended, and describes it.
func (p *process) death() *Failure {
	timer := time.NewTimer(drain)
	defer timer.Stop()
	select {
	case <-p.done:
		_ = p.stdout.Close()
	case <-timer.C:
		p.discard()
		return &Failure{CodeDied, "the program closed its standard output before it answered" + p.stderr.note()}
	}
	return &Failure{CodeDied, fmt.Sprintf("the program ended (%s) before it answered%s", p.cmd.ProcessState, p.stderr.note())}
}

// tail keeps the end of a stream.
type tail struct {
	also io.Writer // nil for none

	mu  sync.Mutex
	end []byte
}

// maxTail is how much of stderr is kept, in bytes.
const maxTail = 4096

// Write keeps the last bytes of b.
func (t *tail) Write(b []byte) (int, error) {
	if t.also != nil {
		_, _ = t.also.Write(b)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.end = append(t.end, b[max(0, len(b)-maxTail):]...)
	if extra := len(t.end) - maxTail; extra > 0 {
		t.end = append(t.end[:0], t.end[extra:]...)
	}
	return len(b), nil
}

// note returns the last lines of the stream as the end of a sentence, or "".
func (t *tail) note() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	lines := strings.Split(strings.TrimSpace(string(t.end)), "\n")
	const enough = 3
	text := strings.Join(lines[max(0, len(lines)-enough):], " | ")
	if text == "" {
		return ""
	}
	if len(text) > maxExcerpt {
		text = "…" + text[len(text)-maxExcerpt:]
	}
	return "; stderr: " + clip(text, 2*maxExcerpt)
}
