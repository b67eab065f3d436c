package external_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"apollo/optimizer/space"
	"apollo/services/external"
)

// A file that a command certainly needs and that is not there is named before anything
// is started; what only looks like one is not.
func TestCommandsWithoutTheirFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "here.sh"), []byte("exit 0\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "windows.sh"), []byte("#!/bin/sh\r\nexit 0\r\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"shebang.py": "#!/usr/bin/pyton3\n", "env.py": "#!/usr/bin/env pyton3\n", "words.py": "#! /usr/bin/env sh -u\n", "bare.py": "import sys\n", "marked.sh": "\ufeff#!/bin/sh\n",
		"options.sh": "#!/usr/bin/env -S sh -u\n", "binary": "\x7fELF", "only-here": "#!/bin/sh\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "folder"), 0o700); err != nil {
		t.Fatal(err)
	}
	const good = ""
	for command, want := range map[string]string{
		"sh gone.sh":           "the script gone.sh is not there: there is no file " + filepath.Join(dir, "gone.sh"),
		"/bin/sh gone.sh x":    "the script gone.sh is not there",
		"/bin/sh -u gone.sh x": "the script gone.sh is not there",
		// The value of an option is no script.
		"bash --init-file gone.sh here.sh": good,
		"bash -o posix here.sh":            good,
		"sh here.sh gone.sh":               good, // an argument of the script
		// What is no argument of an interpreter is started, and says itself what it lacks.
		"sh -c './gone.sh'":                 "the program ends before it reads a question (exit status 127)",
		"env sh gone.sh":                    "the script gone.sh is not there",
		"env -u A B=1 nice -n 5 sh gone.sh": "the script gone.sh is not there",
		"timeout -k 5 100 sh -eu gone.sh":   "the script gone.sh is not there",
		"taskset -c 0 ./gone":               "the program ./gone is not there",
		"env PATH=/elsewhere ./gone":        "the program ./gone is not there",
		"B=1 sh here.sh":                    "the word B=1 sets a variable for a shell, and the command is run without one: write env before it",
		"./folder":                          "the program ./folder is a folder",
		"./shebang.py":                      "names an interpreter that is not there: /usr/bin/pyton3",
		"./env.py":                          "names an interpreter that is not on the PATH: pyton3",
		"./words.py":                        "gives env several words, which Linux takes for one name: write #!/usr/bin/env -S sh -u",
		"./bare.py":                         "names no interpreter: begin it with #!",
		"./marked.sh":                       "names no interpreter: begin it with #!",
		"only-here":                         "is not looked for: write ./only-here",
		"sh ~/gone.sh":                      "~ and $ mean nothing without a shell: write the whole path",
		"./gone":                            "the program ./gone is not there: there is no file " + filepath.Join(dir, "gone"),
		"./here.sh":                         "the program ./here.sh cannot be executed",
		"./windows.sh":                      `names an interpreter with a carriage return, "#!/bin/sh\r": save the file with Unix line ends`,
		"sh here.sh | tee log":              "the word | is for a shell",
		"sh -c 'echo broken >&2; exit 3'":   "the program ends before it reads a question (exit status 3); stderr: broken",
		"sh -c 'read -r l; echo \"no $l\" >&2; exit 3'": good, // it reads, and may answer another question
		"sh -c 'read -r l; echo no >&2; exit 3'":        good, // with the same words for every question that it cannot answer
		"no-such-program-at-all":                        "there is no program no-such-program-at-all on the PATH",
	} {
		argv, err := external.Split(command)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := exec.LookPath(argv[0]); err != nil && argv[0] == "bash" {
			continue
		}
		if runtime.GOOS != "linux" && (strings.HasPrefix(want, "the program ends before it reads") || strings.Contains(want, "which Linux takes")) {
			want = good // what a program left unread is known on Linux alone, and env has several words elsewhere
		}
		b, err := external.Open(t.Context(), argv, external.Options{Dir: dir})
		switch {
		case err == nil:
			_ = b.Close()
			if want != good {
				t.Errorf("%s was opened, want %q", command, want)
			}
		case want == good || !strings.Contains(err.Error(), want):
			t.Errorf("%s: %v, want %q", command, err, want)
		}
	}
}

