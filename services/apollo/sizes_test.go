package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/rogpeppe/go-internal/testscript"

	"apollo/events/natsbus"
)

// startNATS starts a plain NATS server that passes on so many bytes, 0 for its
// default, with a proposer and an archiver, and sets $NATS to its URL:
// natsserver BYTES
func startNATS(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: natsserver bytes")
	}
	payload, err := strconv.ParseInt(args[0], 10, 32)
	ts.Check(err)
	ns, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: filepath.Join(ts.Getenv("WORK"), "nats-"+args[0]), NoSigs: true, NoLog: true,
		MaxPayload: int32(payload),
	})
	ts.Check(err)
	ns.Start()
	ts.Defer(func() { ns.Shutdown(); ns.WaitForShutdown() })
	if !ns.ReadyForConnections(30 * time.Second) {
		ts.Fatalf("the server is not ready")
	}
	ts.Setenv("NATS", ns.ClientURL())
	c := command(ts, []string{"serve", "proposer", "archiver", "--nats", ns.ClientURL(), "--data", "data-" + args[0]})
	ts.Check(c.Start())
	ts.Defer(func() {
		_ = c.Process.Signal(syscall.SIGTERM)
		_ = c.Wait()
	})
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	bus, err := natsbus.Connect(ctx, natsbus.Config{URL: ns.ClientURL()})
	ts.Check(err)
	ts.Check(errors.Join(bus.Ready(ctx), bus.Close(ctx)))
}

// wideStudy writes a study of parameters with long labels whose trials are
// one batch: widestudy NAME PARAMETERS WIDTH TRIALS
func wideStudy(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 4 {
		ts.Fatalf("usage: widestudy name parameters width trials")
	}
	var b strings.Builder
	fmt.Fprintf(&b, "apiVersion: apollo/v1\nkind: Study\nmetadata: {name: %s}\nspec:\n  space:\n    parameters:\n", args[0])
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	width, err := strconv.Atoi(args[2])
	ts.Check(err)
	for i := range n {
		fmt.Fprintf(&b, "      - {name: p%03d, values: [%s0, %[2]s1]}\n", i, strings.Repeat("u", width))
	}
	fmt.Fprintf(&b, `  evaluator: {name: %s-ev, exec: "talkative 0 0", deterministic: true, metrics: [{name: cost}]}
  objectives: [{metric: cost, goal: minimize}]
  algorithm: {name: random}
  budget: {trials: %[2]s, batch: %[2]s}
`, args[0], args[3])
	ts.Check(os.WriteFile(ts.MkAbs(args[0]+".yaml"), []byte(b.String()), 0o644))
}

// talkative is an evaluator with long answers: talkative EXTRAS WORDS answers
// with that many extra numbers, or with a reason of that many bytes.
func talkative() {
	extras, _ := strconv.Atoi(os.Args[1])
	words, _ := strconv.Atoi(os.Args[2])
	extra := map[string]float64{}
	for i := range extras {
		extra[fmt.Sprintf("layer_%05d_latency_of_network_s", i)] = 1.234567890123e-05 * float64(i+1)
	}
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 1<<20)
	for in.Scan() {
		var q struct {
			ID any    `json:"id"`
			Op string `json:"op"`
		}
		if json.Unmarshal(in.Bytes(), &q) != nil {
			os.Exit(1)
		}
		a := map[string]any{"id": q.ID, "metrics": map[string]float64{"cost": 1}, "extra": extra}
		if words > 0 {
			a = map[string]any{"id": q.ID, "outcome": "infeasible", "reason": map[string]any{"code": "w", "message": strings.Repeat("m", words)}}
		}
		if q.Op == "describe" {
			a = map[string]any{"id": q.ID, "error": "none"}
		}
		b, _ := json.Marshal(a)
		fmt.Println(string(b))
	}
}
