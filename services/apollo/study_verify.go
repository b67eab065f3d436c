package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"apollo/services/cli"
	"apollo/services/proposer"
)

func (a *app) studyVerifyCommand() *cobra.Command {
	var run string
	c := &cobra.Command{
		Use: "verify STUDY", Short: "Propose a study's trials again from its log, and compare",
		Long: `Propose the trials of a study again, from its specification and the answers in its log,
and compare: designs, origins, answers that were taken over, and the hash and the best trial
of every end. Nothing is evaluated and nothing is written; a study that runs is compared as
far as it is. Trials that a user asked for (trial add, study retry) are told to the search
as they are: no strategy proposed them. Trials of a fork are compared with those of the study
that they are shared with, while it is there.

Exit code 8 where the log is not what is proposed again: the first difference is named.
Another version of the model, or a source that has changed, is no fault of the log, and an
error that says so.`,
		Example: "  apollo study verify mobilenetv2-6p8", Args: cli.Exactly(1),
		RunE: func(c *cobra.Command, args []string) error {
			ctx := c.Context()
			s, err := a.open(ctx, c, forReading)
			if err != nil {
				return err
			}
			defer s.close(ctx)
			view, err := s.study(ctx, args[0], run)
			if err != nil {
				return err
			}
			p := a.proposer(c, s)
			p.Programs = a.programsIn("")
			found, err := p.Verify(ctx, view.Study, view.Run)
			if err != nil {
				return fmt.Errorf("study %s cannot be proposed again: %w", view.Study, err)
			}
			if err := a.Print(cli.Answer{Value: found, Text: func(w io.Writer, p cli.Paint) { verifiedText(w, p, found) }}); err != nil {
				return err
			}
			if found.Difference != nil {
				return differenceError(found.Difference, found.Build)
			}
			return nil
		},
	}
	c.Flags().StringVar(&run, "run", "", "the `run`; default: the latest")
	return c
}

func verifiedText(w io.Writer, p cli.Paint, v *proposer.Verified) {
	fmt.Fprintf(w, "%s run %s: %s\n", p.Bold(v.Study), v.Run, v.State)
	fmt.Fprintf(w, "trials   %s, of them %s proposed again and the same", cli.Count(v.Trials), cli.Count(v.Proposed))
	if v.Asked > 0 {
		fmt.Fprintf(w, ", %s asked for by a user", cli.Count(v.Asked))
	}
	if v.Shared > 0 {
		fmt.Fprintf(w, ", %s the same as in the study that was forked", cli.Count(v.Shared))
	}
	if v.Unchecked > 0 {
		fmt.Fprintf(w, ", %s of a forked study that is not there any more: taken as they are", cli.Count(v.Unchecked))
	}
	fmt.Fprintln(w)
	if d := v.Difference; d != nil {
		where := "the end of the run"
		if d.Trial >= 0 {
			where = fmt.Sprintf("trial %d", d.Trial)
		}
		fmt.Fprintf(w, "differs  %s, %s: %s in the log, %s proposed again\n", where, d.What, d.Logged, d.Again)
		return
	}
	if v.Ends > 0 {
		fmt.Fprintf(w, "ends     %s: the same trials, hash and best\n", cli.Count(v.Ends))
	}
	fmt.Fprintf(w, "hash     %s\n", v.Hash)
}

// differenceError says whose fault a difference is, as far as that is known. wrote is the
// build that the log names, "" for none.
func differenceError(d *proposer.Difference, wrote string) error {
	this := thisBuild()
	if d.Build != "" {
		return cli.Hinted(cli.ExitDiffers, "verify it with that build: the log is at fault only where that one differs, too",
			fmt.Errorf("this build proposes otherwise than the build that wrote the log: %s wrote it, and this is %s", d.Build, this.name()))
	}
	if wrote == "" || this.name() == "dev" {
		return cli.Hinted(cli.ExitDiffers, "verify it with the build that wrote the log: the log is at fault only where that one differs, too. `make build` gives builds names that tell them apart",
			fmt.Errorf("this build proposes otherwise than the log, which another build may have written: the log says build %q, and this is %q", wrote, this.name()))
	}
	return cli.Hinted(cli.ExitDiffers, "the log or the answers were changed: `apollo study show` has the hash, the archive the trials as they were stored",
		errors.New("the log is not what is proposed again"))
}
