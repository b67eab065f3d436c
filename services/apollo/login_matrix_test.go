package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nkeys"
	"github.com/spf13/cobra"

	"apollo/events/natsbus"
	"apollo/services/cli"
)

// loginsVariable asks for TestLoginMatrix: "1", or the page whose table it writes.
const loginsVariable = "APOLLO_LOGINS"

// loginMethod is a way to log in: a server that wants it, how it is said in flags and in
// the environment, and what nobody may see of it.
type loginMethod struct {
	name    string
	server  func(*server.Options)
	flags   func() []string
	env     func() []string
	secrets func() []string
	// context: the server's address is in the context, too.
	context bool
	// shown: the flag itself is the secret.
	shown bool
}

// loginCommand is a command that asks the bus, in the order in which they are tried: each
// finds what those before it did. A role goes on until it is stopped.
type loginCommand struct {
	args []string
	role bool
	// logs: it reads the trial log alone, so that it does without a login.
	logs bool
}

func (c *loginCommand) words() string {
	var words []string
	for _, w := range c.args {
		if strings.HasPrefix(w, "-") || strings.ContainsAny(w, "./=") || len(words) == 2 || len(words) == 1 && (words[0] == "run" || words[0] == "report" || words[0] == "compare" || words[0] == "doctor") {
			break
		}
		words = append(words, w)
	}
	return strings.Join(words, " ")
}

// loginCommands are those of a session, with the files of dir.
func loginCommands(dir string) []loginCommand {
	at := func(name string) string { return filepath.Join(dir, name) }
	return []loginCommand{
		{args: []string{"serve", "proposer", "--archive", at("log")}, role: true},
		{args: []string{"serve", "evaluator"}, role: true},
		{args: []string{"serve", "archiver", "--archive", at("log")}, role: true},
		{args: []string{"evaluator", "run", "--name", "own", "--exec", at("own.sh")}, role: true},
		{args: []string{"study", "submit", at("a.yaml")}},
		{args: []string{"study", "watch", "a"}},
		{args: []string{"study", "ls"}},
		{args: []string{"study", "show", "a"}},
		{args: []string{"study", "verify", "a", "--archive", at("log")}},
		{args: []string{"study", "extend", "a", "--trials", "6"}},
		{args: []string{"study", "fork", "a", "--at", "2", "--as", "forked"}},
		{args: []string{"study", "recheck", "a", "--evaluator", "edge", "--top", "1", "--name", "again"}},
		{args: []string{"trial", "ls", "a"}},
		{args: []string{"trial", "show", "a", "0"}},
		{args: []string{"trial", "ask", "hand"}},
		{args: []string{"trial", "tell", "hand", "0", "cost=1"}},
		{args: []string{"trial", "add", "hand", "x=2"}},
		{args: []string{"study", "pause", "hand"}},
		{args: []string{"study", "resume", "hand"}},
		{args: []string{"study", "retry", "hand", "--trials", "0"}},
		{args: []string{"study", "stop", "hand"}},
		{args: []string{"study", "cancel", "other"}},
		{args: []string{"study", "rm", "other", "--unchecked", "--yes"}},
		{args: []string{"run", at("r.yaml"), "-q"}},
		{args: []string{"compare", "a", "r"}},
		{args: []string{"report", "a", "-o", at("a.html")}},
		{args: []string{"transfer", "candidates", at("t.yaml"), "--archive", at("log")}, logs: true},
		{args: []string{"study", "submit", at("t.yaml")}},
		{args: []string{"study", "watch", "t"}},
		{args: []string{"transfer", "report", "t"}},
		{args: []string{"evaluator", "ls", "--workers"}},
		{args: []string{"events", "tail", "--all", "--follow=false"}},
		{args: []string{"dlq", "ls"}},
		{args: []string{"dlq", "show", "1"}},
		{args: []string{"dlq", "retry", "1"}},
		{args: []string{"dlq", "rm", "--all"}},
		{args: []string{"archive", "rm", "--older-than", "1d", "--dry-run", "--archive", at("log")}},
		{args: []string{"doctor"}},
	}
}

