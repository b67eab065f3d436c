package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"apollo/events"
	"apollo/services/cli"
	"apollo/services/client"
	"apollo/services/inspect"
	"apollo/services/study"
)

func (a *app) trialAddCommand() *cobra.Command {
	var from, origin, infeasible string
	var measured []string
	c := &cobra.Command{
		Use: "add STUDY [PARAMETER=VALUE...]", Short: "Add designs of your own to a study",
		Long: `Add designs of your own to a study, also to one that runs or has ended: the study's
evaluator measures them (origin "user"), and the search learns from them. With --measured
or --infeasible they were measured elsewhere (origin "import"): nobody is asked again.
They come on top of the budget. Designs that the study has already are left out.

--from reads many: rows of CSV with a head, or one JSON object a line, as
"apollo trial ls -o csv" and "-o jsonl" print them; "-" is the standard input. Rows with
values for the metrics were measured elsewhere; rows that failed are left out.`,
		Example: "  apollo trial add mine rows=8 cols=16\n  apollo trial add mine rows=8 cols=16 --measured runtime=1.2ms --measured cost=3mm2 --origin lab\n  apollo trial ls older -o jsonl | apollo trial add mine --from - --origin older",
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cli.Usagef("which study? `%s`", c.UseLine())
			}
			if (from == "") == (len(args) == 1) {
				return cli.Usagef("say one design as parameter=value, or a file of designs with --from")
			}
			if err := cmp.Or(emptyCode(c), early(c, from)); err != nil {
				return err
			}
			read := func(spec *events.Spec) ([]events.AddedDesign, error) {
				if from != "" {
					return a.readDesigns(c, spec, from, origin)
				}
				d, err := oneDesign(spec, args[1:], measured, infeasible, origin)
				return []events.AddedDesign{d}, err
			}
			return a.addTrials(c, args[0], read)
		},
	}
	f := c.Flags()
	f.StringVar(&from, "from", "", "read designs from a `file`, CSV or JSON lines; - is the standard input")
	f.StringArrayVar(&measured, "measured", nil, "a `metric=value` of the design that was measured elsewhere, as often as there are metrics")
	f.StringVar(&infeasible, "infeasible", "", "the design cannot run, as was found elsewhere: the `code` of the reason")
	f.StringVar(&origin, "origin", "", "`where` the designs come from: it ends the trials' origin, as in user:ann")
	return c
}

// oneDesign reads a design from the command line.
func oneDesign(spec *events.Spec, sets, measured []string, infeasible, origin string) (d events.AddedDesign, err error) {
	d.Origin = origin
	row := rowJSON{}
	if row.Design, err = namedDesign(spec, sets); err != nil {
		return d, err
	}
	_ = row.fill(inspect.MeaningOf(spec), spec, true) // CheckAdded says what is missing
	d.Design = row.Design
	d.Metrics, err = metricsOf(spec, measured)
	switch {
	case err != nil:
		return d, err
	case infeasible != "":
		d.Outcome, d.Reason = events.OutcomeInfeasible, &events.Reason{Code: infeasible}
		if err = checkReason(d.Reason); err != nil {
			return d, err
		}
	case len(measured) > 0:
		d.Outcome = events.OutcomeMeasured
	}
	sp, err := spec.Space()
	if err != nil {
		return d, err
	}
	if err := study.CheckAdded(spec, sp, &d); err != nil {
		return d, cli.Hinted(cli.ExitUsage, "", err)
	}
	return d, nil
}

// addTrials asks for designs and prints which trials they are.
func (a *app) addTrials(c *cobra.Command, name string, read func(*events.Spec) ([]events.AddedDesign, error)) error {
	ctx := c.Context()
	s, err := a.open(ctx, c, forWriting)
	if err != nil {
		return err
	}
	defer s.close(ctx)
	view, err := s.study(ctx, name, "")
	if err != nil {
		return err
	}
	designs, err := read(view.Spec)
	if err != nil {
		return err
	}
	before := view.Proposed
	err = a.driven(c, s, name, func() error {
		asked := 0
		for part := range slices.Chunk(designs, events.MaxAdded) {
			if err := a.control(ctx, s, view, &events.StudyControl{Verb: "add", Designs: part}); err != nil {
				if asked > 0 {
					a.Say("the first %d designs are in the study; what follows is about those after them", asked)
				}
				return err
			}
			asked += len(part)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return a.printAdded(c, s, view, designs, before)
}

// driven does something that a proposer carries out: one of this process where no
// server runs, or where the process that has it drives nothing.
func (a *app) driven(c *cobra.Command, s *session, name string, do func() error) error {
	var process *roleGroup
	err := s.drivenBy(func() { process = a.driveBriefly(c.Context(), c, s, name, "") }, do)
	if process != nil {
		err = cmp.Or(err, process.stopAfter(s.log))
	}
	return err
}

// drivenBy does something that a proposer carries out, which drive starts: at once on a
// server of this process, and on that of another one where nobody there does it. That may
// be a command that only reads, and an `apollo run` drives its own study alone.
func (s *session) drivenBy(drive func(), do func() error) error {
	if s.server != nil {
		drive()
	}
	if s.server != nil || s.remote {
		return do()
	}
	done := make(chan error, 1)
	go func() { done <- do() }()
	select {
	case err := <-done:
		return err
	case <-time.After(signOfLife):
		drive()
		return <-done
	}
}

func (a *app) printAdded(c *cobra.Command, s *session, view *client.StudyView, designs []events.AddedDesign, before int) error {
	l, err := readLedger(c.Context(), s.bus, view)
	if err != nil {
		return err
	}
	value := struct {
		Study string `json:"study"`
		Run   string `json:"run"`
		Added []int  `json:"added"`
		Known []int  `json:"known"`
	}{view.Study, view.Run, []int{}, []int{}}
	trials := map[string]int{}
	for i := range l.trials {
		trials[fmt.Sprint(l.trials[i].design)] = i
	}
	for _, d := range designs {
		design, err := asTried(view.Spec, l.meaning, d.Design)
		if err != nil {
			return err
		}
		key := fmt.Sprint(design)
		n, there := trials[key]
		delete(trials, key) // a design that is asked for twice is one trial
		switch {
		case !there:
		case n < before:
			value.Known = append(value.Known, n)
		default:
			value.Added = append(value.Added, n)
		}
	}
	if s.server != nil {
		a.Say("nothing drives the study now: %s, or `apollo up`, goes on with it", client.GoesOnBy(view))
	}
	return a.Print(cli.Answer{Value: value, Text: func(w io.Writer, _ cli.Paint) {
		fmt.Fprintf(w, "%s has %s more", view.Study, cli.Plural(len(value.Added), "trial"))
		if len(value.Added) > 0 {
			fmt.Fprintf(w, ": %s", strings.Trim(fmt.Sprint(value.Added), "[]"))
		}
		if len(value.Known) > 0 {
			fmt.Fprintf(w, "; there already: %s", strings.Trim(fmt.Sprint(value.Known), "[]"))
		}
		fmt.Fprintln(w)
	}})
}
