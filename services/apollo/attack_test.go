package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"apollo/events"
	"apollo/events/natsbus"
)

// attack is what a member tries that its role is not for.
type attack struct {
	who, what string
	// publish is the subject that it asks for an acknowledgement on, with body;
	// hear is one that it listens on instead.
	publish, body, hear string
	// silent: nobody acknowledges it; it succeeds where somebody hears it.
	silent bool
}

// attacks are those of every role. Each is denied with what is printed, and
// succeeds with one more line.
func attacks() []attack {
	const v1 = "apollo.v1."
	control := `{"study":"victim","verb":"cancel"}`
	pull := `{"batch":1,"expires":100000000}`
	consumer := func(stream string) string {
		return fmt.Sprintf(`{"stream_name":%q,"config":{"name":"thief","durable_name":"","ack_policy":"explicit","deliver_policy":"all","deliver_subject":"apollo.v1.cmd.study.control.victim","inactive_threshold":5000000000}}`, stream)
	}
	purge := `{"filter":"apollo.v1.nothing"}`
	var list []attack
	for _, who := range []string{"ada", "keep", "look", "measure", "boss"} {
		if who != "boss" {
			list = append(list,
				attack{who: who, what: "command as an operator", publish: v1 + "cmd.study.control.victim", body: control},
				attack{who: who, what: "command as ada", publish: v1 + "cmd.owner.eve.control.victim", body: control},
				attack{who: who, what: "replace a study", publish: v1 + "cmd.study.submit.victim", body: `{}`},
				attack{who: who, what: "purge the log", publish: "$JS.API.STREAM.PURGE.APOLLO_LOG", body: purge})
		}
		if who != "measure" {
			list = append(list, attack{who: who, what: "forge a result", publish: v1 + "result.edge.victim.00000000.0", body: `{}`})
		}
		if who != "keep" {
			list = append(list, attack{who: who, what: "forge an archive event", publish: v1 + "archive.victim.00000000.final", body: `{}`})
		}
		if who != "measure" && who != "boss" {
			list = append(list, attack{who: who, what: "forge work", publish: v1 + "work.edge.victim.00000000.0", body: `{}`})
		}
		list = append(list,
			attack{who: who, what: "forge accepted", publish: v1 + "study.victim.00000000.accepted", body: `{}`},
			attack{who: who, what: "end a study", publish: v1 + "study.victim.00000000.cancelled", body: `{}`},
			attack{who: who, what: "forge a refusal", publish: v1 + "rejected.victim", body: `{}`},
			attack{who: who, what: "fill the proposer's letters", publish: v1 + "dlq.proposer.victim", body: `{}`},
			attack{who: who, what: "capture replies in a stream", publish: "$JS.API.STREAM.CREATE.thief", body: `{"name":"thief","subjects":["thief.>"],"storage":"memory"}`},
			attack{who: who, what: "read the replies of eve", hear: "_INBOX_eve.>"},
			attack{who: who, what: "read everybody's replies", hear: "_INBOX.>"},
			attack{who: who, what: "read commands", publish: "$JS.API.STREAM.MSG.GET.APOLLO_CMD", body: `{"seq":1}`},
			attack{who: who, what: "take commands", publish: "$JS.API.CONSUMER.MSG.NEXT.APOLLO_CMD.cmd", body: pull},
			attack{who: who, what: "forge a tick", publish: v1 + "tick.victim.00000000", body: `{}`, silent: true},
			attack{who: who, what: "forge a notice", publish: v1 + "notify.victim", body: `{}`, silent: true},
			attack{who: who, what: "read the replies of the proposer", hear: "_INBOX_proposer.>"},
			attack{who: who, what: "hear commands", hear: v1 + "cmd.>"},
			attack{who: who, what: "acknowledge commands", publish: "$JS.ACK.APOLLO_CMD.cmd.1.1.1.1.0", body: "+ACK", silent: true},
			attack{who: who, what: "hold up commands", publish: "$JS.API.CONSUMER.PAUSE.APOLLO_CMD.cmd", body: `{"pause_until":"2001-01-01T00:00:00Z"}`},
			attack{who: who, what: "copy the commands", publish: "$JS.API.STREAM.SNAPSHOT.APOLLO_CMD", body: `{"deliver_subject":"thief.copy"}`},
			attack{who: who, what: "name the consumers of others", publish: "$JS.API.CONSUMER.NAMES.APOLLO_CMD"},
			attack{who: who, what: "make an object store", publish: "$JS.API.STREAM.CREATE.OBJ_thief", body: `{"name":"OBJ_thief","subjects":["$O.thief.>"],"storage":"memory"}`})
		if who != "keep" {
			list = append(list, attack{who: who, what: "pass for an archiver", publish: v1 + events.ArchivingSubject, body: `{}`, silent: true})
		}
		if who != "measure" {
			list = append(list, attack{who: who, what: "pass for an evaluator", publish: v1 + "present.edge", body: `{}`, silent: true})
		}
	}
	return append(list,
		attack{who: "other", what: "answer for another evaluator", publish: v1 + "result.edge.victim.00000000.1", body: `{}`},
		attack{who: "other", what: "take another evaluator's work", publish: "$JS.API.CONSUMER.MSG.NEXT.APOLLO_WORK.ev-edge", body: pull},
		attack{who: "other", what: "hand work to another evaluator", publish: v1 + "work.edge.victim.00000000.1", body: `{}`},
		attack{who: "other", what: "acknowledge another evaluator's work", publish: "$JS.ACK.APOLLO_WORK.ev-edge.1.1.1.1.0", body: "+ACK", silent: true},
		attack{who: "other", what: "pass for another evaluator", publish: v1 + "present.edge", body: `{}`, silent: true},
		attack{who: "look", what: "ask for a study", publish: v1 + "cmd.owner.look.submit.victim", body: `{}`},
		attack{who: "keep", what: "redirect its own events", publish: "$JS.API.CONSUMER.CREATE.APOLLO_ARCHIVE.thief", body: consumer("APOLLO_ARCHIVE")},
		attack{who: "measure", what: "redirect its own results", publish: "$JS.API.CONSUMER.CREATE.APOLLO_RESULT.thief", body: consumer("APOLLO_RESULT")},
		attack{who: "measure", what: "redirect its own work", publish: "$JS.API.CONSUMER.CREATE.APOLLO_WORK.thief.apollo.v1.work.nobody.>", body: strings.Replace(consumer("APOLLO_WORK"), `"config":{`, `"config":{"filter_subject":"apollo.v1.work.nobody.>",`, 1)},
		attack{who: "measure", what: "read dead letters", publish: "$JS.API.CONSUMER.CREATE.APOLLO_DLQ.thief", body: consumer("APOLLO_DLQ")},
		attack{who: "drive", what: "ask for a change as ada", publish: v1 + "cmd.owner.ada.control.victim", body: control},
		attack{who: "drive", what: "read the replies of ada", hear: "_INBOX_ada.>"},
	)
}

