package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"apollo/services/cli"
	"apollo/services/external"
	"apollo/services/studyfile"
)

// describeIn asks programs, started in a folder, what they measure.
func (a *app) describeIn(dir string) func(string) (studyfile.Described, error) {
	return func(exec string) (studyfile.Described, error) {
		argv, err := external.Split(exec)
		if err != nil {
			return studyfile.Described{}, err
		}
		// No flag says how long: it is patience for any program.
		return a.askProgram(context.Background(), argv, external.Options{Dir: dir, Startup: 2 * patience})
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
