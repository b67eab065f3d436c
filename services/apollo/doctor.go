package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"apollo/events"
	"apollo/services/cli"
	"apollo/services/proposer"
)

// finding is one thing that the doctor looked at.
type finding struct {
	Check string `json:"check"`
	OK    bool   `json:"ok"`
	// Warning: nothing is wrong with the bus, and somebody should look.
	Warning bool   `json:"warning,omitempty"`
	Text    string `json:"text"`
	Hint    string `json:"hint,omitempty"`
}

func (a *app) doctorCommand() *cobra.Command {
	var url string
	c := &cobra.Command{
		Annotations: cli.PrintsRows(),
		Use:         "doctor", Short: "Check that the bus is healthy and its streams have room",
		Long: `Check that the bus can be reached, that its streams exist and have room, that no two
different evaluators serve one name, that archivers can write, and that dead letters neither
grow nor are discarded;
those that are there are a warning. With --http it asks a service's health page instead, for
container health checks. It exits with 1 when something is wrong.`,
		Example: "  apollo doctor\n  apollo doctor --http http://127.0.0.1:8080/healthz",
		Args:    cli.Exactly(0),
		RunE: func(c *cobra.Command, _ []string) error {
			var findings []finding
			if url != "" {
				findings = []finding{probe(c.Context(), url)}
			} else {
				ctx := c.Context()
				s, err := a.open(ctx, c, forReading)
				if err != nil {
					return err
				}
				defer s.close(ctx)
				findings = examine(ctx, s)
			}
			return a.printFindings(findings)
		},
	}
	c.Flags().StringVar(&url, "http", "", "`URL` of a health page to ask")
	return c
}

func (a *app) printFindings(findings []finding) error {
	items := make([]any, len(findings))
	g := &cli.Grid{Header: []string{"CHECK", "STATE", "WHAT"}}
	bad := 0
	for i, f := range findings {
		items[i] = f
		state := "ok"
		switch {
		case !f.OK:
			state = "BAD"
			bad++
		case f.Warning:
			state = "warn"
		}
		text := f.Text
		if f.Hint != "" {
			text += ": " + f.Hint
		}
		g.Add(f.Check, state, text)
	}
	if err := a.Print(cli.Answer{Value: findings, Items: items, Grid: g}); err != nil {
		return err
	}
	if bad > 0 {
		return cli.Hinted(cli.ExitError, "", errors.New(cli.Plural(bad, "problem")))
	}
	return nil
}

// probeTimeout bounds a health probe: a page that takes longer is not healthy.
const probeTimeout = 3 * time.Second

// probe asks a health page.
func probe(ctx context.Context, url string) finding {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return finding{Check: "http", Text: events.Redact(err.Error())}
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return finding{Check: "http", Text: events.Redact(err.Error())}
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(response.Body, 1<<10))
	return finding{Check: "http", OK: response.StatusCode == http.StatusOK, Text: response.Status + " " + firstLine(string(body))}
}

func firstLine(s string) string {
	for i, r := range s {
		if r == '\n' {
			return s[:i]
		}
	}
	return s
}

// fullAt is the share of a stream's limit at which the doctor warns.
const fullAt = 0.8

// examine looks at every stream of the topology.
func examine(ctx context.Context, s *session) []finding {
	findings := []finding{{Check: "bus", OK: true, Text: s.url}}
	before, _ := s.bus.Log().Info(ctx, events.DeadLetterSubject("*", "*")) // its error is told below
	streams := busFindings(ctx, s.bus.Log())
	for i, stream := range events.Topology() {
		if stored, some, err := s.bus.Oldest(ctx, stream.Subjects[0]); err == nil && some && !stream.Ring && !stream.WorkQueue {
			if info, err := s.bus.Log().Info(ctx, stream.Subjects[0]); err == nil {
				streams[i].Text += forecast(info, time.Since(stored))
			}
		}
	}
	findings = append(findings, streams...)
	if s.server == nil { // otherwise nobody else is there
		findings = append(findings, examineOthers(ctx, s)...)
	}
	return append(findings, lettersFinding(ctx, s.bus, before.Last))
}

