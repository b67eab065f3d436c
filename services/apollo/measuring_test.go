package main

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"apollo/services/cli"
)

// A long answer says now and then how many designs are measured, a short one nothing,
// and a command that was ended stops.
func TestMeasuring(t *testing.T) {
	var out bytes.Buffer
	a := &app{Terminal: &cli.Terminal{Console: cli.NewConsole(&out)}}
	ctx, cancel := context.WithCancel(t.Context())
	m := a.measuring(ctx, 3)
	m.said = time.Now().Add(time.Hour) // however slow the machine is
	for range 2 {
		if err := m.next(); err != nil {
			t.Fatal(err)
		}
	}
	if out.Len() > 0 {
		t.Errorf("said %q at once", out.String())
	}
	m.said = time.Now().Add(-2 * cli.PlainEvery)
	cancel()
	if err := m.next(); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
	if want := "apollo: 2 of 3 designs measured\n"; out.String() != want {
		t.Errorf("said %q, want %q", out.String(), want)
	}
	a.Quiet, m.said = true, time.Time{}
	if _ = m.next(); bytes.Count(out.Bytes(), []byte("\n")) != 1 {
		t.Errorf("said %q although it is to be quiet", out.String())
	}
}