// connectPatience is how long a busy machine may take to log somebody in.
const connectPatience = 30 * time.Second

// No role can do another one's job; with the line that it lacks it can.
func TestAttacksAreDenied(t *testing.T) {
	t.Parallel()
	list := attacks()
	members, extra := withTwins(list)
	url, _ := teamServer(t, members, extra)
	makeAttacks(t, list, url, provisioned(t, url))
}

// Evaluators behind a leaf node can do no more than those of the hub: the leaf has what is
// printed for them, and the hub trusts it.
func TestAttacksThroughALeafAreDenied(t *testing.T) {
	t.Parallel()
	list := slices.DeleteFunc(attacks(), func(a attack) bool { return a.who != "measure" && a.who != "other" })
	const domain = "default_js_domain: { \"$G\": \"\" }\n"
	hub, opts := teamServerWith(t, nil, nil, storesHere(t)+domain+"leafnodes { listen: \"127.0.0.1:-1\" }\n", nil)
	root := provisioned(t, hub)
	members, extra := withTwins(list)
	remote := fmt.Sprintf("leafnodes { remotes: [ { url: \"nats-leaf://root:%s@127.0.0.1:%d\" } ] }\n", secretWord, opts.LeafNode.Port)
	leaf, _ := teamServerWith(t, members, extra, domain+remote, nil)
	nc, err := nats.Connect(leaf, nats.UserInfo("root", secretWord), nats.Timeout(connectPatience))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if _, err := nc.Request("$JS.API.STREAM.INFO.APOLLO_WORK", nil, time.Second); err == nil {
			break
		}
		if time.Now().After(end) {
			t.Fatal("the leaf does not reach the hub")
		}
	}
	makeAttacks(t, list, leaf, root)
}

