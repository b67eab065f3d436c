package external_test

import (
	"context"
	"errors"
	"math"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"apollo/evaluator"
	"apollo/optimizer/space"
	"apollo/services/external"
)

func params() []space.Param {
	return []space.Param{{Name: "x", Unit: "B", Values: []float64{1, 2, 3, 4, unlucky}}, {Name: "y", Values: []float64{0, 1}}}
}

func task() evaluator.Task {
	return evaluator.Task{Params: params(), Metrics: []evaluator.Metric{{Name: "latency_s", Unit: "s"}}}
}

func self(t *testing.T) []string {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return []string{exe}
}

// open starts children of one behaviour and binds them to the task.
func open(t *testing.T, mode string, o external.Options) (*external.Backend, evaluator.Evaluator) {
	t.Helper()
	o.Env = append(o.Env, childMode+"="+mode, quickExit)
	b, err := external.Open(t.Context(), self(t), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	e, err := b.New(task())
	if err != nil {
		t.Fatal(err)
	}
	return b, e
}

func request(x float64) evaluator.Request {
	return evaluator.Request{Study: "s", Trial: 7, Design: []space.Value{{Num: x}, {Num: 1}}}
}

func evaluate(t *testing.T, e evaluator.Evaluator, x float64) evaluator.Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	r, err := e.Evaluate(ctx, request(x))
	if err != nil {
		t.Fatalf("Evaluate(x = %v): %v", x, err)
	}
	return r
}

func wantDouble(t *testing.T, r evaluator.Result, x float64) {
	t.Helper()
	if r.Outcome != evaluator.Measured || r.Reason != nil || len(r.Values) != 1 || r.Values[0] != 2*x {
		t.Errorf("x = %v: got %+v (reason %+v), want measured, %v", x, r, r.Reason, 2*x)
	}
}

// Whatever a child does with one design, that design gets a typed reason, and
// the designs before and after it are measured.
func TestOneBadDesign(t *testing.T) {
	t.Parallel()
	for mode, want := range map[string]struct {
		outcome evaluator.Outcome
		code    string
		message string
	}{
		"die":     {evaluator.Failed, external.CodeDied, "exit status 7) before it answered; stderr: loading | libsim.so: not found"},
		"garbage": {evaluator.Failed, external.CodeBadAnswer, `no JSON object: "Simulation finished, see out.txt"`},
		"nan":     {evaluator.Failed, external.CodeNotFinite, `metric "latency_s" is NaN`},
		"huge":    {evaluator.Failed, external.CodeNotFinite, `metric "latency_s" is 1e999`},
		"missing": {evaluator.Failed, external.CodeMissingMetric, `no metric "latency_s", only latency_ms; "latency_ms": did you mean "latency_s"?`},
		"text":    {evaluator.Failed, external.CodeWrongType, `metric "latency_s" is "1.5", want a number: write 1.5, without quotes`},
		"word":    {evaluator.Failed, external.CodeBadOutcome, `the outcome is "done"`},
		"noid":    {evaluator.Failed, external.CodeBadAnswer, "has no id"},
		"long":    {evaluator.Failed, external.CodeTooLong, "more than 65536 bytes"},
		"endless": {evaluator.Failed, external.CodeTooLong, "more than 65536 bytes"},
		"closed":  {evaluator.Failed, external.CodeDied, "closed its standard output"},
		"refuse":  {evaluator.Failed, "failed", "licence server not reachable"},
		"toobig":  {evaluator.Infeasible, "memory", "too big"},
		"mute":    {evaluator.Infeasible, "infeasible", "gives no reason"},
	} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			_, e := open(t, mode, external.Options{MaxLine: 1 << 16})
			wantDouble(t, evaluate(t, e, 2), 2)
			for range 2 { // also after a restart
				r := evaluate(t, e, unlucky)
				if r.Outcome != want.outcome || r.Reason == nil || r.Reason.Code != want.code || !strings.Contains(r.Reason.Message, want.message) {
					t.Errorf("got %s, reason %+v\nwant %s, %s: …%s…", r.Outcome, r.Reason, want.outcome, want.code, want.message)
				}
				if len(r.Values) != 1 || !math.IsNaN(r.Values[0]) {
					t.Errorf("Values = %v, want one NaN", r.Values)
				}
				wantDouble(t, evaluate(t, e, 3), 3)
			}
		})
	}
}

// What is merely odd costs nothing.
func TestHarmlessChildren(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"good", "chatty", "stale", "twice", "once"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			b, e := open(t, mode, external.Options{})
			for _, x := range []float64{1, unlucky, 2, unlucky, 3} {
				wantDouble(t, evaluate(t, e, x), x)
			}
			if s := b.Stats(); s.Deaths != 0 || s.Timeouts != 0 {
				t.Errorf("Stats() = %+v, want no deaths and time-outs", s)
			}
		})
	}
}

