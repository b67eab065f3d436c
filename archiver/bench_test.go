package archiver

import (
	"os"
	"testing"

	"apollo/events"
)

// benchRows are rows as a run over a ten-parameter space has them.
func benchRows(n int) (*events.Spec, []Row) {
	spec := testSpec("bench")
	for len(spec.Parameters) < 10 {
		p := spec.Parameters[0]
		p.Name = "p" + string(rune('a'+len(spec.Parameters)))
		spec.Parameters = append(spec.Parameters, p)
	}
	spec.Metrics = append(spec.Metrics, events.Metric{Name: "energy_j", Unit: "J"})
	rows := testRows(spec, "00000001", 0, n)
	for i := range rows {
		r := &rows[i]
		for j := len(r.Design); j < len(spec.Parameters); j++ {
			level := (i*(2*j+1) + i/7) % 4
			r.Design = append(r.Design, r.Design[0])
			r.Design[j].Num = spec.Parameters[0].Values[level]
		}
		r.Values = append(r.Values, r.Values[0]/3)
		// Every design of a run differs, so every hash does.
		r.DesignHash = shortHash([]byte{byte(i), byte(i >> 8)})
		r.Values[0] *= 1 + float64(i)
	}
	return spec, rows
}

// BenchmarkCommit writes files of FlushRows rows, fsync and checksum included.
func BenchmarkCommit(b *testing.B) {
	spec, rows := benchRows(FlushRows)
	s, err := Open(b.TempDir(), Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer s.release()
	if err := s.Begin(Run{Spec: spec, ID: "00000001", Accepted: accepted(1)}); err != nil {
		b.Fatal(err)
	}
	seq, written := uint64(0), int64(0)
	for b.Loop() {
		b.StopTimer()
		for i := range rows {
			rows[i].Trial = int64(seq)*FlushRows + int64(i)
		}
		b.StartTimer()
		if _, err := s.Append(rows...); err != nil {
			b.Fatal(err)
		}
		seq++
		if err := s.Commit(Position{Sequence: seq}); err != nil {
			b.Fatal(err)
		}
	}
	for _, f := range s.idx.files {
		written += f.Bytes
	}
	n := float64(seq) * FlushRows
	b.ReportMetric(n/b.Elapsed().Seconds(), "rows/s")
	b.ReportMetric(float64(written)/n, "B/row")
}

// BenchmarkScan reads 100,000 rows in files of FlushRows, checksums included.
func BenchmarkScan(b *testing.B) {
	const total = 10 * FlushRows
	dir := b.TempDir()
	spec, rows := benchRows(FlushRows)
	s, err := Open(dir, Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer s.release()
	if err := s.Begin(Run{Spec: spec, ID: "00000001", Accepted: accepted(1)}); err != nil {
		b.Fatal(err)
	}
	for seq := range total / FlushRows {
		for i := range rows {
			rows[i].Trial = int64(seq*FlushRows + i)
		}
		if _, err := s.Append(rows...); err != nil {
			b.Fatal(err)
		}
		if err := s.Commit(Position{Sequence: uint64(seq + 1)}); err != nil {
			b.Fatal(err)
		}
	}
	read := 0
	for b.Loop() {
		for _, err := range Scan(os.DirFS(dir), Query{}) {
			if err != nil {
				b.Fatal(err)
			}
			read++
		}
	}
	b.ReportMetric(float64(read)/b.Elapsed().Seconds(), "rows/s")
}
