package main

import (
	"context"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"apollo/evaluator/template"
	"apollo/events"
	"apollo/events/unit"
	"apollo/services/cli"
	"apollo/services/client"
	"apollo/services/inspect"
	"apollo/services/studyfile"
)

// alternatives are the words of a flag's usage that it takes: a|b|c.
var alternatives = regexp.MustCompile(`[a-z-]+(?:\|[a-z-]+)+`)

// completeWithin is how long a completion may read: somebody waits for a key.
const completeWithin = 2 * time.Second

// runsToComplete are all runs; none where nothing can be read, because a completion has
// nowhere to say why.
func (a *app) runsToComplete(c *cobra.Command) []*client.StudyView {
	ctx, cancel := context.WithTimeout(c.Context(), completeWithin)
	defer cancel()
	if a.settlePlace(c) != nil {
		return nil
	}
	s, err := a.open(ctx, c, forReading)
	if err != nil {
		return nil
	}
	defer s.close(ctx)
	views, err := client.ListStudies(ctx, s.bus.Log())
	if err != nil {
		return nil
	}
	return views
}

// completeStudies lists the names of studies for the shell.
func (a *app) completeStudies(c *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	var names []string
	for _, v := range a.runsToComplete(c) {
		if !slices.Contains(names, v.Study) {
			names = append(names, v.Study)
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// completeNames completes the names of studies wherever a command below c takes one, and
// the formats of answers.
func (a *app) completeNames(c *cobra.Command) {
	for _, sub := range c.Commands() {
		a.completeNames(sub)
	}
	words := strings.Fields(c.Use)
	if len(words) > 1 && words[1] == "STUDY" && c.ValidArgsFunction == nil {
		many := words[len(words)-1] == "STUDY..."
		c.ValidArgsFunction = func(c *cobra.Command, args []string, text string) ([]string, cobra.ShellCompDirective) {
			switch {
			case len(args) == 0 || many:
				return a.completeStudies(c, args, text)
			case len(args) == 1 && slices.Contains(words, "TRIAL"):
				return a.completeTrials(c, args[0], "", slices.Contains(words, "[METRIC=VALUE...]")), cobra.ShellCompDirectiveNoFileComp
			case slices.Contains(words, "[METRIC=VALUE...]"):
				return suffixed(a.measuredMetrics(c, args[0]), "="), cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
			}
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
	}
	if c.Flags().Lookup("study") != nil {
		_ = c.RegisterFlagCompletionFunc("study", func(c *cobra.Command, args []string, text string) ([]string, cobra.ShellCompDirective) {
			if study, _, named := strings.Cut(text, "/"); named {
				return a.completeTrials(c, study, study+"/", false), cobra.ShellCompDirectiveNoFileComp
			}
			return a.completeStudies(c, args, text)
		})
		if c.Flags().Lookup("metric") != nil {
			_ = c.RegisterFlagCompletionFunc("metric", a.completeMetrics)
		}
	}
	if c.Flags().Lookup("run") != nil && len(words) > 1 && words[1] == "STUDY" {
		_ = c.RegisterFlagCompletionFunc("run", a.completeRuns)
	}
	c.LocalFlags().VisitAll(func(f *pflag.Flag) {
		// A flag that takes one of a few words says so: a|b|c. One that completes
		// otherwise keeps its own.
		if _, its := c.GetFlagCompletionFunc(f.Name); its {
			return
		}
		if words := alternatives.FindString(f.Usage); words != "" {
			_ = c.RegisterFlagCompletionFunc(f.Name, cobra.FixedCompletions(strings.Split(words, "|"), cobra.ShellCompDirectiveNoFileComp))
		}
	})
}

// completeRuns lists the runs of the study that the command names.
func (a *app) completeRuns(c *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) == 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var runs []string
	for _, v := range a.runsToComplete(c) {
		if v.Study == args[0] {
			runs = append(runs, v.Run)
		}
	}
	return runs, cobra.ShellCompDirectiveNoFileComp
}

// mostCompleted trials are listed by a completion, the latest; of a run of more than
// mostLookedUp by their numbers alone, because nobody waits for a key while all are read.
const (
	mostCompleted = 200
	mostLookedUp  = 10_000
)

// completeTrials lists the trials of a study with what came of them, each after a prefix;
// where somebody tells answers, those that wait for one.
func (a *app) completeTrials(c *cobra.Command, name, prefix string, waiting bool) []string {
	if a.settlePlace(c) != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(c.Context(), completeWithin)
	defer cancel()
	s, err := a.open(ctx, c, forReading)
	if err != nil {
		return nil
	}
	defer s.close(ctx)
	view, err := s.study(ctx, name, "")
	if err != nil {
		return nil
	}
	return latestTrials(ctx, s.bus, view, prefix, waiting)
}

func latestTrials(ctx context.Context, bus events.Bus, view *client.StudyView, prefix string, waiting bool) (all []string) {
	if view.Proposed > mostLookedUp {
		for n := view.Proposed - 1; len(all) < mostCompleted; n-- {
			all = append(all, prefix+strconv.Itoa(n))
		}
		return all
	}
	l, err := readLedger(ctx, bus, view)
	if err != nil {
		return nil
	}
	for i := len(l.trials) - 1; i >= 0 && len(all) < mostCompleted; i-- {
		t := &l.trials[i]
		if !waiting || t.result == nil {
			all = append(all, prefix+strconv.Itoa(t.number)+"\t"+l.json(t).Outcome+l.objectiveText(t))
		}
	}
	return all
}

// objectiveText is what a trial reached of the first objective, "" where it has none.
func (l *ledger) objectiveText(t *trial) string {
	o := l.view.Spec.MetricIndex(l.view.Spec.Objectives[0].Metric)
	if v := t.valueAt(o); !math.IsNaN(v) {
		return ", " + l.view.Spec.Metrics[o].Short() + " " + cli.Metric(v, l.view.Spec.Metrics[o].Unit)
	}
	return ""
}

// specToComplete is the latest run's of a study; nil where there is none.
func (a *app) specToComplete(c *cobra.Command, name string) (spec *events.Spec) {
	latest := time.Time{}
	for _, v := range a.runsToComplete(c) {
		if v.Study == name && v.Spec != nil && !v.Accepted.Before(latest) {
			spec, latest = v.Spec, v.Accepted
		}
	}
	return spec
}

// completeMetrics lists the metrics of the study that --study names.
func (a *app) completeMetrics(c *cobra.Command, _ []string, _ string) (names []string, _ cobra.ShellCompDirective) {
	study, _, _ := strings.Cut(c.Flag("study").Value.String(), "/")
	if study == "" {
		return ofAllNetworks(), cobra.ShellCompDirectiveNoFileComp
	}
	return shortMetrics(a.specToComplete(c, study), false), cobra.ShellCompDirectiveNoFileComp
}

// measuredMetrics are those that somebody measures.
func (a *app) measuredMetrics(c *cobra.Command, study string) []string {
	return shortMetrics(a.specToComplete(c, study), true)
}

func shortMetrics(spec *events.Spec, measured bool) (names []string) {
	if spec == nil {
		return nil
	}
	for _, m := range spec.Metrics {
		if !measured || m.Expr == "" {
			names = append(names, m.Short())
		}
	}
	return names
}

// suffixed are words that go on.
func suffixed(words []string, end string) []string {
	for i := range words {
		words[i] += end
	}
	return words
}

// completeLimited lists the metrics whose limit a sweep of a study's file may move. It
// starts no program and asks nobody, reads no standard input, and says nothing of mistakes.
func (a *app) completeLimited(_ *cobra.Command, args []string, _ string) (all []string, _ cobra.ShellCompDirective) {
	const how = cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
	if len(args) == 0 || args[0] == "-" {
		return nil, how
	}
	src, dir, err := a.readSource(args[0])
	if err != nil {
		return nil, how
	}
	doc, err := studyfile.Parse(args[0], src, inspect.Builtins().Study(), studyfile.Options{Dir: dir, ReadFile: readNamedFile})
	if err != nil {
		return nil, how
	}
	for _, m := range doc.Spec.Metrics {
		if m.Name != doc.Spec.Objectives[0].Metric {
			all = append(all, m.Short()+"=")
		}
	}
	return all, how
}

// completeDesigns lists what names a design: presets, and of --study the best and trials.
func (a *app) completeDesigns(f *designFlags) func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return func(c *cobra.Command, args []string, _ string) (all []string, _ cobra.ShellCompDirective) {
		if spec, ok := template.Named(f.template); ok && f.study == "" {
			for _, p := range spec.Presets() {
				all = append(all, p.Name)
			}
		}
		if study, _, _ := strings.Cut(f.study, "/"); study != "" {
			all = append([]string{"baseline", bestName}, a.completeTrials(c, study, "", false)...)
		}
		return all, cobra.ShellCompDirectiveNoFileComp
	}
}

func (a *app) completeFormats(c *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	return cli.KnownFormats(c), cobra.ShellCompDirectiveNoFileComp
}

// completeDesign completes parameter=value with the levels of the template.
func (f *designFlags) completeDesign(_ *cobra.Command, _ []string, text string) (all []string, _ cobra.ShellCompDirective) {
	spec, ok := template.Named(f.template)
	if !ok {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	name, _, named := strings.Cut(text, "=")
	for _, p := range spec.Template().Params {
		if !named {
			all = append(all, p.Name+"=")
			continue
		}
		for k := range p.Len() {
			if p.Name != name {
				break
			}
			value := p.Value(k).String() // a unit that only the template has is left out
			if _, known := unit.Find(p.Unit); known {
				value = strings.ReplaceAll(valueText(p.Value(k), p.Unit), " ", "")
			}
			all = append(all, name+"="+value)
		}
	}
	if !named {
		return all, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
	}
	return all, cobra.ShellCompDirectiveNoFileComp
}
