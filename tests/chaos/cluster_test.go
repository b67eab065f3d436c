//go:build unix

package chaos

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"apollo/events/natsbus"
)

const (
	token = "chaos"
	// ackWait is how long the work of a killed evaluator lies idle: every such
	// kill costs the study that long, and the contract's wait is 10 s.
	ackWait = time.Second
	// startPatience bounds the start of a server, on a busy machine too.
	startPatience = 30 * time.Second
)

// cluster is the servers and the services, each a process of its own, on the
// loopback.
type cluster struct {
	t      *testing.T
	trials int    // of every study
	dir    string // holds the servers' stores, the log of trials, and logs/ of the processes
	url    string
	// credentials is the file that processes log in with, "" where it is a token.
	credentials string
	// binary is what services are started from, "" for the one that is tested.
	binary string
	bus    *natsbus.Bus
	// nodes are the servers: one, or three that are one to their clients.
	nodes []*node
	epoch int // counts the servers' incarnations
	// services are the living incarnations by name.
	services map[string]*child
	exits    chan *child
	// point chooses the crash point of a process that is about to start.
	point func(role string) string
	// between is called before each try of a submission: who was killed starts
	// again.
	between func()
}

// newCluster starts that many servers, 1 or 3.
func newCluster(t *testing.T, trials, servers int) *cluster {
	t.Helper()
	c := &cluster{t: t, trials: trials, dir: t.TempDir(), services: map[string]*child{}, exits: make(chan *child, 1024), point: func(string) string { return "" }, between: func() {}}
	if err := os.Mkdir(c.logs(), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.close)
	c.makeNodes(servers)
	for _, n := range c.nodes {
		c.start(n)
	}
	for _, n := range c.nodes {
		c.awaitNode(n)
	}
	c.connect()
	return c
}

// connect is how the tests themselves look at the bus.
func (c *cluster) connect() {
	c.t.Helper()
	conf := natsbus.Config{URL: c.url, Credentials: c.credentials, Name: "chaos", Patience: startPatience, ConnectWait: startPatience, Logger: slog.New(slog.DiscardHandler)}
	if c.credentials == "" {
		conf.Token = token
	}
	bus, err := natsbus.Connect(c.t.Context(), conf)
	if err != nil {
		c.t.Fatal(err)
	}
	c.bus = bus
}

// freeAddress returns an address of the loopback that nobody listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	var listen net.ListenConfig
	l, err := listen.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func (c *cluster) logs() string { return filepath.Join(c.dir, "logs") }

// env is the environment of every process of the cluster.
func (c *cluster) env() []string {
	login := "APOLLO_TOKEN=" + token
	if c.credentials != "" {
		login = "APOLLO_CREDS=" + c.credentials
	}
	return []string{"APOLLO_NATS=" + c.url, login, "APOLLO_DATA=" + c.dir, "APOLLO_ACK_WAIT=" + ackWait.String()}
}

// serve starts a service as a process. since is how far the study is.
func (c *cluster) serve(name string, since int) {
	c.t.Helper()
	role, _, _ := strings.Cut(name, "-")
	args := []string{"serve", role}
	switch role {
	case "evaluator":
		args = append(args, "--evaluators", "1")
	case stranger:
		args = strangerArgs(c.t)
	}
	args = append(args, "--log-level", "debug", "--log-format", "json")
	s := &child{name: name, role: role, point: c.point(role), since: since, epoch: c.epoch, cmd: exec.Command(cmp.Or(c.binary, os.Getenv(binaryVariable)), args...)}
	spawn(c.t, c.logs(), s, c.env(), func(s *child) { c.exits <- s })
	c.services[name] = s
}

// apollo runs a command against the cluster and decodes its answer.
func (c *cluster) apollo(answer any, args ...string) {
	c.t.Helper()
	apollo(c.t, c.env(), answer, args...)
}

// apollo runs a command and decodes the object that it prints.
func apollo(t *testing.T, env []string, answer any, args ...string) {
	t.Helper()
	if code := tryApollo(t, env, answer, args...); code != 0 {
		t.Fatalf("apollo %s: exit code %d", strings.Join(args, " "), code)
	}
}

// tryApollo is apollo for commands that may fail: it returns the exit code.
func tryApollo(t *testing.T, env []string, answer any, args ...string) (code int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Getenv(binaryVariable), append(args, "-o", "json", "-q")...)
	cmd.Env, cmd.SysProcAttr = append(os.Environ(), env...), ownGroup()
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.Output()
	if failed, ok := errors.AsType[*exec.ExitError](err); ok && failed.Exited() {
		t.Logf("apollo %s: %s", strings.Join(args, " "), said.String())
		return failed.ExitCode()
	}
	if err != nil {
		t.Fatalf("apollo %s: %v\n%s", strings.Join(args, " "), err, said.String())
	}
	if err := json.Unmarshal(out, answer); err != nil {
		t.Fatalf("apollo %s printed %q: %v", strings.Join(args, " "), out, err)
	}
	return 0
}

// submit starts a fresh run of the study.
func (c *cluster) submit() (run string) {
	c.t.Helper()
	if err := c.bus.Ready(c.t.Context()); err != nil {
		c.t.Fatal(err)
	}
	var accepted struct{ Run string }
	args := []string{"study", "submit", studyPath, "--fresh", "--id", rand.Text(), "--set", fmt.Sprintf("spec.budget.trials=%d", c.trials)}
	// A command waits 10 s for its answer, and the request stays in the queue
	// longer: the same one again, while leaders are elected and proposers start.
	c.between()
	for end := time.Now().Add(2 * startPatience); tryApollo(c.t, c.env(), &accepted, args...) != 0; c.between() {
		if time.Now().After(end) {
			c.t.Fatalf("apollo %s was not answered\n%s", strings.Join(args, " "), c.tails())
		}
	}
	return accepted.Run
}

// tail returns the last lines of a process's messages.
func (c *cluster) tail(name string) string {
	text, err := os.ReadFile(filepath.Join(c.logs(), name+".log"))
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(lines[max(0, len(lines)-30):], "\n")
}

// said returns what one incarnation of a process said.
func (c *cluster) said(s *child) string {
	text, err := os.ReadFile(filepath.Join(c.logs(), s.name+".log"))
	if err != nil {
		c.t.Fatal(err)
	}
	_, said, _ := strings.Cut(string(text), s.headline())
	return said
}

// tails returns the last lines of every process.
func (c *cluster) tails() string {
	var out strings.Builder
	for _, n := range c.nodes {
		fmt.Fprintf(&out, "== %s\n%s\n", n.name, c.tail(n.name))
	}
	for name := range c.services {
		fmt.Fprintf(&out, "== %s\n%s\n", name, c.tail(name))
	}
	return out.String()
}

// close ends every process. Nothing is left behind.
func (c *cluster) close() {
	for _, s := range c.services {
		if err := s.kill(); err != nil {
			c.t.Errorf("kill %s: %v", s.name, err)
		}
		if text, err := os.ReadFile(filepath.Join(c.logs(), s.name+".log")); err != nil || strings.Contains(string(text), "DATA RACE") {
			c.t.Errorf("%s has a data race: %v\n%s", s.name, err, text)
		}
	}
	if c.bus != nil {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = c.bus.Close(ctx) // it only reads
	}
	for _, n := range c.nodes {
		if n.child == nil {
			continue
		}
		if err := n.child.kill(); err != nil {
			c.t.Errorf("kill %s: %v", n.name, err)
		}
	}
}
