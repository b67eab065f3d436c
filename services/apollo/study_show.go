package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"apollo/archiver/storage"
	"apollo/events"
	"apollo/services/cli"
	"apollo/services/client"
	"apollo/services/inspect"
)

// shownStudy is the answer of `study show -o json`.
type shownStudy struct {
	Study  string `json:"study"`
	Run    string `json:"run"`
	State  string `json:"state"`
	Reason string `json:"reason,omitempty"`
	// Waiting is what the run waits for; left out while it does not.
	Waiting []events.Waiting `json:"waiting,omitempty"`
	// Idle is why workers have nothing to do although the run goes on.
	Idle *events.Waiting `json:"idle,omitempty"`
	events.Counts
	Budget   int               `json:"budget"`
	Proposed int               `json:"proposed"`
	Best     *events.BestTrial `json:"best"`
	*frontJSON
	// Hash covers designs, outcomes, metrics and order of the trials.
	Hash       string             `json:"hash"`
	SpecSHA256 string             `json:"spec_sha256"`
	Owner      string             `json:"owner,omitempty"`
	Sources    []events.SourcePin `json:"sources"`
	// Identity is who measures; left out while nobody is chosen. Program is the
	// user's program, and Refused counts the answers of others.
	Identity *events.Identity `json:"identity,omitempty"`
	Program  *events.Program  `json:"program,omitempty"`
	Refused  int              `json:"refused,omitempty"`
	Reasons  []reasonCount    `json:"infeasible_reasons"`
	Failures []reasonCount    `json:"failure_reasons"`
	// ExtraDropped counts the trials whose extra numbers were left out because
	// the answer was too large for a message.
	ExtraDropped int `json:"extra_dropped,omitempty"`
	// ReportedNothing counts the measured trials of a study with earlyStop that had no
	// intermediate value.
	ReportedNothing int `json:"reported_nothing,omitempty"`
	// Fidelity is what went into each level, of a study with fidelity.
	Fidelity []fidelityUse `json:"fidelity,omitempty"`
	// Cells is how many cells of behaviour a study by explore covered.
	Cells    int          `json:"cells,omitempty"`
	Log      string       `json:"log"`
	Accepted time.Time    `json:"accepted"`
	Updated  time.Time    `json:"updated"`
	Spec     *events.Spec `json:"spec"`
	// Optimum is left out unless it was certified.
	Optimum *optimum `json:"optimum,omitempty"`

	baseline inspect.Baseline
	view     *client.StudyView
	// Noise is left out where every answer is taken at its word.
	Noise *events.NoiseReport `json:"noise,omitempty"`
	next  string
	// logBase says what Log begins from.
	logBase string
}

// reasonCount says how many trials failed or were not feasible for a reason.
type reasonCount struct {
	Code   string `json:"code"`
	Trials int    `json:"trials"`
}

func (a *app) studyShowCommand() *cobra.Command {
	var run string
	var picture pictureFlag
	c := &cobra.Command{
		Annotations: cli.PrintsRowsAndPictures(),
		Use:         "show STUDY", Short: "Show a study: its state, its best design or its front, and its hash",
		Long: `Show a study's latest run, with several objectives its Pareto front. The hash covers the
designs, outcomes and metrics of all trials in their order: two runs with the same hash
are the same, bit for bit. -o svg and png draw one picture of it, which --picture names.
The name of a campaign, a file with a matrix, shows its studies together.`,
		Example: "  apollo study show mobilenetv2-6p8\n  apollo study show mobilenetv2-6p8 -o svg --picture importance > importance.svg", Args: cli.Exactly(1),
		RunE: func(c *cobra.Command, args []string) error {
			if err := picture.check(a); err != nil {
				return err
			}
			ctx := c.Context()
			s, err := a.open(ctx, c, forReading)
			if err != nil {
				return err
			}
			defer s.close(ctx)
			shown, err := a.showStudy(ctx, s, args[0], run)
			if code, _ := cli.Classify(ctx, err); code == cli.ExitNotFound && run == "" {
				return a.showCampaign(ctx, s, args[0], err)
			}
			if err != nil {
				return err
			}
			return a.Print(cli.Answer{Value: shown, Text: func(w io.Writer, p cli.Paint) {
				shown.text(w, p)
				a.nextLine(w, shown.next)
			}, Sheet: answerSheet(shown.Spec, shown.frontJSON, shown.Best), Draw: func(w io.Writer, format string) error {
				l := newLedger(shown.view)
				return picture.write(w, format, a.galleryOf(ctx, l), l.stream(ctx, s.bus))
			}})
		},
	}
	picture.register(c, "best")
	c.Flags().StringVar(&run, "run", "", "the `run`; default: the latest")
	return c
}