// What is wrong for sure is told from what may work, without a look at anything but
// files. python3, uv and docker need not be there.
func TestWhatIsCertainOfACommand(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"python3", "uv", "conda", "docker", "pypy3.10", "sim"} {
		write(t, filepath.Join(dir, name), "#!/bin/sh\n")
	}
	t.Setenv("PATH", dir)
	write(t, filepath.Join(dir, "here.py"), "")
	const good = ""
	for command, want := range map[string]string{
		"python3 -u gone.py":                                "gone.py",
		"python3 -uO -W ignore -Xdev gone.py":               "gone.py",
		"python3 -uWignore gone.py":                         "gone.py",
		"pypy3.10 gone.py":                                  "gone.py",
		"uv run gone.py":                                    "gone.py",
		"uv run python gone.py":                             "gone.py",
		"conda run -n e --no-capture-output python gone.py": "gone.py",
		"conda run -n e python here.py":                     "run",
		"conda run -n e --live-stream python here.py":       good,
		"uv run -- gone.py":                                 "gone.py",
		"uv run here.py gone.py":                            good,
		"uv run only-in-its-environment":                    good,
		"uv run --directory elsewhere gone.py":              good,
		"uv sync gone.py":                                   good,
		"python3 -m module gone.py":                         good,
		"python3 -c pass gone.py":                           good,
		"python3 -u -m gone.py":                             good,
		"python3 --check-hash-based-pycs gone.py x":         good,
		"python3 -Z gone.py":                                good,
		"python3 -W gone.py":                                good,
		"python3 -":                                         good,
		"sim gone.py":                                       good,
		"sim -i gone.py":                                    good,
		"docker run image":                                  "run",
		"docker container run --rm image python3 gone.py":   "run",
		"docker exec name sim":                              "exec",
		"docker run -i image":                               good,
		"docker run --rm -ti image":                         good,
		"docker run --interactive=true image":               good,
		"docker run -a stdin -a stdout image":               good,
		"docker compose run service":                        good,
		"docker run --rm image sim -i":                      good, // seen as the container's: rather nothing than a false word
	} {
		argv, err := external.Split(command)
		if err != nil {
			t.Fatal(err)
		}
		word := good
		if of, ok := errors.AsType[*external.WordError](external.Findable(argv, dir)); ok {
			word = of.Word
		}
		if word != want {
			t.Errorf("%s: wrong is %q, want %q", command, word, want)
		}
	}
}

// A program of one line that says the same of every question it cannot answer works.
func TestAProgramThatRefusesDescribe(t *testing.T) {
	t.Parallel()
	r := external.Check(t.Context(), []string{"sh", "-c", `read -r line
case $line in *'"x"'*) ;; *) echo "no design" >&2; exit 1 ;; esac
id=${line#*:\"}
echo "{\"id\":\"${id%%\"*}\",\"metrics\":{\"cost_s\":2}}"`}, external.CheckOptions{Quick: true, Params: []space.Param{{Name: "x", Values: []float64{1, 2, 3}}}})
	if f := finding(r, "measured"); f.Verdict != external.Pass {
		t.Errorf("measured: %+v\n%s", f, render(t, r))
	}
}

// A program may call a metric as a study does, without the unit at the end.
func TestMetricsWithoutTheirUnitInTheName(t *testing.T) {
	t.Parallel()
	const program = `while read -r line; do
  id=${line#*:\"}; id=${id%%\"*}
  case $line in
  *describe*) printf '{"id":"%s","name":"short","parameters":[{"name":"x","values":[1,2,3]}],"metrics":[{"name":"cost","unit":"s"},{"name":"share","unit":"1"}]}\n' "$id" ;;
  *) printf '{"id":"%s","metrics":{"cost":2,"share":0.5}}\n' "$id" ;;
  esac
done`
	r := external.Check(t.Context(), []string{"sh", "-c", program}, external.CheckOptions{Quick: true})
	for _, f := range r.Findings {
		if f.Check == "units" && f.Message != "cost_s (s), share (1)" || f.Check == "measured" && f.Verdict != external.Pass {
			t.Errorf("%s: %s %s", f.Check, f.Verdict, f.Message)
		}
	}
}

