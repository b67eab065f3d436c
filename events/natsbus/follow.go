package natsbus

import (
	"fmt"
	"net"
	"net/url"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

// dialTimeout bounds one connect to a server of a data directory: it is on this
// machine.
const dialTimeout = 2 * time.Second

// holderDialer connects to the server that holds a data directory now: the one that
// held it before may have ended, and another has another port and token.
type holderDialer struct {
	dir      string
	takeOver func() error

	// mu guards what follows.
	mu sync.Mutex
	// token is that of the server that was dialed last.
	token string
	// met: a server was reached before.
	met bool
}

var _ nats.CustomDialer = (*holderDialer)(nil)

// Dial implements nats.CustomDialer. The address is of the first server.
func (h *holderDialer) Dial(network, _ string) (net.Conn, error) {
	address, token, there := Attach(h.dir)
	if h.mu.Lock(); !there && h.met && h.takeOver != nil {
		h.mu.Unlock()
		// Another process may have been faster: that is as good.
		failed := h.takeOver()
		if address, token, there = Attach(h.dir); !there && failed != nil {
			return nil, failed
		}
		h.mu.Lock()
	}
	defer h.mu.Unlock()
	if !there {
		return nil, fmt.Errorf("no server runs on %s", h.dir)
	}
	u, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	c, err := net.DialTimeout(network, u.Host, dialTimeout)
	if err != nil {
		return nil, err
	}
	h.token, h.met = token, true
	return c, nil
}

// present is the token of the server that was dialed last.
func (h *holderDialer) present() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.token
}
