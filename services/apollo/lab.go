package main

import (
	"github.com/spf13/cobra"

	"apollo/lab/commands"
)

// labCommands are those of the laboratory. The product knows it from here alone.
func (a *app) labCommands() []*cobra.Command {
	l := &commands.Lab{Terminal: a.Terminal}
	return []*cobra.Command{l.BenchCommand(a.benchPipelineCommand(), a.benchScaleCommand()), l.ValidateCommand()}
}
