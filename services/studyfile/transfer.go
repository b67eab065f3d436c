package studyfile

import (
	"path/filepath"

	"apollo/events"
)

// methodAuto is the method that leaves the choice to the evidence.
const methodAuto = "auto"

// transfer checks the sources of knowledge.
func (b *builder) transfer() {
	t, n := b.spec.Transfer, b.field("transfer")
	if t == nil {
		return
	}
	if t.Method == methodAuto {
		t.Method = ""
	}
	if t.Method == "seed" && t.Seeds == 0 {
		b.add(n.get("seeds"), codeContradicts, "Allow some seeds, or remove transfer.", "method seed with no seeds uses nothing of the sources")
	}
	seen := map[events.Source]bool{}
	for i, s := range n.get("sources").list() {
		source := &t.Sources[i]
		if s.kind != mapKind && !source.Auto {
			continue
		}
		if ok := b.source(s, source); ok && seen[*source] {
			b.add(s, codeDuplicate, "Remove one of them.", "this source is here twice")
		}
		seen[*source] = true
	}
}

// source checks one source, and makes its path complete.
func (b *builder) source(n *node, out *events.Source) bool {
	before := len(b.found)
	study, parquet := n.get("study"), n.get("parquet")
	if study.str() != "" && study.text == b.spec.Study {
		b.add(study, codeContradicts, "To start anew, give the study another name.", "a study cannot be its own source")
	}
	if parquet != nil && parquet.kind == stringKind {
		out.Parquet = b.pattern(parquet)
	}
	return len(b.found) == before
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
