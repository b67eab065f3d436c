package main

import (
	"math"
	"time"

	"github.com/spf13/cobra"

	"apollo/events/unit"
	"apollo/services/cli"
	"apollo/services/proposer"
)

// quotaFlags are the limits of a service for several people.
type quotaFlags struct {
	quota proposer.Quota
	bytes string
}

func (f *quotaFlags) register(c *cobra.Command) {
	q := proposer.DefaultQuota()
	c.Flags().IntVar(&f.quota.Trials, proposer.QuotaTrials, q.Trials, "largest `number` of trials of a study")
	c.Flags().IntVar(&f.quota.InFlight, proposer.QuotaInFlight, q.InFlight, "largest `number` of designs of a study in flight: batch times parallelism")
	c.Flags().IntVar(&f.quota.Levels, proposer.QuotaLevels, q.Levels, "largest `number` of levels of all parameters of a study")
	c.Flags().IntVar(&f.quota.Studies, proposer.QuotaStudies, q.Studies, "largest `number` of unfinished studies of one owner")
	c.Flags().StringVar(&f.bytes, proposer.QuotaStudyBytes, unit.Format(float64(q.StudyBytes), "B"), "largest `size` of a run's log and results on the bus")
	cli.DurationVar(c.Flags(), &f.quota.RequestTime, proposer.QuotaRequestTime, q.RequestTime, "longest `time` that the check of one request may take")
	cli.DurationVar(c.Flags(), &f.quota.OwnerTime, proposer.QuotaOwnerTime, q.OwnerTime, "longest `time` that the requests of one owner may take in a minute while those of others wait")
}

// read returns the limits.
func (f *quotaFlags) read() (proposer.Quota, error) {
	q := f.quota
	bytes, _ := unit.Find("B")
	size, err := unit.Parse(f.bytes)
	if err != nil || size.Unit.Dimension != unit.Data || size.In(bytes) < 0 || size.In(bytes) >= math.MaxInt64 {
		return q, cli.Usagef("--%s %s: want a size, such as \"4 GiB\"", proposer.QuotaStudyBytes, f.bytes)
	}
	q.StudyBytes = int64(size.In(bytes))
	for name, n := range map[string]int{proposer.QuotaTrials: q.Trials, proposer.QuotaInFlight: q.InFlight, proposer.QuotaLevels: q.Levels, proposer.QuotaStudies: q.Studies} {
		if n < 0 {
			return q, cli.Usagef("--%s %d: want a number of at least 1, or 0 for no limit", name, n)
		}
	}
	for name, d := range map[string]time.Duration{proposer.QuotaRequestTime: q.RequestTime, proposer.QuotaOwnerTime: q.OwnerTime} {
		if d < 0 {
			return q, cli.Usagef("--%s %s: want a time, or 0 for no limit", name, d)
		}
	}
	return q, nil
}
