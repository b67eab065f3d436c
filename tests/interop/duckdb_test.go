package interop

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	_ "github.com/duckdb/duckdb-go/v2"

	"apollo/archiver"
)

func duck(t *testing.T) *sql.DB {
	t.Helper()
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// query returns a table by column, with the columns' types.
func query(t *testing.T, db *sql.DB, q string) (columns map[string][]string, types map[string]string) {
	t.Helper()
	result, err := db.QueryContext(t.Context(), q)
	if err != nil {
		t.Fatalf("%s\n%v", q, err)
	}
	defer result.Close()
	kinds, err := result.ColumnTypes()
	if err != nil {
		t.Fatal(err)
	}
	columns, types = map[string][]string{}, map[string]string{}
	values, pointers := make([]any, len(kinds)), make([]any, len(kinds))
	for i, k := range kinds {
		types[k.Name()] = k.DatabaseTypeName()
		pointers[i] = &values[i]
	}
	for result.Next() {
		if err := result.Scan(pointers...); err != nil {
			t.Fatal(err)
		}
		for i, k := range kinds {
			columns[k.Name()] = append(columns[k.Name()], plain(values[i]))
		}
	}
	if err := result.Err(); err != nil {
		t.Fatal(err)
	}
	return columns, types
}

func plain(v any) string {
	switch v := v.(type) {
	case nil:
		return null
	case float64:
		return number(v)
	case time.Time:
		return micros(v)
	case int64:
		return strconv.FormatInt(v, 10)
	}
	return fmt.Sprint(v)
}

func TestDuckDBReadsTheLog(t *testing.T) {
	t.Parallel()
	dir, db := writeLog(t), duck(t)
	for _, study := range []string{"one", "two"} {
		q := fmt.Sprintf("SELECT * FROM read_parquet('%s/trials/current/study=%s/*/*.parquet', hive_partitioning = false) ORDER BY trial", dir, study)
		got, types := query(t, db, q)
		compareTables(t, "DuckDB, study "+study, table(t, dir, study), got)
		for column, want := range map[string]string{
			"study": "VARCHAR", "run": "VARCHAR", "trial": "BIGINT", "p_pes_x": "BIGINT", "p_clock": "DOUBLE", "p_flow": "VARCHAR",
			"latency_s": "DOUBLE", "feasible": "BOOLEAN", "start_time": "TIMESTAMPTZ", "extra": "VARCHAR", "stream_seq": "BIGINT",
		} {
			if types[column] != want {
				t.Errorf("study %s: column %s is %s, want %s", study, column, types[column], want)
			}
		}
	}
	// Two studies with different parameters: their union, NULL where a study
	// has no such parameter.
	glob := dir + "/trials/current/**/*.parquet"
	var n, trials, latencies, lanes, sum, zeros int64
	err := db.QueryRowContext(t.Context(), "SELECT count(*), sum(trial)::BIGINT, count(latency_s), count(p_lanes), sum(p_lanes)::BIGINT, count(*) FILTER (latency_s = 0) FROM read_parquet('"+
		glob+"', union_by_name = true, hive_partitioning = false)").Scan(&n, &trials, &latencies, &lanes, &sum, &zeros)
	if err != nil {
		t.Fatal(err)
	}
	if n != 80 || trials != 2*780 || latencies != 40 || lanes != 40 || sum != lanesSum(t, dir) || zeros != 20 {
		t.Errorf("rows %d, sum of trials %d, latencies %d, lanes %d with sum %d, zeros %d", n, trials, latencies, lanes, sum, zeros)
	}
}

func lanesSum(t *testing.T, dir string) (sum int64) {
	for _, v := range table(t, dir, "two")["p_lanes"] {
		n, err := strconv.ParseInt(v, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		sum += n
	}
	return sum
}

// A run's name may look like a number: with DuckDB's guess of partition types
// 00012345 becomes 12345. The documented lines keep it.
func TestDuckDBKeepsRunNames(t *testing.T) {
	t.Parallel()
	dir, db := writeLog(t), duck(t)
	got, _ := query(t, db, fmt.Sprintf("SELECT DISTINCT run FROM read_parquet('%s/trials/current/**/*.parquet', union_by_name = true, "+
		"hive_partitioning = true, hive_types_autocast = false) ORDER BY run", dir))
	if s := strings.Join(got["run"], " "); s != "00012345 0a1b2c3d" {
		t.Errorf("runs %s, want 00012345 0a1b2c3d", s)
	}
}

func TestScanReadsWhatDuckDBWrites(t *testing.T) {
	t.Parallel()
	dir, db := writeLog(t), duck(t)
	for _, codec := range []string{"zstd", "snappy", "gzip", "uncompressed"} {
		for _, version := range []string{"V1", "V2"} {
			out := filepath.Join(t.TempDir(), "trials/current/study=one/run=0a1b2c3d")
			if err := os.MkdirAll(out, 0o755); err != nil {
				t.Fatal(err)
			}
			_, err := db.ExecContext(t.Context(), fmt.Sprintf("COPY (SELECT * FROM read_parquet('%s/trials/current/study=one/*/*.parquet', hive_partitioning = false) "+
				"ORDER BY latency_s) TO '%s/duck.parquet' (FORMAT parquet, COMPRESSION %s, PARQUET_VERSION %s)", dir, out, codec, version))
			if err != nil {
				t.Fatal(err)
			}
			root := strings.TrimSuffix(out, "/trials/current/study=one/run=0a1b2c3d")
			compareTables(t, "written by DuckDB with "+codec+" "+version, table(t, dir, "one"), table(t, root, "one"))
		}
	}
	// LZ4_RAW is refused with a reason that says what to do.
	out := filepath.Join(t.TempDir(), "lz4.parquet")
	if _, err := db.ExecContext(t.Context(), "COPY (SELECT 's' AS study, 'r' AS run, 1::BIGINT AS trial, 0::BIGINT AS batch, 'measured' AS outcome, true AS feasible) TO '"+
		out+"' (FORMAT parquet, COMPRESSION lz4_raw)"); err != nil {
		t.Fatal(err)
	}
	for _, err := range archiver.Scan(os.DirFS(filepath.Dir(out)), archiver.Query{Globs: []string{"*.parquet"}}) {
		if err == nil || !strings.Contains(err.Error(), "rewrite the file with zstd") {
			t.Errorf("LZ4_RAW: %v", err)
		}
	}
}