func (a *app) showStudy(ctx context.Context, s *session, name, run string) (*shownStudy, error) {
	var t *tally
	view, err := s.studyBy(ctx, name, run, func() (view *client.StudyView, err error) {
		view, t, err = readCounted(ctx, s.bus, name, run)
		return view, err
	})
	if err != nil {
		return nil, err
	}
	if err := client.LookAt(ctx, s.bus, view, s.server != nil); err != nil {
		return nil, err
	}
	if view.Best == nil && len(view.Spec.Objectives) == 1 && view.Voided > 0 {
		l, err := readLedger(ctx, s.bus, view)
		if err != nil {
			return nil, err
		}
		view.Best = l.best()
	}
	shown := &shownStudy{
		Study: view.Study, Run: view.Run, State: string(view.State), Reason: view.Reason, Waiting: view.Waiting, Idle: view.Idle, Counts: t.counts(),
		Budget: view.Budget, Proposed: view.Proposed, Best: view.Best, frontJSON: frontOf(view), Hash: t.hash(), SpecSHA256: view.SHA256, Owner: view.Owner,
		Sources: view.Sources, Reasons: t.reasons(false), Failures: t.reasons(true), Log: a.logPath(view), logBase: a.logBase(), Accepted: view.Accepted, Updated: view.Updated, Spec: view.Spec, ExtraDropped: t.dropped, ReportedNothing: t.silent, Fidelity: t.fidelity, Cells: t.cells(), view: view,
	}
	shown.Optimum = a.optimumOf(ctx, view.Spec, view.Best)
	shown.Identity, shown.Program, shown.Refused = view.Identity, view.Program, view.Refused
	if shown.frontJSON != nil || shown.Best != nil {
		shown.baseline = inspect.BaselineOf(ctx, view.Spec)
	}
	if view.Summary != nil {
		shown.Noise = view.Summary.Noise
	}
	shown.next = nextOf(view.Study, view.Spec, view.State, shown.Trials, shown.Feasible, shown.frontJSON != nil)
	if shown.Sources == nil {
		shown.Sources = []events.SourcePin{}
	}
	return shown, nil
}

// logPath is where the Parquet files of a run are. With --nats and without
// --archive they are below the archiver's data directory, wherever that is.
func (a *app) logPath(view *client.StudyView) string {
	place := a.archive()
	if a.logBase() != "" {
		place = ""
	}
	name := storage.Current + "/study=" + view.Study + "/run=" + view.Run
	files, err := storage.Open(place)
	if err != nil {
		return name
	}
	return files.Path(name)
}

// logBase says what logPath begins from, where that is no place of this machine.
func (a *app) logBase() string {
	if a.nats != "" && a.log == "" {
		return " (in the archiver's data directory)"
	}
	return ""
}

// others says how many answers of other evaluators were refused.
func (s *shownStudy) others() string {
	if s.Refused == 0 {
		return ""
	}
	return "; " + cli.Plural(s.Refused, "answer") + " of others refused"
}

