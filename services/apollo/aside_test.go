package main

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"apollo/events"
	"apollo/events/natsbus"
)

// Who may ask anything names the subject of the answer, and NATS checks no permissions
// there: what the server and the services answer on a subject of the contract is nobody's
// word.
func TestAnswersAsideAreNobodysWord(t *testing.T) {
	t.Parallel()
	url, _ := teamServer(t, team(), nil)
	provisioned(t, url)
	bus, err := natsbus.Connect(t.Context(), natsbus.Config{URL: url, User: "root", Password: secretWord, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = bus.Close(t.Context()) }()
	answered := 0
	err = bus.ServeMicro(t.Context(), "apollo", "1.0.0", "test", map[string]natsbus.Endpoint{"get": func(context.Context, []byte) ([]byte, error) {
		answered++
		return []byte(`{"study":"victim"}`), nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	reader, err := nats.Connect(url, nats.UserInfo("look", secretWord), nats.Timeout(connectPatience), nats.CustomInboxPrefix("_INBOX_reader"))
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	if _, err := reader.Request("apollo.v1.api.get", nil, 5*time.Second); err != nil {
		t.Fatal(err)
	}
	stored := func(subject string) uint64 {
		info, err := bus.Log().Info(t.Context(), subject)
		if err != nil {
			t.Fatal(err)
		}
		return info.Last
	}
	for _, subject := range []string{
		events.ResultSubject("edge", "victim", "00000000", 0), events.StudySubject("victim", "00000000", "cancelled"),
		events.ArchiveSubject("victim", "00000000", "final"), events.RejectedSubject("victim"),
	} {
		before := stored(subject)
		for _, question := range []string{"$JS.API.STREAM.INFO.APOLLO_LOG", "$JS.API.STREAM.MSG.GET.APOLLO_LOG", "apollo.v1.api.get"} {
			if err := reader.PublishRequest(question, "apollo.v1."+subject, []byte(`{"seq":7}`)); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := reader.Request("apollo.v1.api.get", nil, 5*time.Second); err != nil { // what came before is answered
			t.Fatal(err)
		}
		for end := time.Now().Add(10 * time.Second); stored(subject) < before+2; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("nothing is stored on %s: the test tests nothing", subject)
			}
		}
		for m, err := range bus.Log().Read(t.Context(), 0, subject) {
			t.Errorf("%s holds %s, %v", subject, m.Data, err)
		}
		if strings.HasPrefix(subject, "result.") {
			if _, err := bus.Facts().Record(t.Context(), events.Message{Subject: subject, ID: "1", Data: []byte("fact")}); err != nil {
				t.Errorf("the evaluator cannot answer any more: %v", err)
			}
		}
	}
	if answered != 5 {
		t.Errorf("%d questions were answered, want the 5 of which the answer goes to an inbox", answered)
	}
}
