package proposer

import (
	"encoding/json"
	"testing"
	"time"

	"apollo/events"
	"apollo/services/messages"
)

// A notice of presence that is nobody's, as it speaks for another evaluator, is
// no archiver either; one on the archivers' subject is.
func TestRosterTellsWorkersFromArchivers(t *testing.T) {
	t.Parallel()
	r := roster{archivers: map[[3]string]archiverSeen{}}
	hear := func(subject string, notice any) (ok bool) {
		data, err := json.Marshal(notice)
		if err != nil {
			t.Fatal(err)
		}
		m := events.Message{Subject: subject, Data: data}
		if _, ok = r.workers.Note(m); !ok {
			r.note(m)
		}
		return ok
	}
	there := func() bool {
		ok, _ := r.archiver(messages.RunKey{}, time.Now())
		return ok
	}
	if hear(events.PresenceSubject("edge"), events.Presence{Evaluator: "toy", Worker: "box/1"}) || there() {
		t.Error("a notice for another evaluator counts")
	}
	if !hear(events.PresenceSubject("edge"), events.Presence{Evaluator: "edge", Worker: "box/1"}) || there() {
		t.Error("a worker does not count, or as an archiver")
	}
	if hear(events.ArchivingSubject, events.Archiving{Worker: "box/2"}); !there() {
		t.Error("an archiver does not count")
	}
}
