package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"apollo/services/cli"
	"apollo/services/inspect"
	"apollo/services/studyfile"
)

// setFlag adds --set, which overrides fields of a study file.
func setFlag(c *cobra.Command, sets *[]string) {
	c.Flags().StringArrayVar(sets, "set", nil, "override a `field` of the file, as often as wanted: spec.budget.trials=20000")
	_ = c.RegisterFlagCompletionFunc("set", func(_ *cobra.Command, _ []string, text string) ([]string, cobra.ShellCompDirective) {
		return studyfile.Complete(text, inspect.Builtins().Study()), cobra.ShellCompDirectiveNoSpace | cobra.ShellCompDirectiveNoFileComp
	})
}

// readStudy reads a study file, "-" for the standard input. Its mistakes are
// shown on stderr, each with its line and what to do.
func (a *app) readStudy(path string, sets []string) (*studyfile.Document, error) {
	src, dir, err := a.readSource(path)
	if err != nil {
		return nil, err
	}
	return a.parseStudy(path, src, a.studyOptions(dir, sets))
}

// parseStudy reads a study whose text is there.
func (a *app) parseStudy(path string, src []byte, opts studyfile.Options) (*studyfile.Document, error) {
	doc, err := studyfile.Parse(path, src, inspect.Builtins().Study(), opts)
	return doc, a.mistaken(path, err)
}

// studyOptions are those of a study in a folder, which relative paths mean.
func (a *app) studyOptions(dir string, sets []string) studyfile.Options {
	return studyfile.Options{Sets: sets, Dir: dir, ReadFile: readNamedFile, Describe: a.describeIn(dir), Slots: a.slots}
}

// readNamedFile reads a file that a study names.
func readNamedFile(path string) ([]byte, error) {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() { // opening a pipe waits for its writer
		return nil, fmt.Errorf("%s is no regular file", path)
	}
	return readModelFile(path)
}

// mistaken shows the mistakes of a study file, and is the error of one that has some.
func (a *app) mistaken(path string, err error) error {
	if err != nil && a.command != nil && a.command.Context().Err() != nil {
		return context.Cause(a.command.Context()) // what a program did not say is no mistake of the file
	}
	if mistakes, ok := errors.AsType[*studyfile.Error](err); ok {
		if a.ForPeople() {
			color := !a.NoColor && os.Getenv("NO_COLOR") == "" && a.Console.Live
			if err := mistakes.Render(a.Console, color); err != nil {
				return err
			}
			return cli.Hinted(cli.ExitUsage, "", fmt.Errorf("%s: %s", path, cli.Plural(len(mistakes.Mistakes), "mistake")))
		}
		return cli.Hinted(cli.ExitUsage, "", &mistakenError{mistakes})
	}
	return err
}

// mistakenError carries a study's mistakes to commands that print them as
// data.
type mistakenError struct{ mistakes *studyfile.Error }

// Error is the mistakes, one a line.
func (e *mistakenError) Error() string { return e.mistakes.Error() }

// readSource returns the text of a study and the folder that its relative
// paths mean.
func (a *app) readSource(path string) (src []byte, dir string, err error) {
	if path == "-" {
		src, err = io.ReadAll(a.Stdin)
		return src, "", err
	}
	src, err = os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, "", cli.Hinted(cli.ExitNotFound, "`apollo study init --out "+shellWord(path)+"` writes one", fmt.Errorf("there is no file %s", path))
	}
	if info, failed := os.Stat(path); failed == nil && info.IsDir() {
		return nil, "", cli.Hinted(cli.ExitUsage, "name the study's file in it", fmt.Errorf("%s is a folder, want a study file", path))
	}
	if err != nil {
		return nil, "", err
	}
	dir, err = filepath.Abs(filepath.Dir(path))
	return src, dir, err
}
