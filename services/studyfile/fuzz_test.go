package studyfile_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"apollo/services/studyfile"
)

// FuzzParse: no document panics; a mistake has words and a place inside the
// document; a good study survives publishing.
func FuzzParse(f *testing.F) {
	for _, m := range mistakes() {
		// Studies with 60,000 levels are good, but slow to try ten thousand times.
		if len(m.src) < 1<<16 && !strings.Contains(m.new, "60000") {
			f.Add([]byte(m.src), "spec.budget.trials=3", m.published)
			f.Add(bytes.Replace([]byte(m.src), []byte(m.old), []byte(m.new), 1), "spec.seed=1", m.published)
		}
	}
	f.Add([]byte(searched("{name: net_b}", "{name: net_b, accuracy: 70 %}", "{name: net_a}", "{name: net_a, accuracy: 0.8}")), "spec.space.fix.network=net_b", false)
	f.Add([]byte(searched("{template: toy}", "{parameters: [{name: network, values: [1, 2]}]}")), "spec.workload.networks[0]=1", false)
	f.Fuzz(func(t *testing.T, src []byte, set string, published bool) {
		opts := studyfile.Options{Published: published}
		if set != "" {
			opts.Sets = []string{set}
		}
		doc, err := studyfile.Parse("fuzz", src, catalog(), opts)
		if err == nil {
			again, err := studyfile.Parse("again", doc.Normalised, catalog(), studyfile.Options{})
			if err != nil {
				t.Fatalf("the normalised study is refused: %v\n%s", err, doc.Normalised)
			}
			if !bytes.Equal(again.Normalised, doc.Normalised) {
				t.Fatalf("normalising twice gives\n%s\nthen\n%s", doc.Normalised, again.Normalised)
			}
			return
		}
		e, ok := errors.AsType[*studyfile.Error](err)
		if !ok {
			t.Fatalf("Parse() error = %v, want an *Error", err)
		}
		lines := bytes.Count(src, []byte("\n")) + 1
		for _, m := range e.Mistakes {
			if m.Message == "" || m.Code == "" || m.Line > lines || m.Line < 0 || m.Column < 0 {
				t.Fatalf("mistake %+v in a document of %d lines", m, lines)
			}
		}
		if err := e.Render(io.Discard, true); err != nil {
			t.Fatal(err)
		}
	})
}
