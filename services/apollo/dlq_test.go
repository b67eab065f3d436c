package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/rogpeppe/go-internal/testscript"

	"apollo/events"
	"apollo/events/natsbus"
)

// flood publishes garbage on a subject of the server's, and waits until it is
// among the dead letters: flood SUBJECT NUMBER BYTES
func flood(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 3 {
		ts.Fatalf("usage: flood subject number bytes")
	}
	n, err := strconv.Atoi(args[1])
	size, err2 := strconv.Atoi(args[2])
	ts.Check(errors.Join(err, err2))
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	url, token, ok := natsbus.Attach(filepath.Join(ts.Getenv("WORK"), "srv"))
	if !ok {
		ts.Fatalf("no server runs in srv")
	}
	bus, err := natsbus.Connect(ctx, natsbus.Config{URL: url, Token: token})
	ts.Check(err)
	defer func() { ts.Check(bus.Close(ctx)) }()
	all := events.DeadLetterSubject("*", "*")
	before, err := bus.Log().Info(ctx, all)
	ts.Check(err)
	// Beside the reader: more than are kept would be gone before it began.
	published := make(chan error, 1)
	go func(n int) {
		for i := range n {
			id := fmt.Sprintf("flood-%s-%d-%d", args[0], size, i)
			if err := bus.Queue(1).Publish(args[0], message.NewMessageWithContext(ctx, id, bytes.Repeat([]byte("x"), size))); err != nil {
				published <- err
				cancel()
				return
			}
		}
		published <- nil
	}(n)
	for _, err := range bus.Log().Follow(ctx, before.Last+1, all) {
		ts.Check(err)
		if n--; n == 0 {
			ts.Check(<-published)
			return
		}
	}
	ts.Fatalf("%d dead letters are missing", n)
}
