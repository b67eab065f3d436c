package natsbus

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"

	"apollo/events"
)

const (
	commands  = "cmd"
	workQueue = "work"
	// evaluatorPrefix starts the names of evaluators' consumers.
	evaluatorPrefix = "ev-"
	// maxWaiting bounds the open pull requests of all workers of one queue; the
	// server's default of 512 is 8 workers with 64 slots.
	maxWaiting = 8192
	// smallestStream is what a stream must at least be able to hold, in bytes.
	smallestStream = 1 << 20
	// poll is the interval at which Ready and Subscribe look for what another
	// process creates; there is no signal for it.
	poll = 100 * time.Millisecond
)

// Provision creates or updates the streams and the command consumer. Where the
// server has less room than the topology asks for, all streams get the same
// smaller share of it, and grow at a later start when there is more; the log
// says so. From then on this bus turns the server's advisories about
// undeliverable work into dead letters.
func (b *Bus) Provision(ctx context.Context) error {
	replicas := b.replicas()
	existing, err := b.existing(ctx)
	if err != nil {
		return fmt.Errorf("provision: %w", err)
	}
	for shift := 0; ; shift++ {
		err := b.streams(ctx, existing, replicas, shift)
		switch code := codeOf(err); {
		case err == nil:
			if shift > 0 {
				b.log.Warn("the server has little room: streams are smaller than planned", "divided_by", 1<<shift)
			}
			return b.provisionQueues(ctx)
		case replicas > 1 && b.conf.Replicas == 0 && (code == server.JSClusterNoPeersErrF || code == server.JSStreamReplicasNotSupportedErr):
			b.log.Warn("the cluster has no place for three copies of a stream: there is one, until the next start", "error", err)
			replicas, shift = 1, -1
			if code == server.JSStreamReplicasNotSupportedErr {
				existing = nil // of a cluster, on a server that is alone now
			}
		case classify(err) == full:
			if shift == 20 { // 16 GiB >> 14 is 1 MiB already
				return fmt.Errorf("provision: no room for the streams, not even 1 MiB each; free some disk or raise max_file_store: %w", err)
			}
		default:
			return fmt.Errorf("provision: %w", err)
		}
	}
}

// replicas returns how many copies of a stream to ask for.
func (b *Bus) replicas() int {
	switch {
	case b.conf.Replicas > 0:
		return b.conf.Replicas
	case b.nc.ConnectedClusterName() != "" && len(b.nc.Servers()) >= 3:
		return 3
	}
	return 1
}

// existing returns the configurations of the streams that are there already.
func (b *Bus) existing(ctx context.Context) (map[string]jetstream.StreamConfig, error) {
	found := map[string]jetstream.StreamConfig{}
	for _, s := range b.conf.Topology {
		name := b.streamName(s.Name)
		var without error
		err := b.ask(ctx, infoSubject(name), func(ctx context.Context, _ bool) error {
			stream, err := b.js.Stream(ctx, name)
			switch {
			case err == nil:
				found[name] = stream.CachedInfo().Config
			case errors.Is(err, jetstream.ErrStreamNotFound):
				return nil
			case classify(err) == disabled: // waiting does not switch it on
				without = err
				return nil
			}
			return err
		})
		if without != nil {
			return nil, fmt.Errorf("the server has no JetStream (start it with -js): %w", without)
		}
		if err != nil {
			return nil, fmt.Errorf("look at stream %s: %w", name, err)
		}
	}
	return found, nil
}

// streams creates or updates the streams that are not as they should be, shrunk by shift bits, but never below
// what a stream has already.
func (b *Bus) streams(ctx context.Context, existing map[string]jetstream.StreamConfig, replicas, shift int) error {
	for _, s := range b.conf.Topology {
		conf := b.streamConfig(s, replicas)
		wanted := conf.MaxBytes
		before, old := existing[conf.Name]
		conf.MaxBytes = max(wanted>>shift, min(wanted, smallestStream), min(wanted, before.MaxBytes))
		if b.conf.Replicas == 0 {
			// A cluster that lacks a server today is no reason to give copies up.
			conf.Replicas = max(conf.Replicas, before.Replicas)
		}
		if old && reflect.DeepEqual(asStored(conf, before), before) {
			continue
		}
		err := b.createOrUpdate(ctx, conf)
		if old && conf.MaxBytes <= before.MaxBytes && classify(err) == full {
			// The disk has less room than the streams were once promised; the
			// server changes nothing then, but it stores what there is room for.
			b.log.Warn("the server has less room than its streams were promised", "stream", conf.Name)
			continue
		}
		if err != nil {
			return fmt.Errorf("stream %s: %w", conf.Name, err)
		}
	}
	return nil
}

// asStored returns conf as the server would keep it: limits that it does not name
// are unlimited there, and the server marks what it keeps.
func asStored(conf, before jetstream.StreamConfig) jetstream.StreamConfig {
	conf.MaxConsumers, conf.MaxMsgs = -1, -1
	if conf.MaxMsgsPerSubject == 0 {
		conf.MaxMsgsPerSubject = -1
	}
	if conf.MaxMsgSize == 0 {
		conf.MaxMsgSize = -1
	}
	conf.Metadata = before.Metadata
	return conf
}