// busless are commands that ask no server for a study or a message.
var busless = []string{
	"auth", "bench", "certify", "design", "evaluator check", "evaluator init", "events schema", "events validate", "space", "study export", "study init", "study lint",
	"train", "up", "validate", "version", "workload", "completion", "help",
}

// Each command that asks a server is in the matrix.
func TestLoginMatrixIsWhole(t *testing.T) {
	t.Parallel()
	var tried []string
	for _, c := range loginCommands("") {
		tried = append(tried, c.words())
	}
	a := &app{Terminal: cli.NewTerminal(nil, &bytes.Buffer{}, &bytes.Buffer{}, version)}
	var walk func(c *cobra.Command, path string)
	walk = func(c *cobra.Command, path string) {
		for _, sub := range c.Commands() {
			walk(sub, strings.TrimSpace(path+" "+sub.Name()))
		}
		group := slices.ContainsFunc(busless, func(b string) bool { return path == b || strings.HasPrefix(path, b+" ") })
		in := slices.ContainsFunc(tried, func(w string) bool { return w == path || strings.HasPrefix(w, path+" ") })
		if path != "" && group == in {
			t.Errorf("apollo %s has to be in the matrix of logins, or among those that ask no server", path)
		}
	}
	walk(a.root(), "")
}

// loginSession is one way to log in, said in one way, against one server.
type loginSession struct {
	t       *testing.T
	apollo  string
	dir     string
	method  *loginMethod
	url     string
	said    []string // flags
	env     []string
	results map[string]bool
}

// command is one of Apollo's, as somebody who may be nobody.
func (s *loginSession) command(ctx context.Context, c *loginCommand, known bool) *exec.Cmd {
	args := slices.Clone(c.args)
	if !known || !s.method.context {
		args = append(args, "--nats", s.url)
	}
	cmd := exec.CommandContext(ctx, s.apollo, args...)
	cmd.Dir, cmd.Env = s.dir, []string{"PATH=" + os.Getenv("PATH"), "HOME=" + s.dir, "NO_COLOR=1", "XDG_CONFIG_HOME=" + filepath.Join(s.dir, "config")}
	if known {
		cmd.Args, cmd.Env = append(cmd.Args, s.said...), append(cmd.Env, s.env...)
	}
	return cmd
}

// role starts a service that runs until the test ends, and looks at the list of processes.
func (s *loginSession) role(c *loginCommand) {
	cmd := s.command(s.t.Context(), c, true)
	cmd.Args = append(cmd.Args, "--log-format", "json")
	path := filepath.Join(s.dir, "role-"+strings.ReplaceAll(c.words(), " ", "-"))
	log, err := os.Create(path)
	if err != nil {
		s.t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
		text, _ := os.ReadFile(path)
		s.silent(c.words(), text)
	})
	time.Sleep(time.Second)
	if line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", cmd.Process.Pid)); err == nil && !s.method.shown {
		s.silent("the list of processes for "+c.words(), line)
	}
	s.results[c.words()] = cmd.Process.Signal(syscall.Signal(0)) == nil
}

// silent fails where a text has a secret.
func (s *loginSession) silent(what string, text []byte) {
	for _, secret := range s.method.secrets() {
		if bytes.Contains(text, []byte(secret)) {
			s.t.Errorf("%s: %s tells a secret", s.method.name, what)
		}
	}
}

// try runs a command, as who may and as nobody, who has to be refused.
func (s *loginSession) try(c *loginCommand) {
	if c.role {
		s.role(c)
		return
	}
	ctx, cancel := context.WithTimeout(s.t.Context(), 2*time.Minute)
	defer cancel()
	if !c.logs {
		out, err := s.command(ctx, c, false).CombinedOutput()
		s.silent("nobody's "+c.words(), out)
		if err == nil || ctx.Err() != nil {
			s.t.Errorf("%s: %s without a login: %v\n%s", s.method.name, c.words(), err, out)
		}
	}
	out, err := s.command(ctx, c, true).CombinedOutput()
	s.silent(c.words(), out)
	failed, isExit := errors.AsType[*exec.ExitError](err)
	before, known := s.results[c.words()]
	s.results[c.words()] = (before || !known) && (err == nil || isExit && failed.ExitCode() == cli.ExitInfeasible || isExit && c.words() == "doctor" && bytes.Contains(out, []byte("server")))
	if !s.results[c.words()] {
		s.t.Errorf("%s: %q: %v\n%s", s.method.name, c.args, err, out)
	}
}