// withTwins returns the team, and of every attacker a twin with the one line more.
func withTwins(list []attack) (members []member, extra map[string][2]string) {
	members, extra = team(), map[string][2]string{}
	for i, a := range list {
		twin := memberNamed(a.who)
		twin.name = fmt.Sprintf("twin-%d", i)
		members, extra[twin.name] = append(members, twin), [2]string{"publish", a.publish}
		if a.hear != "" {
			extra[twin.name] = [2]string{"subscribe", a.hear}
		}
	}
	return members, extra
}

func memberNamed(name string) member {
	all := team()
	return all[slices.IndexFunc(all, func(m member) bool { return m.name == name })]
}

// makeAttacks makes each attack as who has what is printed, which has to fail, and as the
// twin, which has to succeed.
func makeAttacks(t *testing.T, list []attack, url string, root *nats.Conn) {
	t.Helper()
	by := map[string]member{}
	for _, m := range team() {
		by[m.name] = m
	}
	succeeded := 0
	for i, a := range list {
		if err := a.try(t, url, a.who, by[a.who].inbox, root); !errors.Is(err, nats.ErrPermissionViolation) {
			succeeded++
			t.Errorf("%s (%s): %s: %v, want that the server denies it", a.who, by[a.who].role, a.what, err)
		}
		if err := a.try(t, url, fmt.Sprintf("twin-%d", i), by[a.who].inbox, root); err != nil {
			t.Errorf("%s (%s): %s, allowed: %v, want that it succeeds: the attack tests nothing", a.who, by[a.who].role, a.what, err)
		}
	}
	t.Logf("%d attacks, %d succeeded", len(list), succeeded)
}

// No header of a message does to a stream what its sender may not: empty it, take room
// for ever, or have something stored later.
func TestHeadersDoNothingElse(t *testing.T) {
	t.Parallel()
	url, _ := teamServer(t, nil, nil)
	root := provisioned(t, url)
	for _, subject := range []string{"cmd.study.control.victim", "rejected.victim", "work.edge.victim.00000000.1", "result.edge.victim.00000000.1", "archive.victim.00000000.final", "dlq.evaluator.victim"} {
		for header, value := range map[string]string{
			"Nats-Rollup": "all", "Nats-TTL": "1s", "Nats-Schedule": "@every 1s", "Nats-Incr": "1", "Nats-Batch-Id": "x", "Nats-Expected-Stream": "OTHER",
		} {
			reply, err := root.RequestMsg(&nats.Msg{Subject: "apollo.v1." + subject, Header: nats.Header{header: {value}}, Data: []byte(`{}`)}, 5*time.Second)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(string(reply.Data), `"error"`) {
				t.Errorf("%s with %s: %s, want that it is refused", subject, header, reply.Data)
			}
		}
	}
}

// provisioned makes the streams and the queue of the evaluator edge, and returns
// a connection that may do everything.
func provisioned(t *testing.T, url string) *nats.Conn {
	t.Helper()
	bus, err := natsbus.Connect(t.Context(), natsbus.Config{URL: url, User: "root", Password: secretWord, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(bus.Provision(t.Context()), bus.ProvisionEvaluator(t.Context(), "edge")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = bus.Close(context.WithoutCancel(t.Context())) })
	root, err := nats.Connect(url, nats.UserInfo("root", secretWord), nats.Timeout(connectPatience))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(root.Close)
	return root
}

// try makes the attack and returns why it failed.
func (a *attack) try(t *testing.T, url, user, inbox string, root *nats.Conn) error {
	t.Helper()
	denied := make(chan error, 8)
	nc, err := nats.Connect(url, nats.UserInfo(user, secretWord), nats.Timeout(connectPatience), nats.CustomInboxPrefix(inbox), nats.PermissionErrOnSubscribe(true),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { denied <- err }))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	listener, subject := root, a.publish
	switch {
	case a.hear != "":
		listener, subject = nc, a.hear
	case !a.silent:
		listener, subject = nc, nc.NewRespInbox()
	}
	heard, err := listener.SubscribeSync(subject)
	if err != nil {
		return err
	}
	defer func() { _ = heard.Unsubscribe() }()
	if err := listener.Flush(); err != nil {
		return err
	}
	say := func() error { return nil }
	switch {
	case a.hear != "":
		say = func() error { return root.Publish(strings.Replace(a.hear, ">", "x.y", 1), []byte("secret")) }
	case a.silent:
		say = func() error { return nc.Publish(a.publish, []byte(a.body)) }
	default:
		err = nc.PublishRequest(a.publish, subject, []byte(a.body))
	}
	if err := errors.Join(err, say(), root.Flush(), nc.Flush()); err != nil {
		return err
	}
	m, err := answered(heard, denied, say)
	if err != nil {
		return err
	}
	var reply struct {
		Error *jetstream.APIError `json:"error"`
	}
	if !a.silent && json.Unmarshal(m.Data, &reply) == nil && reply.Error != nil && reply.Error.ErrorCode != jetstream.JSErrCodeMessageNotFound {
		return reply.Error
	}
	return nil
}