func TestTimeout(t *testing.T) {
	t.Parallel()
	_, e := open(t, "hang", external.Options{Slots: 1, Timeout: 2 * time.Second})
	r, err := e.Evaluate(t.Context(), request(unlucky))
	if err != nil || r.Outcome != evaluator.Failed || r.Reason.Code != external.CodeTimeout || !strings.Contains(r.Reason.Message, "stderr: busy") ||
		!strings.HasPrefix(r.Reason.Message, "no answer within 2 s;") || !strings.Contains(r.Reason.Message, "or raise spec.evaluator.timeout") {
		t.Errorf("got %+v, reason %+v, error %v, want failed, timeout with what the program said", r, r.Reason, err)
	}
	wantDouble(t, evaluate(t, e, 4), 4)
}

// The time-out kills the children of the child, which would otherwise hold its
// pipes and the machine.
func TestTimeoutKillsTheGroup(t *testing.T) {
	t.Parallel()
	l, env := socket(t)
	b, e := open(t, "family", external.Options{Grace: time.Millisecond, Env: []string{env}})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	grandchild := make(chan net.Conn, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			t.Error(err)
		}
		grandchild <- c
		cancel() // it lives: now end the evaluation
	}()
	if _, err := e.Evaluate(ctx, request(unlucky)); !errors.Is(err, context.Canceled) {
		t.Errorf("Evaluate(): error %v, want context.Canceled", err)
	}
	waitForEnd(t, <-grandchild)
	wantDouble(t, evaluate(t, e, 1), 1)
	if s := b.Stats(); s.Deaths != 0 || s.Timeouts != 0 || s.Started != 2 {
		t.Errorf("Stats() = %+v: a cancelled evaluation counts as nothing but a restart", s)
	}
}

// A grandchild that left the group keeps the pipes open; the end of the child
// is seen all the same.
func TestEscapedGrandchild(t *testing.T) {
	t.Parallel()
	l, env := socket(t)
	_, e := open(t, "escape", external.Options{Env: []string{env}})
	r := evaluate(t, e, unlucky)
	if r.Outcome != evaluator.Failed || r.Reason.Code != external.CodeDied || !strings.Contains(r.Reason.Message, "exit status 3") {
		t.Errorf("got %+v, reason %+v, want child_died with exit status 3", r, r.Reason)
	}
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Write([]byte{1}); err != nil { // it has outlived the child: it reads this and ends
		t.Error(err)
	}
	_ = c.Close()
}

// Two children are at work at the same time: each answers only after it has
// met the other.
func TestSlots(t *testing.T) {
	t.Parallel()
	const slots = 2
	l, env := socket(t)
	_, e := open(t, "meet", external.Options{Slots: slots, Env: []string{env}})
	var work sync.WaitGroup
	for x := range slots {
		work.Go(func() { wantDouble(t, evaluate(t, e, float64(x+1)), float64(x+1)) })
	}
	var met []net.Conn
	for range slots {
		c, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		met = append(met, c)
	}
	for _, c := range met {
		_, _ = c.Write([]byte{1})
	}
	work.Wait()
}

// Many callers share few children, and each gets its own answer.
func TestManyCallers(t *testing.T) {
	t.Parallel()
	b, e := open(t, "stale", external.Options{Slots: 3})
	var work sync.WaitGroup
	for range 8 {
		work.Go(func() {
			for _, x := range []float64{1, 2, unlucky, 3, 4} {
				wantDouble(t, evaluate(t, e, x), x)
			}
		})
	}
	work.Wait()
	if s := b.Stats(); s.Started != 3 {
		t.Errorf("%d processes were started, want 3", s.Started)
	}
}

func TestWaitForASlotEndsWithTheContext(t *testing.T) {
	t.Parallel()
	l, env := socket(t)
	_, e := open(t, "meet", external.Options{Env: []string{env}})
	var work sync.WaitGroup
	work.Go(func() { wantDouble(t, evaluate(t, e, 1), 1) })
	c, err := l.Accept() // the only slot is taken
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := e.Evaluate(ctx, request(2)); !errors.Is(err, context.Canceled) {
		t.Errorf("Evaluate(): error %v, want context.Canceled", err)
	}
	_, _ = c.Write([]byte{1})
	work.Wait()
}

// A program that always ends at once fails every design with its last words,
// however often it is asked.
func TestFlappingProgram(t *testing.T) {
	t.Parallel()
	b, e := open(t, "flap", external.Options{})
	if b.Info().Described || !strings.Contains(b.Info().Note, "no such model") {
		t.Errorf("Info() = %+v, want undescribed with the program's last words", b.Info())
	}
	for range 3 {
		r := evaluate(t, e, 1)
		if r.Reason == nil || r.Reason.Code != external.CodeDied || !strings.Contains(r.Reason.Message, "no such model") {
			t.Errorf("got %+v, reason %+v, want child_died with the program's last words", r, r.Reason)
		}
	}
	// In a pause between starts the time-out still says why.
	ctx, cancel := context.WithTimeout(t.Context(), time.Nanosecond)
	defer cancel()
	<-ctx.Done()
	if _, err := e.Evaluate(ctx, request(1)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Evaluate(): error %v, want context.DeadlineExceeded: no process was asked", err)
	}
}

