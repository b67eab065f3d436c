package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"apollo/events"
	"apollo/events/natsbus"
	"apollo/services/cli"
)

// member is a user of a shared server: a role, and the flags that it logs in
// with.
type member struct {
	name, role string
	flags      []string // of `auth permissions`
	inbox      string
}

// team is everyone of one bus.
func team() []member {
	return []member{
		{"ada", "submitter", []string{"--owner", "ada"}, "_INBOX_ada"},
		{"eve", "submitter", []string{"--owner", "eve"}, "_INBOX_eve"},
		{"boss", "operator", nil, "_INBOX_operator"},
		{"drive", "proposer", nil, "_INBOX_proposer"},
		{"measure", "evaluator", nil, "_INBOX_evaluator"},
		{"other", "evaluator", []string{"--evaluator", "other"}, "_INBOX_evaluator_other"},
		{"keep", "archiver", nil, "_INBOX_archiver"},
		{"look", "reader", nil, "_INBOX_reader"},
	}
}

// No user's inbox is another one's, whatever they are called.
func TestInboxesAreTheirOwn(t *testing.T) {
	t.Parallel()
	whose := map[string]string{}
	note := func(role, owner string, evaluators ...string) {
		inbox, who := inboxOf(role, owner, evaluators), fmt.Sprint(role, " ", owner, evaluators)
		if other, taken := whose[inbox]; taken {
			t.Errorf("%s has the inbox of %s: %s", who, other, inbox)
		}
		whose[inbox] = who
		if _, err := natsbus.PermissionsFor(role, natsbus.Identity{InboxPrefix: inbox, Owner: owner, Evaluators: evaluators}); err != nil {
			t.Error(err)
		}
	}
	names := append([]string{"edge", "edge-a", "a"}, natsbus.Roles()...)
	for _, name := range names {
		if name != events.ArchiverOwner {
			note(natsbus.RoleSubmitter, name)
		}
		note(natsbus.RoleEvaluator, "", name)
		note(natsbus.RoleEvaluator, "", name, "edge")
	}
	for _, role := range []string{natsbus.RoleOperator, natsbus.RoleProposer, natsbus.RoleArchiver, natsbus.RoleReader} {
		note(role, "")
	}
}

// printedPermissions is what `apollo auth permissions` prints for a member.
func printedPermissions(t *testing.T, m member) string {
	t.Helper()
	var stdout, stderr bytes.Buffer
	args := append([]string{"auth", "permissions", m.role}, m.flags...)
	if code := Main(t.Context(), args, nil, &stdout, &stderr); code != cli.ExitOK {
		t.Fatalf("%q: exit code %d\n%s", args, code, &stderr)
	}
	if !strings.Contains(stdout.String(), "--inbox-prefix "+m.inbox) {
		t.Fatalf("%q does not say to log in with the inbox %s:\n%s", args, m.inbox, &stdout)
	}
	return stdout.String()
}

// teamServer runs a server whose configuration includes what is printed, beside
// root, who may do everything. extra has permissions more, by name: publish or
// subscribe, and a subject.
func teamServer(t *testing.T, members []member, extra map[string][2]string) (url string, violations func() []string) {
	t.Helper()
	seen := &violationLog{}
	url, _ = teamServerWith(t, members, extra, storesHere(t), seen)
	return url, seen.list
}

// storesHere are the settings of a server that has the streams.
func storesHere(t *testing.T) string {
	return fmt.Sprintf("jetstream { store_dir: %q, max_file_store: 4GB }\n", t.TempDir())
}

// teamServerWith is teamServer with settings of its own.
func teamServerWith(t *testing.T, members []member, extra map[string][2]string, settings string, log server.Logger) (url string, opts *server.Options) {
	t.Helper()
	dir := t.TempDir()
	var users strings.Builder
	for _, m := range members {
		text := printedPermissions(t, m)
		if more, ok := extra[m.name]; ok {
			list := "  " + more[0] + " {\n    allow: [\n"
			text = strings.Replace(text, list, list+fmt.Sprintf("      %q\n", more[1]), 1)
		}
		if err := os.WriteFile(filepath.Join(dir, m.name+".conf"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&users, "    { user: %s, password: %q, include %q }\n", m.name, secretWord, "./"+m.name+".conf")
	}
	fmt.Fprintf(&users, "    { user: root, password: %q }\n", secretWord)
	text := fmt.Sprintf("listen: \"127.0.0.1:-1\"\nmax_payload: 8MB\n%sauthorization {\n  users: [\n%s  ]\n}\n", settings, &users)
	return confServer(t, dir, text, log)
}

// violationLog keeps what the server says about denied subjects.
type violationLog struct {
	mu    sync.Mutex
	lines []string
}

func (l *violationLog) note(format string, v ...any) {
	if text := fmt.Sprintf(format, v...); strings.Contains(text, "Violation") {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.lines = append(l.lines, text)
	}
}

func (l *violationLog) list() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.lines)
}