// bus is a connection of the session's user.
func (s *loginSession) bus() *natsbus.Bus {
	s.t.Setenv("XDG_CONFIG_HOME", filepath.Join(s.dir, "config"))
	a := &app{Terminal: cli.NewTerminal(nil, &bytes.Buffer{}, &bytes.Buffer{}, version), nats: s.url}
	if err := a.root().ParseFlags(s.method.flags()); err != nil {
		s.t.Fatal(err)
	}
	conf := natsbus.Config{URL: s.url, Logger: slog.New(slog.DiscardHandler)}
	if err := a.login.fill(&conf); err != nil {
		s.t.Fatal(err)
	}
	bus, err := natsbus.Connect(s.t.Context(), conf)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = bus.Close(context.Background()) })
	return bus
}

const (
	loginStudy = `{apiVersion: apollo/v1, kind: Study, metadata: {name: %s}, spec: {space: {template: edge}, workload: {networks: [{name: mobilenet_v2}]},
  objectives: [{metric: latency, goal: minimize}], algorithm: {name: random}, budget: {trials: 4, batch: 2}%s}}`
	loginHand = `{apiVersion: apollo/v1, kind: Study, metadata: {name: %s}, spec: {space: {parameters: [{name: x, values: [1, 2, 3, 4, 5, 6, 7, 8]}]},
  evaluator: {%s, metrics: [{name: cost}]}, objectives: [{metric: cost, goal: minimize}], algorithm: {name: random}, budget: {trials: 6, batch: 1, parallelism: 1}}}`
)

// TestLoginMatrix tries each way to log in, from flags and from the environment, with each
// command and role that asks a server, and writes the table of docs/cluster.md. No output,
// log, event or list of processes may hold a secret, and nobody gets in without one.
func TestLoginMatrix(t *testing.T) {
	page := os.Getenv(loginsVariable)
	if page == "" {
		t.Skipf("it runs some hundred commands: ask with %s=1, or `make logins`", loginsVariable)
	}
	apollo := filepath.Join(t.TempDir(), "apollo") // the test's binary is Apollo under this name
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self, apollo); err != nil {
		t.Fatal(err)
	}
	ways := map[string]map[string]bool{}
	methods := loginMethods(t)
	for i := range methods {
		m := &methods[i]
		for _, way := range []string{"flags", "environment"} {
			t.Run(m.name+" from "+way, func(t *testing.T) {
				s := &loginSession{t: t, apollo: apollo, dir: t.TempDir(), method: m, results: map[string]bool{}}
				s.prepare(way)
				for _, c := range loginCommands(s.dir) {
					s.try(&c)
					if c.words() == "evaluator run" {
						s.begin()
					}
				}
				s.events()
				for words, ok := range s.results {
					if ways[m.name] == nil {
						ways[m.name] = map[string]bool{}
					}
					before, known := ways[m.name][words]
					ways[m.name][words] = ok && (before || !known)
				}
			})
		}
	}
	writeLogins(t, page, methods, ways)
}

