package external

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
)

// interpreter is a program that runs scripts.
type interpreter struct {
	// endings end the names of its scripts.
	endings []string
	// flags are its options of one letter that take no value and stand before the script.
	flags string
	// valued are those whose value follows, in the same word or as the next one.
	valued string
}

// interpreters are the known ones by name. Versions may follow it: python3.12.
var interpreters = map[string]interpreter{
	"python":  {endings: []string{".py"}, flags: "bBdEiIOPqRsSuvx", valued: "WX"},
	"pypy":    {endings: []string{".py"}, flags: "bBdEiIOPqRsSuvx", valued: "WX"},
	"bash":    {endings: []string{".sh", ".bash"}, flags: "abefhkmnuvxBCEHPT", valued: "o"},
	"sh":      {endings: []string{".sh"}, flags: "abefhkmnuvxC", valued: "o"},
	"zsh":     {endings: []string{".sh", ".zsh"}},
	"node":    {endings: []string{".js", ".mjs", ".cjs"}},
	"perl":    {endings: []string{".pl"}, flags: "wTtW"},
	"ruby":    {endings: []string{".rb"}, flags: "wvW"},
	"julia":   {endings: []string{".jl"}},
	"Rscript": {endings: []string{".R", ".r"}},
	"lua":     {endings: []string{".lua"}},
}

// wrapper is a program that runs the command behind its own words.
type wrapper struct {
	// sub is the word that makes it one: uv run.
	sub string
	// flags are its options without a value, valued those whose value is the next word.
	flags, valued []string
	// operands stand between its options and the command.
	operands int
	// variables: NAME=VALUE stands before the command.
	variables bool
	// own: the command is looked for on a path of its own.
	own bool
	// scripts: it runs a Python script itself.
	scripts bool
}

var wrappers = map[string]wrapper{
	"env":     {flags: []string{"-i", "--ignore-environment"}, valued: []string{"-u"}, variables: true},
	"nice":    {valued: []string{"-n"}},
	"ionice":  {valued: []string{"-c", "-n"}},
	"nohup":   {},
	"setsid":  {flags: []string{"-w", "--wait"}},
	"stdbuf":  {valued: []string{"-i", "-o", "-e"}},
	"taskset": {flags: []string{"-c"}, operands: 1},
	"timeout": {flags: []string{"--foreground", "--preserve-status", "-v"}, valued: []string{"-k", "-s"}, operands: 1},
	"uv":      {sub: "run", own: true, scripts: true},
	"poetry":  {sub: "run", own: true},
	"pipenv":  {sub: "run", own: true},
	"conda":   {sub: "run", flags: []string{"--no-capture-output", "--live-stream"}, valued: []string{"-n", "--name", "-p", "--prefix"}, own: true},
}

// shellWords alone are never arguments: a program would get them, and leave them out
// in silence.
var shellWords = []string{"|", "||", "&", "&&", ">", ">>", "<", "2>", "2>&1", "&>"}

