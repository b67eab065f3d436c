// Package child runs a program that answers lines on its standard output to
// lines on its standard input: an evaluator, or a peer of the bench. The program
// leads a process group of its own, and the group dies with it and with this
// process, however that ends; the end of its standard error is kept for messages.
package child

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"
)

// ErrTooLong is returned by ReadLine for a line longer than Options.MaxLine.
var ErrTooLong = errors.New("the line is too long")

// Options configure a process.
type Options struct {
	// Dir is the working directory; "" means the current one.
	Dir string
	// Env is added to the environment, as NAME=value.
	Env []string
	// MaxLine is the longest line that ReadLine returns, in bytes; it must be
	// set.
	MaxLine int
	// Stderr receives what the process writes to standard error; nil means that
	// only the end is kept.
	Stderr io.Writer
	// MemoryBytes bounds the data of the process and of each that it starts; 0
	// means nothing. Start refuses it where the system cannot.
	MemoryBytes int64
}

// Drain is how long output is read after the process has ended. It matters
// only when a process that left the group still holds the pipe.
const Drain = 500 * time.Millisecond

// Process is one run of a program. One goroutine at a time may read and write;
// Kill, Exited and Done are safe for all.
type Process struct {
	cmd    *exec.Cmd
	stdin  *os.File
	stdout *os.File
	lines  *bufio.Reader
	line   []byte   // what has been read of the current line
	max    int      // longest line, in bytes
	errors *os.File // its standard error
	stderr *tail
	marked uint64 // bytes of stderr before Mark
	guard  *guard
	memory int64
	// written counts the bytes that went into its input, and unread those that were there
	// when it ended; -1 where the system does not tell.
	written, unread int
	// done is closed when the process has been reaped, its group killed, and
	// stderr read to the end.
	done chan struct{}

	mu     sync.Mutex
	reaped bool
}

// Secrets are the variables with which this process proves who it is. A program has no use
// for them, and tools print their environment when they fail.
func Secrets() []string { return []string{"APOLLO_PASSWORD", "APOLLO_TOKEN", "APOLLO_NOTIFY_KEY"} }

// withoutSecrets returns an environment for others.
func withoutSecrets(env []string) []string {
	return slices.DeleteFunc(env, func(e string) bool {
		name, _, _ := strings.Cut(e, "=")
		return slices.Contains(Secrets(), name)
	})
}

// Start runs argv. The error says why it cannot. The caller ends the process
// with Stop or Discard.
func Start(argv []string, o Options) (*Process, error) {
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir = o.Dir
	// Python holds back what it prints into a pipe, which looks like a hang.
	cmd.Env = append(append(withoutSecrets(os.Environ()), "PYTHONUNBUFFERED=1"), o.Env...)
	lead(cmd)
	p := &Process{cmd: cmd, max: o.MaxLine, memory: o.MemoryBytes, stderr: &tail{also: o.Stderr}, done: make(chan struct{})}
	var theirs [3]*os.File
	for i, ours := range []**os.File{&p.stdin, &p.stdout, &p.errors} {
		r, w, err := os.Pipe()
		if err != nil {
			closeAll(append(theirs[:], p.stdin, p.stdout, p.errors)...)
			return nil, fmt.Errorf("start %s: %w", argv[0], err)
		}
		theirs[i], *ours = w, r
		if i == 0 {
			theirs[i], *ours = r, w
		}
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = theirs[0], theirs[1], theirs[2]
	started := make(chan error)
	go p.run(started, theirs[:])
	if err := <-started; err != nil {
		closeAll(p.stdin, p.stdout, p.errors)
		return nil, fmt.Errorf("start %s: %w", argv[0], err)
	}
	p.lines = bufio.NewReader(p.stdout)
	return p, nil
}

// run is the life of the process. Linux ends a child with the thread that
// started it, so that thread is kept until the child has ended.
func (p *Process) run(started chan<- error, theirs []*os.File) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := p.cmd.Start()
	closeAll(theirs...)
	if err != nil {
		started <- err
		return
	}
	p.guard = newGuard(p.cmd.Process.Pid)
	if p.memory > 0 {
		if err = limitMemory(p.cmd.Process.Pid, p.memory); err != nil {
			killGroup(p.cmd)
		}
	}
	started <- err
	p.wait()
}