// answered returns what was heard, or the denial, which comes by another way. It says what
// nobody acknowledges again and again: another server may not know yet who listens.
func answered(heard *nats.Subscription, denied <-chan error, say func() error) (m *nats.Msg, err error) {
	for range 100 {
		if m, err = heard.NextMsg(50 * time.Millisecond); !errors.Is(err, nats.ErrTimeout) {
			return m, err
		}
		select {
		case err := <-denied:
			return nil, err
		default:
		}
		if err := say(); err != nil {
			return nil, err
		}
	}
	return nil, err
}

// Who reads may have the server send what is stored to any subject. What Apollo
// stores stays in its stream all the same.
func TestRedirectedEventsStayWhereTheyAre(t *testing.T) {
	t.Parallel()
	url, _ := teamServer(t, team(), nil)
	root := provisioned(t, url)
	bus, err := natsbus.Connect(t.Context(), natsbus.Config{URL: url, User: "root", Password: secretWord, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = bus.Close(t.Context()) }()
	nc, err := nats.Connect(url, nats.UserInfo("look", secretWord), nats.Timeout(connectPatience), nats.CustomInboxPrefix("_INBOX_reader"))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	taken := func() uint64 {
		info, err := bus.Log().Info(t.Context(), events.ControlSubject("victim"))
		if err != nil {
			t.Fatal(err)
		}
		return info.Last
	}
	redirect := func(name, subject string) {
		t.Helper()
		body := fmt.Sprintf(`{"stream_name":"APOLLO_LOG","config":{"name":%q,"ack_policy":"none","deliver_policy":"all","filter_subject":%q,"deliver_subject":"apollo.v1.cmd.study.control.victim","inactive_threshold":5000000000}}`, name, subject)
		reply, err := nc.Request("$JS.API.CONSUMER.CREATE.APOLLO_LOG."+name+"."+subject, []byte(body), 5*time.Second)
		if err != nil || strings.Contains(string(reply.Data), `"error"`) {
			t.Fatalf("%s: %v %s", name, err, reply.Data)
		}
	}
	// The server sends on what somebody listens to.
	if _, err := root.Subscribe("apollo.v1.cmd.study.control.victim", func(*nats.Msg) {}); err != nil {
		t.Fatal(err)
	}
	// Ours first; that what comes after it was taken says that it was refused.
	if _, err := bus.Log().Append(t.Context(), events.Message{Subject: events.RejectedSubject("ours"), ID: "1", Data: []byte(`{}`)}, events.Fence{}); err != nil {
		t.Fatal(err)
	}
	redirect("first", "apollo.v1.rejected.ours")
	if _, err := root.Request("apollo.v1.rejected.theirs", []byte(`{}`), 5*time.Second); err != nil {
		t.Fatal(err)
	}
	redirect("second", "apollo.v1.rejected.theirs")
	for tries := 0; taken() == 0; tries++ {
		if tries > 1000 {
			t.Fatal("what does not name its stream is not sent on: the test tests nothing")
		}
	}
	if n := taken(); n != 1 {
		t.Errorf("%d messages were taken for commands, want the one that names no stream", n)
	}
}
