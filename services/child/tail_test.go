package child

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestTailKeepsTheEnd(t *testing.T) {
	t.Parallel()
	var w tail
	for range 100 {
		_, _ = w.Write([]byte(strings.Repeat("x", 100) + "\n"))
	}
	_, _ = w.Write([]byte("one\ntwo\nthree\nfour\n"))
	if got, want := w.note(0), "; stderr: two | three | four"; got != want {
		t.Errorf("note() = %q, want %q", got, want)
	}
	if len(w.end) > maxTail {
		t.Errorf("%d bytes are kept, want at most %d", len(w.end), maxTail)
	}
	_, _ = w.Write([]byte(strings.Repeat("é", maxTail)))
	if got := w.note(0); !utf8.ValidString(got) || len(got) > 2*maxExcerpt+20 {
		t.Errorf("note() = %q, want short valid text", got)
	}
	if got := (&tail{}).note(0); got != "" {
		t.Errorf("note() of nothing = %q", got)
	}
	_, _ = w.Write([]byte("old\n"))
	mark := w.total()
	if got := w.note(mark); got != "" {
		t.Errorf("note() since the mark = %q, want nothing", got)
	}
	_, _ = w.Write([]byte("new\n"))
	if got, want := w.note(mark), "; stderr: new"; got != want {
		t.Errorf("note() since the mark = %q, want %q", got, want)
	}
}
