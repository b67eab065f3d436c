package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"apollo/events"
	"apollo/services/cli"
	"apollo/services/client"
)

// rmFlags choose the studies to remove.
type rmFlags struct {
	selector  client.Selector
	olderThan string
	dryRun    bool
	unchecked bool
	yes       bool
}

func (f *rmFlags) selects() bool {
	return len(f.selector.States) > 0 || len(f.selector.Labels) > 0 || f.olderThan != ""
}

func (a *app) studyRmCommand() *cobra.Command {
	var flags rmFlags
	c := &cobra.Command{
		Annotations: cli.PrintsRows(),
		Use:         "rm [STUDY]", Short: "Remove ended studies from the message store",
		Long: `Remove the messages of an ended study whose trials are all in the Parquet log, or of
which the archiver says that they never will be (archive_differs, trials_missing). The
Parquet files stay: they are the archive, and later studies can transfer from them. So
they have to be there, where --archive or --data says; --unchecked takes the archiver's word
for it, where they cannot be seen from here.

Without a name, --state, --label and --older-than choose the studies: those for which all
of them hold. Studies that must stay are listed with the reason. --dry-run removes nothing.`,
		Example: "  apollo study rm mobilenetv2-6p8 --yes\n  apollo study rm --label team=vision --older-than 30d --dry-run", Args: cli.Between(0, 1),
		RunE: func(c *cobra.Command, args []string) error {
			if err := flags.check(args); err != nil {
				return err
			}
			ctx := c.Context()
			need := forWriting
			if flags.dryRun {
				need = forReading
			}
			s, err := a.open(ctx, c, need)
			if err != nil {
				return err
			}
			defer s.close(ctx)
			if len(args) == 1 && !flags.dryRun && !flags.selects() {
				return a.removeOne(ctx, s, args[0], &flags)
			}
			return a.removeChosen(ctx, s, args, &flags)
		},
	}
	c.Flags().StringArrayVar(&flags.selector.States, "state", nil, "`state` of the study's latest run, as often as wanted: completed, stopped, cancelled or failed")
	c.Flags().StringToStringVar(&flags.selector.Labels, "label", nil, "`name=value` of a label that the study must have, as often as wanted")
	c.Flags().StringVar(&flags.olderThan, "older-than", "", "`time` since the study ended: 30d, 12h")
	c.Flags().BoolVar(&flags.dryRun, "dry-run", false, "only say what would be removed")
	c.Flags().BoolVar(&flags.unchecked, "unchecked", false, "also what the archiver wrote and cannot be seen from here")
	c.Flags().BoolVar(&flags.yes, "yes", false, "really")
	return c
}

func (f *rmFlags) check(args []string) (err error) {
	for _, state := range f.selector.States {
		if !events.EndsRun(state) {
			return cli.Usagef("--state %s: want %s", state, strings.Join(events.RunEnds(), ", "))
		}
	}
	if f.selector.OlderThan, err = parseAge("--older-than", f.olderThan); err != nil {
		return err
	}
	switch {
	case f.olderThan != "" && f.selector.OlderThan == 0:
		return cli.Usagef("--older-than %s: want more than 0", f.olderThan)
	case len(args) == 0 && !f.selects():
		return cli.Hinted(cli.ExitUsage, "`apollo study rm --help` has an example", errors.New("want a study, or --state, --label or --older-than"))
	case !f.yes && !f.dryRun:
		return cli.Hinted(cli.ExitUsage, "repeat it with --yes, or with --dry-run to see what would go", errors.New("the messages of a study cannot be brought back"))
	}
	return nil
}

// parseAge reads a time of a flag that is not negative; "" is 0.
func parseAge(flag, text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	d, err := cli.ParseDuration(text)
	if err != nil {
		return 0, cli.Usagef("%s %w", flag, err)
	}
	if d < 0 {
		return 0, cli.Usagef("%s %s: want 0 or more", flag, text)
	}
	return d, nil
}

