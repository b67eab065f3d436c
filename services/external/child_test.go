package external_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The test binary is its own misbehaving evaluator: with childMode set it runs
// that behaviour instead of the tests.
const (
	childMode   = "APOLLO_TEST_CHILD"
	childSocket = "APOLLO_TEST_SOCKET" // a unix socket of the test
)

// quickExit takes the second that the race detector waits at a process's end.
const quickExit = "GORACE=atexit_sleep_ms=0"

// unlucky is the design that the misbehaving children misbehave on.
const unlucky = 13

func TestMain(m *testing.M) {
	if mode := os.Getenv(childMode); mode != "" {
		child(mode)
		return
	}
	os.Exit(m.Run())
}

// question is what a child reads.
type question struct {
	ID      string
	Op      string
	Design  map[string]float64
	Scratch string
	Attempt int
}

const describeAnswer = `"name":"double","version":"2","parameters":[{"name":"x","unit":"B","values":[1,2,3,4,13]},{"name":"y","values":[0,1]}],` +
	`"metrics":[{"name":"latency_s","unit":"s"}],"deterministic":true}`

func printLine(format string, args ...any) { fmt.Printf(format+"\n", args...) }

// good answers a question about any design with twice its x.
func good(q question) { printLine(`{"id":%q,"metrics":{"latency_s":%v}}`, q.ID, 2*q.Design["x"]) }

