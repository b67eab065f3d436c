package services_test

import (
	"fmt"
	"testing"
	"time"

	"apollo/events"
	"apollo/services/messages"
	"apollo/services/study"
)

// Every evaluator may write dead letters, and their subject names none. A letter about work
// that another one still has, or has answered, or that was never asked, pauses no study.
func TestForgedDeadLettersPauseNothing(t *testing.T) {
	t.Parallel()
	calm(t, func(s *sim) {
		s.submit("sim", "x1", toyStudy("sim", 400, ""))
		time.Sleep(300 * time.Millisecond)
		run := s.log("study.sim.*.accepted")[0].(events.StudyAccepted).Run
		mallory := s.hub.Client("mallory")
		for batch := range 110 { // 100 are proposed in the end
			for n, item := range []uint64{1, uint64(batch + 1), 1 << 62} {
				letter := events.DeadLetter{
					Service: "evaluator", Reason: "forged", Subject: events.WorkSubject("toy", "sim", run, batch), Sequence: item, Body: []byte("{}"),
				}
				if err := messages.AppendDeadLetter(s.ctx, mallory, "sim", letter, fmt.Sprintf("forged.%d.%d", batch, n)); err != nil {
					t.Fatal(err)
				}
			}
		}
		if view := s.wait("sim"); view.State != study.Completed {
			t.Errorf("the study is %s (%s), want completed", view.State, view.Reason)
		}
		if paused := s.log("study.sim.*.paused"); len(paused) > 0 {
			t.Errorf("forged letters paused the study: %+v", paused)
		}
	})
}
