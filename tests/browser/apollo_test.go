package browser

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"apollo/archiver"
	"apollo/events"
)

// hostile is what a user may call things: markup, quotes, a mark that turns the text
// around, and a word that no line holds.
func hostile() string {
	const long = 10_000
	return "<script>document.title='taken'</script><img src=x onerror=alert(1)>\"'`&\u202e" + strings.Repeat("w", long)
}

// TestMain is an evaluator as a program where the environment says so: every second
// design cannot run, for a hostile reason.
func TestMain(m *testing.M) {
	if os.Getenv("APOLLO_BROWSER_EVALUATOR") != "" {
		evaluate()
		return
	}
	os.Exit(m.Run())
}

func evaluate() {
	in, out := bufio.NewScanner(os.Stdin), json.NewEncoder(os.Stdout)
	for in.Scan() {
		var q struct {
			ID     any            `json:"id"`
			Op     string         `json:"op"`
			Design map[string]any `json:"design"`
		}
		if json.Unmarshal(in.Bytes(), &q) != nil {
			continue
		}
		a := map[string]any{"id": q.ID}
		n, _ := q.Design["n"].(float64)
		switch {
		case q.Op == "describe":
			a["name"], a["version"], a["deterministic"] = "hostile", "1", true
			a["metrics"] = []any{map[string]any{"name": "latency_s", "unit": "s"}}
		case math.Mod(n, 2) == 1:
			a["outcome"] = "infeasible"
			a["reason"] = map[string]any{"code": "refused", "message": hostile()}
		default:
			a["metrics"] = map[string]any{"latency_s": (n + 1) / 1e6}
		}
		_ = out.Encode(a)
	}
}

// apollo is a binary, its data directory, and the process that is up.
type apollo struct {
	t                *testing.T
	binary, dir, web string
	url              string // of the bus
	flags            []string
	process          *exec.Cmd
}

func start(t *testing.T) *apollo {
	t.Helper()
	return (&apollo{t: t, binary: build(t)}).another(t)
}

// build builds the binary.
func build(t *testing.T) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "apollo")
	c := exec.CommandContext(t.Context(), "go", "build", "-o", path, "./services/apollo")
	c.Dir, c.Env = "../..", append(os.Environ(), "CGO_ENABLED=0")
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return path
}

// another is one more of the same binary, with data and flags of its own.
func (a *apollo) another(t *testing.T, flags ...string) *apollo {
	t.Helper()
	a = a.elsewhere(t)
	a.flags = flags
	a.up()
	t.Cleanup(a.down)
	return a
}

// elsewhere is the same binary with a data directory and an address of its own.
func (a *apollo) elsewhere(t *testing.T) *apollo {
	t.Helper()
	a = &apollo{t: t, binary: a.binary, dir: t.TempDir()}
	var listen net.ListenConfig // a port that stays the same over a restart
	l, err := listen.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	a.web = l.Addr().String()
	l.Close()
	return a
}

func (a *apollo) up() {
	a.t.Helper()
	a.serve(append([]string{"up", "--port", "0", "--data", a.dir, "--web", a.web, "--evaluators", "1"}, a.flags...)...)
}

// serve starts the binary and waits for its dashboard.
func (a *apollo) serve(args ...string) {
	a.t.Helper()
	a.process = exec.Command(a.binary, args...)
	said, err := a.process.StderrPipe()
	if err == nil {
		err = a.process.Start()
	}
	if err != nil {
		a.t.Fatal(err)
	}
	lines := bufio.NewScanner(said)
	for lines.Scan() {
		if _, rest, ok := strings.Cut(lines.Text(), "listening on "); ok {
			a.url, _, _ = strings.Cut(rest, ",")
		}
		if strings.Contains(lines.Text(), "dashboard on http://"+a.web) {
			go func() { // until it ends, so that it never waits for a reader
				for lines.Scan() {
				}
			}()
			return
		}
	}
	a.t.Fatalf("%s ended: %v", strings.Join(args, " "), lines.Err())
}

func (a *apollo) down() {
	_ = a.process.Process.Signal(syscall.SIGTERM)
	_ = a.process.Wait()
}

func (a *apollo) page(path string) string { return "http://" + a.web + path }

// publish sends a study as any NATS client does: it knows a subject and JSON.
func (a *apollo) publish(name string, spec map[string]any, labels map[string]string) {
	a.t.Helper()
	meta := map[string]any{"name": name}
	if labels != nil {
		meta["labels"] = labels
	}
	body, err := json.Marshal(map[string]any{"apiVersion": "apollo/v1", "kind": "Study", "metadata": meta, "spec": spec})
	if err != nil {
		a.t.Fatal(err)
	}
	nc, err := nats.Connect(a.url)
	if err != nil {
		a.t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		a.t.Fatal(err)
	}
	if _, err = js.Publish(a.t.Context(), "apollo.v1.cmd.study.submit."+name, body, jetstream.WithMsgID("browser-"+name)); err != nil {
		a.t.Fatal(err)
	}
}

