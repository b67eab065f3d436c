package services_test

import (
	"errors"
	"strings"
	"testing"

	"apollo/events"
	"apollo/services/client"
	"apollo/services/study"
)

// An owner changes its own studies alone, and an archiver pauses any.
func TestOwners(t *testing.T) {
	t.Parallel()
	calm(t, func(s *sim) {
		bus := s.hub.Client("user")
		if err := bus.Ready(s.ctx); err != nil {
			t.Fatal(err)
		}
		submit := func(owner string, fresh bool) error {
			_, err := client.Submit(s.ctx, bus, owner, "sim", "", events.StudyRequested{Study: []byte(toyStudy("sim", 5000, "")), Fresh: fresh}, nil)
			return err
		}
		ask := func(owner, verb string) error {
			return client.Control(s.ctx, bus, owner, events.StudyControl{Study: "sim", Verb: verb, Trials: 6000})
		}
		refused := func(what string, err error) {
			t.Helper()
			r, ok := errors.AsType[*client.RejectedError](err)
			if !ok || r.Errors[0].Code != "owner" {
				t.Errorf("%s: %v, want a refusal because of the owner", what, err)
			}
		}
		done := func(what string, err error) {
			t.Helper()
			if err != nil {
				t.Errorf("%s: %v", what, err)
			}
		}
		refused("an archiver submits", submit(events.ArchiverOwner, false))
		done("ada submits", submit("ada", false))
		for _, verb := range []string{"pause", "stop", "cancel", "extend"} {
			refused("eve: "+verb, ask("eve", verb))
		}
		refused("an archiver cancels", ask(events.ArchiverOwner, "cancel"))
		err := submit("eve", true)
		refused("eve replaces it", err)
		if !strings.Contains(err.Error(), "ada") || !strings.Contains(err.Error(), "eve") {
			t.Errorf("%v: want both names", err)
		}
		done("an archiver pauses", ask(events.ArchiverOwner, "pause"))
		done("ada resumes", ask("ada", "resume"))
		done("an operator begins it anew", submit("", true))
		view, err := client.ReadStudy(s.ctx, bus.Log(), "sim", "")
		if err != nil || view.Owner != "ada" || view.State != study.Running {
			t.Errorf("the fresh run is of %q and %s (%v), want a running one of ada", view.Owner, view.State, err)
		}
		refused("eve cancels it", ask("eve", "cancel"))
		done("ada cancels it", ask("ada", "cancel"))
	})
}
