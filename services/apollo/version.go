package main

import (
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"strings"

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

// String is what `apollo version` and `apollo --version` print.
func (b build) String() string { return fmt.Sprintf("%s (%s, %s)", b.Version, b.Go, b.Platform) }

// name tells builds apart in a log.
func (b build) name() string {
	if b.Revision == "" || strings.Contains(b.Version, b.Revision[:min(7, len(b.Revision))]) {
		return b.Version
	}
	return fmt.Sprintf("%s (%.12s)", b.Version, b.Revision)
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
				fmt.Fprintf(w, "apollo %s\n", b)
			}})
		},
	}
}
