package services_test

import (
	"encoding/json"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"apollo/events"
	"apollo/events/membus"
	"apollo/services/proposer"
	"apollo/services/worker"
)

// notices collects the presences of the toy's workers for a while.
func (s *sim) notices(during time.Duration) []events.Presence {
	s.t.Helper()
	var out []events.Presence
	bus := s.hub.Client("listener")
	time.AfterFunc(during, bus.Kill)
	for m, err := range bus.Notices(s.ctx, events.PresenceSubject("toy")) {
		if err != nil {
			break
		}
		var p events.Presence
		if err := json.Unmarshal(m.Data, &p); err != nil {
			s.t.Fatal(err)
		}
		out = append(out, p)
	}
	return out
}

func TestAWorkerSaysThatItIsThere(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSim(t, 1, membus.Faults{}, 0)
		defer s.close()
		var broken atomic.Bool
		logger := slog.New(slog.DiscardHandler)
		s.start("proposer", func(b events.Bus) service {
			return &proposer.Proposer{Bus: b, Catalog: toyCatalog(s.toy), Logger: logger}
		})
		s.start("evaluator", func(b events.Bus) service {
			return &worker.Evaluator{
				Bus: b, Name: "toy", Catalog: toyCatalog(s.toy), Slots: 2, Worker: "host/1", Logger: logger,
				Failpoint: func(string) error {
					if broken.Load() {
						return errors.New("it hurts")
					}
					time.Sleep(time.Minute)
					return nil
				},
			}
		})
		time.Sleep(time.Second)
		idle := s.notices(10 * time.Second)
		if n := len(idle); n != 5 || idle[0].Worker != "host/1" || idle[0].Version != "1" || idle[0].Slots != 2 || len(idle[0].Items) != 0 {
			t.Fatalf("%d notices of an idle worker in 10 s, the first %+v", n, idle)
		}
		s.submit("sim", "x1", toyStudy("sim", 400, ""))
		time.Sleep(5 * time.Second)
		busy := s.notices(3 * time.Second)
		if len(busy) == 0 || len(busy[0].Items) != 2 || busy[0].Items[0].Study != "sim" || busy[0].Items[0].Since == 0 {
			t.Fatalf("a worker with two items in hand says %+v", busy)
		}
		broken.Store(true)
		time.Sleep(3 * time.Minute)
		failing := s.notices(3 * time.Second)
		if len(failing) == 0 || len(failing[0].Returned) == 0 || failing[0].Returned[0].Error != "it hurts" {
			t.Errorf("a worker that gave its items back says %+v", failing)
		}
	})
}
