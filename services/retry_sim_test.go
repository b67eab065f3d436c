package services_test

import (
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"apollo/events"
	"apollo/events/membus"
	"apollo/services/archive"
	"apollo/services/client"
	"apollo/services/study"
)

// ask publishes a request until the bus takes it, and waits until the study has
// completed with that many trials. A proposer that is reading the run after a kill
// refuses it: then it is asked again, and hears so where the first was carried out.
func (s *sim) ask(c events.StudyControl, trials int) *client.StudyView {
	s.t.Helper()
	id := c.ID
	s.publish(c)
	for range 20_000 {
		time.Sleep(time.Second)
		view, err := client.ReadStudy(s.ctx, s.hub.Client("watcher").Log(), c.Study, "")
		if err == nil && view.State == study.Completed && view.Summary.Trials == trials {
			return view
		}
		for _, e := range s.log(events.RejectedSubject(c.Study)) {
			if r := e.(events.StudyRejected); r.Command == c.ID {
				if id != c.ID && strings.Contains(r.Errors[0].Message, "measured anew already") {
					continue // the first was carried out after it had been called busy
				}
				if len(c.ID) > 20 || r.Errors[0].Code != "busy" && r.Errors[0].Code != "full" {
					s.t.Fatalf("%s is refused: %+v", c.Verb, r.Errors)
				}
				c.ID += "+"
				s.publish(c)
			}
		}
	}
	s.t.Fatalf("study %s does not come to %d trials", c.Study, trials)
	return nil
}

func (s *sim) publish(c events.StudyControl) {
	s.t.Helper()
	data, err := events.Encode(c.ID, "user", c.Study, time.Now(), c)
	if err != nil {
		s.t.Fatal(err)
	}
	user := s.hub.Client("user")
	for s.ctx.Err() == nil {
		if user.Queue(1).Publish(events.ControlSubject(c.Study), message.NewMessage(c.ID, data)) == nil {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// Trials are measured anew, and the study goes on from what is left: the same with
// and without kills of everybody, in every Parquet row.
func TestRetriedStudyIsTheSameUnderFaultsAndKills(t *testing.T) {
	t.Parallel()
	var old []int
	for n := 3; n < 60; n += 4 {
		old = append(old, n)
	}
	run := func(t *testing.T, seed uint64, faults membus.Faults, kills int) (e ending) {
		dir := t.TempDir()
		synctest.Test(t, func(t *testing.T) {
			s := newSim(t, seed, faults, kills)
			defer s.close()
			s.diskKills = kills / 2
			s.startAll(2)
			s.start("archiver", func(b events.Bus) service {
				return &crashing{archive.Archiver{
					Bus: b, Dir: dir, Plain: true, Logger: slog.New(slog.DiscardHandler),
					Failpoint: func(point string) error { return s.onDisk(b, point) },
				}}
			})
			s.submit("sim", "x1", toyStudy("sim", 80, ""))
			before := s.wait("sim")
			voided := slices.Compact(slices.Sorted(slices.Values(append(slices.Clone(old), before.Best.Trial))))
			s.ask(events.StudyControl{Study: "sim", ID: "r1", Verb: "retry", Retry: voided}, 80+len(voided))
			e.view = s.ask(events.StudyControl{Study: "sim", ID: "m1", Verb: "extend", Trials: 140}, 140)
			if e.view.Voided != len(voided) || e.view.Summary.Voided != len(voided) || slices.Contains(voided, e.view.Best.Trial) {
				t.Errorf("%d voided: %d are in the view, %+v", len(voided), e.view.Voided, e.view.Summary)
			}
			s.final(e.view)
			s.mu.Lock()
			e.crashes, e.freezes = maps.Clone(s.crashes), s.freezes
			s.mu.Unlock()
		})
		e.rows = inFiles(t, dir, e.view)
		return e
	}
	want := run(t, 0, membus.Faults{}, 0)
	marked := 0
	for _, row := range want.rows {
		if _, ok := events.VoidedBy(row.Origin); ok {
			marked++
		}
	}
	if len(want.rows) != 140 || marked != want.view.Summary.Voided {
		t.Fatalf("undisturbed: %d rows, %d mark a voided trial, want %d", len(want.rows), marked, want.view.Summary.Voided)
	}
	var hits tally
	n := seeds(t, 3)
	t.Run("seeds", func(t *testing.T) {
		for i := range n {
			seed := 3 * (i + 1) // none whose answers are made too large
			t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
				t.Parallel()
				got := run(t, seed, allFaults, 12)
				hits.add(got)
				compare(t, seed, want, got)
			})
		}
	})
	hits.report(t, n)
}