// prepare starts the server, and writes the files of the session.
func (s *loginSession) prepare(way string) {
	write := func(name, text string, mode os.FileMode) {
		s.t.Helper()
		path := filepath.Join(s.dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), mode)); err != nil {
			s.t.Fatal(err)
		}
	}
	s.url = loginServer(s.t, s.method.server)
	write("a.yaml", fmt.Sprintf(loginStudy, "a", ""), 0o600)
	write("r.yaml", fmt.Sprintf(loginStudy, "r", ""), 0o600)
	write("t.yaml", fmt.Sprintf(loginStudy, "t", ", transfer: {sources: [{study: a}]}"), 0o600)
	write("hand.yaml", fmt.Sprintf(loginHand, "hand", "name: bench, manual: true"), 0o600)
	write("other.yaml", fmt.Sprintf(loginHand, "other", "name: own"), 0o600)
	// A program of its own, which writes down what it sees.
	write("own.sh", "#!/bin/sh\nenv > '"+filepath.Join(s.dir, "role-program")+"'\nwhile read -r line; do sleep 60; done\n", 0o700)
	if s.method.context {
		said, _ := json.Marshal(map[string]string{"url": s.url, "user": "ada", "password": secretWord})
		write("config/nats/context/lab.json", string(said), 0o600)
	}
	if s.said = s.method.flags(); way == "environment" {
		s.said, s.env = nil, s.method.env()
	}
}

// begin asks for the studies that wait, and leaves a dead letter.
func (s *loginSession) begin() {
	s.results["study submit"] = true
	for _, name := range []string{"hand.yaml", "other.yaml"} {
		if out, err := s.command(s.t.Context(), &loginCommand{args: []string{"study", "submit", filepath.Join(s.dir, name)}}, true).CombinedOutput(); err != nil {
			s.t.Fatalf("%s: %v\n%s", name, err, out)
		}
	}
	m := message.NewMessage("garbage", []byte("no item"))
	if err := s.bus().Queue(1).Publish("work.edge.garbage.0a1b2c3d.0", m); err != nil {
		s.t.Fatal(err)
	}
}

// events looks for secrets in all that the server stores, and in what programs saw.
func (s *loginSession) events() {
	bus := s.bus()
	for _, filter := range []string{"study.>", "result.>", "archive.>", "dlq.>"} {
		for m, err := range bus.Log().Read(s.t.Context(), 0, filter) {
			if err != nil {
				s.t.Fatal(err)
			}
			s.silent("the message on "+m.Subject, append(m.Data, fmt.Sprint(m.Header)...))
		}
	}
	seen, err := os.ReadFile(filepath.Join(s.dir, "role-program"))
	if err != nil {
		s.t.Error(err)
	}
	s.silent("the environment of a program that measures", seen)
}