// tricks are what children do with the unlucky design, or with every design
// where they keep no count.
func tricks() map[string]func(q question) {
	var last question
	count := 0.0
	return map[string]func(q question){
		"good":    good,
		"hang":    func(question) { fmt.Fprintln(os.Stderr, "busy"); hang() },
		"die":     func(question) { fmt.Fprintln(os.Stderr, "loading\nlibsim.so: not found"); os.Exit(7) },
		"garbage": func(question) { printLine("Simulation finished, see out.txt") },
		"nan":     func(q question) { printLine(`{"id":%q,"metrics":{"latency_s":NaN}}`, q.ID) },
		"huge":    func(q question) { printLine(`{"id":%q,"metrics":{"latency_s":1e999}}`, q.ID) },
		"missing": func(q question) { printLine(`{"id":%q,"metrics":{"latency_ms":1}}`, q.ID) },
		"text":    func(q question) { printLine(`{"id":%q,"metrics":{"latency_s":"1.5"}}`, q.ID) },
		"word":    func(q question) { printLine(`{"id":%q,"outcome":"done","metrics":{"latency_s":1}}`, q.ID) },
		"noid":    func(q question) { printLine(`{"metrics":{"latency_s":1}}`) },
		"long":    func(q question) { printLine(`{"id":%q,"pad":"%s"}`, q.ID, strings.Repeat("x", 1<<17)) },
		"endless": func(question) {
			for {
				fmt.Print(strings.Repeat("x", 1<<16))
			}
		},
		"closed": func(question) { _ = os.Stdout.Close(); hang() },
		"refuse": func(q question) { printLine(`{"id":%q,"error":"licence server not reachable"}`, q.ID) },
		"toobig": func(q question) {
			printLine(`{"id":%q,"outcome":"infeasible","reason":{"code":"Memory!","need":2,"have":1,"unit":"B","message":"too big"}}`, q.ID)
		},
		"mute":    func(q question) { printLine(`{"id":%q,"outcome":"infeasible"}`, q.ID) },
		"chatty":  func(q question) { fmt.Fprint(os.Stderr, strings.Repeat("noise ", 1<<17)); good(q) },
		"stale":   func(q question) { printLine(`{"id":"0","metrics":{"latency_s":-1}}`); good(q) },
		"twice":   func(q question) { good(q); good(q) },
		"once":    func(q question) { good(q); os.Exit(0) },
		"swapped": func(q question) { q.ID, last = last.ID, q; printLine(`{"id":%q,"metrics":{"latency_s":1}}`, q.ID) },
		"drift":   func(q question) { count++; q.Design["x"] += count; good(q) },
		"default": good,
		"escape": func(question) {
			spawn("sleeper", &syscall.SysProcAttr{Setsid: true})
			os.Exit(3)
		},
		"family": func(question) { spawn("sleeper", nil); hang() },
		"meet":   func(q question) { meet(); good(q) },
		"unruly": func(q question) { good(q) },
		"ask":    func(q question) { meetOr(7); good(q) },
		"notes": func(q question) {
			_ = os.WriteFile(q.Scratch+"/report.txt", []byte("all good"), 0o600)
			_ = os.Symlink("/etc/passwd", q.Scratch+"/link")
			printLine(`{"id":%q,"progress":0.5,"message":"layer 3 of 6"}`, q.ID)
			for _, name := range []string{"report.txt", "../../escape", "link", "missing.txt"} {
				printLine(`{"id":%q,"artifact":%q}`, q.ID, name)
			}
			good(q)
		},
		"steps": func(q question) { // and works on when nobody listens any more
			for step := 1; step <= 3; step++ {
				printLine(`{"id":%q,"progress":0.5,"step":%d,"intermediate":{"other_s":0,"latency_s":%v}}`, q.ID, step, 10*step)
			}
			printLine(`{"id":%q,"step":2.5,"intermediate":{"latency_s":1}}`, q.ID)
			printLine(`{"id":%q,"step":4,"intermediate":{"latency_s":"1"}}`, q.ID)
			good(q)
		},
		"mess": func(q question) {
			_ = os.WriteFile(q.Scratch+"/core", []byte("dump"), 0o600)
			fmt.Fprintln(os.Stderr, "assertion failed")
			os.Exit(3)
		},
		"pipe": func(q question) {
			_ = syscall.Mkfifo(q.Scratch+"/pipe", 0o600)
			_ = os.WriteFile(q.Scratch+"/report.txt", []byte("all good"), 0o600)
			_ = os.Symlink("report.txt", q.Scratch+"/last.txt")
			printLine(`{"id":%q,"artifact":"pipe"}`, q.ID)
			printLine(`{"id":%q,"artifact":"last.txt"}`, q.ID)
			good(q)
		},
		"talks": func(q question) {
			if q.Attempt < 2 {
				fmt.Fprintln(os.Stderr, "a warning")
			}
			good(q)
		},
		"links": func(q question) {
			for _, name := range []string{"stderr.txt", "reason.txt", "question.json"} {
				_ = os.Symlink(os.Getenv("VICTIM"), q.Scratch+"/"+name)
			}
			fmt.Fprintln(os.Stderr, "assertion failed")
			os.Exit(3)
		},
		"checksdie": func(question) { os.Exit(7) },
		"later":     func(q question) { printLine(`{"id":%q,"error":"no licence","retry":true}`, q.ID) },
		"slot":      func(q question) { printLine(`{"id":%q,"metrics":{"latency_s":%s}}`, q.ID, os.Getenv("MINE")) },
		"thief":     func(question) { steal(); hang() },
		"grumble": func(q question) {
			fmt.Fprintln(os.Stderr, "the licence ran out")
			printLine(`{"id":%q,"outcome":"failed","reason":{"code":"licence","message":"no licence"}}`, q.ID)
		},
	}
}

// Modes that are not about the unlucky design alone.
func always(mode string) bool {
	switch mode {
	case "once", "drift", "swapped", "meet", "twice", "slot":
		return true
	}
	return false
}

