package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"apollo/events"
	"apollo/services/cli"
	"apollo/services/client"
	"apollo/services/inspect"
	"apollo/services/study"
	"apollo/services/transfer"
)

// stopwatch is what this process saw of a run: trials and the time they took.
// The zero value means that it only read the answer.
type stopwatch struct {
	began  time.Time
	trials int // that were there before
	// failure is the last one of a run whose trials all failed, "" of any other.
	failure string
	// fidelity is what went into each level, of a study with fidelity.
	fidelity []fidelityUse
	// cells is how many cells of behaviour a study by explore covered.
	cells int
}

// runJSON is the answer of `run -o json`.
type runJSON struct {
	Study string `json:"study"`
	State string `json:"state"`
	// Reason is why the run ended, or paused: the answer is the best so far then.
	Reason string `json:"reason,omitempty"`
	events.Counts
	// Best is null when no trial is feasible, and with several objectives.
	Best *events.BestTrial `json:"best"`
	*frontJSON
	// Fidelity is what went into each level, of a study with fidelity.
	Fidelity []fidelityUse `json:"fidelity,omitempty"`
	// Cells is how many cells of behaviour a study by explore covered.
	Cells int `json:"cells,omitempty"`
	// Noise is left out where every answer is taken at its word.
	Noise *events.NoiseReport `json:"noise,omitempty"`
	// Optimum is left out unless it was certified.
	Optimum *optimum `json:"optimum,omitempty"`
	// Transfer is left out where the study has no sources.
	Transfer *transfer.Report `json:"transfer,omitempty"`
	// Networks name the networks of the answer that its designs only number.
	Networks        map[int]string `json:"networks,omitempty"`
	Log             string         `json:"log"`
	Seconds         float64        `json:"seconds"`
	TrialsPerSecond float64        `json:"trials_per_second"`
	// Spec is the study, so that what reads the answer needs nothing else.
	Spec *events.Spec `json:"spec"`
}

// printAnswer prints the answer of a run that has ended; brought says what its
// sources brought, nil when it has none, and draw is the answer as a picture. Its error
// carries the exit code that the answer means.
func (a *app) printAnswer(ctx context.Context, view *client.StudyView, watch stopwatch, brought *transfer.Report, draw func(w io.Writer, format string) error) error {
	if view.State == study.Failed || view.Summary == nil {
		return cli.Hinted(cli.ExitFailed, "`apollo run --fresh` starts anew", fmt.Errorf("study %s %s: %s", view.Study, view.State, view.Reason))
	}
	s := view.Summary
	seconds, trials := view.Updated.Sub(view.Accepted).Seconds(), s.Trials
	if !watch.began.IsZero() {
		seconds, trials = time.Since(watch.began).Seconds(), s.Trials-watch.trials
	}
	value := runJSON{
		Study: view.Study, State: string(view.State), Reason: view.Reason, Counts: s.Counts, Best: s.Best, Fidelity: watch.fidelity, Cells: watch.cells, Noise: s.Noise, frontJSON: frontOf(view), Optimum: a.optimumOf(ctx, view.Spec, s.Best), Log: a.logPath(view), Seconds: cli.Round(seconds, 3),
		Transfer: brought, Spec: view.Spec,
	}
	value.Networks = answerNetworks(view.Spec, s.Best, value.frontJSON)
	if seconds > 0 {
		value.TrialsPerSecond = cli.Round(float64(trials)/seconds, 1)
	}
	err := a.Print(cli.Answer{
		Value: value, Sheet: answerSheet(view.Spec, value.frontJSON, value.Best), Draw: draw,
		Text: func(w io.Writer, p cli.Paint) { a.answerText(ctx, w, p, view, value) },
	})
	switch {
	case err != nil:
		return err
	case view.State == study.Cancelled:
		return cli.Hinted(cli.ExitError, "`apollo run --fresh` starts anew", fmt.Errorf("study %s was cancelled", view.Study))
	case watch.failure != "":
		return cli.Hinted(cli.ExitInfeasible, failedHint(view), fmt.Errorf("none of the %s trials was measured, all failed: %s", cli.Count(s.Trials), watch.failure))
	case s.Best == nil && s.FrontSize == 0:
		return cli.Hinted(cli.ExitInfeasible, infeasibleHint(view), fmt.Errorf("none of the %s trials is feasible", cli.Count(s.Trials)))
	}
	return nil
}

