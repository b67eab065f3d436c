package services_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"apollo/events"
	"apollo/services/client"
	"apollo/services/study"
)

// What a log says is checked as a request is: a forged accepted event opens no
// file, takes no memory, and its run can be cancelled.
func TestForgedRuns(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		forge func(*events.Spec)
		says  string
	}{
		"a file of the server": {func(s *events.Spec) {
			s.Transfer = &events.Transfer{Sources: []events.Source{{Parquet: "/etc/passwd"}}}
		}, "file or program of this machine"},
		"a bucket of somebody else": {func(s *events.Spec) {
			s.Transfer = &events.Transfer{Sources: []events.Source{{Parquet: "s3://other/trials/*.parquet"}}}
		}, "file or program of this machine"},
		"a program": {func(s *events.Spec) {
			s.Transfer = &events.Transfer{Sources: []events.Source{{Exec: "sh -c true"}}}
		}, "file or program of this machine"},
		"a huge batch":        {func(s *events.Spec) { s.Budget.Batch = 1e9 }, "1000000000 designs in a batch"},
		"a batch without end": {func(s *events.Spec) { s.Budget.Batch = math.MaxInt }, "designs in a batch"},
		"endless attempts":    {func(s *events.Spec) { s.Evaluator.Attempts = 1e9 }, "attempts"},
		"a negative lag":      {func(s *events.Spec) { s.Budget.Lag = -1 }, "-1 batches of lag"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			calm(t, func(s *sim) {
				user := s.hub.Client("user")
				if err := user.Ready(s.ctx); err != nil {
					t.Fatal(err)
				}
				s.submit("sim", "x1", toyStudy("sim", 40, ""))
				s.wait("sim")
				var accepted events.StudyAccepted
				good, err := json.Marshal(s.log("study.sim.*.accepted")[0])
				if err == nil {
					err = json.Unmarshal(good, &accepted)
				}
				if err != nil {
					t.Fatal(err)
				}
				test.forge(&accepted.Spec)
				accepted.Study, accepted.Run, accepted.Spec.Study = "forged", "00000000", "forged"
				data, err := events.Encode("forged", "proposer", "forged", time.Now(), accepted)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := user.Log().Append(s.ctx, events.Message{Subject: events.StudySubject("forged", "00000000", "accepted"), Data: data}, events.Fence{}); err != nil {
					t.Fatal(err)
				}
				s.kill("proposer") // the next one finds it
				time.Sleep(time.Minute)
				view, err := client.ReadStudy(s.ctx, user.Log(), "forged", "")
				if err != nil || view.State != study.Paused || !strings.Contains(view.Reason, test.says) {
					t.Errorf("%s %q (%v), want paused because of %q", view.State, view.Reason, err, test.says)
				}
				if err := client.Control(s.ctx, user, "", events.StudyControl{Study: "forged", Verb: "cancel"}); err != nil {
					t.Errorf("cancel: %v", err)
				}
			})
		})
	}
}
