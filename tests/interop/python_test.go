package interop

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// pythonPackages are what the Python tests need.
var pythonPackages = []string{"pyarrow", "polars", "pandas", "duckdb"}

// python returns an interpreter with pyarrow, polars, pandas and duckdb: the one in
// APOLLO_PYTHON, the system's, or a virtual environment that is made for the
// tests. The test is skipped where there is none.
func python(t *testing.T) string {
	t.Helper()
	path, err := findPython()
	if err != nil {
		t.Skipf("no Python with %v: %v", pythonPackages, err)
	}
	return path
}

var findPython = sync.OnceValues(func() (string, error) {
	usable := func(path string) error {
		return exec.Command(path, "-c", "import pyarrow, polars, pandas, duckdb").Run()
	}
	if path := os.Getenv("APOLLO_PYTHON"); path != "" {
		return path, usable(path)
	}
	system, err := exec.LookPath("python3")
	if err != nil {
		return "", err
	}
	if usable(system) == nil {
		return system, nil
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	venv := filepath.Join(cache, "apollo-interop")
	path := filepath.Join(venv, "bin", "python3")
	if usable(path) == nil {
		return path, nil
	}
	if err := exec.Command(system, "-m", "venv", venv).Run(); err != nil {
		return "", err
	}
	// s3fs is what DuckDB reads a bucket with where its own extension cannot be fetched.
	install := append([]string{"-m", "pip", "install", "--quiet", "s3fs"}, pythonPackages...)
	if err := exec.Command(path, install...).Run(); err != nil {
		return "", err
	}
	return path, usable(path)
})

func run(t *testing.T, name string, args ...string) []byte {
	t.Helper()
	c := exec.CommandContext(t.Context(), name, args...)
	out, err := c.Output()
	if err != nil {
		said := ""
		if e, ok := err.(*exec.ExitError); ok {
			said = string(e.Stderr)
		}
		t.Fatalf("%s %v: %v\n%s", name, args, err, said)
	}
	return out
}

func files(t *testing.T, dir, study string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, "trials/current/study="+study+"/*/*.parquet"))
	if err != nil || len(found) != 2 {
		t.Fatalf("files of study %s: %v, %v", study, found, err)
	}
	return found
}

func TestPythonReadsTheLog(t *testing.T) {
	t.Parallel()
	interpreter, dir := python(t), writeLog(t)
	wantTypes := map[string]map[string]string{
		"pyarrow": {
			"study": "string", "run": "string", "trial": "int64", "p_pes_x": "int64", "p_clock": "double", "p_flow": "string",
			"latency_s": "double", "feasible": "bool", "start_time": "timestamp[us, tz=UTC]", "extra": "string", "stream_seq": "int64",
		},
		"polars": {
			"study": "String", "run": "String", "trial": "Int64", "p_pes_x": "Int64", "p_clock": "Float64", "p_flow": "String",
			"latency_s": "Float64", "feasible": "Boolean", "start_time": "Datetime(time_unit='us', time_zone='UTC')", "extra": "String", "stream_seq": "Int64",
		},
	}
	for library, types := range wantTypes {
		for _, study := range []string{"one", "two"} {
			var got struct {
				Types   map[string]string
				Columns map[string][]string
			}
			args := append([]string{"testdata/read.py", library}, files(t, dir, study)...)
			if err := json.Unmarshal(run(t, interpreter, args...), &got); err != nil {
				t.Fatal(err)
			}
			compareTables(t, library+", study "+study, table(t, dir, study), got.Columns)
			for column, want := range types {
				if got.Types[column] != want {
					t.Errorf("%s, study %s: column %s is %s, want %s", library, study, column, got.Types[column], want)
				}
			}
		}
	}
}

func TestScanReadsWhatPythonWrites(t *testing.T) {
	t.Parallel()
	interpreter, dir := python(t), writeLog(t)
	for _, library := range []string{"pyarrow", "polars"} {
		for _, codec := range []string{"zstd", "snappy", "gzip"} {
			root := t.TempDir()
			out := filepath.Join(root, "trials/current/study=one/run=0a1b2c3d/theirs.parquet")
			if err := os.MkdirAll(filepath.Dir(out), 0o755); err != nil {
				t.Fatal(err)
			}
			args := append([]string{"testdata/write.py", library, codec, out}, files(t, dir, "one")...)
			run(t, interpreter, args...)
			compareTables(t, "written by "+library+" with "+codec, table(t, dir, "one"), table(t, root, "one"))
		}
	}
}
