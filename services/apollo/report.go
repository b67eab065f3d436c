package main

import (
	"bytes"
	"fmt"
	"html/template"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"apollo/services/cli"
	"apollo/services/inspect"
)

func (a *app) reportCommand() *cobra.Command {
	var run string
	c := &cobra.Command{
		Annotations: cli.PrintsFile(".html"),
		Use:         "report STUDY -o FILE.html", Short: "Write the pictures of a study into one file",
		Long: `Write one HTML file with the answer of a study and its pictures: the best so far, metric
against metric, why trials were not feasible, the parameters of feasible designs, and the
work of each worker. The file needs nothing else: no script, no font, no network.`,
		Example: "  apollo report mobilenetv2-6p8 -o study.html",
		Args:    cli.Exactly(1),
		RunE: func(c *cobra.Command, args []string) error {
			l, err := a.loadLedger(c, args[0], run)
			if err != nil {
				return err
			}
			base := inspect.BaselineOf(c.Context(), l.view.Spec)
			page, err := a.reportPage(l, base, a.optimumOf(c.Context(), l.view.Spec, l.view.Best))
			if err != nil {
				return err
			}
			if !strings.HasSuffix(a.Output, ".html") {
				_, err = a.Stdout.Write(page)
				return err
			}
			if err := os.WriteFile(a.Output, page, 0o644); err != nil {
				return fmt.Errorf("write the report: %w", err)
			}
			a.Say("wrote %s", a.Output)
			return nil
		},
	}
	c.Flags().StringVar(&run, "run", "", "the `run`; default: the latest")
	return c
}

// reportPage is the report as a page.
func (a *app) reportPage(l *ledger, base inspect.Baseline, best *optimum) ([]byte, error) {
	type figure struct {
		Title, Caption string
		SVG            template.HTML
	}
	v := l.view
	page := struct {
		Study, Run, State, Counts, Hash, Answer, Version string
		Figures                                          []figure
	}{v.Study, v.Run, string(v.State), l.countText(), l.hash, "", a.Version, nil}
	var text strings.Builder
	reportAnswer(&text, l, base, best)
	page.Answer = text.String()
	for _, p := range pictures(l, base, best) {
		var b bytes.Buffer
		if err := p.picture.Draw(&b, "svg"); err != nil {
			return nil, fmt.Errorf("draw %s: %w", strings.ToLower(p.Title), err)
		}
		page.Figures = append(page.Figures, figure{p.Title, p.Caption, template.HTML(b.String())}) //nolint:gosec // the drawing escapes its texts
	}
	t, err := template.New("report").Parse(reportHTML)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = t.Execute(&b, page)
	return b.Bytes(), err
}

// reportAnswer is the best design, or the front, as text.
func reportAnswer(w io.Writer, l *ledger, base inspect.Baseline, best *optimum) {
	spec, plain := l.view.Spec, cli.Paint{}
	switch front := frontOf(l.view); {
	case front != nil && len(front.Front) > 0:
		front.table(w, plain, spec, base)
	case l.view.Best != nil:
		fmt.Fprintf(w, "trial %d\n\n", l.view.Best.Trial)
		designGrid(spec, designOf(spec, l.view.Best), base.Design).Text(w, plain)
		fmt.Fprintln(w)
		metricGrid(spec, l.view.Best, base).Text(w, plain)
	default:
		fmt.Fprintln(w, "no trial is feasible")
	}
	if best != nil {
		fmt.Fprintf(w, "\noptimum: %s\n", best.text(spec))
	}
}

const reportHTML = `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{{.Study}}</title>
<style>
body { font: 15px/1.5 Helvetica, Arial, sans-serif; color: #222; max-width: 1000px; margin: 2em auto; padding: 0 1em }
figure { margin: 2em 0 } figure svg { max-width: 100%; height: auto } figcaption { color: #555 }
pre { background: #f6f6f6; padding: 1em; overflow-x: auto }
</style>
</head>
<body>
<h1>{{.Study}}</h1>
<p>Run {{.Run}}, {{.State}}. {{.Counts}}.</p>
<pre>{{.Answer}}</pre>
{{range .Figures}}<figure>
<h2>{{.Title}}</h2>
{{.SVG}}
<figcaption>{{.Caption}}</figcaption>
</figure>
{{end}}<p>Hash of designs, outcomes and metrics of all trials: <code>{{.Hash}}</code>. Apollo {{.Version}}.</p>
</body>
</html>
`
