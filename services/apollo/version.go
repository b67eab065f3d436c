package main

import (
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"apollo/services/cli"
)

// build says what this binary was made from.
type build struct {
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

func thisBuild() build {
	b := build{Version: version, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				b.Revision = s.Value
			}
		}
	}
	return b
}

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print the version",
		Example: "  apollo version -o json",
		Args:    cli.Exactly(0),
		RunE: func(*cobra.Command, []string) error {
			b := thisBuild()
			return a.Print(cli.Answer{Value: b, Text: func(w io.Writer, _ cli.Paint) {
				fmt.Fprintf(w, "apollo %s (%s, %s)\n", b.Version, b.Go, b.Platform)
			}})
		},
	}
}