func (l *violationLog) Noticef(string, ...any)         {}
func (l *violationLog) Warnf(format string, v ...any)  { l.note(format, v...) }
func (l *violationLog) Fatalf(format string, v ...any) { l.note(format, v...) }
func (l *violationLog) Errorf(format string, v ...any) { l.note(format, v...) }
func (l *violationLog) Debugf(format string, v ...any) {}
func (l *violationLog) Tracef(format string, v ...any) {}

// as are the flags with which a member uses a server.
func as(t *testing.T, m member, url string) []string {
	t.Helper()
	flags := []string{"--nats", url, "--user", m.name, "--password-file", writeFile(t, "password", []byte(secretWord)), "--inbox-prefix", m.inbox}
	if m.role == "submitter" {
		flags = append(flags, "--owner", m.name)
	}
	return flags
}

// syncBuffer is what a role says while the test goes on.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// freeAddress is one that nobody listens at.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// Every role does its job on a server that allows what `apollo auth permissions`
// prints and nothing else.
func TestRolesDoTheirJob(t *testing.T) {
	t.Parallel()
	members := team()
	url, violations := teamServer(t, members, nil)
	by := map[string]member{}
	for _, m := range members {
		by[m.name] = m
	}
	data := t.TempDir()
	ctx, stop := context.WithCancel(t.Context())
	var roles sync.WaitGroup
	var said syncBuffer
	health := map[string]string{}
	for _, r := range []struct {
		flags []string
		args  []string
	}{
		{as(t, by["drive"], url), []string{"serve", "proposer"}},
		{as(t, by["measure"], url), []string{"serve", "evaluator", "--evaluators", "1"}},
		{as(t, by["keep"], url), []string{"serve", "archiver", "--data", data}},
	} {
		health[r.args[1]] = freeAddress(t)
		r.args = append(r.args, "--http", health[r.args[1]])
		roles.Go(func() {
			if code := Main(ctx, append(r.args, r.flags...), nil, &said, &said); code != cli.ExitOK && ctx.Err() == nil {
				t.Errorf("%s: exit code %d", r.args, code)
			}
		})
	}
	t.Cleanup(func() { stop(); roles.Wait() })
	study := writeFile(t, "demo.yaml", []byte(demoStudy))
	for ready := 1; ready != cli.ExitOK; { // the proposer makes the streams
		ready = Main(t.Context(), append([]string{"study", "ls"}, as(t, by["look"], url)...), nil, io.Discard, io.Discard)
	}
	run := func(who string, code int, says string, args ...string) {
		t.Helper()
		var stdout, stderr bytes.Buffer
		got := Main(t.Context(), append(args, as(t, by[who], url)...), nil, &stdout, &stderr)
		if got != code || !strings.Contains(stdout.String()+stderr.String(), says) {
			t.Errorf("%s: %q: exit code %d, want %d and %q\n%s%s\nthe roles: %s", who, args, got, code, says, &stdout, &stderr, &said)
		}
	}
	run("ada", cli.ExitOK, "accepted", "study", "submit", study)
	run("ada", cli.ExitOK, "completed", "study", "watch", "demo", "-q")
	run("look", cli.ExitOK, "of ada", "study", "show", "demo")
	run("look", cli.ExitOK, "demo", "study", "ls")
	run("look", cli.ExitOK, "completed", "events", "tail", "--follow=false", "--all", "--study", "demo")
	run("eve", cli.ExitRejected, "of ada", "study", "extend", "demo", "--trials", "90")
	run("eve", cli.ExitRejected, "of ada", "study", "submit", "--fresh", study)
	run("ada", cli.ExitOK, "90", "study", "extend", "demo", "--trials", "90")
	run("ada", cli.ExitOK, "completed", "study", "watch", "demo", "-q")
	run("boss", cli.ExitOK, "", "dlq", "ls")
	run("boss", cli.ExitOK, "95", "study", "extend", "demo", "--trials", "95")
	run("boss", cli.ExitOK, "completed", "study", "watch", "demo", "-q")
	run("ada", cli.ExitOK, "completed", "study", "fork", "demo", "--at", "40")
	run("eve", cli.ExitOK, "completed", "study", "fork", "demo", "--at", "40", "--set", "metadata.name=eves")
	run("look", cli.ExitOK, "edge", "evaluator", "ls")
	time.Sleep(events.AbsentAfter) // from then on who is not heard is missing
	for role, address := range health {
		response, err := http.Get("http://" + address + "/healthz")
		if err != nil {
			t.Fatal(err)
		}
		if text, _ := io.ReadAll(response.Body); response.StatusCode != http.StatusOK {
			t.Errorf("the %s is not well: %s", role, text)
		}
		_ = response.Body.Close()
	}
	for range 100 { // it is archived in a moment
		if Main(t.Context(), append([]string{"study", "rm", "demo", "--yes", "--archive", data}, as(t, by["boss"], url)...), nil, io.Discard, io.Discard) == cli.ExitOK {
			break
		}
	}
	run("look", cli.ExitNotFound, "", "study", "show", "demo")
	for _, v := range violations() {
		// Two questions that a role may ask and does without (docs/security.md).
		if strings.Contains(v, "$JS.API.CONSUMER.CREATE.APOLLO_WORK.ev-") || strings.Contains(v, "$JS.API.CONSUMER.CREATE.APOLLO_ARCHIVE.") {
			continue
		}
		if strings.Contains(v, "APOLLO_DLQ") && strings.Contains(v, "look") {
			continue // events tail says that it shows no dead letters
		}
		if strings.Contains(v, "study.demo.") && strings.Contains(v, ".removed") && strings.Contains(v, "boss") {
			continue // an operator removes without a claim (docs/operate.md)
		}
		t.Errorf("the server denied: %s", v)
	}
}