// assignment is a word that sets a variable, where a shell reads it.
var assignment = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*=`)

// WordError is of one word of a command.
type WordError struct {
	// Word is the one that is wrong.
	Word string
	Err  error
}

func (e *WordError) Error() string { return e.Err.Error() }

// Unwrap returns what is wrong.
func (e *WordError) Unwrap() error { return e.Err }

// Wrong returns the word that is wrong.
func (e *WordError) Wrong() string { return e.Word }

func wrong(word, format string, args ...any) error {
	return &WordError{word, fmt.Errorf(format, args...)}
}

// Findable says what of a command cannot work where that is certain: an executable or the
// script of an interpreter that is not there, also behind programs that only run another
// one (env, timeout, uv run), a word for a shell, a container without a standard input.
// What it does not know the options of it leaves alone. Its errors are of the type
// *WordError.
func Findable(argv []string, dir string) error {
	base, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	argv = inSlot(argv, "0")
	if i := slices.IndexFunc(argv, func(word string) bool { return slices.Contains(shellWords, word) }); i >= 0 {
		return wrong(argv[i], "the word %s is for a shell, and the command is run without one: write sh -c '…' around it", argv[i])
	}
	if assignment.MatchString(argv[0]) {
		return wrong(argv[0], "the word %s sets a variable for a shell, and the command is run without one: write env before it", argv[0])
	}
	return folder(base).command(argv, true)
}

// folder is where a command is started.
type folder string

func (f folder) file(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(string(f), name)
}

// command looks at a command and at the one that it runs. known says that its program is
// looked for on the PATH of this process.
func (f folder) command(argv []string, known bool) error {
	if known || strings.ContainsRune(argv[0], filepath.Separator) {
		if err := f.executable(argv[0]); err != nil {
			return err
		}
	}
	name := filepath.Base(argv[0])
	if slices.Contains([]string{"docker", "podman", "nerdctl"}, name) {
		return withInput(argv)
	}
	if name == "conda" && len(argv) > 1 && argv[1] == "run" && !slices.ContainsFunc(argv, streams) {
		return wrong(argv[1], "%s run keeps what its program answers until that ends: write %[1]s run --no-capture-output", argv[0])
	}
	if w, ok := wrappers[name]; ok {
		inner := w.inner(argv[1:])
		switch {
		case len(inner) == 0:
			return nil
		case w.scripts && filepath.Ext(inner[0]) == ".py":
			return f.script(inner[0])
		}
		return f.command(inner, known && !w.own && !slices.ContainsFunc(argv, func(word string) bool { return strings.HasPrefix(word, "PATH=") }))
	}
	i, ok := interpreters[strings.TrimRight(name, ".0123456789")]
	if !ok {
		return nil
	}
	if rest := i.behindOptions(argv[1:]); len(rest) > 0 && slices.Contains(i.endings, filepath.Ext(rest[0])) {
		return f.script(rest[0])
	}
	return nil
}

// inner is the command that a wrapper runs; none where an option is not known.
func (w *wrapper) inner(words []string) []string {
	if w.sub != "" {
		if len(words) == 0 || words[0] != w.sub {
			return nil
		}
		words = words[1:]
	}
	operands := w.operands
	for len(words) > 0 {
		switch word := words[0]; {
		case slices.Contains(w.flags, word):
			words = words[1:]
		case slices.Contains(w.valued, word):
			words = words[min(2, len(words)):]
		case word == "--" && operands == w.operands:
			return words[min(1+operands, len(words)):]
		case strings.HasPrefix(word, "-"):
			return nil
		case w.variables && assignment.MatchString(word):
			words = words[1:]
		case operands > 0:
			words, operands = words[1:], operands-1
		default:
			return words
		}
	}
	return nil
}

// behindOptions are the words behind the options of an interpreter; none where one is not
// known, as the next word may be its value.
func (i *interpreter) behindOptions(words []string) []string {
	for len(words) > 0 {
		letters, option := strings.CutPrefix(words[0], "-")
		switch {
		case !option:
			return words
		case letters == "" || strings.HasPrefix(letters, "-"):
			return nil
		}
		rest := strings.TrimLeft(letters, i.flags)
		switch {
		case rest == "":
			words = words[1:]
		case !strings.ContainsRune(i.valued, rune(rest[0])):
			return nil
		case len(rest) == 1:
			words = words[min(2, len(words)):]
		default:
			words = words[1:]
		}
	}
	return nil
}

// withInput refuses a container that gets no questions. An option with an i may be the
// value of another one: then nothing is said.
func withInput(argv []string) error {
	at := 1
	if len(argv) > 2 && argv[1] == "container" {
		at = 2
	}
	if len(argv) <= at || argv[at] != "run" && argv[at] != "exec" {
		return nil
	}
	takes := func(word string) bool {
		return strings.HasPrefix(word, "--interactive") || strings.HasPrefix(word, "--attach") || strings.HasPrefix(word, "-") && !strings.HasPrefix(word, "--") && strings.ContainsAny(word, "ia")
	}
	if slices.ContainsFunc(argv, takes) {
		return nil
	}
	return wrong(argv[at], "%s %s gives its program no standard input, where the questions come: write %[1]s %[2]s -i", argv[0], argv[at])
}

// streams reports whether a word of conda run may say that it hands lines on.
func streams(word string) bool {
	return word == "-s" || strings.HasPrefix(word, "--live-stream") || strings.HasPrefix(word, "--no-capture-output")
}

// script is an error where the script of an interpreter is not there.
func (f folder) script(name string) error {
	if _, err := os.Stat(f.file(name)); errors.Is(err, fs.ErrNotExist) {
		return wrong(name, "the script %s is not there: there is no file %s%s", name, f.file(name), unexpanded(name))
	}
	return nil
}

// unexpanded says why a file may not be found that is there.
func unexpanded(name string) string {
	if strings.HasPrefix(name, "~") || strings.Contains(name, "$") {
		return "; ~ and $ mean nothing without a shell: write the whole path"
	}
	return ""
}

// executable is an error where a program certainly cannot be executed.
func (f folder) executable(name string) error {
	if !strings.ContainsRune(name, filepath.Separator) {
		if _, err := exec.LookPath(name); !errors.Is(err, exec.ErrNotFound) {
			return nil
		}
		if info, err := os.Stat(f.file(name)); err == nil && info.Mode().IsRegular() {
			return wrong(name, "there is no program %s on the PATH, and the file of that name in the folder is not looked for: write ./%[1]s, or its interpreter before it", name)
		}
		return wrong(name, "there is no program %s on the PATH", name)
	}
	path := f.file(name)
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return wrong(name, "the program %s is not there: there is no file %s%s", name, path, unexpanded(name))
	case err != nil:
		return nil // starting it says why
	case info.IsDir():
		return wrong(name, "the program %s is a folder: name the program in it", name)
	case info.Mode().IsRegular() && info.Mode().Perm()&0o111 == 0:
		return wrong(name, "the program %s cannot be executed: write its interpreter before it, or chmod +x %s", name, path)
	}
	return f.firstLine(name, path)
}

// firstLine is an error where the first line of a script names no interpreter that is there.
func (f folder) firstLine(name, path string) error {
	line := firstLine(path)
	named, ok := strings.CutPrefix(line, "#!")
	if !ok {
		for _, i := range interpreters {
			if line != "" && slices.Contains(i.endings, filepath.Ext(name)) {
				return wrong(name, "the first line of the program %s names no interpreter: begin it with #!, or write the interpreter before it in the command", name)
			}
		}
		return nil
	}
	if strings.HasSuffix(line, "\r") {
		return wrong(name, "the first line of the program %s names an interpreter with a carriage return, %q: save the file with Unix line ends", name, line)
	}
	words := strings.Fields(named)
	if len(words) == 0 {
		return nil
	}
	if _, err := os.Stat(f.file(words[0])); errors.Is(err, fs.ErrNotExist) {
		return wrong(name, "the first line of the program %s names an interpreter that is not there: %s", name, words[0])
	}
	if filepath.Base(words[0]) != "env" || len(words) < 2 || strings.HasPrefix(words[1], "-") {
		return nil
	}
	if len(words) > 2 && runtime.GOOS == "linux" { // macOS splits them
		return wrong(name, "the first line of the program %s gives env several words, which Linux takes for one name: write #!%s -S %s",
			name, words[0], strings.Join(words[1:], " "))
	}
	if _, err := exec.LookPath(words[1]); errors.Is(err, exec.ErrNotFound) && !strings.Contains(words[1], "=") {
		return wrong(name, "the first line of the program %s names an interpreter that is not on the PATH: %s", name, words[1])
	}
	return nil
}

// firstLine returns the beginning of a file up to its first line end; "" where it cannot be read.
func firstLine(path string) string {
	file, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer func() { _ = file.Close() }()
	head := make([]byte, 256) // Linux reads as much of it
	n, _ := io.ReadFull(file, head)
	line, _, _ := strings.Cut(string(head[:n]), "\n")
	return line
}