func child(mode string) {
	switch mode {
	case "sleeper": // a child of a child, which tells the test of its life and ends with it
		meet()
		os.Exit(0)
	case "flap":
		var question string
		_, _ = fmt.Scanln(&question)
		fmt.Fprintln(os.Stderr, "no such model", len(question) > 0)
		os.Exit(2)
	case "deaf": // never reads
		hang()
	case "loads":
		printLine("Loading the model ...")
	}
	trick := tricks()[mode]
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		var q question
		if json.Unmarshal(in.Bytes(), &q) != nil {
			if mode == "unruly" {
				os.Exit(1)
			}
			printLine(`{"error":"no JSON"}`)
			continue
		}
		_, known := q.Design["x"]
		switch {
		case mode == "single":
			if q.Op == "describe" {
				printLine(`{"id":%q,%s`, q.ID, describeAnswer)
			} else {
				good(q)
			}
			os.Exit(0)
		case q.Op == "describe" && strings.HasPrefix(mode, "checks"):
			printLine(`{"id":%q,"checks":true,%s`, q.ID, describeAnswer)
		case q.Op == "check" && q.Design["x"] == 4:
			printLine(`{"id":%q,"outcome":"infeasible","reason":{"code":"odd","message":"four does not fit"}}`, q.ID)
		case q.Op == "check" && q.Design["x"] == 1:
			printLine(`{"id":%q}`, q.ID)
		case q.Op == "check":
			good(q)
		case mode == "checks" && q.Design["x"] > 2:
			printLine(`{"id":%q,"error":"evaluated all the same"}`, q.ID)
		case q.Op == "describe" && os.Getenv("APOLLO_TEST_PLAIN") != "":
			os.Exit(4)
		case q.Op == "describe" && os.Getenv("APOLLO_TEST_RANDOM") != "":
			printLine(`{"id":%q,%s`, q.ID, strings.Replace(describeAnswer, "true", "false", 1))
		case q.Op == "describe":
			printLine(`{"id":%q,%s`, q.ID, describeAnswer)
		case !known && mode != "default":
			printLine(`{"id":%q,"outcome":"failed","reason":"no x"}`, q.ID)
		case q.Design["x"] == unlucky || always(mode):
			trick(q)
		default:
			good(q)
		}
	}
	if mode == "family" {
		hang() // does not end with its input
	}
}

func spawn(mode string, attr *syscall.SysProcAttr) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childMode+"="+mode)
	cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = os.Stdout, os.Stderr, attr
	if err := cmd.Start(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(9)
	}
}

// steal starts a child that reads this one's input.
func steal() {
	cmd := exec.Command("/bin/sh", "-c", "sleep 1000; read line")
	cmd.Stdin = os.Stdin
	if err := cmd.Start(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(9)
	}
}

// meet connects to the test's socket and waits for one byte.
func meet() {
	c, err := net.Dial("unix", os.Getenv(childSocket))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(9)
	}
	_, _ = io.ReadFull(c, make([]byte, 1))
}

// meetOr is meet for a child that ends with a code when the byte says so.
func meetOr(code int) {
	c, err := net.Dial("unix", os.Getenv(childSocket))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(9)
	}
	b := make([]byte, 1)
	if _, err := io.ReadFull(c, b); err != nil || b[0] == dieNow {
		fmt.Fprintln(os.Stderr, "segmentation fault")
		os.Exit(code)
	}
}

// dieNow is the byte that ends a child of the mode "ask".
const dieNow = 0

// patience bounds waits that a correct program never has.
const patience = 30 * time.Second

// socket listens for children; its path is in the environment that it returns.
func socket(t *testing.T) (net.Listener, string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "ext") //nolint:usetesting // t.TempDir is too long for the path of a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	l, err := net.Listen("unix", dir+"/s")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l, childSocket + "=" + dir + "/s"
}

// waitForEnd reads until the process at the other end is gone.
func waitForEnd(t *testing.T, c net.Conn) {
	t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(patience))
	if _, err := io.ReadAll(c); err != nil {
		t.Errorf("a process outlived its group: %v", err)
	}
	_ = c.Close()
}

// hang never returns. An empty select would not do: without cgo the runtime
// sees that nothing can happen any more, and ends the program.
func hang() {
	for {
		time.Sleep(time.Hour)
	}
}
