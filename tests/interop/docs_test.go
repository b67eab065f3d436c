package interop

import (
	"os"
	"os/exec"
	"regexp"
	"testing"
)

// docBlocks returns the code blocks of docs/trial-log.md in one language.
func docBlocks(t *testing.T, language string, atLeast int) []string {
	t.Helper()
	b, err := os.ReadFile("../../docs/trial-log.md")
	if err != nil {
		t.Fatal(err)
	}
	var blocks []string
	for _, m := range regexp.MustCompile("(?s)```"+language+"\n(.*?)```").FindAllSubmatch(b, -1) {
		blocks = append(blocks, string(m[1]))
	}
	if len(blocks) < atLeast {
		t.Fatalf("%d blocks of %s, want %d or more", len(blocks), language, atLeast)
	}
	return blocks
}

func TestDocumentedSQL(t *testing.T) {
	t.Parallel()
	dir, db := writeLog(t), duck(t)
	if _, err := db.ExecContext(t.Context(), "SET file_search_path = '"+dir+"'"); err != nil {
		t.Fatal(err)
	}
	for _, q := range docBlocks(t, "sql", 4) {
		columns, _ := query(t, db, q)
		for name, values := range columns {
			if len(values) == 0 {
				t.Errorf("%s: column %s is empty", q, name)
			}
		}
	}
}

func TestDocumentedPython(t *testing.T) {
	t.Parallel()
	interpreter, dir := python(t), writeLog(t)
	for _, code := range docBlocks(t, "python", 3) {
		c := exec.CommandContext(t.Context(), interpreter, "-c", code)
		c.Dir = dir
		if out, err := c.CombinedOutput(); err != nil || len(out) == 0 {
			t.Errorf("%s: %v\n%s", code, err, out)
		}
	}
}
