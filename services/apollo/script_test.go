package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"apollo/archiver"
	"apollo/events"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"apollo": main, "talkative": talkative})
}

// TestScripts runs the shell sessions in testdata/script.
func TestScripts(t *testing.T) {
	t.Parallel()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                "testdata/script",
		RequireUniqueNames: true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("EXAMPLES", filepath.Join(root, "examples"))
			e.Setenv("NO_COLOR", "1")
			e.Setenv("COLUMNS", "1000") // what is told, not how it is laid out: tables.txt
			e.Values[stopsKey{}] = map[string]func() error{}
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"exits":       exits,
			"lines":       lines,
			"jsonkeys":    jsonKeys,
			"samefield":   sameField,
			"sametrials":  sameTrials,
			"interrupted": interrupted,
			"orphaned":    orphaned,
			"flood":       flood,
			"natsserver":  startNATS,
			"widestudy":   wideStudy,
			"server":      startServer,
			"stopserver":  stopServer,
			"terminals":   terminals,
			"freeze":      freeze,
		},
	})
}

// exits runs a command and checks its exit code: exits CODE COMMAND...
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits code command...")
	}
	code := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		exit, ok := errors.AsType[*exec.ExitError](err)
		if !ok {
			ts.Fatalf("%v", err)
		}
		code = exit.ExitCode()
	}
	if strconv.Itoa(code) != args[0] {
		ts.Fatalf("exit code %d, want %s", code, args[0])
	}
}

// lines checks the number of lines: lines FILE N.
func lines(ts *testscript.TestScript, _ bool, args []string) {
	if got := strings.Count(ts.ReadFile(args[0]), "\n"); strconv.Itoa(got) != args[1] {
		ts.Fatalf("%s has %d lines, want %s", args[0], got, args[1])
	}
}

// object reads "file.json/a/b", an object inside a JSON file.
func object(ts *testscript.TestScript, name string) map[string]any {
	file, path, _ := strings.Cut(name, ".json")
	var v any
	if err := json.Unmarshal([]byte(ts.ReadFile(file+".json")), &v); err != nil {
		ts.Fatalf("%s: %v", name, err)
	}
	for key := range strings.SplitSeq(strings.TrimPrefix(path, "/"), "/") {
		if key != "" {
			v = v.(map[string]any)[key]
		}
	}
	m, ok := v.(map[string]any)
	if !ok {
		ts.Fatalf("%s is no object", name)
	}
	return m
}

// jsonKeys checks that an object has exactly these keys: jsonkeys FILE.json[/PATH] KEY...
func jsonKeys(ts *testscript.TestScript, _ bool, args []string) {
	var got []string
	for key := range object(ts, args[0]) {
		got = append(got, key)
	}
	want := slices.Sorted(slices.Values(args[1:]))
	slices.Sort(got)
	if !slices.Equal(got, want) {
		ts.Fatalf("%s has the keys %q, want %q", args[0], got, want)
	}
}

// sameField checks that two JSON files agree in a field: samefield A B FIELD.
func sameField(ts *testscript.TestScript, _ bool, args []string) {
	a, b := object(ts, args[0])[args[2]], object(ts, args[1])[args[2]]
	if a == nil || !reflect.DeepEqual(a, b) {
		ts.Fatalf("%s: %v and %v differ", args[2], a, b)
	}
}

// sameTrials checks that two logs hold the same trials of two studies:
// sametrials DATA STUDY DATA STUDY.
func sameTrials(ts *testscript.TestScript, neg bool, args []string) {
	var hashes []string
	for i := 0; i < 4; i += 2 {
		src, err := archiver.LoadSource(os.DirFS(ts.MkAbs(args[i])), events.Source{Study: args[i+1]})
		ts.Check(err)
		hashes = append(hashes, src.SHA256)
	}
	if same := hashes[0] == hashes[1]; same == neg {
		ts.Fatalf("%s and %s have the same trials: %v", args[1], args[3], same)
	}
}

// command is apollo as a process of its own.
func command(ts *testscript.TestScript, args []string) *exec.Cmd {
	self, err := os.Executable()
	ts.Check(err)
	c := exec.Command(self, args...)
	c.Args[0] = "apollo" // what testscript.Main looks at
	c.Dir = ts.Getenv("WORK")
	c.Env = append(os.Environ(), "HOME="+ts.Getenv("WORK"), "NO_COLOR=1")
	return c
}

