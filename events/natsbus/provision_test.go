package natsbus_test

import (
	"errors"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"apollo/events/natsbus"
)

// TestProvisionUpdatesWhatDiffers reads what the server tells of updates: streams
// that are as they should be have none, though another process made them meanwhile or an
// answer was lost; one that somebody changed is put right.
func TestProvisionUpdatesWhatDiffers(t *testing.T) {
	t.Parallel()
	s := startServer(t, natsbus.ServerConfig{})
	b := connect(t, natsbus.Config{URL: s.URL(), Topology: small()})
	if err := b.Provision(t.Context()); err != nil {
		t.Fatal(err)
	}
	nc, err := nats.Connect(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	told, err := nc.SubscribeSync("$JS.EVENT.ADVISORY.STREAM.UPDATED.>")
	if err != nil {
		t.Fatal(err)
	}
	if err := nc.FlushTimeout(time.Minute); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(b.Provision(t.Context()), natsbus.ProvisionStreams(t.Context(), b)); err != nil {
		t.Fatal(err)
	}

	info, err := natsbus.StreamInfo(t.Context(), b, "result.>")
	if err != nil {
		t.Fatal(err)
	}
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	wanted := info.Config.MaxAge
	info.Config.MaxAge = time.Hour
	if _, err := js.UpdateStream(t.Context(), info.Config); err != nil {
		t.Fatal(err)
	}
	// It believes that nothing is there.
	if err := natsbus.ProvisionStreams(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	for _, by := range []string{"by hand", "by Provision"} {
		update, err := told.NextMsg(time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		if want := "$JS.EVENT.ADVISORY.STREAM.UPDATED." + info.Config.Name; update.Subject != want {
			t.Errorf("an update is told on %s, want that %s on %s", update.Subject, by, want)
		}
	}
	info, err = natsbus.StreamInfo(t.Context(), b, "result.>")
	if err != nil || info.Config.MaxAge != wanted {
		t.Errorf("after it messages are kept %v, want %v: %v", info.Config.MaxAge, wanted, err)
	}
}
