package model

import (
	"fmt"
	"strconv"
	"strings"
)

// maxSteps bounds a loop of a parsed nest, so that no product overflows.
const maxSteps = 1 << 24

// ParseMapping reads a loop nest as Mapping.String writes it: the name of every
// level of the hierarchy with a colon, outermost first, under each its loops,
// outermost first. Indentation means nothing; a level without loops is named all
// the same. Loops of one step may be left out.
//
//	off-chip memory:
//	 for K in 0..3
//	  buffer:
//	   for P in 0..55
//	    par C in 0..15
//
// The error names the line. The mapping need not be valid for any problem.
func ParseMapping(text string, a *Arch) (Mapping, error) {
	r := nestReader{a: a, level: -1}
	for i := range r.m.Loops {
		r.m.Loops[i] = Ones()
	}
	at := 0
	for line := range strings.Lines(text) {
		at++
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		if err := r.line(line); err != nil {
			return Mapping{}, fmt.Errorf("line %d: %w", at, err)
		}
	}
	r.close()
	if r.level+1 < a.Levels {
		return Mapping{}, fmt.Errorf("the nest ends before the level %q: want the levels %s", a.Level[r.level+1].Name, a.names())
	}
	return r.m, nil
}

func (a *Arch) names() string {
	var names []string
	for i := range a.Levels {
		names = append(names, strconv.Quote(a.Level[i].Name))
	}
	return strings.Join(names, ", ")
}

// nestReader is the state of reading a nest.
type nestReader struct {
	a     *Arch
	m     Mapping
	level int
	// order is the temporal loops of the level so far; seen has both kinds.
	order      []Dim
	time, room [Dims]bool
}

func (r *nestReader) line(text string) error {
	if name, ok := strings.CutSuffix(text, ":"); ok {
		r.close()
		r.level++
		if r.level >= r.a.Levels || r.a.Level[r.level].Name != name {
			return fmt.Errorf("there is no level %q here: want the levels %s, in this order", name, r.a.names())
		}
		return nil
	}
	if r.level < 0 {
		return fmt.Errorf("%q stands before the first level, want %q", text, r.a.Level[0].Name+":")
	}
	kind, d, steps, err := parseLoop(text)
	if err != nil {
		return err
	}
	l := &r.m.Loops[r.level]
	seen := &r.time
	if kind == "par" {
		seen = &r.room
		l.Spatial[d] = steps
	} else {
		l.Temporal[d] = steps
		r.order = append(r.order, d)
	}
	if seen[d] {
		return fmt.Errorf("%q: the level %s has two such loops over %s", text, r.a.Level[r.level].Name, d)
	}
	seen[d] = true
	return nil
}

// close completes the order of the level: loops that were named, then the
// others, which have one step.
func (r *nestReader) close() {
	if r.level >= 0 {
		order := r.m.Loops[r.level].Order[:0]
		order = append(order, r.order...)
		for d := range Dims {
			if !r.time[d] {
				order = append(order, d)
			}
		}
	}
	r.order, r.time, r.room = nil, [Dims]bool{}, [Dims]bool{}
}

// parseLoop reads "for K in 0..3" or "par K in 0..3".
func parseLoop(text string) (kind string, d Dim, steps int64, err error) {
	words := strings.Fields(text)
	if len(words) != 4 || words[0] != "for" && words[0] != "par" || words[2] != "in" {
		return "", 0, 0, fmt.Errorf(`%q is no loop: want "for K in 0..3" (in time), "par K in 0..3" (over instances), or a level with a colon`, text)
	}
	if d, err = DimOf(words[1]); err != nil {
		return "", 0, 0, err
	}
	last, ok := strings.CutPrefix(words[3], "0..")
	n, err := strconv.ParseInt(last, 10, 64)
	if !ok || err != nil || n < 0 || n >= maxSteps {
		return "", 0, 0, fmt.Errorf("%q: the range is %q, want 0..N with N from 0 to %d", text, words[3], maxSteps-1)
	}
	return words[0], d, n + 1, nil
}

// DimOf returns the dimension of a letter, as String writes it.
func DimOf(name string) (Dim, error) {
	for d := range Dims {
		if d.String() == name {
			return d, nil
		}
	}
	return 0, fmt.Errorf("there is no dimension %q: want one of G N K C P Q R S", name)
}
