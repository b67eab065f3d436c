package transfer

import (
	"os"
	"testing"
	"time"

	"apollo/archiver"
	"apollo/events"
)

// BenchmarkAddParquet learns from a million trials in Parquet files as the
// archiver writes them, checksums included, and reports the largest live heap.
func BenchmarkAddParquet(b *testing.B) {
	const n = 1_000_000
	dir := b.TempDir()
	writeMany(b, dir, n)
	limit := 800.0
	spec := targetSpec(wide)
	spec.Constraints[0].Max = &limit
	for b.Loop() {
		stop, peak := watchHeap()
		log, err := archiver.OpenSource(os.DirFS(dir), events.Source{Study: "earlier"})
		if err != nil {
			b.Fatal(err)
		}
		c, _, _, err := add(b, spec, log)
		if err != nil || c.Rows != n || len(c.Quarantine) > 0 {
			b.Fatal(c.Rows, c.Quarantine, err)
		}
		close(stop)
		b.ReportMetric(<-peak, "peak-MB")
	}
	b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "rows/s")
}

// writeMany writes the trials of manyTrials through a store.
func writeMany(b *testing.B, dir string, n int) {
	b.Helper()
	spec := another(wide)
	s, err := archiver.Open(dir, archiver.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	if err := s.Begin(archiver.Run{Spec: spec, ID: "0000000a", Accepted: time.Unix(1, 0)}); err != nil {
		b.Fatal(err)
	}
	var seq uint64
	for t, err := range trials(n) {
		if err != nil {
			b.Fatal(err)
		}
		row := archiver.Row{
			Study: "earlier", Run: "0000000a", Trial: int64(t.Trial), Design: t.Design, Values: t.Values, Outcome: t.Outcome,
			Feasible: t.Outcome == events.OutcomeMeasured, Origin: "random", Evaluator: "toy",
			DesignHash: archiver.DesignHash(spec.Parameters, t.Design), WorkloadHash: archiver.WorkloadHash(spec.Networks),
		}
		if _, err := s.Append(row); err != nil {
			b.Fatal(err)
		}
		if (t.Trial+1)%archiver.FlushRows != 0 {
			continue
		}
		if seq++; s.Commit(archiver.Position{Sequence: seq}) != nil {
			b.Fatal("a commit failed")
		}
	}
	if err := s.CloseRun("earlier", "0000000a", archiver.StateCompleted); err != nil {
		b.Fatal(err)
	}
}
