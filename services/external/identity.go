package external

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"apollo/evaluator"
	"apollo/events"
)

// Identify returns the program argv, run in dir ("" is the current directory),
// as far as it counts for the identity of its answers: the arguments, the path
// of the executable, and the content of every argument that is a regular file.
// A program that cannot be found has no path; starting it says why. Secrets
// are not in what it returns. Large files are read once by all who share c.
func Identify(ctx context.Context, argv []string, dir string, c *Contents) (*events.Program, error) {
	p, err := c.identify(ctx, argv, dir)
	if err != nil {
		return nil, fmt.Errorf("identify the program: %w", err)
	}
	return p, nil
}

// Contents are the digests of large files, as long as nothing says that they
// changed: each is read once by all who share them.
type Contents struct {
	// Reading is told the name of a file that takes more than a second to read;
	// nil for nobody.
	Reading func(name string)

	mu    sync.Mutex // guards known
	known map[string]fileContent
}

type fileContent struct {
	size    int64
	changed time.Time
	sha256  string
}

// smallFile is below what size a file is read each time: it takes
// milliseconds, and a clock that is too coarse hides no edit.
const smallFile = 8 << 20

func (c *Contents) identify(ctx context.Context, argv []string, dir string) (*events.Program, error) {
	base, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	p := &events.Program{Args: argv}
	for i, arg := range inSlot(argv, "0") { // its slots run the same program
		named := arg
		if !filepath.IsAbs(named) {
			named = filepath.Join(base, arg)
		}
		if i == 0 {
			if strings.ContainsRune(arg, filepath.Separator) {
				p.Path = named
			} else if p.Path = found(arg); p.Path != named {
				continue // found elsewhere: it is no file of that name here
			}
		}
		info, err := os.Stat(named)
		if err != nil || !info.Mode().IsRegular() {
			continue
		}
		digest, err := c.digest(ctx, named, info)
		if err != nil {
			return nil, err
		}
		p.Files = append(p.Files, events.ProgramFile{Arg: i, SHA256: digest})
	}
	return p.WithoutSecrets(), nil
}

// found returns where a program is found by its name, or "".
func found(name string) string {
	path, err := exec.LookPath(name)
	if err != nil {
		return ""
	}
	if path, err = filepath.Abs(path); err != nil {
		return ""
	}
	return path
}

// digest returns the SHA-256 of a file; "" for one that may be run and not read.
func (c *Contents) digest(ctx context.Context, name string, info os.FileInfo) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if k := c.known[name]; info.Size() > smallFile && k.size == info.Size() && k.changed.Equal(info.ModTime()) {
		return k.sha256, nil
	}
	f, err := os.Open(name)
	if os.IsPermission(err) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer f.Close()
	if c.Reading != nil {
		defer time.AfterFunc(sayReadingAfter, func() { c.Reading(name) }).Stop()
	}
	h := sha256.New()
	if err := copyWhile(ctx, h, f); err != nil {
		return "", err
	}
	if c.known == nil {
		c.known = map[string]fileContent{}
	}
	sum := hex.EncodeToString(h.Sum(nil))
	c.known[name] = fileContent{info.Size(), info.ModTime(), sum}
	return sum, nil
}

// sayReadingAfter is how long a file is read before that is said.
const sayReadingAfter = time.Second

// copyWhile copies until ctx ends.
func copyWhile(ctx context.Context, to io.Writer, from io.Reader) error {
	const part = 4 << 20
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		if _, err := io.CopyN(to, from, part); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// Program returns the program as it was when the backend was opened.
func (b *Backend) Program() *events.Program { return b.program }

// start starts a process, unless the program is not what it was.
func (b *Backend) start(ctx context.Context, s *slot) (*programProcess, error) {
	if err := b.unchanged(ctx); err != nil {
		return nil, err
	}
	p, err := start(b.argv, b.o.forSlot(s.index))
	if err == nil {
		p.said = b.info.said
		b.started.Add(1)
	}
	return p, err
}

// unchanged returns an error that wraps evaluator.ErrChanged when the program
// is no longer the one that was opened: what it measures would be another
// evaluator's.
func (b *Backend) unchanged(ctx context.Context) error {
	now, err := b.o.Contents.identify(ctx, b.argv, b.o.Dir)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return fmt.Errorf("%w: %w", evaluator.ErrChanged, err)
	}
	if d := events.DiffPrograms(b.program, now); len(d) > 0 {
		return fmt.Errorf("%w: %s", evaluator.ErrChanged, strings.Join(d, "; "))
	}
	return nil
}