func TestCloseEndsEverything(t *testing.T) {
	t.Parallel()
	l, env := socket(t)
	b, e := open(t, "meet", external.Options{Env: []string{env}})
	var work sync.WaitGroup
	work.Go(func() { wantDouble(t, evaluate(t, e, 1), 1) })
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	closed := make(chan struct{})
	go func() { defer close(closed); _ = b.Close() }()
	_, _ = c.Write([]byte{1}) // the evaluation in progress may end
	work.Wait()
	<-closed
	waitForEnd(t, c)
	if _, err := e.Evaluate(t.Context(), request(1)); !errors.Is(err, external.ErrClosed) {
		t.Errorf("Evaluate() after Close: error %v, want ErrClosed", err)
	}
	if err := b.Close(); err != nil {
		t.Errorf("second Close(): %v", err)
	}
}

// A child that does not end with its input is killed.
func TestCloseKillsAfterTheGrace(t *testing.T) {
	t.Parallel()
	b, e := open(t, "family", external.Options{Grace: time.Millisecond})
	wantDouble(t, evaluate(t, e, 1), 1)
	if err := b.Close(); err != nil {
		t.Error(err)
	}
}

func TestOpenErrors(t *testing.T) {
	t.Parallel()
	missing := filepath.Join(t.TempDir(), "missing")
	if _, err := external.Open(t.Context(), []string{missing}, external.Options{}); err == nil || !strings.Contains(err.Error(), missing) {
		t.Errorf("Open(): error %v, want one that names %s", err, missing)
	}
	if _, err := external.Open(t.Context(), nil, external.Options{}); err == nil || !strings.Contains(err.Error(), "the command is empty") {
		t.Errorf("Open(): error %v, want one that says that the command is empty", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	o := external.Options{Env: []string{childMode + "=deaf"}}
	if _, err := external.Open(ctx, self(t), o); !errors.Is(err, context.Canceled) {
		t.Errorf("Open(): error %v, want context.Canceled", err)
	}
}

func TestDescription(t *testing.T) {
	t.Parallel()
	b, _ := open(t, "good", external.Options{Name: "mine"})
	d := b.Describe()
	if d.Name != "double" || d.Version != "2" || !d.Deterministic || len(d.Metrics) != 1 || d.Metrics[0] != (evaluator.Metric{Name: "latency_s", Unit: "s"}) {
		t.Errorf("Describe() = %+v, want the program's own", d)
	}
	plain, e := open(t, "good", external.Options{Name: "mine", Env: []string{"APOLLO_TEST_PLAIN=1"}})
	d = plain.Describe()
	if d.Name != "mine" || !d.Deterministic || len(d.Metrics) != 0 {
		t.Errorf("Describe() = %+v, want the options' name and no metrics", d)
	}
	wantDouble(t, evaluate(t, e, 2), 2)
}

func TestNewNamesEveryDifference(t *testing.T) {
	t.Parallel()
	b, _ := open(t, "good", external.Options{})
	_, err := b.New(evaluator.Task{
		Params:  []space.Param{{Name: "x", Unit: "s"}, {Name: "z"}},
		Metrics: []evaluator.Metric{{Name: "latency_s", Unit: "ms"}, {Name: "area_mm2", Unit: "mm2"}},
	})
	if err == nil {
		t.Fatal("New() accepted another task")
	}
	for _, want := range []string{
		`parameter "x": the study has the unit "s", the program "B"`, `parameter "z" is unknown to the program`,
		`needs the parameter "y", which the study lacks`, `metric "latency_s": the study has the unit "ms", the program "s"`,
		`wants the metric "area_mm2", which the program does not measure: it measures latency_s`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("New(): error %v, want %q in it", err, want)
		}
	}
	plain, _ := open(t, "good", external.Options{Env: []string{"APOLLO_TEST_PLAIN=1"}})
	if _, err := plain.New(evaluator.Task{Params: params()}); err == nil || !strings.Contains(err.Error(), "names the metrics") {
		t.Errorf("New(): error %v, want one that asks for metrics", err)
	}
}

func TestEvaluateRefusesAnotherDesign(t *testing.T) {
	t.Parallel()
	_, e := open(t, "good", external.Options{})
	for _, d := range [][]space.Value{nil, {{Num: 1}}, {{Num: math.NaN()}, {Num: 1}}} {
		if _, err := e.Evaluate(t.Context(), evaluator.Request{Design: d}); err == nil {
			t.Errorf("Evaluate(%v) gave no error", d)
		}
	}
}

func TestSplit(t *testing.T) {
	t.Parallel()
	got, err := external.Split(`python3 'my model.py' --size "a b" c\ d $HOME`)
	want := []string{"python3", "my model.py", "--size", "a b", "c d", "$HOME"}
	if err != nil || strings.Join(got, "\x00") != strings.Join(want, "\x00") {
		t.Errorf("Split() = %q, %v, want %q", got, err, want)
	}
	for _, bad := range []string{"", "  ", "a 'b"} {
		if _, err := external.Split(bad); err == nil {
			t.Errorf("Split(%q) gave no error", bad)
		}
	}
}