// The smallest evaluators of the documentation describe themselves, fail no check and draw the warnings that stand beside them.
func TestSmallestEvaluatorsOfThePage(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/plug-in-evaluator.md")
	if err != nil {
		t.Fatal(err)
	}
	for language, c := range map[string]struct {
		interpreter, needs string
		quick              bool // all of it takes seconds of CPU time
		warned             []string
	}{
		"python": {"python3", "python3", false, []string{"unknown", "garbage"}},
		"sh":     {"sh", "jq", true, nil},
	} {
		t.Run(language, func(t *testing.T) {
			t.Parallel()
			if _, err := exec.LookPath(c.needs); err != nil {
				t.Skip(c.needs + " is not there")
			}
			_, text, _ := strings.Cut(string(page), "```"+language+"\n")
			text, _, _ = strings.Cut(text, "```")
			script := filepath.Join(t.TempDir(), "mine")
			if err := os.WriteFile(script, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			r := external.Check(t.Context(), []string{c.interpreter, script}, external.CheckOptions{Quick: c.quick, Options: external.Options{Timeout: patience, Startup: patience}})
			if described := r.Findings[1]; r.Failed() > 0 || described.Verdict != external.Pass {
				t.Errorf("failed %d, described %+v:\n%s", r.Failed(), described, render(t, r))
			}
			var warned []string
			for i := range r.Findings {
				if r.Findings[i].Verdict == external.Warn {
					warned = append(warned, r.Findings[i].Check)
				}
			}
			if !slices.Equal(warned, c.warned) {
				t.Errorf("warnings %v, the page says %v:\n%s", warned, c.warned, render(t, r))
			}
		})
	}
}

// A name contradicts its unit as the program says it, before the log adds the unit.
func TestUnitsOfSaidNames(t *testing.T) {
	t.Parallel()
	r := external.Check(t.Context(), []string{"sh", "-c", `while read -r line; do
  id=${line#*:\"}; id=${id%%\"*}
  case $line in
  *describe*) printf '{"id":"%s","name":"n","parameters":[{"name":"x","values":[1]}],"metrics":[{"name":"latency_ms","unit":"s"}]}\n' "$id" ;;
  *) printf '{"id":"%s","metrics":{"latency_ms":2}}\n' "$id" ;;
  esac
done`}, external.CheckOptions{Quick: true})
	const want = `metric "latency_ms" has the unit "s", but its name ends in "ms"`
	if f := finding(r, "units"); f.Verdict != external.Fail || f.Message != want {
		t.Errorf("units: %+v, want a failure with %s", f, want)
	}
}

// The command that tries a design alone runs as it is printed, whatever the width.
func TestCommandToTryAlone(t *testing.T) {
	t.Parallel()
	script := filepath.Join(t.TempDir(), "it's a $script.sh")
	write(t, script, `[ "$1" = "a  b" ] || exit 7
read -r line || { echo nothing >&2; exit 4; }
echo "got $line" >&2
exit 5
`)
	params := []space.Param{{Name: "x", Values: []float64{1}}}
	for _, c := range []struct {
		argv        []string
		check, says string
		code        int
	}{
		{[]string{"sh", script, "a  b"}, "schema", `got {"id":"1"`, 5},
		{[]string{"sh", "-c", "echo 'it is  broken' >&2; exit 6", "a  b"}, "start", "it is  broken", 6},
	} {
		f := finding(external.Check(t.Context(), c.argv, external.CheckOptions{Quick: true, Params: params}), c.check)
		var text strings.Builder
		if err := f.WriteText(&text, func(text string) string { return strings.ReplaceAll(text, " ", "\n") }); err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSuffix(text.String(), "\n"), "\n")
		last := exec.CommandContext(t.Context(), "sh", "-c", lines[len(lines)-1])
		said, _ := last.CombinedOutput() // its code is looked at
		if last.ProcessState.ExitCode() != c.code || !strings.Contains(string(said), c.says) {
			t.Errorf("%v: ended with %v and %q, want %d and %q:\n%s", c.argv, last.ProcessState, said, c.code, c.says, text.String())
		}
	}
}

func finding(r external.Report, check string) external.Finding {
	return r.Findings[slices.IndexFunc(r.Findings, func(f external.Finding) bool { return f.Check == check })]
}
