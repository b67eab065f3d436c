package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"apollo/events"
	"apollo/services/cli"
)

func (a *app) studyExportCommand() *cobra.Command {
	var sets []string
	c := &cobra.Command{
		Annotations: cli.PrintsJSON(),
		Use:         "export STUDY.yaml", Short: "Print a study file as the JSON that a client publishes",
		Long: `Print a study file as one line of JSON with every default written out, as "nats pub" or any
other client publishes it; layers of the study's own networks are in it. The file itself,
in YAML, can be published too, where it names no other files. -o json says what it does
anyway.`,
		Example: "  apollo study export examples/mobilenetv2-6p8.yaml | nats pub --no-templates apollo.v1.cmd.study.submit.mobilenetv2-6p8",
		Args:    cli.Exactly(1),
		RunE: func(_ *cobra.Command, args []string) error {
			doc, err := a.readStudy(args[0], sets)
			if err != nil {
				return err
			}
			if doc.Exec != "" {
				a.Say("left out: spec.evaluator.exec; a published study starts no programs")
			}
			if _, err := fmt.Fprintf(a.Stdout, "%s\n", doc.Normalised); err != nil {
				return err
			}
			a.Say("publish it on %s", events.DefaultPrefix+"."+events.SubmitSubject(doc.Spec.Study))
			return nil
		},
	}
	setFlag(c, &sets)
	return c
}
