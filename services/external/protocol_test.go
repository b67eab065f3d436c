package external_test

import (
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"apollo/evaluator"
	"apollo/services/external"
)

// A program that ends after every answer, also after its description, measures.
func TestAProgramOfOneAnswer(t *testing.T) {
	t.Parallel()
	b, e := open(t, "single", external.Options{})
	for range 3 {
		wantDouble(t, within(t, e, patience, 2, func(r evaluator.Reason) { t.Errorf("lost: %+v", r) }), 2)
	}
	if s := b.Stats(); s.Deaths != 0 {
		t.Errorf("Stats() = %+v, want no deaths", s)
	}
}

// question7 is request with what a worker knows of a trial.
func question7() evaluator.Request {
	r := request(unlucky)
	r.Run, r.Attempt, r.Attempts = "0badcafe", 1, 3
	return r
}

func ask(t *testing.T, e evaluator.Evaluator, r evaluator.Request) evaluator.Result {
	t.Helper()
	result, err := e.(evaluator.Limited).EvaluateWithin(t.Context(), patience, r, func(evaluator.Reason) {})
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// Lines before the answer are progress and files: files of the scratch folder
// alone are stored, and the folder is gone after the answer.
func TestNotesBeforeTheAnswer(t *testing.T) {
	t.Parallel()
	keep := t.TempDir()
	b, e := open(t, "notes", external.Options{Keep: keep})
	var said []evaluator.Progress
	r := question7()
	r.Progress = func(p evaluator.Progress) { said = append(said, p) }
	var leftOut []string
	r.LeftOut = func(reason evaluator.Reason) { leftOut = append(leftOut, reason.Code) }
	wantDouble(t, ask(t, e, r), unlucky)
	if want := []string{"artifact", "artifact", "artifact"}; !slices.Equal(leftOut, want) {
		t.Errorf("left out %v, want %v", leftOut, want)
	}
	if want := (evaluator.Progress{Done: 0.5, Message: "layer 3 of 6"}); len(said) != 4 || said[0] != want {
		t.Errorf("progress %+v, want %+v and three files left out", said, want)
	}
	home := filepath.Join(keep, external.StoreDir("s", "0badcafe", 7))
	if got, err := os.ReadFile(filepath.Join(home, "report.txt")); err != nil || string(got) != "all good" {
		t.Errorf("the artifact has %q, error %v", got, err)
	}
	if names := files(t, keep); !slices.Equal(names, []string{"s/0badcafe/7/report.txt"}) {
		t.Errorf("stored %v, want the report alone", names)
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	if entries, _ := os.ReadDir(keep); len(entries) != 1 {
		t.Errorf("%v is left, want the study's folder alone", entries)
	}
}

// Intermediate values go to who listens, who may end the evaluation: its process is
// gone, and the next design gets another one.
func TestIntermediateValues(t *testing.T) {
	t.Parallel()
	b, e := open(t, "steps", external.Options{})
	var heard []float64
	var said []string
	r := question7()
	r.Progress = func(p evaluator.Progress) { said = append(said, p.Message) }
	var codes []string
	r.LeftOut = func(reason evaluator.Reason) { codes = append(codes, reason.Code) }
	enough := math.Inf(1)
	r.Watched, r.Reports = "latency_s", func() func(int64, float64) *evaluator.Reason {
		heard = nil
		return func(step int64, value float64) *evaluator.Reason {
			heard = append(heard, float64(step), value)
			if value < enough {
				return nil
			}
			return &evaluator.Reason{Code: "early_stop", Have: value}
		}
	}
	wantDouble(t, ask(t, e, r), unlucky)
	if want := []float64{1, 10, 2, 20, 3, 30}; !slices.Equal(heard, want) {
		t.Errorf("heard %v, want %v", heard, want)
	}
	if text := strings.Join(said, "|"); !strings.Contains(text, "step is 2.5, want a whole number") || !strings.Contains(text, `intermediate "latency_s" is "1", want a number`) {
		t.Errorf("of what is no step or number was said %q", text)
	}
	if want := []string{external.CodeWrongType, external.CodeWrongType}; !slices.Equal(codes, want) {
		t.Errorf("left out for %v, want %v", codes, want)
	}
	enough = 20
	if got := ask(t, e, r); got.Outcome != evaluator.Stopped || got.Reason == nil || got.Reason.Have != 20 || len(heard) != 4 || len(got.Values) != 1 || !math.IsNaN(got.Values[0]) {
		t.Errorf("got %+v (reason %+v) after %v, want stopped at 20", got, got.Reason, heard)
	}
	if started := b.Stats().Started; started != 1 {
		t.Errorf("%d processes were started, want 1 so far", started)
	}
	r.Reports, r.Watched = nil, ""
	wantDouble(t, ask(t, e, r), unlucky)
	if s := b.Stats(); s.Started != 2 || s.Deaths+s.Timeouts > 0 {
		t.Errorf("processes: %+v, want 2 started and none lost", s)
	}
}

func files(t *testing.T, dir string) (names []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			rel, _ := filepath.Rel(dir, path)
			names = append(names, rel)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// An attempt that breaks leaves its folder, the question and what was said.
func TestAFailedAttemptIsKept(t *testing.T) {
	t.Parallel()
	keep := t.TempDir()
	_, e := open(t, "mess", external.Options{Keep: keep})
	for range 2 {
		if r := ask(t, e, question7()); r.Outcome != evaluator.Failed || r.Final {
			t.Errorf("got %+v, want a failure that may be tried again", r)
		}
	}
	folder := "s/0badcafe/7/failed-1/"
	if got, want := files(t, keep), []string{folder + "core", folder + "question.json", folder + "reason.txt", folder + "stderr.txt"}; !slices.Equal(got, want) {
		t.Errorf("kept %v, want %v", got, want)
	}
	for name, want := range map[string]string{"stderr.txt": "assertion failed\n", "question.json": `"attempt":1,"attempts":3`} {
		if got, err := os.ReadFile(filepath.Join(keep, folder, name)); err != nil || !strings.Contains(string(got), want) {
			t.Errorf("%s has %q (%v), want %q in it", name, got, err, want)
		}
	}
}

// Only so many folders of failures are kept.
func TestFailuresKeptAreBounded(t *testing.T) {
	t.Parallel()
	keep := t.TempDir()
	_, e := open(t, "grumble", external.Options{Keep: keep})
	const tries = 25
	for trial := range tries {
		r := question7()
		r.Trial = trial
		if got := ask(t, e, r); got.Outcome != evaluator.Failed {
			t.Fatalf("got %+v, want a failure", got)
		}
	}
	kept, err := os.ReadDir(filepath.Join(keep, "s/0badcafe"))
	if err != nil || len(kept) != 20 {
		t.Errorf("%d folders are kept (%v), want the last 20", len(kept), err)
	}
	if _, err := os.Stat(filepath.Join(keep, external.StoreDir("s", "0badcafe", tries-1))); err != nil {
		t.Error(err)
	}
}

// What a deterministic program fails once it fails again, unless it says that
// another try may help.
func TestFinalFailures(t *testing.T) {
	t.Parallel()
	for mode, want := range map[string]bool{"grumble": true, "later": false, "die": false} {
		_, e := open(t, mode, external.Options{})
		if r := ask(t, e, question7()); r.Outcome != evaluator.Failed || r.Final != want {
			t.Errorf("%s: got %+v, want failed, final %v", mode, r, want)
		}
	}
}

// A program that checks refuses designs, and those over a limit, unevaluated.
func TestCheckBeforeTheEvaluation(t *testing.T) {
	t.Parallel()
	_, e := open(t, "checks", external.Options{})
	r := question7()
	most := 5.0
	r.Limits = []evaluator.Limit{{Metric: "latency_s", Max: &most}}
	got := ask(t, e, r)
	if got.Outcome != evaluator.Infeasible || got.Reason.Code != "limit" || got.Reason.Need != 2*unlucky || got.Reason.Have != most || got.Values[0] != 2*unlucky {
		t.Errorf("over the limit: %+v, reason %+v", got, got.Reason)
	}
	r.Design = request(4).Design
	if got := ask(t, e, r); got.Outcome != evaluator.Infeasible || got.Reason.Code != "odd" {
		t.Errorf("refused: %+v, reason %+v", got, got.Reason)
	}
	for _, x := range []float64{1, 2} {
		r.Design = request(x).Design
		wantDouble(t, ask(t, e, r), x)
	}
	r.Design = request(3).Design
	r.Limits = nil
	if got := ask(t, e, r); got.Outcome != evaluator.Failed {
		t.Errorf("without a limit the design is evaluated: %+v", got)
	}
}

func TestEnvironmentOfASlot(t *testing.T) {
	t.Parallel()
	_, e := open(t, "slot", external.Options{Env: []string{"MINE={slot}"}})
	if r := evaluate(t, e, 1); r.Outcome != evaluator.Measured || r.Values[0] != 0 {
		t.Errorf("got %+v (%+v), want the slot 0", r, r.Reason)
	}
}

// A helper that reads the questions is named by the time-out that it causes.
func TestTimeoutNamesWhoReadsTheQuestions(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("known on Linux alone")
	}
	_, e := open(t, "thief", external.Options{})
	r := within(t, e, 2*time.Second, unlucky, func(evaluator.Reason) {})
	if r.Reason == nil || r.Reason.Code != external.CodeTimeout || !strings.Contains(r.Reason.Message, "sh (process ") {
		t.Errorf("reason %+v, want a time-out that names the shell", r.Reason)
	}
}
