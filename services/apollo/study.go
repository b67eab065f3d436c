package main

import (
	"github.com/spf13/cobra"

	"apollo/services/study"
)

func (a *app) studyCommand() *cobra.Command {
	return a.Group("study", "Check, publish, watch and steer studies", "  apollo study show mobilenetv2-6p8",
		a.studyInitCommand(), a.studyLintCommand(), a.studyExportCommand(), a.studySubmitCommand(), a.studyLsCommand(), a.studyShowCommand(), a.studyWatchCommand(),
		a.controlCommand("pause", "Propose no new trials; the running ones finish", study.Paused),
		a.controlCommand("resume", "Go on with a paused study", study.Running),
		a.controlCommand("stop", "End a study once the running trials have finished", study.Stopping),
		a.controlCommand("cancel", "End a study at once; what is in flight is dropped", study.Cancelled),
		a.studyExtendCommand(), a.studyRetryCommand(), a.studyRecheckCommand(), a.studyForkCommand(), a.studyVerifyCommand(), a.studyRmCommand())
}
