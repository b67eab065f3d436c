package bench

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"sync"
	"time"
)

// child is a worker process. It is used by one goroutine.
type child struct {
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	lines  *bufio.Reader
	stderr tail
}

// startChild starts a worker that is killed when ctx ends.
func startChild(ctx context.Context, argv []string) (*child, error) {
	c := &child{cmd: exec.CommandContext(ctx, argv[0], argv[1:]...)}
	detach(c.cmd)
	// Its own children die with its pipes; nobody waits for those that do not.
	c.cmd.WaitDelay = time.Second
	c.cmd.Stderr = &c.stderr
	var err error
	if c.stdin, err = c.cmd.StdinPipe(); err != nil {
		return nil, fmt.Errorf("start a worker: %w", err)
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start a worker: %w", err)
	}
	c.lines = bufio.NewReaderSize(out, 1<<16)
	if err := c.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start a worker: %w", err)
	}
	return c, nil
}

// errGone marks a worker that cannot take another job.
var errGone = errors.New("the worker process is gone")

// do runs a job. An error that wraps errGone means that the process has ended
// and was reaped; with any other error it can take the next job.
func (c *child) do(job *Job, hang time.Duration) ([]Batch, error) {
	line, err := json.Marshal(job)
	if err != nil {
		return nil, err
	}
	silent := time.AfterFunc(hang, func() { _ = c.cmd.Process.Kill() })
	defer silent.Stop()
	began := time.Now()
	if _, err := c.stdin.Write(append(line, '\n')); err != nil {
		return nil, c.gone(err)
	}
	var batches []Batch
	for {
		line, err := c.lines.ReadBytes('\n')
		if err != nil {
			if !silent.Stop() && time.Since(began) >= hang {
				err = fmt.Errorf("no word from the search for %s", hang)
			}
			return nil, c.gone(err)
		}
		silent.Reset(hang)
		began = time.Now()
		var m message
		if err := json.Unmarshal(line, &m); err != nil {
			_ = c.cmd.Process.Kill()
			return nil, c.gone(fmt.Errorf("read a worker's answer: %w", err))
		}
		switch {
		case m.Batch != nil:
			batches = append(batches, *m.Batch)
		case m.Error != "" && m.Timeout:
			return nil, fmt.Errorf("%w: %s", ErrTimeout, strings.TrimPrefix(m.Error, ErrTimeout.Error()+": "))
		case m.Error != "":
			return nil, errors.New(m.Error)
		case m.Done:
			return batches, nil
		}
	}
}

// gone reaps the process and says how it ended.
func (c *child) gone(cause error) error {
	_ = c.stdin.Close()
	_ = c.cmd.Process.Kill() // a process that has ended already is no mistake
	err := c.cmd.Wait()
	if errors.Is(cause, io.EOF) && err != nil {
		cause = err
	}
	if said := c.stderr.String(); said != "" {
		cause = fmt.Errorf("%w; it said: %s", cause, said)
	}
	return fmt.Errorf("%w: %w", errGone, cause)
}

// end lets an idle process go.
func (c *child) end() {
	_ = c.stdin.Close()
	_ = c.cmd.Wait() // it had nothing left to do
}

// tail keeps the end of what is written to it. It is safe for concurrent use.
type tail struct {
	mu   sync.Mutex
	last []byte
}

// tailBytes is enough for the message of a panic.
const tailBytes = 2000

// Write implements io.Writer.
func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last = append(t.last, b...)
	if n := len(t.last) - tailBytes; n > 0 {
		t.last = append(t.last[:0], t.last[n:]...)
	}
	return len(b), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(string(t.last))
}