// loginMethods are the ways to log in.
func loginMethods(t *testing.T) []loginMethod {
	user, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	public, _ := user.PublicKey()
	seed, _ := user.Seed()
	ca, caKey, caPEM, _ := certificate(t, "authority", nil, nil)
	_, _, serverPEM, serverKey := certificate(t, "server", ca, caKey)
	_, _, clientPEM, clientKey := certificate(t, "client", ca, caKey)
	pair, err := tls.X509KeyPair(serverPEM, serverKey)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(caPEM)
	secured := func(o *server.Options) {
		o.TLSConfig, o.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, ClientCAs: roots, MinVersion: tls.VersionTLS12}, true
	}
	caFile, cert, key := writeFile(t, "ca.pem", caPEM), writeFile(t, "client.pem", clientPEM), writeFile(t, "client.key", clientKey)
	password, token, nkey := writeFile(t, "password", []byte(secretWord+"\n")), "tok-"+secretWord, writeFile(t, "user.nk", seed)
	withUser := func(o *server.Options) { o.Username, o.Password = "ada", secretWord }
	var creds []byte
	credsFile := func() string { return writeFile(t, "user.creds", creds) }
	word := func() []string { return []string{secretWord} }
	lines := func(text []byte) (secrets []string) { // those of a PEM or .creds file that are no headings
		for line := range strings.Lines(string(text)) {
			if line = strings.TrimSpace(line); len(line) > 20 && !strings.HasPrefix(line, "---") && !strings.Contains(line, " ") {
				secrets = append(secrets, line)
			}
		}
		return secrets
	}
	list := func(words ...string) func() []string { return func() []string { return words } }
	return []loginMethod{
		{name: "user, password file", server: withUser, secrets: word, flags: list("--user", "ada", "--password-file", password), env: list("APOLLO_USER=ada", "APOLLO_PASSWORD_FILE="+password)},
		{
			name: "user, `APOLLO_PASSWORD`", server: withUser, secrets: word, flags: list("--user", "ada", "--password-file", password),
			env: list("APOLLO_USER=ada", "APOLLO_PASSWORD="+secretWord),
		},
		{name: "token", server: func(o *server.Options) { o.Authorization = token }, secrets: word, flags: list("--token", token), env: list("APOLLO_TOKEN=" + token), shown: true},
		{
			name: "nkey", server: func(o *server.Options) { o.Nkeys = []*server.NkeyUser{{Nkey: public}} }, secrets: list(string(seed)),
			flags: list("--nkey", nkey), env: list("APOLLO_NKEY=" + nkey),
		},
		{
			name: "creds", server: func(o *server.Options) { creds = operatorMode(t, o) }, secrets: func() []string { return lines(creds) },
			flags: func() []string { return []string{"--creds", credsFile()} }, env: func() []string { return []string{"APOLLO_CREDS=" + credsFile()} },
		},
		{
			name: "private CA", server: func(o *server.Options) { secured(o); withUser(o) }, secrets: word,
			flags: list("--tls-ca", caFile, "--user", "ada", "--password-file", password), env: list("APOLLO_TLS_CA="+caFile, "APOLLO_USER=ada", "APOLLO_PASSWORD="+secretWord),
		},
		{
			name: "mTLS", secrets: func() []string { return lines(clientKey) },
			server: func(o *server.Options) {
				secured(o)
				o.TLSVerify, o.TLSConfig.ClientAuth = true, tls.RequireAndVerifyClientCert
			},
			flags: list("--tls-ca", caFile, "--tls-cert", cert, "--tls-key", key), env: list("APOLLO_TLS_CA="+caFile, "APOLLO_TLS_CERT="+cert, "APOLLO_TLS_KEY="+key),
		},
		{
			name: "inbox prefix", secrets: word,
			server: func(o *server.Options) {
				o.Users = []*server.User{{Username: "ada", Password: secretWord, Permissions: &server.Permissions{
					Subscribe: &server.SubjectPermission{Allow: []string{"_INBOX_ada.>", "apollo.v1.>", "$SRV.>"}},
				}}}
			},
			flags: list("--user", "ada", "--password-file", password, "--inbox-prefix", "_INBOX_ada"),
			env:   list("APOLLO_USER=ada", "APOLLO_PASSWORD="+secretWord, "APOLLO_INBOX_PREFIX=_INBOX_ada"),
		},
		{name: "context", server: withUser, secrets: word, context: true, flags: list("--context", "lab"), env: list("APOLLO_CONTEXT=lab")},
	}
}

// writeLogins writes the table of the page.
func writeLogins(t *testing.T, page string, methods []loginMethod, ways map[string]map[string]bool) {
	t.Helper()
	head, rule := "| |", "|---|"
	for _, m := range methods {
		head, rule = head+" "+m.name+" |", rule+":-:|"
	}
	rows := []string{head, rule}
	seen := map[string]bool{}
	for _, c := range loginCommands("") {
		words := c.words()
		if seen[words] {
			continue
		}
		seen[words] = true
		cells := []string{"| `" + words + "`"}
		for _, m := range methods {
			cells = append(cells, map[bool]string{true: "yes", false: "NO"}[ways[m.name][words]])
		}
		rows = append(rows, strings.Join(cells, " | ")+" |")
	}
	t.Logf("%d ways, %d commands and roles, from flags and from the environment", len(methods), len(slices.Collect(maps.Keys(seen))))
	if page == "1" {
		t.Log("\n" + strings.Join(rows, "\n"))
		return
	}
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	const from, to = "<!-- logins -->\n", "<!-- /logins -->"
	before, rest, begins := strings.Cut(string(text), from)
	_, after, ends := strings.Cut(rest, to)
	if !begins || !ends {
		t.Fatalf("%s has no %q and %q", page, from, to)
	}
	if err := os.WriteFile(page, []byte(before+from+strings.Join(rows, "\n")+"\n"+to+after), 0o644); err != nil {
		t.Fatal(err)
	}
}