// interrupted starts apollo, interrupts it when it shows progress, and checks
// its exit code: interrupted CODE ARG... Its output is in out.txt and err.txt.
func interrupted(ts *testscript.TestScript, _ bool, args []string) {
	c := command(ts, args[1:])
	var out, all bytes.Buffer
	c.Stdout = &out
	stderr, err := c.StderrPipe()
	ts.Check(err)
	ts.Check(c.Start())
	watchdog := time.AfterFunc(time.Minute, func() { _ = c.Process.Kill() })
	defer watchdog.Stop()
	sent := false
	for scan := bufio.NewScanner(stderr); scan.Scan(); {
		fmt.Fprintln(&all, scan.Text())
		if !sent && (strings.Contains(scan.Text(), " trials, ") || strings.Contains(scan.Text(), " settled, ") || strings.Contains(scan.Text(), " searches")) {
			sent = true
			ts.Check(c.Process.Signal(os.Interrupt))
		}
	}
	_ = c.Wait() // the exit code is looked at below
	ts.Check(os.WriteFile(ts.MkAbs("out.txt"), out.Bytes(), 0o644))
	ts.Check(os.WriteFile(ts.MkAbs("err.txt"), all.Bytes(), 0o644))
	if got := c.ProcessState.ExitCode(); !sent || strconv.Itoa(got) != args[0] {
		ts.Fatalf("exit code %d, want %s; interrupted: %t\n%s", got, args[0], sent, all.Bytes())
	}
}

// orphaned starts apollo twice, ends the first by a signal when the second has joined
// it, and checks that the second one is none the worse: orphaned SIGNAL ARG... -- ARG... The
// output of the second is in out.txt and err.txt.
func orphaned(ts *testscript.TestScript, _ bool, args []string) {
	signals := map[string]os.Signal{"KILL": syscall.SIGKILL, "INT": os.Interrupt}
	between := slices.Index(args, "--")
	running := func(args []string, until string, stderr io.Writer) (*exec.Cmd, func() error) {
		c := command(ts, args)
		said, err := c.StderrPipe()
		ts.Check(err)
		var out bytes.Buffer
		c.Stdout = &out
		ts.Check(c.Start())
		watchdog := time.AfterFunc(time.Minute, func() { _ = c.Process.Kill() })
		scan := bufio.NewScanner(said)
		for scan.Scan() {
			fmt.Fprintln(stderr, scan.Text())
			if strings.Contains(scan.Text(), until) {
				break
			}
		}
		return c, func() error {
			defer watchdog.Stop()
			for scan.Scan() {
				fmt.Fprintln(stderr, scan.Text())
			}
			err := c.Wait()
			return errors.Join(err, os.WriteFile(ts.MkAbs("out.txt"), out.Bytes(), 0o644))
		}
	}
	owner, ownerEnds := running(args[1:between], " trials, ", io.Discard)
	var said bytes.Buffer
	_, ends := running(args[between+1:], "joins its server", &said)
	ts.Check(owner.Process.Signal(signals[args[0]]))
	_ = ownerEnds() // the signal is its error
	if err := ends(); err != nil {
		ts.Fatalf("%v\n%s", err, said.Bytes())
	}
	ts.Check(os.WriteFile(ts.MkAbs("err.txt"), said.Bytes(), 0o644))
}

// startServer starts apollo up and waits until it listens: server ARG...
func startServer(ts *testscript.TestScript, _ bool, args []string) {
	c := command(ts, append([]string{"up"}, args...))
	stderr, err := c.StderrPipe()
	ts.Check(err)
	ts.Check(c.Start())
	scan := bufio.NewScanner(stderr)
	for listening := false; !listening; {
		if !scan.Scan() {
			ts.Fatalf("the server ended: %v", c.Wait())
		}
		listening = strings.Contains(scan.Text(), "listening on")
	}
	drained := make(chan struct{})
	var said strings.Builder // read when drained is closed
	go func() {
		defer close(drained)
		for scan.Scan() {
			fmt.Fprintln(&said, scan.Text())
		}
	}()
	stop := func() error {
		if c.ProcessState != nil {
			return nil
		}
		if err := c.Process.Signal(syscall.SIGTERM); err != nil {
			return err
		}
		_ = c.Process.Signal(syscall.SIGCONT) // a script may have ended while it was frozen
		<-drained
		if err := c.Wait(); err != nil {
			return fmt.Errorf("the server ended: %w; it said:\n%s", err, &said)
		}
		return nil
	}
	ts.Defer(func() { _ = stop() }) // the script checks what it expects of it
	stops := ts.Value(stopsKey{}).(map[string]func() error)
	stops["server"] = stop
	stops["freeze"] = func() error {
		if err := c.Process.Signal(syscall.SIGSTOP); err != nil {
			return err
		}
		var status syscall.WaitStatus // answers when it stands still
		_, err := syscall.Wait4(c.Process.Pid, &status, syscall.WUNTRACED, nil)
		if err == nil && !status.Stopped() {
			return fmt.Errorf("the server did not stop: %v", status)
		}
		return err
	}
	stops["thaw"] = func() error { return c.Process.Signal(syscall.SIGCONT) }
}

// freeze stops the server as Ctrl-Z does, or lets it go on: freeze on|off.
func freeze(ts *testscript.TestScript, _ bool, args []string) {
	name := map[string]string{"on": "freeze", "off": "thaw"}[args[0]]
	ts.Check(ts.Value(stopsKey{}).(map[string]func() error)[name]())
}

// stopsKey finds the function that stops a script's server.
type stopsKey struct{}

// stopServer stops the server and checks that SIGTERM is no error to it: stop.
func stopServer(ts *testscript.TestScript, _ bool, _ []string) {
	ts.Check(ts.Value(stopsKey{}).(map[string]func() error)["server"]())
}
