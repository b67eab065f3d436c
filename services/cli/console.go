package cli

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"
)

// PlainEvery is the time between progress lines where there is no terminal.
const PlainEvery = 5 * time.Second

// Console shares stderr between messages and one live line at the bottom of a
// terminal. It is safe for concurrent use.
type Console struct {
	out  io.Writer
	Live bool // whether a live line can be shown

	mu   sync.Mutex // guards line and writes to out
	line string
}

// NewConsole writes to out; the live line is for terminals.
func NewConsole(out io.Writer) *Console { return &Console{out: out, Live: IsTerminal(out)} }

// Write prints whole lines above the live line.
func (c *Console) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.line == "" {
		return c.out.Write(b)
	}
	var w bytes.Buffer
	w.WriteString("\r\x1b[K")
	w.Write(b)
	w.WriteString(c.line)
	if _, err := c.out.Write(w.Bytes()); err != nil {
		return 0, err
	}
	return len(b), nil
}

// Printf prints a message above the live line.
func (c *Console) Printf(format string, args ...any) { fmt.Fprintf(c, format, args...) }

// Show replaces the live line; it is cut to the width of the terminal.
func (c *Console) Show(line string) {
	if width := terminalWidth(c.out); width > 0 {
		if r := []rune(line); len(r) >= width {
			line = string(r[:width-1])
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.line = line
	fmt.Fprint(c.out, "\r\x1b[K"+line)
}

// Clear removes the live line.
func (c *Console) Clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.line != "" {
		fmt.Fprint(c.out, "\r\x1b[K")
		c.line = ""
	}
}

// IsTerminal reports whether somebody looks at what is written.
func IsTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

func terminalWidth(w io.Writer) int {
	f, ok := w.(*os.File)
	if !ok {
		return 0
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return width
}

// LineHandler writes log records as lines for people: "apollo: warn: message
// key=value".
type LineHandler struct {
	Out    io.Writer
	Level  slog.Level
	prefix string // of attribute keys, from groups
	attrs  string
}

// Enabled implements slog.Handler.
func (h *LineHandler) Enabled(_ context.Context, l slog.Level) bool { return l >= h.Level }

// Handle implements slog.Handler.
func (h *LineHandler) Handle(_ context.Context, r slog.Record) error {
	var b strings.Builder
	b.WriteString("apollo: ")
	if r.Level != slog.LevelInfo {
		b.WriteString(strings.ToLower(r.Level.String()) + ": ")
	}
	b.WriteString(r.Message)
	b.WriteString(h.attrs)
	r.Attrs(func(a slog.Attr) bool {
		b.WriteString(h.attr(a))
		return true
	})
	b.WriteByte('\n')
	_, err := io.WriteString(h.Out, b.String())
	return err
}

// WithAttrs implements slog.Handler.
func (h *LineHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	c := *h
	for _, a := range attrs {
		c.attrs += h.attr(a)
	}
	return &c
}

// WithGroup implements slog.Handler.
func (h *LineHandler) WithGroup(name string) slog.Handler {
	c := *h
	c.prefix += name + "."
	return &c
}

func (h *LineHandler) attr(a slog.Attr) string {
	v := a.Value.Resolve().String()
	if strings.ContainsAny(v, " \t\n\"") {
		v = fmt.Sprintf("%q", v)
	}
	return " " + h.prefix + a.Key + "=" + v
}
