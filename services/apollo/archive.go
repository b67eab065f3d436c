package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"apollo/archiver"
	"apollo/services/archive"
	"apollo/services/cli"
)

func (a *app) archiveCommand() *cobra.Command {
	return a.Group("archive", "Remove archived studies", "  apollo archive rm --older-than 365d --dry-run", a.archiveRmCommand())
}

// expireFlags choose the archived runs whose files go.
type expireFlags struct {
	after  string
	labels map[string]string
}

// register takes the prefix of the flags' names in the role that does it by itself.
func (f *expireFlags) register(c *cobra.Command, after, labels, when string) {
	c.Flags().StringVar(&f.after, after, "", "`time` since the log had the whole run"+when)
	c.Flags().StringToStringVar(&f.labels, labels, nil, "`name=value` of a label that the study must have, as often as wanted")
}

// read returns what is chosen: nil where nothing is.
func (f *expireFlags) read(flag string) (*archive.Expiry, error) {
	after, err := parseAge(flag, f.after)
	switch {
	case err != nil:
		return nil, err
	case f.after != "" && after == 0:
		return nil, cli.Usagef("%s %s: want more than 0", flag, f.after)
	case after == 0 && len(f.labels) == 0:
		return nil, nil
	}
	return &archive.Expiry{After: after, Labels: f.labels}, nil
}

func (a *app) archiveRmCommand() *cobra.Command {
	var flags expireFlags
	var dryRun, yes bool
	c := &cobra.Command{
		Annotations: cli.PrintsRows(),
		Use:         "rm [STUDY]", Short: "Remove the Parquet files of ended studies",
		Long: `Remove the Parquet files of ended runs from the trial log: for most of them the only copy
that is left. What is still on the bus stays, ` + "`apollo study rm`" + ` takes it off first; so does what a
study on the bus transfers from. Without a name, --older-than and --label choose the runs: those
for which both hold. --dry-run removes nothing.

An archiver that works removes by itself what --expire says: this command wants the log alone.`,
		Example: "  apollo archive rm --older-than 365d --label team=vision --dry-run\n  apollo archive rm mobilenetv2-6p8 --yes", Args: cli.Between(0, 1),
		RunE: func(c *cobra.Command, args []string) error {
			expiry, err := flags.read("--older-than")
			switch {
			case err != nil:
				return err
			case expiry == nil && len(args) == 0:
				return cli.Hinted(cli.ExitUsage, "`apollo archive rm --help` has an example", errors.New("want a study, --older-than or --label"))
			case !yes && !dryRun:
				return cli.Hinted(cli.ExitUsage, "repeat it with --yes, or with --dry-run to see what would go", errors.New("files of the trial log cannot be brought back"))
			case expiry == nil:
				expiry = &archive.Expiry{}
			}
			if len(args) == 1 {
				expiry.Study = args[0]
			}
			ctx := c.Context()
			s, err := a.open(ctx, c, forReading)
			if err != nil {
				return err
			}
			defer s.close(ctx)
			return a.expire(ctx, s, expiry, dryRun)
		},
	}
	flags.register(c, "older-than", "label", ": 365d, 12h")
	c.Flags().BoolVar(&dryRun, "dry-run", false, "only say what would be removed")
	c.Flags().BoolVar(&yes, "yes", false, "really")
	return c
}

// expiredJSON is a run as `archive rm` prints those that were chosen.
type expiredJSON struct {
	Study   string     `json:"study"`
	Run     string     `json:"run"`
	State   string     `json:"state"`
	Trials  int64      `json:"trials"`
	Bytes   int64      `json:"bytes"`
	Ended   *time.Time `json:"ended,omitempty"`
	Removed bool       `json:"removed"`
	// Kept is why it stays.
	Kept string `json:"kept,omitempty"`
}

func (a *app) expire(ctx context.Context, s *session, expiry *archive.Expiry, dryRun bool) error {
	files, err := archiver.Files(a.archive())
	if err != nil {
		return err
	}
	due, err := expiry.Due(ctx, s.bus.Log(), files, time.Now())
	if err != nil {
		return err
	}
	if expiry.Study != "" && len(due) == 0 && expiry.After == 0 && len(expiry.Labels) == 0 {
		return cli.Hinted(cli.ExitError, "only ended runs of which every trial is there can be removed; --archive or --data names another log",
			fmt.Errorf("the trial log in %s has no ended run of %s", a.archive(), expiry.Study))
	}
	if !dryRun && len(due) > 0 {
		if err := a.removeFiles(due); err != nil {
			return err
		}
	}
	return a.Print(expired(due, dryRun))
}

// removeFiles removes the runs that may go.
func (a *app) removeFiles(due []archive.Due) error {
	store, err := archiver.Open(a.archive(), archiver.Options{})
	if errors.Is(err, archiver.ErrLocked) || errors.Is(err, archiver.ErrHeld) {
		return cli.Hinted(cli.ExitError, "stop it first, or let it remove what is old: apollo serve archiver --expire 365d", err)
	}
	if err != nil {
		return err
	}
	return errors.Join(archive.Expire(store, due), store.Close())
}

func expired(due []archive.Due, dryRun bool) cli.Answer {
	rows, items := []expiredJSON{}, []any{}
	g := &cli.Grid{Header: []string{"STUDY", "RUN", "STATE", ">TRIALS", ">SIZE", "ENDED", "WHAT"}}
	for i := range due {
		d := &due[i]
		row := expiredJSON{Study: d.Study, Run: d.Run, State: d.State, Trials: d.Trials, Bytes: d.Bytes, Kept: d.Keep}
		ended, what := "-", "removed"
		if !d.Ended.IsZero() {
			row.Ended, ended = &d.Ended, d.Ended.Local().Format(time.DateTime)
		}
		switch {
		case d.Keep != "":
			what = "kept: " + d.Keep
		case dryRun:
			what = "would be removed"
		default:
			row.Removed = true
		}
		rows, items = append(rows, row), append(items, row)
		g.Add(d.Study, d.Run, d.State, cli.Count(int(d.Trials)), cli.Quantity(float64(d.Bytes), "B"), ended, what)
	}
	return cli.Answer{Value: rows, Items: items, Grid: g}
}
