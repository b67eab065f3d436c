package validate

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// The table of fitted constants says what the code says.
func TestFittedConstants(t *testing.T) {
	t.Parallel()
	const root = "../../"
	page, err := os.ReadFile(root + "docs/validation.md")
	if err != nil {
		t.Fatal(err)
	}
	row := regexp.MustCompile("(?m)^\\| `(\\w+)` \\| ([\\w.]+) \\| `([\\w/]+\\.go)` \\|")
	rows := row.FindAllStringSubmatch(string(page), -1)
	for _, r := range rows {
		name, value, file := r[1], r[2], r[3]
		code, err := os.ReadFile(root + file)
		if err != nil {
			t.Error(err)
			continue
		}
		declared := regexp.MustCompile(`(?m)^.*\b` + name + `(?: *=|:) *([\w.]+)`).FindStringSubmatch(string(code))
		if declared == nil || declared[1] != value {
			t.Errorf("%s: docs/validation.md says %s, %s says %q", name, value, file, declared)
		}
	}
	// What says "fitted" where it is declared stands in the table.
	for _, file := range []string{"evaluator/edge/presets.go", "evaluator/gemmini/gemmini.go"} {
		code, err := os.ReadFile(root + file)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range regexp.MustCompile(`(?s)// (\w+) is [^=]*?fitted[^=]*?\n\t(\w+) += `).FindAllStringSubmatch(string(code), -1) {
			if !strings.Contains(string(page), "| `"+c[2]+"` |") {
				t.Errorf("%s is fitted in %s and not in the table of docs/validation.md", c[2], file)
			}
		}
	}
	if len(rows) < 9 {
		t.Errorf("%d rows of constants, want all of them", len(rows))
	}
}
