package studyfile

import (
	"cmp"
	"path/filepath"
	"strings"

	"apollo/events"
)

// runLength is the number of hex digits of a run (docs/events.md).
const runLength = 8

// methodAuto is the method that leaves the choice to the evidence.
const methodAuto = "auto"

// transferMethods are the values of transfer.method.
func transferMethods() []string {
	return []string{methodAuto, "merge", "seed", "gp", "rgpe", "rtm", "zero-shot"}
}

// transfer reads the sources of knowledge.
func (b *builder) transfer() {
	n := b.field("transfer")
	if n == nil || n.kind != mapKind {
		return
	}
	t := &events.Transfer{Seeds: defaultSeeds}
	setInt(&t.Seeds, n.get("seeds"))
	if v, ok := quietQuantity(n.get("control"), ""); ok {
		t.Control = v
	}
	if m := n.get("method").str(); m != methodAuto {
		t.Method = m
	}
	if t.Method == "seed" && t.Seeds == 0 {
		b.add(n.get("seeds"), codeContradicts, "Allow some seeds, or remove transfer.", "method seed with no seeds uses nothing of the sources")
	}
	seen := map[events.Source]bool{}
	for _, s := range n.get("sources").list() {
		source, ok := events.Source{Auto: true}, true
		switch {
		case s.kind == mapKind:
			source, ok = b.source(s)
		case s.str() != "auto":
			continue
		}
		if ok && seen[source] {
			b.add(s, codeDuplicate, "Remove one of them.", "this source is here twice")
		}
		seen[source] = true
		t.Sources = append(t.Sources, source)
	}
	b.spec.Transfer = t
}

func (b *builder) source(n *node) (events.Source, bool) {
	before := len(b.found)
	study, parquet, run := n.get("study"), n.get("parquet"), n.get("run")
	out := events.Source{Study: study.str(), Run: run.str(), Parquet: parquet.str()}
	switch {
	case study == nil && parquet == nil:
		b.add(n, codeMissing, "Write study: NAME, parquet: PATTERN, or auto instead of the mapping.", "the source names nothing")
	case study != nil && parquet != nil:
		b.add(parquet, codeContradicts, "Write two sources.", "a source is a study or Parquet files, not both")
	}
	if study != nil && study.kind == stringKind {
		b.label(study, "a study")
		if study.text == b.spec.Study {
			b.add(study, codeContradicts, "To start anew, give the study another name.", "a study cannot be its own source")
		}
	}
	if run != nil && run.kind == stringKind {
		if len(run.text) != runLength || strings.Trim(run.text, "0123456789abcdef") != "" {
			b.add(run, codeBadName, "apollo study ls shows the runs. Put digits in quotes.", "%q is no run: a run has %d hex digits", clip(run.text), runLength)
		}
		if parquet != nil {
			b.add(run, codeContradicts, "Remove it; the pattern names the run's files.", "only a study has runs")
		}
	}
	if parquet != nil && parquet.kind == stringKind {
		out.Parquet = b.pattern(parquet)
	}
	return out, len(b.found) == before
}

// pattern checks a path pattern and joins it to the document's directory.
func (b *builder) pattern(n *node) string {
	if b.opts.Published {
		b.add(n, codeUnsupported, "Name the source by study.", "a published study cannot name files of the server")
		return ""
	}
	if n.text == "" {
		b.add(n, codeOutOfRange, "", "the pattern is empty")
		return ""
	}
	if _, err := filepath.Match(n.text, ""); err != nil {
		b.add(n, codeSyntax, "A [ in a name is written \\[.", "%q is no path pattern", clip(n.text))
		return ""
	}
	if b.opts.Dir == "" || filepath.IsAbs(n.text) {
		return n.text
	}
	return filepath.Join(b.opts.Dir, n.text)
}

// writtenTransfer is a transfer as a study file says it.
type writtenTransfer struct {
	Sources []any   `json:"sources"`
	Method  string  `json:"method"`
	Seeds   int     `json:"seeds"`
	Control float64 `json:"control"`
}

func (b *builder) writtenTransfer() *writtenTransfer {
	t := b.spec.Transfer
	if t == nil {
		return nil
	}
	out := &writtenTransfer{Method: cmp.Or(t.Method, methodAuto), Seeds: t.Seeds, Control: t.Control}
	for _, s := range t.Sources {
		if s.Auto {
			out.Sources = append(out.Sources, "auto")
			continue
		}
		out.Sources = append(out.Sources, s)
	}
	return out
}
