package natsbus

import (
	"testing"

	"github.com/nats-io/nats-server/v2/server"
)

// TestServerConf reads the configuration of compose.yaml as the server does:
// what a power cut may take back, and the largest event, are those of the
// embedded server.
func TestServerConf(t *testing.T) {
	t.Parallel()
	opts, err := server.ProcessConfigFile("../../nats.conf")
	if err != nil {
		t.Fatal(err)
	}
	if opts.SyncInterval != syncInterval || opts.MaxPayload != maxPayload || !opts.JetStream || opts.StoreDir == "" || opts.HTTPPort == 0 {
		t.Errorf("nats.conf has sync_interval %s, max_payload %d, JetStream %v in %q, state on port %d; want %s, %d, true, a directory, a port",
			opts.SyncInterval, opts.MaxPayload, opts.JetStream, opts.StoreDir, opts.HTTPPort, syncInterval, maxPayload)
	}
}
