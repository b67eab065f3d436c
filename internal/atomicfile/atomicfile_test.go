package atomicfile_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"apollo/internal/atomicfile"
)

// A file is replaced as a whole, or stays as it was and nothing is left beside it.
func TestWrite(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "new", "file.json")
	for _, text := range []string{"first", "second"} {
		if err := atomicfile.Write(path, []byte(text)); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != text {
			t.Errorf("%q, %v, want %q", got, err, text)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "taken"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := atomicfile.Write(filepath.Join(dir, "taken"), []byte("x")); err == nil {
		t.Error("a folder was replaced by a file")
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(atomicfile.Write(link, []byte("third")), atomicfile.Write(os.DevNull, []byte("x"))); err != nil {
		t.Error(err)
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != "third" {
		t.Errorf("through a link: %q, %v", got, err)
	}
	if info, err := os.Stat(os.DevNull); err != nil || info.Mode().IsRegular() {
		t.Errorf("%s is a file now: %v, %v", os.DevNull, info.Mode(), err)
	}
	for folder, want := range map[string]int{dir: 3, filepath.Dir(path): 1} {
		if entries, err := os.ReadDir(folder); err != nil || len(entries) != want {
			t.Errorf("%s has %d entries, %v, want %d", folder, len(entries), err, want)
		}
	}
}
