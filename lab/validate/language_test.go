package validate

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// The rows that the program carries can all be compared, those that are known
// misses with their reason, and a row of another unit or network is named.
func TestPublished(t *testing.T) {
	t.Parallel()
	names := slices.DeleteFunc(Names(), func(n string) bool { return n == "prime_landscape" }) // 100,000 draws: half a minute
	r := Run(fstest.MapFS{}, names...)
	r.Published()
	if len(r.Carried) != 8 || len(r.Absent) != 7 || slices.ContainsFunc(r.Absent, func(a Absent) bool { return a.Source == "" }) {
		t.Errorf("carried %q, absent %q: want eight and seven files, and where the absent ones come from", r.Carried, r.Absent)
	}
	if len(r.Bad) != 0 || r.Failed != 0 || r.Judged == 0 {
		t.Errorf("judged %d, failed %d, bad %q: want all rows within the tolerance or known to miss", r.Judged, r.Failed, r.Bad)
	}
	const header = "source,workload,head,scales,logits,atomic_c,atomic_k,conv_buffer,accumulator,io_bandwidth,unit,value,missed\n"
	for row, want := range map[string]string{
		"x,gpt2_decode,,,,64,32,524288,65536,16e9,ms,1,":      `the unit is "ms", want s or 1/s`,
		"x,gpt3_decode,,,,64,32,524288,65536,16e9,s,1,":       "gpt3_decode",
		"x,gpt2_decode,fp7,,,64,32,524288,65536,16e9,s,1,":    `the head has the format "fp7"`,
		"x,mobilenet_v2,fp16,,,64,32,524288,65536,16e9,s,1,":  "",
		"x,gpt2_decode,,8,,64,32,524288,65536,16e9,s,1,":      `scales is "8", want bits`,
		"x,gpt2_decode,,,all,64,32,524288,65536,16e9,s,1,":    `logits is "all", want every or nothing`,
		"x,gpt2_decode,,,every,64,32,524288,65536,16e9,s,1,":  "the network makes logits for every token",
		"x,squeezenet,fp16,,,64,32,524288,65536,16e9,s,1,":    "no layer logits",
		"x,gpt2_decode,,,,64,32,524288,65536,16e9,s,0,":       "want more than 0",
		"x,gpt2_decode:past=x,,,,64,32,524288,65536,16e9,s,1": "12 fields",
	} {
		table, err := readTable(fstest.MapFS{"x": {Data: []byte(header + row + "\n")}}, "x")
		if err != nil {
			t.Fatal(err)
		}
		var got Report
		got.compare(reference{file: "x", run: languageModels}, table)
		if bad := strings.Join(got.Bad, "; "); (want == "") != (bad == "") || !strings.Contains(bad, want) {
			t.Errorf("%s: bad %q, want %q", row, bad, want)
		}
	}
	// A row that misses is a failure where nothing says that it is known to.
	for missed, want := range map[string]Verdict{"": Fail, "known": Note} {
		table, err := readTable(fstest.MapFS{"x": {Data: []byte(header + "x,gpt2_decode,,,,64,32,524288,65536,16e9,s,99," + missed + "\n")}}, "x")
		if err != nil {
			t.Fatal(err)
		}
		if rows, err := languageModels(table); err != nil || rows[0].Verdict != want {
			t.Errorf("missed %q: %v, %v, want %s", missed, rows, err, want)
		}
	}
}

// What is left out is counted, and said to be too much above a twentieth.
func TestOmitted(t *testing.T) {
	t.Parallel()
	if rows := omitted(20, 0, nil); rows != nil {
		t.Errorf("nothing left out: %v", rows)
	}
	for left, want := range map[int]string{1: "reported", 2: "missed: <= 5 %"} {
		if r := omitted(20, left, []string{"why"}); r[0].Tolerance != want || r[0].Ours != float64(left) {
			t.Errorf("%d of 20: %+v, want %s", left, r[0], want)
		}
	}
}
