package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"apollo/events"
	"apollo/services/cli"
	"apollo/services/external"
	"apollo/services/studyfile"
)

// describeWithin is how long a program may take to say what it measures: no flag says
// it, so that it is patience for any program.
const describeWithin = 2 * patience

// describeIn asks programs, started in a folder, what they measure: each once, however
// many studies of a campaign name it.
func (a *app) describeIn(dir string) func(string) (studyfile.Described, error) {
	ctx := context.Background()
	if a.command != nil {
		ctx = a.command.Context()
	}
	type answer struct {
		said studyfile.Described
		err  error
	}
	known := map[string]answer{}
	return func(exec string) (studyfile.Described, error) {
		argv, err := external.Split(exec)
		if err != nil {
			return studyfile.Described{}, err
		}
		to, asked := known[exec]
		if !asked {
			slow := time.AfterFunc(3*time.Second, func() {
				a.Say("%s is asked what it measures, and has not answered yet: it has %s", events.Redact(exec), cli.Duration(describeWithin))
			})
			to.said, to.err = a.askProgram(ctx, argv, external.Options{Dir: dir, Startup: describeWithin})
			slow.Stop()
			known[exec] = to
		}
		return to.said, to.err
	}
}

// missingIn says what of a command, started in a folder, is not there.
func missingIn(dir string) func(string) error {
	return func(exec string) error {
		argv, err := external.Split(exec)
		if err != nil {
			return err
		}
		return external.Findable(argv, dir)
	}
}

// errNoLevels is of one that describes parameters without their levels.
var errNoLevels = errors.New("the program's description has no levels")

// askProgram starts a program and returns what it says of itself.
func (a *app) askProgram(ctx context.Context, argv []string, o external.Options) (studyfile.Described, error) {
	d, err := a.introduce(ctx, argv, o)
	if err != nil {
		return d, err
	}
	var missing []string
	for _, p := range d.Params {
		if p.Len() == 0 {
			missing = append(missing, p.Name)
		}
	}
	if len(missing) > 0 {
		return d, fmt.Errorf("%w of %s", errNoLevels, strings.Join(missing, ", "))
	}
	return d, nil
}

// introduce is askProgram for whoever needs no levels.
func (a *app) introduce(ctx context.Context, argv []string, o external.Options) (studyfile.Described, error) {
	o.Contents = &external.Contents{Reading: a.sayReading}
	b, err := external.Open(ctx, argv, o)
	if err != nil {
		return studyfile.Described{}, err
	}
	info := b.Info()
	if err := b.Close(); err != nil {
		return studyfile.Described{}, err
	}
	if info.Spoilt {
		return studyfile.Described{}, cli.Hinted(cli.ExitUsage, external.SpoiltAdvice, errors.New(info.Note))
	}
	if !info.Described {
		return studyfile.Described{}, fmt.Errorf("%w: %s", studyfile.ErrSilent, info.Note)
	}
	d := studyfile.Described{Name: info.Name, Params: info.Params}
	for _, m := range info.Metrics {
		d.Metrics = append(d.Metrics, studyfile.DescribedMetric{Name: m.Name, Unit: m.Unit})
	}
	if info.Repeats || info.Varies {
		d.Deterministic = &info.Repeats
	}
	return d, nil
}