// lastFailure is why the last trial failed where all did: no limit is to blame then.
func lastFailure(ctx context.Context, bus events.Bus, view *client.StudyView) (why string, err error) {
	if s := view.Summary; s == nil || s.Failed == 0 || s.Failed < s.Trials-s.Voided {
		return "", nil
	}
	for b, err := range client.Batches(ctx, bus, view, events.MaxTrials) {
		if err != nil {
			return "", err
		}
		for i, r := range b.Answers {
			if r != nil && r.Outcome == events.OutcomeFailed && r.Reason != nil {
				why = fmt.Sprintf("the last, trial %d, by %s: %s", b.FirstTrial+i, r.Reason.Code, r.Reason.Message)
			}
		}
	}
	return why, nil
}

func failedHint(view *client.StudyView) string {
	hint := "`apollo trial ls " + view.Study + " --last 10` shows the reasons"
	if view.Program != nil {
		hint += "; `apollo evaluator check --exec COMMAND` tries the program alone"
	}
	return hint
}

func infeasibleHint(view *client.StudyView) string {
	return "`apollo study show " + view.Study + "` counts the reasons; loosen the constraints or extend the budget"
}

func (a *app) answerText(ctx context.Context, w io.Writer, p cli.Paint, view *client.StudyView, value runJSON) {
	s, spec := view.Summary, view.Spec
	head := fmt.Sprintf("%s: %s in ", endText(view), cli.Plural(s.Trials, "trial"))
	ended := endedText(s.Measured, s.Infeasible, s.Failed, s.Stopped)
	between := " "
	const timeWidth = 20 // "1m30s (1,000/s), " and some room: the line must not break by how long it took
	if p.Width > 0 && len(view.Study)+len(head)+timeWidth+len(ended) > p.Width {
		between = "\n  "
	}
	fmt.Fprintf(w, "%s %s%s (%s/s),%s%s\n", p.Bold(view.Study), head, cli.Duration(time.Duration(value.Seconds*float64(time.Second))),
		cli.Significant(value.TrialsPerSecond), between, ended)
	if value.Fidelity != nil {
		fmt.Fprintf(w, "  %s\n", fidelityText(spec, value.Fidelity))
	}
	if value.Cells > 0 {
		fmt.Fprintf(w, "  %s\n", cellsText(value.Cells))
	}
	if s.Best != nil {
		so := ""
		if !view.State.Terminal() {
			so = " so far"
		}
		fmt.Fprintf(w, "\nbest design%s: trial %d\n\n", so, s.Best.Trial)
		baseline := inspect.BaselineOf(ctx, spec)
		design := inspect.DesignOf(spec, s.Best.Design)
		designGrid(spec, design, baseline.Design).Text(w, p)
		fmt.Fprintln(w)
		metricGrid(spec, s.Best, baseline).Text(w, p)
		if s.Noise != nil {
			noiseText(w, spec, s.Best, s.Noise)
		}
		if baseline.Reason != "" {
			fmt.Fprintf(w, "\nthe baseline is not feasible for this study: %s\n", baseline.Reason)
		}
		networkNamesOf(spec).list(w, []events.Design{design, baseline.Design})
	}
	if value.frontJSON != nil && len(value.Front) > 0 {
		fmt.Fprintf(w, "\nfront: %s\n\n", value.sizeText(spec))
		value.table(w, p, spec, inspect.BaselineOf(ctx, spec))
	}
	if value.Optimum != nil {
		fmt.Fprintf(w, "\noptimum: %s\n", value.Optimum.text(spec))
	}
	if f := spec.Fork; f != nil {
		fmt.Fprintf(w, "\nfork  %s\n", forkText(f))
	}
	for i := range view.Sources {
		if i == 0 {
			fmt.Fprintln(w)
		}
		fmt.Fprintf(w, "from  %s\n", sourceText(&view.Sources[i]))
	}
	if r := value.Transfer; r != nil && worthSaying(r) {
		reportSummary(w, p, r)
	}
	if s.Trials > 0 {
		fmt.Fprintf(w, "\nlog   %s%s\n", value.Log, a.logBase())
		fmt.Fprintf(w, "      duckdb -c %s\n", shellQuote(duckdb(spec, value.Log)))
	}
	a.nextLine(w, nextOf(view.Study, spec, view.State, s.Trials, s.Feasible, len(spec.Objectives) > 1))
}

