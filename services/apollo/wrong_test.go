package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"apollo/services/cli"
)

// Wrong command lines are refused, each with the answer that its grade rests on, and
// the mean of the grades is as good as it was.
func TestWrongInputs(t *testing.T) {
	t.Parallel()
	src, err := os.ReadFile(filepath.Join("testdata", "wrong.txt"))
	if err != nil {
		t.Fatal(err)
	}
	study, data := tinyStudy(t), t.TempDir()
	if code, _, stderr := try(t, "run", study, "--data", data, "-q"); code != cli.ExitOK {
		t.Fatal(stderr)
	}
	count, sum := 0, 0
	for line := range strings.Lines(string(src)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		cells := strings.SplitN(strings.TrimSpace(line), " | ", 3)
		var grade, exit int
		if _, err := fmt.Sscan(cells[0], &grade, &exit); err != nil || len(cells) != 3 {
			t.Fatalf("%q: %v", line, err)
		}
		var args []string
		for word := range strings.FieldsSeq(cells[1]) {
			args = append(args, strings.ReplaceAll(strings.ReplaceAll(word, "STUDY", study), "~", " "))
		}
		if !strings.Contains(cells[1], "--nats") {
			args = append(args, "--data", data)
		}
		code, stdout, stderr := try(t, args...)
		if code != exit || !strings.Contains(stderr, cells[2]) || stdout != "" {
			t.Errorf("apollo %s: exit code %d, want %d; stdout %.100q; stderr %q, want %q", cells[1], code, exit, stdout, stderr, cells[2])
		}
		if grade < 2 {
			t.Errorf("apollo %s: grade %d", cells[1], grade)
		}
		count, sum = count+1, sum+grade
	}
	if mean := float64(sum) / float64(count); count < 90 || mean < 2.7 {
		t.Errorf("%d inputs with a mean of %.2f, want 90 and 2.7", count, mean)
	}
}
