package interop

import (
	"encoding/json"
	"os/exec"
	"testing"

	"apollo/archiver/storage/storagetest"
)

// The log in a bucket of an S3-compatible server, read by other tools where it lies.
func TestOtherToolsReadTheBucket(t *testing.T) {
	interpreter := python(t)
	storagetest.New(t)
	place := storagetest.Place("team/a")
	writeLogTo(t, place)
	for _, library := range []string{"pyarrow", "polars", "duckdb"} {
		if library == "duckdb" && exec.Command(interpreter, "-c", "import s3fs").Run() != nil {
			t.Logf("DuckDB is left out: there is no s3fs")
			continue
		}
		for _, study := range []string{"one", "two"} {
			var got struct{ Columns map[string][]string }
			pattern := place + "/trials/current/study=" + study + "/*/*.parquet"
			if err := json.Unmarshal(run(t, interpreter, "testdata/read.py", library, pattern), &got); err != nil {
				t.Fatal(err)
			}
			compareTables(t, library+", study "+study, table(t, place, study), got.Columns)
		}
	}
}
