package services_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"apollo/events"
	"apollo/events/membus"
	"apollo/services/client"
	"apollo/services/study"
)

// Whoever sends thousands of requests that are refused, under any names, gets
// answers to all, fills the log with none, and keeps nobody from their turn.
func TestAFloodOfRejectedRequestsLeavesRoom(t *testing.T) {
	t.Parallel()
	calm(t, func(s *sim) {
		const requests = 5*events.MaxRejections + 7
		user := s.hub.Client("user")
		if err := user.Ready(s.ctx); err != nil {
			t.Fatal(err)
		}
		for i := range requests {
			body := `{"kind":"Study"}`
			if i%1000 == 0 {
				body = `{"kind":"Study",` + strings.Repeat(`"x":1,`, 50_000) + `"y":1}` // as many mistakes
			}
			m := message.NewMessage(fmt.Sprint("bad", i), []byte(body))
			if err := user.Queue(1).Publish(events.SubmitSubject(fmt.Sprint("bad", i%3000)), m); err != nil {
				t.Fatal(err)
			}
		}
		s.submit("sim", "x1", toyStudy("sim", 40, ""))
		if view := s.wait("sim"); view.State != study.Completed {
			t.Errorf("the study behind the flood: %s (%s)", view.State, view.Reason)
		}
		kept := s.log("rejected.*")
		if n := len(kept); n < events.MaxRejections || n >= 2*events.MaxRejections {
			t.Errorf("%d rejections are kept of %d, want %d to %d", n, requests, events.MaxRejections, 2*events.MaxRejections)
		}
		last := kept[len(kept)-1].(events.StudyRejected)
		if want := fmt.Sprint("bad", requests-1); last.Command != want {
			t.Errorf("the last rejection answers %s, want %s", last.Command, want)
		}
		reader := s.hub.Client("reader")
		for m, err := range reader.Log().Read(s.ctx, 0, "rejected.*") {
			if err != nil {
				t.Fatal(err)
			}
			if len(m.Data) > events.MaxRejectedBytes+1024 {
				t.Errorf("a rejection has %d bytes", len(m.Data))
			}
		}
		// A rejection after the flood reaches who asked.
		_, err := client.Submit(s.ctx, user, "", "sim", "", events.StudyRequested{Study: []byte(`{"kind":"Study"}`)}, nil)
		if err == nil || !strings.Contains(err.Error(), "rejected") {
			t.Errorf("a bad request is answered with %v", err)
		}
	})
}

// A request that waits behind others is not told that nobody is there, and one
// that nobody carries out is.
func TestAQueueOfCommandsIsNoSilence(t *testing.T) {
	t.Parallel()
	slow := func(subject string) error {
		if strings.HasPrefix(subject, "rejected.") {
			time.Sleep(200 * time.Millisecond)
		}
		return nil
	}
	troubled(t, faulty{appending: slow}, nil, func(s *sim) {
		for i := range 200 {
			s.submit(fmt.Sprint("bad", i), fmt.Sprint("bad", i), `{"kind":"Study"}`)
		}
		user := s.hub.Client("user")
		began := time.Now()
		request := events.StudyRequested{Study: []byte(toyStudy("sim", 40, ""))}
		if _, err := client.Submit(s.ctx, user, "", "sim", "", request, nil); err != nil || time.Since(began) < 30*time.Second {
			t.Errorf("after %s behind 200 others: %v, want that it is accepted after 40 s", time.Since(began), err)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		s := newSim(t, 1, membus.Faults{}, 0)
		defer s.close()
		user := s.hub.Client("user")
		if err := user.Provision(s.ctx); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		_, err := client.Submit(s.ctx, user, "", "sim", "", events.StudyRequested{Study: []byte("{}")}, nil)
		if took := time.Since(began); !errors.Is(err, client.ErrNoAnswer) || took > 12*time.Second {
			t.Errorf("without a proposer: %v after %s, want ErrNoAnswer", err, took)
		}
	})
}
