package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"apollo/services/cli"
	"apollo/services/inspect"
	"apollo/services/studyfile"
)

// firstStudy is what `study init` asks.
type firstStudy struct {
	studyfile.First
	out string
}

func (a *app) studyInitCommand() *cobra.Command {
	var v firstStudy
	c := &cobra.Command{
		Annotations: cli.PrintsNothing(),
		Use:         "init", Short: "Write a commented study file",
		Long: `Write a study file with a comment beside everything that can be changed. On a terminal it
asks for what the flags do not say: template, networks and limits.`,
		Example: "  apollo study init --network mobilenet_v2 --limit 'area<=6.8 mm2' --out mine.yaml",
		Args:    cli.Exactly(0),
		RunE: func(c *cobra.Command, _ []string) error {
			if f, ok := a.Stdin.(*os.File); ok && cli.IsTerminal(f) && v.out != "" {
				if err := v.ask(c, bufio.NewReader(a.Stdin), a.Stderr); err != nil {
					return err
				}
			}
			text, err := v.text()
			if err != nil {
				return err
			}
			if v.out == "" {
				_, err := io.WriteString(a.Stdout, text)
				return err
			}
			f, err := os.OpenFile(v.out, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
			if errors.Is(err, os.ErrExist) {
				return cli.Usagef("%s is there already: name another file with --out, or remove it", v.out)
			}
			if err != nil {
				return fmt.Errorf("write the study: %w", err)
			}
			_, err = f.WriteString(text)
			if err = errors.Join(err, f.Close()); err == nil {
				a.Say("next: apollo run %s", shellWord(v.out))
			}
			return err
		},
	}
	f := c.Flags()
	f.StringVar(&v.Name, "name", "mine", "`name` of the study")
	f.StringVar(&v.Template, "template", "edge", "`template`: "+strings.Join(templateNames(), "|"))
	f.StringVar(&v.Objective, "minimize", "latency", "`metric` to minimise")
	f.StringArrayVar(&v.Networks, "network", nil, "built-in `network`, as often as wanted; a family is searched, as the file says; default: mobilenet_v2")
	f.StringArrayVar(&v.Limits, "limit", nil, "`limit` on a metric, as often as wanted: 'area<=6.8 mm2', 'fps>=30'")
	f.StringVar(&v.out, "out", "", "new `file` to write; default: the standard output")
	_ = c.RegisterFlagCompletionFunc("template", completeTemplates)
	_ = c.RegisterFlagCompletionFunc("network", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return inspect.Builtins().NetworkNames, cobra.ShellCompDirectiveNoFileComp
	})
	return c
}

// text is the study, which apollo run takes.
func (v *firstStudy) text() (string, error) {
	text, err := v.Text(templateNames())
	if err != nil {
		return "", cli.Hinted(cli.ExitUsage, "", err)
	}
	if _, err := studyfile.Parse("the study", []byte(text), inspect.Builtins().Study(), studyfile.Options{}); err != nil {
		return "", cli.Hinted(cli.ExitUsage, "`apollo space ls` and `apollo workload ls` list templates and networks", err)
	}
	return text, nil
}

// ask asks for what no flag says, and again where the answer makes no study; an empty
// line takes the default. The error says that nobody answers any more.
func (v *firstStudy) ask(c *cobra.Command, in *bufio.Reader, out io.Writer) error {
	ask := func(flag, question, fallback string, take func(string)) error {
		if c.Flags().Changed(flag) {
			return nil
		}
		before := *v
		for {
			fmt.Fprintf(out, "%s [%s]: ", question, fallback)
			text, err := nextLine(c.Context(), in)
			if err != nil {
				return err
			}
			if text != "" {
				take(text)
			}
			if _, err = v.text(); err == nil {
				return nil
			}
			fmt.Fprintf(out, "%v\n", err)
			*v = before
		}
	}
	err := ask("template", "template: "+strings.Join(templateNames(), ", "), v.Template, func(text string) { v.Template = text })
	if err == nil {
		err = ask("network", "networks, with commas between them (apollo workload ls)", "mobilenet_v2", func(text string) {
			v.Networks = strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' })
		})
	}
	if err == nil {
		err = ask("limit", "limits, as in area<=6.8 mm2, power<=2 W", "none", func(text string) {
			if text != "none" {
				v.Limits = strings.Split(text, ",")
			}
		})
	}
	return err
}

// nextLine waits for a line, or for the end of ctx: a read of a terminal cannot be
// interrupted.
func nextLine(ctx context.Context, in *bufio.Reader) (string, error) {
	type line struct {
		text string
		err  error
	}
	read := make(chan line, 1)
	go func() {
		text, err := in.ReadString('\n')
		read <- line{strings.TrimSpace(text), err}
	}()
	select {
	case l := <-read:
		if l.err != nil && l.text == "" {
			return "", cli.Hinted(cli.ExitUsage, "the flags say the same: `apollo study init --help`; nothing was written", errors.New("the answers ended before the questions"))
		}
		return l.text, nil
	case <-ctx.Done():
		return "", ctx.Err()
	}
}
