package child

import (
	"io"
	"strings"
	"sync"
	"unicode/utf8"
)

// maxExcerpt is how much of a stream's end is quoted, in bytes.
const maxExcerpt = 200

// tail keeps the end of a stream.
type tail struct {
	also io.Writer // nil for none

	reading sync.Mutex // held from a read of the pipe until its bytes are kept

	mu  sync.Mutex
	end []byte
	all uint64 // bytes of the whole stream
}

// maxTail is how much of stderr is kept, in bytes.
const maxTail = 4096

// Write keeps the last bytes of b.
func (t *tail) Write(b []byte) (int, error) {
	if t.also != nil {
		_, _ = t.also.Write(b)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.all += uint64(len(b))
	t.end = append(t.end, b[max(0, len(b)-maxTail):]...)
	if extra := len(t.end) - maxTail; extra > 0 {
		t.end = append(t.end[:0], t.end[extra:]...)
	}
	return len(b), nil
}

func (t *tail) total() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.all
}

// since returns what is kept of the stream without its first bytes.
func (t *tail) since(first uint64) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.end[uint64(len(t.end))-min(t.all-first, uint64(len(t.end))):])
}

// note returns the last lines of the stream, without its first bytes, as the end
// of a sentence, or "".
func (t *tail) note(first uint64) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	end := t.end[uint64(len(t.end))-min(t.all-first, uint64(len(t.end))):]
	lines := strings.Split(strings.TrimSpace(string(end)), "\n")
	const enough = 3
	text := strings.Join(lines[max(0, len(lines)-enough):], " | ")
	if text == "" {
		return ""
	}
	if len(text) > maxExcerpt {
		text = "…" + text[len(text)-maxExcerpt:]
	}
	return "; stderr: " + Clip(text, 2*maxExcerpt)
}

// Clip makes text safe for one line of at most n bytes.
func Clip(s string, n int) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == utf8.RuneError {
			return ' '
		}
		return r
	}, s)
	if len(s) <= n {
		return s
	}
	cut := n - len("…")
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "…"
}
