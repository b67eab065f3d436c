package external

import (
	"errors"
	"fmt"

	"github.com/google/shlex"
)

// Split splits a command line into words as a POSIX shell does, with quotes
// and backslashes, but without a shell: nothing is expanded, and pipes,
// variables and wildcards mean nothing.
func Split(command string) ([]string, error) {
	words, err := shlex.Split(command)
	if err != nil {
		return nil, fmt.Errorf("split command %q: %w", command, err)
	}
	if len(words) == 0 {
		return nil, errors.New("the command is empty: give a program with its arguments, for example 'python3 evaluator.py'")
	}
	return words, nil
}
