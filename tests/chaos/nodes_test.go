//go:build unix

package chaos

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// node is one server. Its child is the living incarnation.
type node struct {
	name    string // "server-1"
	address string
	// monitor and route are the addresses of its state and of the other
	// servers' connections; empty where there is one server.
	monitor, route string
	child          *child
	frozen         bool
}

// makeNodes gives the servers their addresses, which they keep.
func (c *cluster) makeNodes(n int) {
	c.t.Helper()
	var urls []string
	for i := range n {
		s := &node{name: "server", address: freeAddress(c.t)}
		if n > 1 {
			s.name, s.monitor, s.route = fmt.Sprintf("server-%d", i+1), freeAddress(c.t), freeAddress(c.t)
		}
		c.nodes = append(c.nodes, s)
		urls = append(urls, "nats://"+s.address)
	}
	c.url = strings.Join(urls, ",")
}

// start starts a server on its store.
func (c *cluster) start(n *node) {
	c.t.Helper()
	self, err := os.Executable()
	if err != nil {
		c.t.Fatal(err)
	}
	dir, args := c.dir, []string{port(n.address)}
	if n.route != "" {
		dir = filepath.Join(c.dir, n.name)
		args = append(args, n.name, port(n.monitor), port(n.route))
		for _, other := range c.nodes {
			args = append(args, "nats://"+other.route)
		}
	}
	s := &child{name: n.name, role: "server", cmd: exec.Command(self, args...)}
	stdin, err := s.cmd.StdinPipe()
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { _ = stdin.Close() })
	c.epoch++
	s.epoch = c.epoch
	spawn(c.t, c.logs(), s, append(c.env(), serverVariable+"="+dir), func(s *child) { c.exits <- s })
	n.child, n.frozen = s, false
}

func port(address string) string { return address[strings.LastIndex(address, ":")+1:] }

// awaitNode waits until a server takes connections.
func (c *cluster) awaitNode(n *node) {
	c.t.Helper()
	for end := time.Now().Add(startPatience); ; {
		conn, err := net.DialTimeout("tcp", n.address, time.Second)
		if err == nil {
			_ = conn.Close()
			return
		}
		if n.child.ended() || time.Now().After(end) {
			c.t.Fatalf("%s does not answer: %v\n%s", n.name, err, c.tail(n.name))
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// signal sends a server's process a signal.
func (c *cluster) signal(n *node, s syscall.Signal) {
	c.t.Helper()
	if err := n.child.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		c.t.Fatalf("%s to %s: %v", s, n.name, err)
	}
	n.frozen = s == syscall.SIGSTOP
}

// away reports whether a server is frozen now.
func (c *cluster) away() bool {
	return slices.ContainsFunc(c.nodes, func(n *node) bool { return n.frozen })
}

// startNode starts a server of a cluster; args are its name, the ports of its
// state and of its routes, and the routes.
func startNode(dir string, port int, args []string) (stop func(), err error) {
	monitor, err := strconv.Atoi(args[1])
	if err != nil {
		return nil, err
	}
	route, err := strconv.Atoi(args[2])
	if err != nil {
		return nil, err
	}
	const host, payload = "127.0.0.1", 8 << 20 // docs/events.md, Limits
	s, err := server.NewServer(&server.Options{
		ServerName: args[0], Host: host, Port: port, HTTPHost: host, HTTPPort: monitor, Authorization: os.Getenv("APOLLO_TOKEN"),
		Logtime: true, LogtimeUTC: true,
		JetStream: true, StoreDir: dir, JetStreamMaxStore: 64 << 30, MaxPayload: payload, NoSigs: true,
		Cluster: server.ClusterOpts{Name: "chaos", Host: host, Port: route},
		Routes:  server.RoutesFromStr(strings.Join(args[3:], ",")),
	})
	if err != nil {
		return nil, err
	}
	s.ConfigureLogger()
	go s.Start()
	if !s.ReadyForConnections(bindPatience) {
		s.Shutdown()
		return nil, fmt.Errorf("%s is not ready", args[0])
	}
	return func() { s.Shutdown(); s.WaitForShutdown() }, nil
}

// state is a part of what a server says about the streams it has.
type state struct {
	Meta struct {
		Leader string `json:"leader"`
	} `json:"meta_cluster"`
	Accounts []struct {
		Streams []struct {
			Name      string `json:"name"`
			Cluster   group  `json:"cluster"`
			Consumers []struct {
				Name    string `json:"name"`
				Cluster group  `json:"cluster"`
			} `json:"consumer_detail"`
		} `json:"stream_detail"`
	} `json:"account_details"`
}

type group struct {
	Leader string `json:"leader"`
}

// leader returns the server that leads a stream, "APOLLO_WORK", one of its
// consumers, "APOLLO_WORK/ev-edge", or everything, "meta"; nil while there is
// none.
func (c *cluster) leader(of string) *node {
	client := http.Client{Timeout: time.Second}
	for _, n := range c.nodes {
		if n.frozen || n.child.ended() {
			continue
		}
		reply, err := client.Get("http://" + n.monitor + "/jsz?streams=1&consumers=1")
		if err != nil {
			continue
		}
		var s state
		err = json.NewDecoder(reply.Body).Decode(&s)
		_ = reply.Body.Close()
		if err != nil {
			continue
		}
		if name := s.leader(of); name != "" {
			for _, led := range c.nodes {
				if led.name == name {
					return led
				}
			}
		}
	}
	return nil
}

func (s *state) leader(of string) string {
	if of == "meta" {
		return s.Meta.Leader
	}
	stream, consumer, _ := strings.Cut(of, "/")
	for _, a := range s.Accounts {
		for _, st := range a.Streams {
			if st.Name != stream {
				continue
			}
			if consumer == "" {
				return st.Cluster.Leader
			}
			for _, k := range st.Consumers {
				if k.Name == consumer {
					return k.Cluster.Leader
				}
			}
		}
	}
	return ""
}
