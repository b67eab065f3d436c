package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"apollo/services/external"
	"apollo/services/proposer"
)

// programName is what origins and reports call the program of a source: a name that
// a study could have too.
const programName = "program"

// programsIn opens the programs that a study asks beside its evaluator, in the
// folder of the study file.
func (a *app) programsIn(dir string) proposer.Programs {
	return func(ctx context.Context, exec string) (*proposer.Program, error) {
		argv, err := external.Split(exec)
		if err != nil {
			return nil, err
		}
		b, err := external.Open(ctx, argv, external.Options{
			Name: programName, Dir: dir, Stderr: a.Console, Timeout: patience, Contents: &external.Contents{Reading: a.sayReading},
		})
		if err != nil {
			return nil, err
		}
		if b.Info().Varies {
			return nil, errors.Join(b.Close(), fmt.Errorf("the program %q says that it is not deterministic: a study that asked it could not be replayed", exec))
		}
		return &proposer.Program{
			Backend: b, Params: b.Info().Params, Name: programName, Digest: b.Program().Digest()[:12], Close: b.Close,
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
