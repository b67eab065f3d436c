package bench

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"apollo/optimizer"
)

// Worker runs cells in a process of its own. It reads one Job a line and
// answers with messages, one a line; its input's end is its own.
type Worker struct {
	// Suites are what jobs can name.
	Suites []Suite
	// Peer makes the algorithm of a contender that is a program.
	Peer func(*Job, *Task) (optimizer.Algorithm, error)

	tasks map[string][]Task
}

// message is a line of a worker: a batch of the job, or its end.
type message struct {
	Batch   *Batch `json:"batch,omitempty"`
	Done    bool   `json:"done,omitempty"`
	Error   string `json:"error,omitempty"`
	Timeout bool   `json:"timeout,omitempty"`
}

// Serve runs jobs until the input ends. The error is for input that is no job
// and output that nobody reads.
func (w *Worker) Serve(ctx context.Context, in io.Reader, out io.Writer) error {
	jobs, broken := make(chan *Job), make(chan error, 1)
	// The input is read while a job runs: when the parent is gone, so is this
	// process.
	go func() { broken <- readJobs(in, jobs) }()
	buffered := bufio.NewWriter(out)
	encoder := json.NewEncoder(buffered)
	say := func(m message) error {
		if err := encoder.Encode(m); err != nil {
			return err
		}
		return buffered.Flush()
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for {
		select {
		case err := <-broken:
			return err
		case job := <-jobs:
			done := make(chan error, 1)
			go func() { done <- w.search(ctx, job, say) }()
			select {
			case err := <-broken:
				return err // the search ends with the process
			case err := <-done:
				end := message{Done: true, Timeout: errors.Is(err, ErrTimeout)}
				if err != nil {
					end.Error = err.Error()
				}
				if err := say(end); err != nil {
					return fmt.Errorf("answer: %w", err)
				}
			}
		}
	}
}

func readJobs(in io.Reader, jobs chan<- *Job) error {
	decoder := json.NewDecoder(in)
	for {
		job := &Job{}
		err := decoder.Decode(job)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read a job: %w", err)
		}
		jobs <- job
	}
}

// search runs a job. A panic of a strategy is the job's error.
func (w *Worker) search(ctx context.Context, job *Job, say func(message) error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	task, err := w.task(job)
	if err != nil {
		return err
	}
	var algorithm optimizer.Algorithm
	if job.Command != "" {
		algorithm, err = w.Peer(job, task)
	} else {
		algorithm, err = optimizer.New(job.Name, job.Options)
	}
	if err != nil {
		return err
	}
	return Search(ctx, job, task, algorithm, func(b *Batch) error { return say(message{Batch: b}) })
}

func (w *Worker) task(job *Job) (*Task, error) {
	key := job.Suite + "\x00" + job.Environment.Proofs + "\x00" + strings.Join(job.Environment.Tables, "\x00")
	if w.tasks[key] == nil {
		suite, err := FindSuite(w.Suites, job.Suite)
		if err != nil {
			return nil, err
		}
		tasks, err := suite.Tasks(job.Environment)
		if err != nil {
			return nil, fmt.Errorf("suite %s: %w", job.Suite, err)
		}
		if w.tasks == nil {
			w.tasks = map[string][]Task{}
		}
		w.tasks[key] = tasks
	}
	for i := range w.tasks[key] {
		if t := &w.tasks[key][i]; t.Name == job.Task {
			return t, nil
		}
	}
	return nil, fmt.Errorf("suite %s has no task %s", job.Suite, job.Task)
}

// FindSuite returns the suite called name; the error lists the names.
func FindSuite(suites []Suite, name string) (*Suite, error) {
	var names []string
	for i := range suites {
		if suites[i].Name == name {
			return &suites[i], nil
		}
		names = append(names, suites[i].Name)
	}
	return nil, fmt.Errorf("no suite is called %q: there are %s", name, strings.Join(names, ", "))
}