// forecast says when a stream is full that took what it holds in that time; ""
// where nothing follows from that, or it is more than a year.
func forecast(info events.StreamInfo, age time.Duration) string {
	const least, year = time.Hour, 365 * 24 * time.Hour
	if age < least || info.Bytes == 0 || info.MaxBytes <= info.Bytes {
		return ""
	}
	left := float64(info.MaxBytes-info.Bytes) / float64(info.Bytes) * age.Hours()
	if left > year.Hours() {
		return ""
	}
	if left < 48 {
		return fmt.Sprintf(", full in about %.0f h at the pace of the last %s", left, cli.Duration(age))
	}
	return fmt.Sprintf(", full in about %.0f days at the pace of the last %s", left/24, cli.Duration(age))
}

// letters is what the doctor needs of a bus to look at the dead letters.
type letters interface {
	counter
	Log() events.Log
}

// lettersFinding warns while there are dead letters: somebody should look. It is
// bad that there are more than a moment ago, or that the oldest are discarded.
func lettersFinding(ctx context.Context, bus letters, before uint64) finding {
	f := finding{Check: "dead letters"}
	all := events.DeadLetterSubject("*", "*")
	bySubject, err := bus.Count(ctx, all)
	now, ierr := bus.Log().Info(ctx, all)
	if err := errors.Join(err, ierr); err != nil {
		f.Text = err.Error()
		return f
	}
	counts := byService(bySubject)
	if len(counts) == 0 {
		f.OK, f.Text = true, "none"
		return f
	}
	var parts []string
	for _, service := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, service+" "+cli.Count(counts[service]))
	}
	full := now.MaxBytes > 0 && float64(now.Bytes) >= fullAt*float64(now.MaxBytes)
	for _, n := range bySubject {
		full = full || n >= events.MaxDeadLetters
	}
	grown := before > 0 && now.Last > before
	switch {
	case full:
		parts = append(parts, "so many that the oldest are discarded")
	case grown:
		parts = append(parts, cli.Count(now.Last-before)+" came while the doctor looked")
	}
	f.OK, f.Warning = !full && !grown, !full && !grown
	f.Text = strings.Join(parts, ", ")
	f.Hint = "`apollo dlq ls` shows them; retry or remove them when the cause is mended"
	return f
}

// lettersByService counts the dead letters that are kept.
func lettersByService(ctx context.Context, bus counter) (map[string]uint64, error) {
	bySubject, err := bus.Count(ctx, events.DeadLetterSubject("*", "*"))
	if err != nil {
		return nil, err
	}
	return byService(bySubject), nil
}

func byService(bySubject map[string]uint64) map[string]uint64 {
	counts := map[string]uint64{}
	for subject, n := range bySubject {
		if tokens := strings.Split(subject, "."); len(tokens) == 3 && n > 0 {
			counts[tokens[1]] += n
		}
	}
	return counts
}

// counter counts stored messages by subject.
type counter interface {
	Count(ctx context.Context, filter string) (map[string]uint64, error)
}

func roomText(info events.StreamInfo) string {
	text := fmt.Sprintf("%s messages, %s", cli.Count(info.Messages), cli.Quantity(float64(info.Bytes), "B"))
	if info.MaxBytes > 0 {
		text += fmt.Sprintf(" of %s (%.1f %%)", cli.Quantity(float64(info.MaxBytes), "B"), 100*float64(info.Bytes)/float64(info.MaxBytes))
	}
	return text
}

// examineOthers looks who says within the time between two notices that it is
// there: workers, and archivers with what keeps them from writing.
func examineOthers(ctx context.Context, s *session) []finding {
	ctx, cancel := context.WithTimeout(ctx, events.PresentEvery+events.PresentEvery/4)
	defer cancel()
	var seen workers
	archivers := newArchives()
	var following sync.WaitGroup
	following.Go(func() { seen.follow(ctx, s.bus) })
	following.Go(func() { archivers.follow(ctx, s.bus) })
	following.Wait()
	there := archivers.there()
	findings := archiveFindings(there)
	if len(findings) == 0 {
		findings = []finding{{Check: "archivers", OK: true, Text: cli.Plural(len(there), "archiver")}}
	}
	all, _ := seen.Of("", time.Now())
	rivals := proposer.Rivals(all)
	if len(rivals) == 0 {
		return append(findings, finding{Check: "evaluators", OK: true, Text: cli.Plural(len(all), "worker")})
	}
	for _, text := range rivals {
		findings = append(findings, finding{Check: "evaluators", Text: text, Hint: proposer.RivalsHint})
	}
	return findings
}
