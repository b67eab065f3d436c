package main

import (
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"apollo/internal/nearest"
	"apollo/services/cli"
)

// flagError says what is wrong with a flag in the words of people: what was typed, what
// is wanted, and what to do.
func flagError(c *cobra.Command, err error) error {
	hint := "`" + c.CommandPath() + " --help` shows the flags"
	if e, ok := errors.AsType[*pflag.NotExistError](err); ok {
		var names []string
		c.Flags().VisitAll(func(f *pflag.Flag) {
			if !f.Hidden {
				names = append(names, f.Name)
			}
		})
		name := e.GetSpecifiedName()
		if near := nearest.Name(name, names); near != "" {
			hint = "did you mean --" + near + "?"
		}
		// "-3" is read as flags of one letter.
		if shorts := e.GetSpecifiedShortnames(); shorts != "" && slices.Contains([]byte("0123456789"), shorts[0]) {
			return cli.Hinted(cli.ExitUsage, hint, fmt.Errorf("-%s: %s takes no negative number here", shorts, c.CommandPath()))
		}
	}
	if e, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		_, notNumber := errors.AsType[*strconv.NumError](e.Unwrap())
		if want := wantedOf(e.GetFlag().Value.Type()); notNumber && want != "" {
			return cli.Hinted(cli.ExitUsage, hint, fmt.Errorf("--%s %s: want %s", e.GetFlag().Name, e.GetValue(), want))
		}
	}
	return cli.Hinted(cli.ExitUsage, hint, err)
}

// wantedOf is what a flag of a type takes.
func wantedOf(kind string) string {
	switch kind {
	case "int", "int64":
		return "a whole number"
	case "uint", "uint64":
		return "a whole number that is not negative"
	case "float64":
		return "a number, such as 0.2"
	case "bool":
		return "true or false"
	}
	return ""
}
