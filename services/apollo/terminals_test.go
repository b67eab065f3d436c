package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// terminals asks and tells in N terminals at once until the study has ended: terminals N DATA
// FILE. Where there are several, each second command is killed after a random time. No other
// command may fail, and what one was thanked for must be in the log in the end.
func terminals(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	all := make([]terminal, n)
	errs := make([]error, n)
	var wait sync.WaitGroup
	for k := range all {
		all[k] = terminal{ts: ts, data: args[1], kills: n > 1, rng: rand.New(rand.NewPCG(7, uint64(k))), told: map[int]float64{}}
		wait.Go(func() { errs[k] = all[k].loop(args[2]) })
	}
	wait.Wait()
	ts.Check(errors.Join(errs...))
	lines, err := command(ts, []string{"trial", "ls", "mine", "-o", "jsonl", "--data", args[1]}).Output()
	ts.Check(err)
	found := map[int]float64{}
	for line := range strings.Lines(string(lines)) {
		var t struct {
			Trial   int
			Metrics map[string]float64
		}
		ts.Check(json.Unmarshal([]byte(line), &t))
		found[t.Trial] = t.Metrics["runtime_s"]
	}
	for k := range all {
		for trial, v := range all[k].told {
			if found[trial] != v {
				ts.Fatalf("trial %d was told %v and has %v", trial, v, found[trial])
			}
		}
	}
}

// terminal is somebody who asks and tells.
type terminal struct {
	ts     *testscript.TestScript
	data   string
	kills  bool
	rng    *rand.Rand
	number int             // of commands so far
	told   map[int]float64 // what was acknowledged
}

func (t *terminal) loop(file string) error {
	for {
		out, err := t.run("ask", file)
		if err != nil {
			return err
		}
		if out == nil {
			continue // killed
		}
		if len(out) == 0 {
			return nil
		}
		for line := range strings.Lines(string(out)) {
			var asked struct {
				Trial  int
				Design struct{ Rows, Cols float64 }
			}
			if err := json.Unmarshal([]byte(line), &asked); err != nil {
				return err
			}
			v := 100/asked.Design.Cols + asked.Design.Rows
			if out, err = t.run("tell", "mine", strconv.Itoa(asked.Trial), fmt.Sprintf("runtime=%v", v)); err != nil {
				return err
			}
			if out != nil {
				t.told[asked.Trial] = v
			}
		}
	}
}

// run returns what a command printed, nil where it was killed.
func (t *terminal) run(args ...string) ([]byte, error) {
	t.number++
	c := command(t.ts, append([]string{"trial", "--data", t.data}, args...))
	var out, said bytes.Buffer
	c.Stdout, c.Stderr = &out, &said
	if err := c.Start(); err != nil {
		return nil, err
	}
	killed := false
	if t.kills && t.number%2 == 0 {
		time.Sleep(time.Duration(t.rng.IntN(400)) * time.Millisecond)
		killed = c.Process.Kill() == nil // it may have ended: then it is none
	}
	err := c.Wait()
	if err != nil && killed && c.ProcessState.ExitCode() < 0 {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("apollo trial %v: %w: %s", args, err, said.Bytes())
	}
	return append([]byte{}, out.Bytes()...), nil
}
