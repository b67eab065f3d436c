package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/spf13/cobra"

	"apollo/archiver"
	"apollo/events"
	"apollo/internal/atomicfile"
	"apollo/optimizer"
	"apollo/services/cli"
	"apollo/services/study"
)

// trained is the answer of `train`.
type trained struct {
	File string       `json:"file"`
	Seed uint64       `json:"seed"`
	Logs []trainedLog `json:"logs"`
	// Trials judged a design of the frontier; Opened of them opened a cell.
	Trials int `json:"trials"`
	Opened int `json:"opened_cells"`
}

// trainedLog is a log that a policy learned from.
type trainedLog struct {
	Study  string `json:"study"`
	Run    string `json:"run"`
	SHA256 string `json:"sha256"`
	Trials int    `json:"trials"`
	Opened int    `json:"opened_cells"`
}

func (a *app) trainCommand() *cobra.Command {
	var out string
	var seed uint64
	c := &cobra.Command{
		Use: "train --out FILE LOG...", Short: "Let a policy for `explore` learn from logs",
		Long: fmt.Sprintf(`Let a policy learn from logs which designs of the frontier open a cell of behaviour, and
write it. algorithm: {name: explore, options: {policy: FILE}} of a study is led by it. A LOG is a
study in --data, whose latest ended run counts, or Parquet files: a path with a slash,
or one that ends in .parquet. Logs of explore and random teach it most. The first
%d trials of each count. The same logs and seed give the same policy.`, optimizer.LessonTrials),
		Example: "  apollo train --out policy.json covers covers-more\n  apollo train --out policy.json 'elsewhere/trials/*.parquet' --seed 2",
		Args:    cli.Between(1, math.MaxInt),
		RunE: func(c *cobra.Command, args []string) error {
			if out == "" {
				return cli.Usagef("--out is missing: name the file that the policy is written to")
			}
			answer := trained{File: out, Seed: seed}
			var all optimizer.Lessons
			for _, name := range args {
				log, err := a.learnFrom(c, &all, name)
				if err != nil {
					return err
				}
				answer.Logs = append(answer.Logs, log)
			}
			answer.Trials, answer.Opened = all.Len()
			policy, err := all.Learn(seed)
			if err != nil {
				return cli.Hinted(cli.ExitUsage, "run studies by explore or random with some hundred trials, and name them", err)
			}
			b, err := json.Marshal(policy)
			if err != nil {
				return err
			}
			if err := atomicfile.Write(out, append(b, '\n')); err != nil {
				return err
			}
			return a.Print(cli.Answer{Value: answer, Text: answer.text})
		},
	}
	c.Flags().StringVar(&out, "out", "", "write the policy to this `file`")
	c.Flags().Uint64Var(&seed, "seed", 1, "`seed` of the training")
	return c
}

// learnFrom adds the trials of a log.
func (a *app) learnFrom(c *cobra.Command, all *optimizer.Lessons, name string) (log trainedLog, err error) {
	ref := events.Source{Study: name}
	if strings.ContainsRune(name, '/') || strings.HasSuffix(name, ".parquet") {
		ref = events.Source{Parquet: name}
	}
	src, err := trialLogs{a.archive()}.Load(c.Context(), ref)
	if errors.Is(err, archiver.ErrNoSource) {
		return log, cli.Hinted(cli.ExitNotFound, "`apollo study ls` lists the studies; files are named by a path with a slash", err)
	}
	if err != nil {
		return log, err
	}
	sp, observe, err := study.Observer(src.Spec)
	if err != nil {
		return log, fmt.Errorf("%s: %w", name, err)
	}
	var told []optimizer.Observation
	for i := range src.Trials {
		t := &src.Trials[i]
		o, err := observe(t.Design, &events.TrialResult{Trial: t.Trial, Outcome: t.Outcome, Values: t.Values, Reason: t.Reason})
		if err != nil {
			return log, fmt.Errorf("%s, trial %d: %w", name, t.Trial, err)
		}
		told = append(told, o)
	}
	trials, opened := all.Len()
	if err := all.Add(sp, told); err != nil {
		return log, fmt.Errorf("%s: %w", name, err)
	}
	log = trainedLog{Study: src.Study, Run: src.Run, SHA256: src.SHA256}
	log.Trials, log.Opened = all.Len()
	log.Trials, log.Opened = log.Trials-trials, log.Opened-opened
	return log, nil
}

func (t *trained) text(w io.Writer, p cli.Paint) {
	g := &cli.Grid{Header: []string{"STUDY", "RUN", ">TRIALS", ">OPENED A CELL"}}
	for i := range t.Logs {
		l := &t.Logs[i]
		g.Add(l.Study, l.Run, cli.Count(l.Trials), cli.Count(l.Opened))
	}
	g.Text(w, p)
	fmt.Fprintf(w, "\n%s learned from %s, of which %s opened a cell\n", p.Bold(t.File), cli.Plural(t.Trials, "trial"), cli.Count(t.Opened))
	fmt.Fprintf(w, "next: algorithm: {name: explore, options: {policy: %s}} in a study\n", t.File)
}
