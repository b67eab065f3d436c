package external

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
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

// interpreters end the names of the scripts that they run so. Versions may follow
// their names: python3.12.
var interpreters = map[string][]string{
	"python": {".py"}, "pypy": {".py"}, "bash": {".sh", ".bash"}, "sh": {".sh"}, "zsh": {".sh", ".zsh"}, "node": {".js", ".mjs", ".cjs"},
	"perl": {".pl"}, "ruby": {".rb"}, "julia": {".jl"}, "Rscript": {".R", ".r"}, "lua": {".lua"},
}

// shellWords alone are never arguments: a program would get them, and leave them out
// in silence.
var shellWords = []string{"|", "||", "&", "&&", ">", ">>", "<", "2>", "2>&1", "&>"}

// Findable says which file of a command is not there where it is certain that it is
// needed: the executable, and the script of an interpreter. An interpreter without its
// script ends at once, as often as it is started.
func Findable(argv []string, dir string) error {
	base, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	argv = inSlot(argv, "0")
	if i := slices.IndexFunc(argv, func(word string) bool { return slices.Contains(shellWords, word) }); i >= 0 {
		return fmt.Errorf("the word %s is for a shell, and the command is run without one: write sh -c '…' around it", argv[i])
	}
	in := func(name string) string {
		if filepath.IsAbs(name) {
			return name
		}
		return filepath.Join(base, name)
	}
	if !strings.ContainsRune(argv[0], filepath.Separator) {
		if _, err := exec.LookPath(argv[0]); errors.Is(err, exec.ErrNotFound) {
			return fmt.Errorf("there is no program %s on the PATH", argv[0])
		}
	} else if info, err := os.Stat(in(argv[0])); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("the program %s is not there: there is no file %s", argv[0], in(argv[0]))
	} else if err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o111 == 0 {
		return fmt.Errorf("the program %s cannot be executed: write its interpreter before it, or chmod +x %s", argv[0], in(argv[0]))
	} else if line := firstLine(in(argv[0])); strings.HasPrefix(line, "#!") && strings.HasSuffix(line, "\r") {
		return fmt.Errorf("the first line of the program %s names an interpreter with a carriage return, %q: save the file with Unix line ends", argv[0], line)
	}
	endings := interpreters[strings.TrimRight(filepath.Base(argv[0]), ".0123456789")]
	if len(argv) == 1 || strings.HasPrefix(argv[1], "-") || !slices.Contains(endings, filepath.Ext(argv[1])) {
		return nil // behind options, a word may be the value of one
	}
	if _, err := os.Stat(in(argv[1])); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("the script %s is not there: there is no file %s", argv[1], in(argv[1]))
	}
	return nil
}

// firstLine returns the beginning of a file up to its first line end; "" where it cannot be read.
func firstLine(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer func() { _ = f.Close() }()
	head := make([]byte, 256) // Linux reads as much of it
	n, _ := io.ReadFull(f, head)
	line, _, _ := strings.Cut(string(head[:n]), "\n")
	return line
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
