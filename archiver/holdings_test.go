package archiver

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What the manifest says a study has is what lies in its folder.
func TestHoldingsAreWhatTheFoldersHave(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if none, err := Holdings(os.DirFS(dir)); err != nil || len(none) > 0 {
		t.Errorf("of an empty folder: %v, %v", none, err)
	}
	s := openStore(t, dir, Options{})
	one, two := testSpec("one"), testSpec("two")
	begin(t, s, one, "00000001", accepted(1))
	begin(t, s, two, "00000002", accepted(1))
	begin(t, s, one, "00000003", accepted(2))
	store(t, s, 1, testRows(one, "00000001", 0, 40)...)
	store(t, s, 2, testRows(two, "00000002", 0, 10)...)
	store(t, s, 3, testRows(one, "00000003", 0, 5)...)
	store(t, s, 4, testRows(one, "00000001", 40, 3)...)
	got, err := Holdings(os.DirFS(dir))
	if err != nil {
		t.Fatal(err)
	}
	want := []Holding{{Study: "one", Runs: 2, Rows: 48}, {Study: "two", Runs: 1, Rows: 10}}
	for i := range want {
		files, err := filepath.Glob(filepath.Join(dir, "trials", "gen-1", "study="+want[i].Study, "*", "*.parquet"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			info, err := os.Stat(file)
			if err != nil {
				t.Fatal(err)
			}
			want[i].Files++
			want[i].Bytes += info.Size()
		}
	}
	if d := cmp.Diff(want, got); d != "" || want[0].Files == 0 {
		t.Errorf("-want +got:\n%s", d)
	}
}
