package notify

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"syscall"
)

// KeyName is the environment variable with the key of signatures.
const KeyName = "APOLLO_NOTIFY_KEY"

// minKey is the shortest key: 24 bytes, what Standard Webhooks asks for.
const minKey = 24

// Policy says which webhooks a service calls. Its zero value calls none.
type Policy struct {
	// Hosts are those that may be called: a name, *.name for all below it, or * for
	// all on public addresses. A host with a port means that port alone.
	Hosts []string
	// Local lets studies call any host, also of this machine and its network:
	// nobody else asks for studies here.
	Local bool
	// Key signs what is sent; without one nothing is.
	Key []byte
}

// CheckHosts refuses what is no list of hosts.
func (p *Policy) CheckHosts() error {
	for _, h := range p.Hosts {
		name := strings.TrimPrefix(h, "*.")
		if host, _, err := net.SplitHostPort(name); err == nil {
			name = host
		}
		if h != "*" && (name == "" || strings.ContainsAny(name, "*") || strings.ContainsAny(h, "/@ ?#")) {
			return fmt.Errorf("%q is no host: want a name, *.name, name:port or *", h)
		}
	}
	return nil
}

// Check says why a webhook is not called.
func (p *Policy) Check(webhook string) error {
	u, err := url.Parse(webhook)
	switch {
	case err != nil || u.Hostname() == "":
		return errors.New("it is no URL")
	case !p.Local && !p.lists(u) && !slices.Contains(p.Hosts, "*"):
		return fmt.Errorf("this service calls no webhooks on %s", u.Host)
	case len(p.Key) < minKey:
		return fmt.Errorf("this service has no key to sign webhooks with: %s wants at least %d bytes", KeyName, minKey)
	}
	return nil
}

// lists reports whether the operator has named the host.
func (p *Policy) lists(u *url.URL) bool {
	host := strings.ToLower(u.Hostname())
	return slices.ContainsFunc(p.Hosts, func(h string) bool {
		h = strings.ToLower(h)
		if name, port, err := net.SplitHostPort(h); err == nil {
			if port != portOf(u) {
				return false
			}
			h = name
		}
		if below, ok := strings.CutPrefix(h, "*."); ok {
			return strings.HasSuffix(host, "."+below)
		}
		return h == host
	})
}

func portOf(u *url.URL) string {
	if p := u.Port(); p != "" {
		return p
	}
	if u.Scheme == "http" {
		return "80"
	}
	return "443"
}

// control refuses connections to addresses that a host must not have that
// nobody named: of this machine, its network, or where a cloud gives out its
// keys. It sees the address itself, so a name that changes does not help.
func control(_, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	if !isPublic(to.Addr().Unmap()) {
		return fmt.Errorf("%w: %s is not a public address", errForbidden, to.Addr())
	}
	return nil
}

var errForbidden = errors.New("this service does not call it")

func isPublic(a netip.Addr) bool {
	for _, p := range [...]string{
		"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "198.18.0.0/15", "240.0.0.0/4", // RFC 6890
		"168.63.129.16/32",                                                  // Azure's services of a machine
		"::/96", "64:ff9b::/96", "64:ff9b:1::/48", "2001::/23", "2002::/16", // addresses of version 4 inside
		"fec0::/10", // a site's own, RFC 3879
	} {
		if netip.MustParsePrefix(p).Contains(a) {
			return false
		}
	}
	return a.IsGlobalUnicast() && !a.IsPrivate()
}
