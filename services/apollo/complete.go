package main

import (
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"apollo/evaluator/template"
	"apollo/events/unit"
	"apollo/services/cli"
	"apollo/services/client"
)

// alternatives are the words of a flag's usage that it takes: a|b|c.
var alternatives = regexp.MustCompile(`[a-z-]+(?:\|[a-z-]+)+`)

// runsToComplete are all runs; none where nothing can be read, because a completion has
// nowhere to say why.
func (a *app) runsToComplete(c *cobra.Command) []*client.StudyView {
	ctx := c.Context()
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
			if len(args) > 0 && !many {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return a.completeStudies(c, args, text)
		}
	}
	if c.Flags().Lookup("study") != nil {
		_ = c.RegisterFlagCompletionFunc("study", a.completeStudies)
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
