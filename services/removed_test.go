package services_test

import (
	"testing"
	"time"

	"apollo/archiver"
	"apollo/events"
)

// A request that comes again after its study was removed names the run as
// before, and may ask for something else.
func TestARemovedStudyCanBeAskedForAgain(t *testing.T) {
	t.Parallel()
	archiving(t, func(s *sim, dir string) func() {
		user := s.hub.Client("user")
		s.submit("sim", "x1", toyStudy("sim", 40, ""))
		first := s.wait("sim")
		s.final(first)
		for _, filter := range []string{"result.*.sim.*.*", events.ArchiveSubject("sim", "*", "*"), events.RunFilter("sim", "*")} {
			if err := user.Purge(s.ctx, filter); err != nil {
				s.t.Fatal(err)
			}
		}
		time.Sleep(15 * time.Minute)
		s.submit("sim", "x1", toyStudy("sim", 80, `,"order":"relaxed"`))
		second := s.wait("sim")
		s.final(second)
		return func() {
			checkLog(t, dir, second)
			if rows := scanned(t, dir, archiver.Query{AllRuns: true}); len(rows) != 120 {
				t.Errorf("%d rows of both runs, want 120", len(rows))
			}
		}
	})
}
