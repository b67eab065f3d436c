//go:build unix

// Package chaos proves with real processes, a real server and SIGKILL that a
// study is reproducible and that no trial is lost or doubled. docs/testing.md
// says how, and what counts as a kill. It holds tests only.
package chaos
