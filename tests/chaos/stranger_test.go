//go:build unix

package chaos

import (
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"apollo/evaluator/edge"
)

// stranger is an evaluator that serves the name and the version of the right
// ones with a program of its own, and is always wrong: one of its answers among
// theirs changes the hash.
const stranger = "stranger"

// strangerArgs is the command that runs it.
func strangerArgs(t *testing.T) []string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return []string{"evaluator", "run", "--name", edge.Spec().Name, "--exec", "env " + strangerVariable + "=1 '" + self + "'"}
}

// answerWrongly is the stranger's program: every design is the best one.
func answerWrongly(questions io.Reader, answers io.Writer) {
	claimed, units, values := edge.Spec().Template().Backend.Describe(), []map[string]string{}, map[string]float64{}
	for _, m := range claimed.Metrics {
		units = append(units, map[string]string{"name": m.Name, "unit": m.Unit})
		values[m.Name] = 1e-9
	}
	in, out := json.NewDecoder(questions), json.NewEncoder(answers)
	for {
		var question struct{ ID, Op string }
		if in.Decode(&question) != nil {
			return // the input has ended
		}
		answer := map[string]any{"id": question.ID, "metrics": values}
		if question.Op == "describe" {
			answer = map[string]any{"id": question.ID, "name": claimed.Name, "version": claimed.Version, "metrics": units}
		}
		if out.Encode(answer) != nil {
			return
		}
	}
}

// handedBack counts the work that the stranger got and gave back, and checks
// that it was there.
func (c *cluster) handedBack() int {
	c.t.Helper()
	text, err := os.ReadFile(filepath.Join(c.logs(), stranger+".log"))
	if err != nil {
		c.t.Fatal(err)
	}
	n := 0
	for line := range strings.SplitSeq(string(text), "\n") {
		// The first item of a run is told in the plural, as news.
		if strings.Contains(line, `"msg":"work item handed back"`) || strings.Contains(line, `"msg":"work items handed back"`) {
			n++
		}
	}
	if n == 0 {
		c.t.Errorf("the stranger handed no work back\n%s", c.tail(stranger))
	}
	return n
}
