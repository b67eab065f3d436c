package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"apollo/archiver"
	"apollo/services/cli"
	"apollo/services/client"
	"apollo/services/messages"
)

// retentionFlags say how long ended studies stay on the bus.
type retentionFlags struct {
	after string
	fill  float64
}

// keepsAll are the defaults of a server of one's own, whose user expects to find every
// study again; serviceKeeps those of a service that many fill.
func keepsAll() retentionFlags     { return retentionFlags{after: "0"} }
func serviceKeeps() retentionFlags { return retentionFlags{after: "7d", fill: 0.7} }

func (f *retentionFlags) register(c *cobra.Command, byDefault retentionFlags) {
	c.Flags().StringVar(&f.after, "retain", byDefault.after, "`time` for which a study stays on the bus after it has ended and is archived; 0 means for ever")
	c.Flags().Float64Var(&f.fill, "retain-fill", byDefault.fill, "`share` of a stream above which archived studies go before that, those that ended first; 0 means never")
}

// read returns what removes studies, without a bus.
func (f *retentionFlags) read() (r client.Retention, err error) {
	if r.After, err = parseAge("--retain", f.after); err != nil {
		return r, err
	}
	if !(f.fill >= 0 && f.fill <= 1) {
		return r, cli.Usagef("--retain-fill %v: want a share between 0 and 1", f.fill)
	}
	r.Fill = f.fill
	return r, nil
}

// retainEvery is how often it looks what is due: streams fill up in hours, not
// minutes.
const retainEvery = 10 * time.Minute

// storedIn counts the trials of runs whose Parquet files are there.
func storedIn(place string) (client.Stored, error) {
	files, err := archiver.Files(place)
	if err != nil {
		return nil, err
	}
	inventory, err := archiver.TakeInventory(files)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no trial log in %s", place)
	}
	if err != nil {
		return nil, fmt.Errorf("look at the trial log in %s: %w", place, err)
	}
	return inventory.Trials, nil
}

// retentionRole removes studies from the bus when they are due.
func retentionRole(s *session, place string, r client.Retention, logger *slog.Logger) role {
	logger = logger.With("service", "retention")
	r.Bus = s.bus
	r.Stored = func() (client.Stored, error) { return storedIn(place) }
	kept := map[string]string{}
	r.Kept = func(stays *client.Removal, why string) {
		if kept[stays.Study] != why {
			logger.Warn("an archived study whose time is over stays on the bus", "study", stays.Study, "because", why, "hint", stays.Hint)
		}
		kept[stays.Study] = why
	}
	r.Removed = func(gone *client.Removal, why string) {
		logger.Info("an archived study was removed from the bus; its Parquet files stay", "study", gone.Study, "runs", gone.Runs, "because", why)
	}
	return role{"retention", func(ctx context.Context) error {
		if err := s.bus.Ready(ctx); err != nil {
			return messages.Quiet(ctx, err) // the proposer makes the streams
		}
		look := time.NewTicker(retainEvery)
		defer look.Stop()
		for {
			// Not at once: an archiver that has just started may find that it has to
			// write what is due again.
			select {
			case <-ctx.Done():
				return nil
			case <-look.C:
			}
			if err := r.Sweep(ctx); err != nil && ctx.Err() == nil {
				logger.Warn("remove studies that are due", "error", err)
			}
		}
	}}
}
