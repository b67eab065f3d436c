package main

import (
	"bytes"
	"fmt"
	"html/template"
	"io"
	"iter"
	"strings"

	"github.com/spf13/cobra"

	"apollo/internal/atomicfile"
	"apollo/services/cli"
	"apollo/services/inspect"
)

func (a *app) reportCommand() *cobra.Command {
	var run string
	c := &cobra.Command{
		Annotations: cli.PrintsFile(".html"),
		Use:         "report STUDY -o FILE.html", Short: "Write the pictures of a study into one file",
		Long: `Write one HTML file with the answer of a study and its pictures: the best so far, or the
hypervolume; metric against metric; why trials were not feasible; the parameters of
feasible designs, and how much each matters; whether the model of the search can be
trusted; where the time of the best design goes; and the work of each worker. The file
needs nothing else: no script, no font, no network. One that is there is written anew.`,
		Example: "  apollo report mobilenetv2-6p8 -o study.html",
		Args:    cli.Exactly(1),
		RunE: func(c *cobra.Command, args []string) error {
			ctx := c.Context()
			s, err := a.open(ctx, c, forReading)
			if err != nil {
				return err
			}
			defer s.close(ctx)
			view, err := s.study(ctx, args[0], run)
			if err != nil {
				return err
			}
			l := newLedger(view)
			page, err := a.reportPage(a.galleryOf(ctx, l), l.stream(ctx, s.bus))
			if err != nil {
				return err
			}
			if !strings.HasSuffix(a.Output, ".html") {
				_, err = a.Stdout.Write(page)
				return err
			}
			if err := atomicfile.Write(a.Output, page); err != nil {
				return fmt.Errorf("the report: %w", err)
			}
			a.Say("wrote %s", a.Output)
			return nil
		},
	}
	c.Flags().StringVar(&run, "run", "", "the `run`; default: the latest")
	return c
}

// reportPage is the report as a page. The gallery has its counts once the trials are read.
func (a *app) reportPage(g *gallery, trials iter.Seq2[*trial, error]) ([]byte, error) {
	drawn, err := g.pictures(pictureKinds(), trials)
	if err != nil {
		return nil, err
	}
	type figure struct {
		Title, Caption string
		SVG            template.HTML
	}
	v := g.view
	page := struct {
		Study, Run, State, Counts, Hash, Answer, Version string
		Figures                                          []figure
		Left                                             []string
	}{v.Study, v.Run, string(v.State), g.countText(), g.hash, "", a.Version, nil, nil}
	var text strings.Builder
	reportAnswer(&text, g)
	page.Answer = text.String()
	for _, d := range drawn {
		if d.drawing == nil {
			page.Left = append(page.Left, d.kind.title+": "+d.note)
			continue
		}
		var b bytes.Buffer
		if err := d.Draw(&b, "svg"); err != nil {
			return nil, fmt.Errorf("draw %s: %w", d.kind.name, err)
		}
		page.Figures = append(page.Figures, figure{d.kind.title, strings.TrimSpace(d.kind.caption + " " + d.note), template.HTML(b.String())}) //nolint:gosec // the drawing escapes its texts
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
func reportAnswer(w io.Writer, g *gallery) {
	spec, plain, base := g.view.Spec, cli.Paint{}, g.base
	switch front := frontOf(g.view); {
	case front != nil && len(front.Front) > 0:
		front.table(w, plain, spec, base)
	case g.view.Best != nil:
		fmt.Fprintf(w, "trial %d\n\n", g.view.Best.Trial)
		designGrid(spec, inspect.DesignOf(spec, g.view.Best.Design), base.Design).Text(w, plain)
		fmt.Fprintln(w)
		metricGrid(spec, g.view.Best, base).Text(w, plain)
	default:
		fmt.Fprintln(w, "no trial is feasible")
	}
	if g.optimum != nil {
		fmt.Fprintf(w, "\noptimum: %s\n", g.optimum.text(spec))
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
{{end}}{{if .Left}}<p>Left out:</p>
<ul>
{{range .Left}}<li>{{.}}.</li>
{{end}}</ul>
{{end}}<p>Hash of designs, outcomes and metrics of all trials: <code>{{.Hash}}</code>. Apollo {{.Version}}.</p>
</body>
</html>
`
