package natsbus_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/nats-io/nats-server/v2/server"

	"apollo/events"
	"apollo/events/natsbus"
)

// A farm of evaluators has a server of its own, a leaf without JetStream, whose users have
// the permissions of an evaluator. Work and answers go through, and nothing else does.
func TestAnEvaluatorBehindALeafNode(t *testing.T) {
	t.Parallel()
	const inbox = "_INBOX_farm"
	allowed, err := natsbus.PermissionsFor(natsbus.RoleEvaluator, natsbus.Identity{InboxPrefix: inbox, Evaluators: []string{"edge"}})
	if err != nil {
		t.Fatal(err)
	}
	start := func(opts *server.Options) *server.Server {
		t.Helper()
		// Else neither passes on what is asked of JetStream.
		opts.JsAccDefaultDomain = map[string]string{server.DEFAULT_GLOBAL_ACCOUNT: ""}
		opts.Host, opts.Port, opts.NoSigs, opts.NoLog, opts.MaxPayload = "127.0.0.1", server.RANDOM_PORT, true, true, 8<<20
		s, err := server.NewServer(opts)
		if err != nil {
			t.Fatal(err)
		}
		go s.Start()
		t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
		if !s.ReadyForConnections(10 * time.Second) {
			t.Fatal("a server is not ready")
		}
		return s
	}
	options := &server.Options{
		ServerName: "hub", JetStream: true, StoreDir: t.TempDir(), JetStreamMaxStore: 4 << 30,
		LeafNode: server.LeafNodeOpts{Host: "127.0.0.1", Port: server.RANDOM_PORT},
		Users: []*server.User{
			{Username: "drive", Password: "secret"},
			{Username: "leaf", Password: "secret"},
		},
	}
	hub := start(options)
	leaf := start(&server.Options{
		ServerName: "leaf", LeafNode: server.LeafNodeOpts{ReconnectInterval: 100 * time.Millisecond, Remotes: []*server.RemoteLeafOpts{
			{URLs: []*url.URL{{Scheme: "nats-leaf", User: url.UserPassword("leaf", "secret"), Host: fmt.Sprintf("127.0.0.1:%d", options.LeafNode.Port)}}},
		}},
		Users: []*server.User{{Username: "farm", Password: "secret", Permissions: &server.Permissions{
			Publish: &server.SubjectPermission{Allow: allowed.Publish}, Subscribe: &server.SubjectPermission{Allow: allowed.Subscribe},
		}}},
	})
	for end := time.Now().Add(10 * time.Second); leaf.NumLeafNodes() == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the leaf does not reach the hub")
		}
	}
	drive := connect(t, natsbus.Config{URL: hub.ClientURL(), User: "drive", Password: "secret", Topology: small()})
	if err := errors.Join(drive.Provision(t.Context()), drive.ProvisionEvaluator(t.Context(), "edge")); err != nil {
		t.Fatal(err)
	}
	farm := connect(t, natsbus.Config{URL: leaf.ClientURL(), User: "farm", Password: "secret", InboxPrefix: inbox, Topology: small(), Patience: time.Second})
	soon, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := farm.Ready(soon); err != nil {
		t.Fatal(err)
	}
	work, result := events.WorkSubject("edge", "demo", "r", 0), events.ResultSubject("edge", "demo", "r", 0)
	if err := drive.Queue(1).Publish(work, message.NewMessage("w", []byte("work"))); err != nil {
		t.Fatal(err)
	}
	items, err := farm.Queue(1).Subscribe(t.Context(), "work.edge")
	if err != nil {
		t.Fatal(err)
	}
	select {
	case m := <-items:
		if _, err := farm.Facts().Record(t.Context(), events.Message{Subject: result, ID: result, Data: []byte("answer")}); err != nil {
			t.Fatal(err)
		}
		m.Ack()
	case <-time.After(10 * time.Second):
		t.Fatal("the work does not reach the farm")
	}
	for m, err := range drive.Facts().Read(t.Context(), 0, result) {
		if err != nil || string(m.Data) != "answer" {
			t.Errorf("the answer is %q, %v", m.Data, err)
		}
	}
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		if queued, err := drive.Queued(t.Context(), work); err == nil && !queued {
			break
		}
		if time.Now().After(end) {
			t.Fatal("the work stays in the queue")
		}
	}
	forged := events.Message{Subject: events.StudySubject("demo", "r", "cancelled"), ID: "1", Data: []byte("{}")}
	if _, err := farm.Log().Append(t.Context(), forged, events.Fence{}); !errors.Is(err, events.ErrDenied) {
		t.Errorf("an evaluator behind the leaf cancels a study: %v, want that it is denied", err)
	}
	if info, err := drive.Log().Info(t.Context(), forged.Subject); err != nil || info.Messages != 0 {
		t.Errorf("the log holds %d messages, %v, want none", info.Messages, err)
	}
}
