package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"apollo/services/cli"
)

// ackWaitVariable shortens how long the bus waits for a sign of life of a
// worker before its work goes to another one: "1s". The crash tests set it for
// every process, because each evaluator that they kill costs them that long.
const ackWaitVariable = "APOLLO_ACK_WAIT"

// ackWait returns what the environment says; 0 means the contract's wait.
func ackWait() (time.Duration, error) {
	setting := os.Getenv(ackWaitVariable)
	if setting == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(setting)
	if err != nil || d < 100*time.Millisecond {
		return 0, cli.Usagef("%s=%q: want a duration of at least 100ms", ackWaitVariable, setting)
	}
	return d, nil
}

// failpointVariable makes a process kill itself at a named point of the
// durable path: "name:n" means at the n-th time the point is reached. It
// exists for the crash tests; see CONTRIBUTING.md.
const failpointVariable = "APOLLO_FAILPOINT"

// failpoint returns the function that services call at their crash points, or
// nil when the environment names none.
func failpoint() (func(string) error, error) {
	setting := os.Getenv(failpointVariable)
	if setting == "" {
		return nil, nil //nolint:nilnil // no failpoint is the normal case, and services take nil for it
	}
	name, times, found := strings.Cut(setting, ":")
	n, err := strconv.ParseInt(times, 10, 64)
	if !found || name == "" || err != nil || n < 1 {
		return nil, cli.Usagef("%s=%q: want name:n with n >= 1", failpointVariable, setting)
	}
	var hits atomic.Int64
	return func(point string) error {
		if point != name || hits.Add(1) != n {
			return nil
		}
		// SIGKILL, so that nothing is flushed, closed or told to anybody.
		self, err := os.FindProcess(os.Getpid())
		if err == nil {
			err = self.Kill()
		}
		if err != nil {
			return fmt.Errorf("failpoint %s: %w", point, err)
		}
		select {}
	}, nil
}
