package natsbus

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// A server that does not lead may answer while nobody leads, and one that was
// frozen answers as if it still led: what they say of the end of a stream is old.
func TestOnlyALeaderSaysWhereAStreamEnds(t *testing.T) {
	t.Parallel()
	peer := func(name string, active time.Duration) *jetstream.PeerInfo {
		return &jetstream.PeerInfo{Name: name, Active: active}
	}
	offline := peer("c", time.Second)
	offline.Offline = true
	for _, c := range []struct {
		name     string
		replicas int
		cluster  *jetstream.ClusterInfo
		leads    bool
	}{
		{"one server", 1, nil, true},
		{"one copy in a cluster", 1, &jetstream.ClusterInfo{Leader: "a"}, true},
		{"both others heard", 3, &jetstream.ClusterInfo{Leader: "a", Replicas: []*jetstream.PeerInfo{peer("b", time.Millisecond), peer("c", time.Second)}}, true},
		{"one heard, one away", 3, &jetstream.ClusterInfo{Leader: "a", Replicas: []*jetstream.PeerInfo{peer("b", time.Second), peer("c", time.Minute)}}, true},
		{"frozen for a while", 3, &jetstream.ClusterInfo{Leader: "a", Replicas: []*jetstream.PeerInfo{peer("b", 12*time.Second), peer("c", 12*time.Second)}}, false},
		{"one offline, one silent", 3, &jetstream.ClusterInfo{Leader: "a", Replicas: []*jetstream.PeerInfo{peer("b", 12*time.Second), offline}}, false},
		{"just started, never heard of anybody", 3, &jetstream.ClusterInfo{Leader: "a", Replicas: []*jetstream.PeerInfo{peer("b", 0), peer("c", 0)}}, false},
		{"nobody leads", 3, &jetstream.ClusterInfo{Replicas: []*jetstream.PeerInfo{peer("a", time.Second), peer("b", time.Second), peer("c", time.Second)}}, false},
		{"another one leads", 3, &jetstream.ClusterInfo{Leader: "b", Replicas: []*jetstream.PeerInfo{peer("b", time.Second), peer("c", time.Second)}}, false},
	} {
		info := &jetstream.StreamInfo{Config: jetstream.StreamConfig{Replicas: c.replicas}, Cluster: c.cluster}
		if got := leads(info) == nil; got != c.leads {
			t.Errorf("%s: taken for the leader: %v, want %v", c.name, got, c.leads)
		}
	}
}
