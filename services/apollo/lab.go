package main

import (
	"github.com/spf13/cobra"

	"apollo/lab/commands"
)

// The commands of the laboratory. The product knows it from here alone.

func (a *app) benchCommand() *cobra.Command {
	return a.lab().BenchCommand(a.benchPipelineCommand(), a.benchScaleCommand())
}

func (a *app) validateCommand() *cobra.Command { return a.lab().ValidateCommand() }

func (a *app) lab() *commands.Lab { return &commands.Lab{Terminal: a.Terminal} }