// createOrUpdate sends no update that is none, also where an answer was lost: the server
// would look at its whole store for it, beside what it does meanwhile.
func (b *Bus) createOrUpdate(ctx context.Context, conf jetstream.StreamConfig) error {
	return b.ask(ctx, anyOf(conf.Name), func(ctx context.Context, _ bool) error {
		stream, err := b.js.Stream(ctx, conf.Name)
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			_, err := b.js.CreateStream(ctx, conf)
			return err
		}
		if err != nil {
			return err
		}
		if is := stream.CachedInfo().Config; reflect.DeepEqual(asStored(conf, is), is) {
			return nil
		}
		_, err = b.js.UpdateStream(ctx, conf)
		return err
	})
}

// streamConfig returns a stream of the topology in the server's terms.
func (b *Bus) streamConfig(s events.Stream, replicas int) jetstream.StreamConfig {
	conf := jetstream.StreamConfig{
		Name:        b.streamName(s.Name),
		Description: "Apollo, " + strings.Join(s.Subjects, " "),
		Storage:     jetstream.FileStorage,
		Discard:     jetstream.DiscardNew,
		MaxBytes:    s.MaxBytes,
		MaxMsgSize:  s.MaxMsgSize,
		Duplicates:  s.Duplicates,
		Replicas:    replicas,
		AllowDirect: true,
	}
	if s.WorkQueue {
		conf.Retention = jetstream.WorkQueuePolicy
	}
	if s.Ring {
		conf.Discard, conf.MaxMsgsPerSubject = jetstream.DiscardOld, s.MaxPerSubject
	}
	dead := false
	for _, subject := range s.Subjects {
		conf.Subjects = append(conf.Subjects, b.subject(subject))
		dead = dead || events.Overlap(subject, "dlq.*.*")
	}
	if dead {
		conf.Subjects = append(conf.Subjects, b.advisories()...)
	}
	return conf
}

// provisionQueues sees to the consumers and the advisories.
func (b *Bus) provisionQueues(ctx context.Context) error {
	if b.conf.FreshConsumers {
		if err := b.refresh(ctx); err != nil {
			return fmt.Errorf("provision: %w", err)
		}
	}
	r, err := b.defaultRoute(commands)
	if err != nil {
		return fmt.Errorf("provision: %w", err)
	}
	// One command at a time, over all processes: commands keep their order.
	if err := b.consumer(ctx, r, 1); err != nil {
		return fmt.Errorf("provision: %w", err)
	}
	if err := b.forward(ctx); err != nil {
		return fmt.Errorf("provision: %w", err)
	}
	return nil
}

// ProvisionEvaluator creates the consumer ev-<name>.
func (b *Bus) ProvisionEvaluator(ctx context.Context, name string) error {
	if !events.IsName(name) {
		return fmt.Errorf("provision evaluator %q: not a DNS label", name)
	}
	r, err := b.defaultRoute(workQueue + "." + name)
	if err == nil {
		err = b.consumer(ctx, r, -1)
	}
	if err != nil {
		return fmt.Errorf("provision evaluator %s: %w", name, err)
	}
	return nil
}

