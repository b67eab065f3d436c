package interop

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"apollo/archiver"
	"apollo/events"
	"apollo/optimizer/space"
	"apollo/services/study"
	"apollo/services/transfer"
)

// lanes is a parameter that makes all designs of a log differ.
func lanes() events.Parameter {
	p := events.Parameter{Name: "lanes"}
	for i := range 64 {
		p.Values = append(p.Values, float64(i+1))
	}
	return p
}

// writeSource writes a study without repeated designs, and returns the data
// directory.
func writeSource(t *testing.T) string {
	t.Helper()
	dir, one := t.TempDir(), spec("one", lanes())
	s, err := archiver.Open(dir, archiver.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Begin(archiver.Run{Spec: one, ID: "0a1b2c3d", Accepted: time.Unix(1, 0)}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Append(rows(one, "0a1b2c3d", 40)...); err != nil {
		t.Fatal(err)
	}
	if err := s.Commit(archiver.Position{Sequence: 5}); err != nil {
		t.Fatal(err)
	}
	return dir
}

// learn takes Parquet files as a source of a study on another network.
func learn(t *testing.T, dir, pattern string) (study.Knowledge, transfer.Candidate) {
	t.Helper()
	target := spec("target", lanes())
	target.Networks[0].SHA256 = "another"
	target.Objectives = []events.Objective{{Metric: "latency_s", Goal: "minimize"}}
	l, err := transfer.NewLearner(transfer.Target{Spec: target})
	if err != nil {
		t.Fatal(err)
	}
	log, err := archiver.OpenSource(os.DirFS(dir), events.Source{Parquet: pattern})
	if err != nil {
		t.Fatal(err)
	}
	c, err := l.Add(log, "")
	if err != nil {
		t.Fatal(err)
	}
	k, _ := l.Knowledge()
	return k, c
}

// compareSources checks that a log rewritten by another tool teaches the same.
func compareSources(t *testing.T, by, dir, out string) {
	t.Helper()
	want, _ := learn(t, dir, "trials/current/study=one/*/*.parquet")
	got, c := learn(t, filepath.Dir(out), filepath.Base(out))
	if d := cmp.Diff(want.Tasks, got.Tasks, cmpopts.IgnoreUnexported(space.Space{})); d != "" {
		t.Errorf("written by %s: the source teaches something else (-want +got):\n%s", by, d)
	}
	// Ten trials failed, and ten say that their latency is 0.
	if len(want.Tasks[0].Observations) != 20 || len(c.Quarantine) != 1 || c.Quarantine[0].Rows != 10 || c.Use != transfer.UseModel || c.Rows != 40 {
		t.Errorf("written by %s: %s, %d rows, %d observations, quarantine %v", by, c.Use, c.Rows, len(want.Tasks[0].Observations), c.Quarantine)
	}
}

func TestDuckDBWritesSources(t *testing.T) {
	t.Parallel()
	dir, db := writeSource(t), duck(t)
	out := filepath.Join(t.TempDir(), "theirs.parquet")
	_, err := db.ExecContext(t.Context(), fmt.Sprintf("COPY (SELECT * FROM read_parquet('%s/trials/current/study=one/*/*.parquet', hive_partitioning = false) "+
		"ORDER BY area_mm2 DESC) TO '%s' (FORMAT parquet, COMPRESSION zstd)", dir, out))
	if err != nil {
		t.Fatal(err)
	}
	compareSources(t, "DuckDB", dir, out)
}

func TestPythonWritesSources(t *testing.T) {
	t.Parallel()
	interpreter, dir := python(t), writeSource(t)
	parts, err := filepath.Glob(filepath.Join(dir, "trials/current/study=one/*/*.parquet"))
	if err != nil || len(parts) != 1 {
		t.Fatal(parts, err)
	}
	for _, library := range []string{"pyarrow", "polars"} {
		out := filepath.Join(t.TempDir(), "theirs.parquet")
		run(t, interpreter, "testdata/write.py", library, "zstd", out, parts[0])
		compareSources(t, library, dir, out)
	}
}