// removeOne removes the study of that name, or says why it must stay.
func (a *app) removeOne(ctx context.Context, s *session, name string, flags *rmFlags) error {
	found, err := client.Removals(ctx, s.bus.Log(), name)
	if err != nil {
		return err
	}
	if len(found) == 0 {
		return noStudy(name)
	}
	a.checkStored(found, flags)
	if r := &found[0]; r.Keep != nil {
		return cli.Hinted(cli.ExitError, r.Hint, r.Keep)
	}
	if err := client.Remove(ctx, s.bus, &found[0]); err != nil {
		return err
	}
	value := struct {
		Study string `json:"study"`
		Runs  int    `json:"runs"`
	}{name, found[0].Runs}
	return a.Print(cli.Answer{Value: value, Text: func(w io.Writer, _ cli.Paint) {
		fmt.Fprintf(w, "removed %s of %s; the Parquet log stays\n", cli.Plural(value.Runs, "run"), name)
	}})
}

// checkStored keeps the studies whose files are not there.
func (a *app) checkStored(found []client.Removal, flags *rmFlags) {
	if flags.unchecked {
		return
	}
	stored, err := storedIn(a.archive())
	if err != nil {
		stored = func(string, string) (int64, error) { return 0, err }
	}
	for i := range found {
		found[i].CheckStored(stored)
	}
}

// removalJSON is a study as `study rm` prints those that were chosen.
type removalJSON struct {
	Study   string     `json:"study"`
	Runs    int        `json:"runs"`
	State   string     `json:"state"`
	Ended   *time.Time `json:"ended,omitempty"`
	Removed bool       `json:"removed"`
	// Kept is why it stays.
	Kept string `json:"kept,omitempty"`
}

// removeChosen removes those that the flags choose, or only says which.
func (a *app) removeChosen(ctx context.Context, s *session, args []string, flags *rmFlags) error {
	name := ""
	if len(args) == 1 {
		name = args[0]
	}
	all, err := client.Removals(ctx, s.bus.Log(), name)
	if err != nil {
		return err
	}
	if name != "" && len(all) == 0 {
		return noStudy(name)
	}
	a.checkStored(all, flags)
	rows, items, now := []removalJSON{}, []any{}, time.Now()
	g := &cli.Grid{Header: []string{"STUDY", ">RUNS", "STATE", "ENDED", "WHAT"}}
	for i := range all {
		r := &all[i]
		if !flags.selector.Chooses(r, now) {
			continue
		}
		row, ended, what := removalJSON{Study: r.Study, Runs: r.Runs, State: string(r.State)}, "-", "removed"
		if !r.Ended.IsZero() {
			row.Ended, ended = &r.Ended, r.Ended.Local().Format(time.DateTime)
		}
		switch {
		case r.Keep != nil:
			row.Kept = r.Keep.Error()
			what = "kept: " + row.Kept
		case flags.dryRun:
			what = "would be removed"
		default:
			if err := client.Remove(ctx, s.bus, r); err != nil {
				return fmt.Errorf("remove %s: %w", r.Study, err)
			}
			row.Removed = true
		}
		rows, items = append(rows, row), append(items, row)
		g.Add(r.Study, cli.Count(r.Runs), row.State, ended, what)
	}
	return a.Print(cli.Answer{Value: rows, Items: items, Grid: g})
}

// finalOf returns the event that says that all trials of an ended run are on
// disk, or nil.
func finalOf(ctx context.Context, s *session, v *client.StudyView) (*events.ArchiveFinal, error) {
	var final *events.ArchiveFinal
	for m, err := range s.bus.Log().Read(ctx, 0, events.ArchiveSubject(v.Study, v.Run, "final")) {
		if err != nil {
			return nil, fmt.Errorf("read the archive events: %w", err)
		}
		if _, e, err := events.DecodeAs[events.ArchiveFinal](m.Data); err == nil && isFinal(v, &e) {
			final = &e
		}
	}
	return final, nil
}

// isFinal reports whether e is about the run as it is now: a run that was
// extended has an earlier one too.
func isFinal(v *client.StudyView, e *events.ArchiveFinal) bool {
	return v.Summary == nil || e.Trials >= int64(v.Summary.Trials)
}
