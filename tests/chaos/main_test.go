//go:build unix

package chaos

import (
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"apollo/events/natsbus"
)

// The environment of the tests.
const (
	// killsVariable is how many kills TestChaosServices asks for.
	killsVariable = "APOLLO_CHAOS_KILLS"
	// freezesVariable is how many freezes of servers TestChaosCluster asks for;
	// killsVariable is how many kills come with them.
	freezesVariable = "APOLLO_CHAOS_FREEZES"
	// seedVariable repeats the choices of an earlier run. The moments differ:
	// the processes are real.
	seedVariable = "APOLLO_CHAOS_SEED"
	// binaryVariable names a binary to test instead of a fresh one, for
	// example one that was built with the race detector.
	binaryVariable = "APOLLO_CHAOS_BINARY"
	// serverVariable makes the test binary the message server in that folder,
	// strangerVariable the program of a wrong evaluator.
	serverVariable   = "APOLLO_CHAOS_SERVER"
	strangerVariable = "APOLLO_CHAOS_STRANGER"
)

// bindPatience is how long a restarted server waits for its port.
const bindPatience = 10 * time.Second

func TestMain(m *testing.M) {
	if dir := os.Getenv(serverVariable); dir != "" {
		if err := serve(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	if os.Getenv(strangerVariable) != "" {
		answerWrongly(os.Stdin, os.Stdout)
		return
	}
	flag.Parse()
	os.Exit(withBinary(m.Run))
}

// withBinary runs the tests with the binary that they test.
func withBinary(run func() int) int {
	if testing.Short() || os.Getenv(binaryVariable) != "" {
		return run()
	}
	dir, err := os.MkdirTemp("", "apollo-chaos-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "apollo")
	build := exec.Command("go", "build", "-ldflags=-s -w", "-o", path, "apollo/services/apollo")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "build the binary:", err)
		return 1
	}
	if err := os.Setenv(binaryVariable, path); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return run()
}

// serve is the message server as a process of its own. It ends when its
// standard input does, so that it never outlives the tests.
func serve(dir string) error {
	port, err := strconv.Atoi(os.Args[1])
	if err != nil {
		return fmt.Errorf("port: %w", err)
	}
	start := func() (stop func(), err error) { return startAlone(dir, port) }
	if len(os.Args) > 2 {
		start = func() (stop func(), err error) { return startNode(dir, port, os.Args[2:]) }
	}
	stop, err := start()
	for end := time.Now().Add(bindPatience); err != nil && time.Now().Before(end); {
		time.Sleep(50 * time.Millisecond)
		stop, err = start()
	}
	if err != nil {
		return err
	}
	_, _ = io.Copy(io.Discard, os.Stdin)
	stop()
	return nil
}

// startAlone starts the server that is part of apollo.
func startAlone(dir string, port int) (stop func(), err error) {
	s, err := natsbus.StartServer(natsbus.ServerConfig{
		Dir: dir, Port: port, Token: os.Getenv("APOLLO_TOKEN"), Logger: slog.New(slog.NewTextHandler(os.Stderr, nil)),
	})
	if err != nil {
		return nil, err
	}
	return s.Shutdown, nil
}
