package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

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

// askProgram starts a program and returns what it says of itself.
func (a *app) askProgram(ctx context.Context, argv []string, o external.Options) (studyfile.Described, error) {
	o.Contents = &external.Contents{Reading: a.sayReading}
	b, err := external.Open(ctx, argv, o)
	if err != nil {
		return studyfile.Described{}, err
	}
	info := b.Info()
	if err := b.Close(); err != nil {
		return studyfile.Described{}, err
	}
	if !info.Described {
		return studyfile.Described{}, fmt.Errorf("it does not describe itself: %s", info.Note)
	}
	d := studyfile.Described{Name: info.Name}
	var missing []string
	for _, p := range info.Params {
		if p.Len() == 0 {
			missing = append(missing, p.Name)
		}
	}
	if len(missing) > 0 {
		return d, errors.New("its description has no levels of " + strings.Join(missing, ", "))
	}
	d.Params = info.Params
	for _, m := range info.Metrics {
		d.Metrics = append(d.Metrics, studyfile.DescribedMetric{Name: m.Name, Unit: m.Unit})
	}
	if info.Repeats || info.Varies {
		d.Deterministic = &info.Repeats
	}
	return d, nil
}
