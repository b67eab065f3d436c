package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"apollo/services/external"
	"apollo/services/proposer"
)

// namedAs is what origins and reports call the program of a source, a name that a study
// could have too: what it calls itself, else the file that it was started with.
func namedAs(info external.Info, argv []string) string {
	name := ""
	if info.Described {
		name = info.Name
	}
	if name == "" {
		files := argv[1:]
		if i := slices.IndexFunc(files, func(arg string) bool { return filepath.Ext(arg) != "" && !strings.HasPrefix(arg, "-") }); i >= 0 {
			name = filepath.Base(files[i])
		} else {
			name = filepath.Base(argv[0])
		}
		name = strings.TrimSuffix(name, filepath.Ext(name))
	}
	const longest = 63
	name = regexp.MustCompile(`[^a-z0-9]+`).ReplaceAllString(strings.ToLower(name), "-")
	return cmp.Or(strings.Trim(name[:min(len(name), longest)], "-"), "program")
}

// programsIn opens the programs that a study asks beside its evaluator, in the
// folder of the study file.
func (a *app) programsIn(dir string) proposer.Programs {
	return func(ctx context.Context, exec string) (*proposer.Program, error) {
		argv, err := external.Split(exec)
		if err != nil {
			return nil, err
		}
		b, err := external.Open(ctx, argv, external.Options{
			Name: "program", Dir: dir, Stderr: a.Console, Timeout: patience, Contents: &external.Contents{Reading: a.sayReading},
		})
		if err != nil {
			return nil, err
		}
		if b.Info().Varies {
			return nil, errors.Join(b.Close(), fmt.Errorf("the program %q says that it is not deterministic: a study that asked it could not be replayed", exec))
		}
		return &proposer.Program{
			Backend: b, Params: b.Info().Params, Name: namedAs(b.Info(), argv), Digest: b.Program().Digest()[:12], Close: b.Close,
		}, nil
	}
}

// folder is where the programs of a study file run; "" for the standard input.
func folder(file string) string {
	if file == "-" {
		return ""
	}
	return filepath.Dir(file)
}
