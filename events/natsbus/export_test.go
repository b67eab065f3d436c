package natsbus

import "context"

// Kill ends a bus as kill -9 ends its process: the connection breaks off, and
// nothing that is in hand is answered.
func Kill(b *Bus) {
	b.nc.Close()
	b.stop()
}

// RouteTopics makes every topic its own queue: the subject q.<topic>, held by
// one stream, taken by the durable <topic>.
func RouteTopics(b *Bus) {
	b.route = func(topic string) (route, error) {
		stream, err := b.streamFor(topic)
		return route{stream: stream, durable: durable(topic), filter: b.subject(topic)}, err
	}
}

func durable(topic string) string { return "d-" + topic[2:] }

// ProvisionTopic creates the durable of a topic of RouteTopics.
func ProvisionTopic(ctx context.Context, b *Bus, topic string) error {
	r, err := b.route(topic)
	if err != nil {
		return err
	}
	return b.consumer(ctx, r, -1)
}