func closeAll(files ...*os.File) {
	for _, f := range files {
		if f != nil {
			_ = f.Close()
		}
	}
}

// wait reaps the process and cleans up behind it.
func (p *Process) wait() {
	defer close(p.done)
	var reading sync.WaitGroup
	reading.Go(func() { drain(p.errors, p.stderr) })
	_ = p.cmd.Wait() // the state is read from cmd.ProcessState
	p.mu.Lock()
	p.reaped = true
	killGroup(p.cmd)
	p.mu.Unlock()
	end := time.Now().Add(Drain)
	_ = p.stdout.SetReadDeadline(end)
	_ = p.errors.SetReadDeadline(end)
	reading.Wait()
	p.unread = held(p.stdin)
	closeAll(p.stdin, p.errors)
	p.guard.close()
}

// Kill kills the process group and ends every read and write in progress.
func (p *Process) Kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.reaped {
		killGroup(p.cmd)
	}
	past := time.Unix(1, 0)
	_ = p.stdin.SetWriteDeadline(past)
	_ = p.stdout.SetReadDeadline(past)
}

// Exited reports whether the process has ended.
func (p *Process) Exited() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// Stop closes the process's input, gives it grace to end, kills what is left,
// and waits. It reports whether the process ended by itself.
func (p *Process) Stop(grace time.Duration) bool {
	_ = p.stdin.Close()
	timer := time.NewTimer(grace)
	defer timer.Stop()
	polite := true
	select {
	case <-p.done:
	case <-timer.C:
		polite = false
		p.Kill()
		<-p.done
	}
	_ = p.stdout.Close()
	return polite
}

// Discard kills the process and waits.
func (p *Process) Discard() {
	p.Kill()
	<-p.done
	_ = p.stdout.Close()
}

// ReadLine returns the next line of standard output without its end. After a
// deadline it may be called again: nothing that was read is lost. The bytes
// are valid until the next call. The error is ErrTooLong, os.ErrDeadlineExceeded,
// or that of an output that has ended.
func (p *Process) ReadLine() ([]byte, error) {
	if n := len(p.line); n > 0 && p.line[n-1] == '\n' {
		p.line = p.line[:0]
	}
	for {
		part, err := p.lines.ReadSlice('\n')
		p.line = append(p.line, part...)
		if len(p.line) > p.max {
			return nil, ErrTooLong
		}
		if err == nil {
			return p.line[:len(p.line)-1], nil
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return nil, err
		}
	}
}

// Write sends bytes, which end in a line feed.
func (p *Process) Write(line []byte) error {
	n, err := p.stdin.Write(line)
	p.written += n
	return err
}

// ReadNothing reports whether it is certain that the process ended without a look at
// what was written. It is for after Done.
func (p *Process) ReadNothing() bool { return p.unread == p.written }

// SetReadDeadline bounds ReadLine; the zero time is no bound.
func (p *Process) SetReadDeadline(t time.Time) error { return p.stdout.SetReadDeadline(t) }

// SetWriteDeadline bounds Write; the zero time is no bound.
func (p *Process) SetWriteDeadline(t time.Time) error { return p.stdin.SetWriteDeadline(t) }

// CloseOutput closes this side of the standard output.
func (p *Process) CloseOutput() { _ = p.stdout.Close() }

// Done is closed when the process has been reaped, its group killed, and
// standard error read to the end.
func (p *Process) Done() <-chan struct{} { return p.done }

// State says how the process ended. It is for after Done.
func (p *Process) State() *os.ProcessState { return p.cmd.ProcessState }

// Pid returns the number of the process.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// Note returns the last lines of standard error as the end of a sentence, or "".
func (p *Process) Note() string { return p.stderr.note(0) }

// Mark notes where standard error is, for Said. Only the goroutine that reads
// and writes may call the two.
func (p *Process) Mark() { p.marked = p.stderr.total() }

// Written returns what is kept of standard error since Mark.
func (p *Process) Written() string {
	if !p.Exited() {
		catchUp(p.errors, p.stderr)
	}
	return p.stderr.since(p.marked)
}

// Said returns the last lines that came on standard error since Mark, as the end
// of a sentence, or "". What a running process wrote a moment ago counts too.
func (p *Process) Said() string {
	if !p.Exited() {
		catchUp(p.errors, p.stderr)
	}
	return p.stderr.note(p.marked)
}