func (s *shownStudy) text(w io.Writer, p cli.Paint) {
	state := s.State
	if s.Reason != "" {
		state += " (" + s.Reason + ")"
	}
	whose := ""
	if s.Owner != "" {
		whose = " of " + s.Owner
	}
	fmt.Fprintf(w, "%s run %s%s: %s\n", p.Bold(s.Study), s.Run, whose, state)
	waitingText(w, s.Waiting)
	if s.Idle != nil {
		fmt.Fprintf(w, "idle     %s (%s)\n         %s\n", s.Idle.Message, s.Idle.Code, s.Idle.Hint)
	}
	fmt.Fprintf(w, "trials   %s of %s: %s; %s feasible\n", cli.Count(s.Trials), cli.Count(s.Budget),
		endedText(s.Measured, s.Infeasible, s.Failed, s.Stopped), cli.Share(s.Feasible, s.Trials-s.Voided-s.LowFidelity))
	if s.Voided > 0 {
		fmt.Fprintf(w, "         %s voided: measured anew\n", cli.Count(s.Voided))
	}
	if s.LowFidelity > 0 {
		fmt.Fprintf(w, "         %s of low fidelity\n", cli.Count(s.LowFidelity))
	}
	for _, r := range slices.Concat(s.Reasons, s.Failures) {
		fmt.Fprintf(w, "         %s for %s\n", cli.Count(r.Trials), r.Code)
	}
	if s.Fidelity != nil {
		fmt.Fprintln(w, fidelityText(s.Spec, s.Fidelity))
	}
	if s.Cells > 0 {
		fmt.Fprintf(w, "         %s\n", cellsText(s.Cells))
	}
	if s.ReportedNothing > 0 {
		fmt.Fprintf(w, "early    %s of %s measured trials reported no intermediate %s: those are never stopped early\n", cli.Count(s.ReportedNothing), cli.Count(s.Measured), s.Spec.EarlyStop.Metric)
	}
	if s.ExtraDropped > 0 {
		fmt.Fprintf(w, "extra    %s lost their extra numbers: the answers were too large for a message\n", cli.Plural(s.ExtraDropped, "trial"))
	}
	if f := s.Spec.Fork; f != nil {
		fmt.Fprintf(w, "fork     %s\n", forkText(f))
	}
	for i := range s.Sources {
		fmt.Fprintf(w, "source   %s\n", sourceText(&s.Sources[i]))
	}
	if s.Identity != nil {
		fmt.Fprintf(w, "measured by evaluator %s, %s%s\n", s.Spec.Evaluator.Name, s.Identity, s.others())
	}
	fmt.Fprintf(w, "hash     %s\n", s.Hash)
	fmt.Fprintf(w, "log      %s%s\n", s.Log, s.logBase)
	if s.Optimum != nil {
		fmt.Fprintf(w, "optimum  %s\n", s.Optimum.text(s.Spec))
	}
	if s.frontJSON != nil && len(s.Front) > 0 {
		fmt.Fprintf(w, "front    %s\n\n", s.sizeText(s.Spec))
		s.table(w, p, s.Spec, s.baseline)
		return
	}
	if s.Best == nil {
		none := "none is feasible"
		if s.Measured+s.Infeasible+s.Failed+s.Stopped == 0 {
			none = "none has an answer"
		}
		fmt.Fprintln(w, "best     "+none)
		return
	}
	fmt.Fprintf(w, "best     trial %d: %s\n\n", s.Best.Trial, bestText(s.Spec, s.Best))
	designGrid(s.Spec, inspect.DesignOf(s.Spec, s.Best.Design), s.baseline.Design).Text(w, p)
	fmt.Fprintln(w)
	metricGrid(s.Spec, s.Best, s.baseline).Text(w, p)
	if s.Noise != nil {
		noiseText(w, s.Spec, s.Best, s.Noise)
	}
	if s.baseline.Reason != "" {
		fmt.Fprintf(w, "\nthe baseline is not feasible for this study: %s\n", s.baseline.Reason)
	}
}
