package main

import (
	"fmt"
	"io"
	"slices"

	"apollo/events"
	"apollo/services/inspect"
	"apollo/services/studyfile"
)

// networkNames names the networks of designs that only number them (only: measured):
// as `apollo workload show` takes it. The zero value names none.
type networkNames struct {
	param int
	names []string
}

func networkNamesOf(spec *events.Spec) networkNames {
	n := spec.SearchedFamily()
	if n == nil || n.Accuracies.Only != events.OnlyMeasured || len(n.Chosen) != 1 {
		return networkNames{}
	}
	f, err := studyfile.FamilyOf(n)
	if err != nil {
		return networkNames{} // of another build: its numbers mean nothing here
	}
	names := networkNames{param: slices.IndexFunc(spec.Parameters, func(p events.Parameter) bool { return p.Name == n.Chosen[0].Name })}
	for _, values := range f.Known.Measured() {
		names.names = append(names.names, f.Called(values))
	}
	return names
}

// of is the name of a design's network, empty where its parameters say it.
func (n networkNames) of(design events.Design) string {
	if n.names == nil || n.param < 0 || n.param >= len(design) {
		return ""
	}
	number := int(design[n.param].Num)
	if number < 0 || number >= len(n.names) {
		return ""
	}
	return n.names[number]
}

// list prints the names behind the numbers of some designs, one a line: they are long,
// and there to be copied.
func (n networkNames) list(w io.Writer, designs []events.Design) {
	if n.names == nil {
		return
	}
	fmt.Fprint(w, "\nnetworks, for `apollo workload show`:\n")
	var said []string
	for _, d := range designs {
		if name := n.of(d); name != "" && !slices.Contains(said, name) {
			said = append(said, name)
			fmt.Fprintf(w, "  %g  %s\n", d[n.param].Num, name)
		}
	}
}

// answerNetworks names the networks of an answer, by their numbers; nil where its
// designs say them.
func answerNetworks(spec *events.Spec, best *events.BestTrial, front *frontJSON) map[int]string {
	names := networkNamesOf(spec)
	if names.names == nil {
		return nil
	}
	var trials []events.BestTrial
	if best != nil {
		trials = append(trials, *best)
	}
	if front != nil {
		trials = append(trials, front.Front...)
	}
	out := map[int]string{}
	for i := range trials {
		d := inspect.DesignOf(spec, trials[i].Design)
		out[int(d[names.param].Num)] = names.of(d)
	}
	return out
}