// Evaluators lists whose work has a consumer; see events.Bus.
func (b *Bus) Evaluators(ctx context.Context) ([]string, error) {
	stream, err := b.streamFor(workQueue + ".>")
	if err != nil {
		return nil, fmt.Errorf("evaluators: %w", err)
	}
	found, err := b.consumersOf(ctx, stream)
	if err != nil {
		return nil, fmt.Errorf("consumers of %s: %w", stream, err)
	}
	var names []string
	for _, info := range found {
		if name, ok := strings.CutPrefix(info.Config.Durable, evaluatorPrefix); ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

// RemoveEvaluator removes the consumer ev-<name>; see events.Bus.
func (b *Bus) RemoveEvaluator(ctx context.Context, name string) error {
	r, err := b.defaultRoute(workQueue + "." + name)
	if err == nil {
		err = b.ask(ctx, "$JS.API.CONSUMER.DELETE."+r.stream+"."+r.durable, func(ctx context.Context, _ bool) error {
			if err := b.js.DeleteConsumer(ctx, r.stream, r.durable); !errors.Is(err, jetstream.ErrConsumerNotFound) {
				return err
			}
			return nil
		})
	}
	if err != nil {
		return fmt.Errorf("remove the queue of evaluator %s: %w", name, err)
	}
	return nil
}

// route is where a queue's topic leads.
type route struct {
	stream, durable, filter string
}

// defaultRoute knows "cmd" and "work.<evaluator>".
func (b *Bus) defaultRoute(topic string) (route, error) {
	stream, err := b.streamFor(topic + ".>")
	if err != nil {
		return route{}, err
	}
	r := route{stream: stream, durable: commands, filter: b.subject(topic + ".>")}
	if topic == commands {
		return r, nil
	}
	name, ok := strings.CutPrefix(topic, workQueue+".")
	if !ok || !events.IsName(name) {
		return route{}, fmt.Errorf("%q is no queue", topic)
	}
	r.durable = evaluatorPrefix + name
	return r, nil
}

// consumer creates or updates a queue's durable. No BackOff: the server would
// take its first step for the AckWait.
func (b *Bus) consumer(ctx context.Context, r route, maxAckPending int) error {
	conf := jetstream.ConsumerConfig{
		Durable:       r.durable,
		FilterSubject: r.filter,
		AckPolicy:     jetstream.AckExplicitPolicy,
		AckWait:       b.conf.AckWait,
		MaxDeliver:    events.MaxDeliver,
		MaxAckPending: maxAckPending,
		MaxWaiting:    maxWaiting,
	}
	err := b.ask(ctx, "$JS.API.CONSUMER.CREATE."+r.stream+"."+r.durable, func(ctx context.Context, _ bool) error {
		_, err := b.js.CreateOrUpdateConsumer(ctx, r.stream, conf)
		return placed(err)
	})
	if codeOf(err) == server.JSConsumerWQConsumerNotUniqueErr {
		return fmt.Errorf("consumer %s: another consumer of stream %s takes the same work; delete it: %w", r.durable, r.stream, err)
	}
	if err != nil {
		return fmt.Errorf("consumer %s: %w", r.durable, err)
	}
	return nil
}

// refresh re-creates the consumers of the queues, so that what they had handed
// out is handed out again at once.
func (b *Bus) refresh(ctx context.Context) error {
	for _, topic := range []string{commands, workQueue} {
		stream, err := b.streamFor(topic + ".>")
		if err != nil {
			return err
		}
		if err := b.refreshStream(ctx, stream); err != nil {
			return fmt.Errorf("re-create the consumers of %s: %w", stream, err)
		}
	}
	return nil
}

// consumersOf lists the consumers of a stream.
func (b *Bus) consumersOf(ctx context.Context, name string) (found []*jetstream.ConsumerInfo, err error) {
	err = b.ask(ctx, anyOf(name), func(ctx context.Context, _ bool) error {
		found = nil
		stream, err := b.js.Stream(ctx, name)
		if err != nil {
			return err
		}
		list := stream.ListConsumers(ctx)
		for info := range list.Info() {
			found = append(found, info)
		}
		return list.Err()
	})
	return found, err
}

func (b *Bus) refreshStream(ctx context.Context, name string) error {
	found, err := b.consumersOf(ctx, name)
	if err != nil {
		return err
	}
	for _, info := range found {
		if info.Config.Durable != commands && !strings.HasPrefix(info.Config.Durable, evaluatorPrefix) {
			continue
		}
		err := b.ask(ctx, anyOf(name), func(ctx context.Context, _ bool) error {
			if err := b.js.DeleteConsumer(ctx, name, info.Name); err != nil && !errors.Is(err, jetstream.ErrConsumerNotFound) {
				return err
			}
			_, err := b.js.CreateOrUpdateConsumer(ctx, name, info.Config)
			return placed(err)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Ready waits until the streams exist.
func (b *Bus) Ready(ctx context.Context) error {
	for _, s := range b.conf.Topology {
		if err := b.awaitStream(ctx, b.streamName(s.Name)); err != nil {
			return fmt.Errorf("wait for stream %s: %w", s.Name, err)
		}
	}
	return nil
}

func (b *Bus) awaitStream(ctx context.Context, name string) error {
	for {
		err := b.ask(ctx, infoSubject(name), func(ctx context.Context, _ bool) error {
			_, err := b.js.Stream(ctx, name)
			return err
		})
		if !errors.Is(err, jetstream.ErrStreamNotFound) && !errors.Is(err, events.ErrUnreachable) {
			return err
		}
		if err := b.pause(ctx); err != nil {
			return err
		}
	}
}

// pause waits until what another process creates may be there.
func (b *Bus) pause(ctx context.Context) error {
	t := time.NewTimer(poll)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-b.ctx.Done():
		return errClosed
	}
}

// errClosed is what waits end with when their bus is closed.
var errClosed = errors.New("the bus was closed")

// Purge removes the messages that match the relative filter.
func (b *Bus) Purge(ctx context.Context, filter string) error {
	return b.purge(ctx, filter, jetstream.WithPurgeSubject(b.subject(filter)))
}

// PurgeThrough is Purge of the messages up to sequence last.
func (b *Bus) PurgeThrough(ctx context.Context, filter string, last uint64) error {
	return b.purge(ctx, filter, jetstream.WithPurgeSubject(b.subject(filter)), jetstream.WithPurgeSequence(last+1))
}

func (b *Bus) purge(ctx context.Context, filter string, opts ...jetstream.StreamPurgeOpt) error {
	name, err := b.streamFor(filter)
	if err != nil {
		return fmt.Errorf("purge: %w", err)
	}
	err = b.ask(ctx, anyOf(name), func(ctx context.Context, _ bool) error {
		stream, err := b.js.Stream(ctx, name)
		if err != nil {
			return err
		}
		return stream.Purge(ctx, opts...)
	})
	if err != nil {
		return fmt.Errorf("purge %s: %w", filter, err)
	}
	return nil
}
