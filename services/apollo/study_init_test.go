package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"apollo/services/cli"
)

// Ctrl-C ends the questions though nobody types, answers that make no study are asked for
// again, and answers that end too early write nothing.
func TestStudyInitAsks(t *testing.T) {
	t.Parallel()
	in, typed := io.Pipe()
	defer typed.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := nextLine(ctx, bufio.NewReader(in)); !errors.Is(err, context.Canceled) {
		t.Errorf("a question after Ctrl-C: %v, want %v", err, context.Canceled)
	}

	ask := func(answers string) (firstStudy, string, error) {
		var v firstStudy
		var out strings.Builder
		c := (&app{Terminal: &cli.Terminal{Stdout: &cli.Outlet{}}}).studyInitCommand()
		c.SetContext(t.Context())
		v.Name, v.Template, v.Objective = "mine", "edge", "latency"
		err := v.ask(c, bufio.NewReader(strings.NewReader(answers)), &out)
		return v, out.String(), err
	}
	v, out, err := ask("egde\nnvdla\nmobilenet\nmobilenet_v1, mobilenet_v2\narea<=3\narea<=3 mm2\n")
	if err != nil || v.Template != "nvdla" || len(v.Networks) != 2 || len(v.Limits) != 1 {
		t.Errorf("answered %+v: %v\n%s", v, err, out)
	}
	for _, want := range []string{`there is no template "egde"`, `there is no network "mobilenet"`, `"3" has no unit`} {
		if !strings.Contains(out, want) {
			t.Errorf("it does not say %s:\n%s", want, out)
		}
	}
	if _, _, err := ask("nvdla\n"); err == nil || !strings.Contains(err.Error(), "the answers ended") {
		t.Errorf("answers that end early: %v", err)
	}
}