const demoStudy = `apiVersion: apollo/v1
kind: Study
metadata: {name: demo}
spec:
  space: {template: edge}
  workload: {networks: [{name: mobilenet_v2}]}
  objectives: [{metric: latency, goal: minimize}]
  constraints: [{metric: area, max: 6.8 mm2}]
  algorithm: {name: random}
  budget: {trials: 80}
  seed: 1
`

// The configuration of docs/security.md is one that a server runs with, with the
// files that its commands print.
func TestSecurityPage(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "security.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(page), "<!-- test: TestSecurityPage runs this configuration -->\n```\n")
	text, rest, ok := strings.Cut(after, "```")
	if !ok {
		t.Fatal("the page has no configuration")
	}
	dir := t.TempDir()
	files := 0
	for line := range strings.Lines(rest) {
		command, file, ok := strings.Cut(strings.TrimSpace(line), " > ")
		if !ok || !strings.HasPrefix(command, "apollo auth permissions ") {
			continue
		}
		files++
		var stdout, stderr bytes.Buffer
		if code := Main(t.Context(), strings.Fields(command)[1:], nil, &stdout, &stderr); code != cli.ExitOK {
			t.Fatalf("%s: exit code %d\n%s", command, code, &stderr)
		}
		if err := os.WriteFile(filepath.Join(dir, file), stdout.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, user := range []string{"PROPOSER", "EVALUATOR", "ARCHIVER", "BOSS", "ADA"} {
		t.Setenv(user+"_PASSWORD", secretWord)
	}
	text = strings.NewReplacer("127.0.0.1:4222", "127.0.0.1:-1", `"store"`, fmt.Sprintf("%q", filepath.Join(dir, "store"))).Replace(text)
	url, opts := confServer(t, dir, text, nil)
	if len(opts.Users) != files {
		t.Fatalf("%d users and %d files", len(opts.Users), files)
	}
	provisionAs(t, url, as(t, member{"proposer", "proposer", nil, "_INBOX_proposer"}, url))
}
