package validate

import (
	"bytes"
	"compress/gzip"
	"strings"
	"testing"
	"testing/fstest"

	"apollo/evaluator/workload"
)

// nasTable is a table of EfficientNet-B0, which has 5,288,548 parameters in
// frameworks, and of the same network with one block less.
func nasTable(t *testing.T, change func(string) string) fstest.MapFS {
	t.Helper()
	f, _ := workload.FamilyNamed("accel_nasbench")
	var header, own []string
	for _, p := range f.Params {
		header, own = append(header, p.Name), append(own, string(rune('0'+p.Own)))
	}
	row := strings.Join(own, ",")
	text := strings.Join(header, ",") + ",val_top1,mparams,zcu102_ms,vck190_ms\n" +
		row + ",62.5,5.288548,9,7\n" + strings.Replace(row, "6,5,4,1", "6,5,3,1", 1) + ",61,4.1,8,\n"
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write([]byte(change(text))); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return fstest.MapFS{"accuracy/accel_nasbench.csv.gz": {Data: b.Bytes()}}
}

func TestAccelNASBenchRanks(t *testing.T) {
	t.Parallel()
	r := Run(nasTable(t, func(s string) string { return s }))
	if len(r.Bad) != 0 || len(r.Rows) != 7 {
		t.Fatalf("%+v", r)
	}
	// The first network's parameters are right, the second's are rubbish; the
	// second FPGA has one latency, which has no rank.
	if sizes := r.Rows[0]; sizes.Theirs != 2 || sizes.Ours != 1 || len(sizes.Misses) != 1 {
		t.Errorf("parameters: %+v", sizes)
	}
	if rank := r.Rows[1]; rank.Ours != 1 || rank.Verdict != Pass {
		t.Errorf("two latencies in order: %+v", rank)
	}
	if rank := r.Rows[3]; rank.Verdict != Fail {
		t.Errorf("one latency has no rank: %+v", rank)
	}
	// Neither network was measured there, and two are too few to learn from.
	if table, rank := r.Rows[5], r.Rows[6]; table.Theirs != 2 || table.Ours != 0 || rank.Theirs != 1 || rank.Verdict != Fail {
		t.Errorf("accuracies: %+v, %+v", table, rank)
	}
}

func TestAccelNASBenchNamesBadRows(t *testing.T) {
	t.Parallel()
	for want, change := range map[string]func(string) string{
		`accuracy/accel_nasbench.csv.gz:2: column "b0_e" is 9, want one of [1 4 6]`: func(s string) string { return strings.Replace(s, "\n1,", "\n9,", 1) },
		`accuracy/accel_nasbench.csv.gz:3: column "mparams" is 0, want more than 0`: func(s string) string { return strings.Replace(s, ",4.1,", ",0,", 1) },
		`accuracy/accel_nasbench.csv.gz: there is no column "vck190_ms"`:            func(s string) string { return strings.Replace(s, "vck190_ms", "other", 1) },
	} {
		if r := Run(nasTable(t, change)); len(r.Bad) != 1 || r.Bad[0] != want {
			t.Errorf("bad %q, want %q", r.Bad, want)
		}
	}
	files := fstest.MapFS{"accuracy/accel_nasbench.csv.gz": {Data: []byte("no gzip")}}
	if r := Run(files); len(r.Bad) != 1 || !strings.Contains(r.Bad[0], "decompress") {
		t.Errorf("not compressed: %q", r.Bad)
	}
}