func endText(view *client.StudyView) string {
	if view.Reason == "" || view.Reason == "on request" {
		return string(view.State)
	}
	return fmt.Sprintf("%s (%s)", view.State, view.Reason)
}

// duckdb is the query that shows the best trials of a log, or the front.
func duckdb(spec *events.Spec, log string) string {
	files := strings.ReplaceAll(filepath.ToSlash(log)+"/*.parquet", "'", "''")
	var columns []string
	for _, name := range metricNames(spec) {
		columns = append(columns, sqlName(name))
	}
	metrics := strings.Join(columns, ", ")
	if len(spec.Objectives) > 1 {
		return frontQuery(spec, files, metrics)
	}
	order := sqlName(spec.Objectives[0].Metric)
	if spec.Objectives[0].Goal == "maximize" {
		order += " DESC"
	}
	return fmt.Sprintf("FROM read_parquet('%s') SELECT trial, %s WHERE feasible ORDER BY %s LIMIT 5", files, metrics, order)
}

// sqlName is a column in a query.
func sqlName(column string) string {
	if strings.Contains(column, ".") {
		return `"` + column + `"`
	}
	return column
}

// shellQuote puts a word into double quotes; it holds no character that is
// special inside them except those that are escaped here.
func shellQuote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "$", `\$`, "`", "\\`").Replace(s) + `"`
}

func metricNames(spec *events.Spec) []string {
	names := make([]string, len(spec.Metrics))
	for i, m := range spec.Metrics {
		names[i] = m.Name
	}
	return names
}

// metricGrid is the metrics of the best trial against the baseline and the
// constraints.
func metricGrid(spec *events.Spec, best *events.BestTrial, b inspect.Baseline) *cli.Grid {
	g := &cli.Grid{Header: []string{"METRIC", ">VALUE"}}
	if b.Metrics != nil {
		g.Header = append(g.Header, ">BASELINE", ">GAIN")
	}
	g.Header = append(g.Header, "GOAL")
	for _, m := range spec.Metrics {
		v, ok := best.Metrics[m.Name]
		if !ok {
			continue
		}
		row := []string{cli.Bare(m.Name, m.Unit), cli.Metric(v, m.Unit)}
		if b.Metrics != nil {
			row = append(row, cli.Metric(b.Metrics[m.Name], m.Unit), gain(spec, m, v, b.Metrics[m.Name]))
		}
		g.Add(append(row, goals(spec, m))...)
	}
	return g
}

// gain is how many times better the value is than the baseline's.
func gain(spec *events.Spec, m events.Metric, v, base float64) string {
	if v <= 0 || base <= 0 {
		return "-"
	}
	if direction(spec, m) < 0 {
		return fmt.Sprintf("%.2fx", v/base)
	}
	return fmt.Sprintf("%.2fx", base/v)
}

// goals says what the study wants of a metric.
func goals(spec *events.Spec, m events.Metric) string {
	var parts []string
	for _, o := range spec.Objectives {
		if o.Metric == m.Name {
			parts = append(parts, o.Goal)
		}
	}
	for _, c := range spec.Constraints {
		if c.Metric != m.Name {
			continue
		}
		if c.Max != nil {
			parts = append(parts, "at most "+cli.Quantity(*c.Max, m.Unit))
		}
		if c.Min != nil {
			parts = append(parts, "at least "+cli.Quantity(*c.Min, m.Unit))
		}
	}
	return strings.Join(parts, ", ")
}

// shellWord quotes a word when a shell would take it apart.
func shellWord(s string) string {
	if s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=./:,@%+") == "" {
		return s
	}
	return shellQuote(s)
}