// edge is a study on a built-in template.
func edge(trials int) map[string]any {
	return map[string]any{
		"seed": 7, "space": map[string]any{"template": "edge"},
		"workload":    map[string]any{"networks": []any{map[string]any{"name": "mobilenet_v2"}}},
		"objectives":  []any{map[string]any{"metric": "latency", "goal": "minimize"}},
		"constraints": []any{map[string]any{"metric": "area", "max": "6.8 mm2"}},
		"algorithm":   map[string]any{"name": "random"}, "budget": map[string]any{"trials": trials, "batch": 4},
	}
}

// odd is a study for the hostile evaluator.
func odd() map[string]any {
	return map[string]any{
		"space": map[string]any{"parameters": []any{map[string]any{"name": "n", "min": 0, "max": 19, "scale": "linear", "step": 1}}},
		"evaluator": map[string]any{
			"name": "hostile", "deterministic": true, "metrics": []any{map[string]any{"name": "latency", "unit": "s"}},
		},
		"objectives": []any{map[string]any{"metric": "latency", "goal": "minimize"}},
		"algorithm":  map[string]any{"name": "random"}, "budget": map[string]any{"trials": 20},
	}
}

// serveHostile runs the test's own program as an evaluator.
func (a *apollo) serveHostile() {
	a.t.Helper()
	c := exec.Command(a.binary, "evaluator", "run", "--name", "hostile", "--data", a.dir, "--exec", "env APOLLO_BROWSER_EVALUATOR=1 "+os.Args[0])
	if err := c.Start(); err != nil {
		a.t.Fatal(err)
	}
	a.t.Cleanup(func() {
		_ = c.Process.Signal(syscall.SIGTERM)
		_ = c.Wait()
	})
}

// facts are what the Parquet log says of a study: pages are compared with it, not with
// the API that they are made of.
type facts struct {
	trials, feasible, infeasible int
	best                         int // the trial
	latency                      float64
	causes                       map[string]int
	refused                      int // a trial that cannot run, and its reason
	why                          string
}

// answer is what the command line says of a design.
type answer struct {
	feasible bool
	latency  float64
}

func (a *apollo) evaluate(trial, set string) answer {
	a.t.Helper()
	out, err := exec.CommandContext(a.t.Context(), a.binary, "design", "eval", "--data", a.dir, "--study", trial, "--set", set, "-o", "json").Output()
	var r struct {
		Feasible bool                `json:"feasible"`
		Metrics  map[string]*float64 `json:"metrics"`
	}
	if jsonErr := json.Unmarshal(out, &r); jsonErr != nil {
		a.t.Fatalf("design eval %s %s: %v, %v\n%s", trial, set, err, jsonErr, out)
	}
	w := answer{feasible: r.Feasible}
	if v := r.Metrics["latency_s"]; v != nil {
		w.latency = *v
	}
	return w
}

func (a *apollo) log(study string, trials int) facts {
	a.t.Helper()
	var src archiver.Source
	var err error
	for deadline := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
		src, err = archiver.LoadSource(os.DirFS(a.dir), events.Source{Study: study})
		if err == nil && len(src.Trials) == trials {
			break
		}
		if time.Now().After(deadline) {
			a.t.Fatalf("the log of %s has %d trials, want %d: %v", study, len(src.Trials), trials, err)
		}
	}
	f := facts{trials: trials, best: -1, causes: map[string]int{}}
	at := src.Spec.MetricIndex("latency_s")
	for _, t := range src.Trials {
		switch {
		case t.Feasible:
			f.feasible++
			if f.best < 0 || t.Values[at] < f.latency {
				f.best, f.latency = t.Trial, t.Values[at]
			}
		case t.Outcome == "infeasible":
			f.infeasible++
			f.refused, f.why = t.Trial, t.Reason.Code
		}
		if t.Reason != nil {
			f.causes[t.Reason.Code]++
		}
	}
	return f
}

// within is what the log says of the trials whose metrics lie in ranges: "latency_s:0:1".
func (a *apollo) within(study string, trials int, ranges []string) (f facts) {
	a.t.Helper()
	a.log(study, trials) // until all are there
	src, err := archiver.LoadSource(os.DirFS(a.dir), events.Source{Study: study})
	if err != nil {
		a.t.Fatal(err)
	}
	for _, t := range src.Trials {
		all := true
		for _, text := range ranges {
			part := strings.Split(text, ":")
			low, _ := strconv.ParseFloat(part[1], 64)
			high, _ := strconv.ParseFloat(part[2], 64)
			v := t.Values[src.Spec.MetricIndex(part[0])]
			all = all && v >= low && v <= high
		}
		if !all {
			continue
		}
		if f.trials++; t.Feasible {
			f.feasible++
		}
	}
	return f
}

// micro writes a latency as a page should: in microseconds with four digits.
func micro(seconds float64) string {
	return strconv.FormatFloat(seconds*1e6, 'g', 4, 64) + "\u00a0µs"
}

func trialsText(n int) string {
	if n == 1 {
		return "1 trial"
	}
	return fmt.Sprintf("%d trials", n)
}
