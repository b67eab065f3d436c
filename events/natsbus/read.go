package natsbus

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"apollo/events"
)

const (
	// pullMessages and pullBytes bound what one reader has in memory: 2000
	// proposals are a few MiB, and one message is at most 8 MiB.
	pullMessages = 2000
	pullBytes    = 16 << 20
	// followMessages is the same for Follow, which waits most of the time: there may be
	// thousands of them, and each has room for so many.
	followMessages = 256
	// pullExpiry is the life of one pull; pullHeartbeat is how often the
	// server shows that it still knows it.
	pullExpiry    = 20 * time.Second
	pullHeartbeat = 2 * time.Second
	// inactive is when the server forgets a reader that is gone.
	inactive = 30 * time.Second
	// doubt is how long Read waits for a message that the server announced
	// before it asks what became of it.
	doubt = time.Second
	// idle is the same for Follow, which is silent most of the time.
	idle = 10 * time.Second
)

// Info returns the state of the stream that holds the subject.
func (p port) Info(ctx context.Context, subject string) (events.StreamInfo, error) {
	info, err := p.info(ctx, subject)
	if err != nil {
		return events.StreamInfo{}, fmt.Errorf("info: %w", err)
	}
	current := 1 // who answers
	if info.Cluster != nil {
		for _, peer := range info.Cluster.Replicas {
			if peer.Current && !peer.Offline {
				current++
			}
		}
	}
	return events.StreamInfo{
		Copies: info.Config.Replicas, Current: current, Wanted: p.bus.replicas(),
		Created: info.Created, First: info.State.FirstSeq, Last: info.State.LastSeq,
		Messages: info.State.Msgs, Bytes: info.State.Bytes, MaxBytes: uint64(max(0, info.Config.MaxBytes)),
	}, nil
}

func (p port) info(ctx context.Context, filters ...string) (*jetstream.StreamInfo, error) {
	name, err := p.bus.streamFor(filters...)
	if err != nil {
		return nil, err
	}
	return p.bus.infoOf(ctx, name)
}

// infoOf asks who leads a stream for its state, with what opts add to it.
func (b *Bus) infoOf(ctx context.Context, name string, opts ...jetstream.StreamInfoOpt) (info *jetstream.StreamInfo, err error) {
	err = b.ask(ctx, infoSubject(name), func(ctx context.Context, _ bool) error {
		stream, err := b.js.Stream(ctx, name)
		if err != nil {
			return err
		}
		info = stream.CachedInfo()
		if len(opts) > 0 {
			if info, err = stream.Info(ctx, opts...); err != nil {
				return err
			}
		}
		return leads(info)
	})
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		err = fmt.Errorf("%w: %w", events.ErrNoStream, err)
	}
	return info, err
}

// Subjects lists the subjects that hold a message; see events.Bus.
func (b *Bus) Subjects(ctx context.Context, filter string) ([]string, error) {
	name, err := b.streamFor(filter)
	if err != nil {
		return nil, fmt.Errorf("subjects: %w", err)
	}
	info, err := b.infoOf(ctx, name, jetstream.WithSubjectFilter(b.subject(filter)))
	if err != nil {
		return nil, fmt.Errorf("subjects %s: %w", filter, err)
	}
	var found []string
	for subject := range info.State.Subjects {
		found = append(found, b.relative(subject))
	}
	slices.Sort(found)
	return found, nil
}

// leaseTime is how long ago the leader of a stream may have heard of the others
// at most: they wait for it for 4 s at least before they elect another one
// (nats-server, server/raft.go: minElectionTimeout), and hear of it every second.
const leaseTime = 3 * time.Second

// leads returns errOusted when who answered for a stream may not lead it: a
// server that was frozen answers what was so before, until the others tell it.
// While nobody leads, any of them answers what it has stored so far.
func leads(info *jetstream.StreamInfo) error {
	if info.Config.Replicas < 2 || info.Cluster == nil {
		return nil
	}
	heard := 1
	for _, peer := range info.Cluster.Replicas {
		if peer.Name == info.Cluster.Leader {
			return errOusted // the replicas are the others: another one leads
		}
		// A peer that was never heard of is active since 0 s.
		if peer.Active > 0 && peer.Active < leaseTime && !peer.Offline {
			heard++
		}
	}
	if info.Cluster.Leader != "" && heard > info.Config.Replicas/2 {
		return nil
	}
	return errOusted
}

// errOusted is an answer of a server that may not lead the stream.
var errOusted = errors.New("the server that answers does not lead the stream, or has lost the others of its cluster")

// infoSubject is where the server is asked about a stream.
func infoSubject(stream string) string { return "$JS.API.STREAM.INFO." + stream }

// Read yields what is stored now; see events.Reader.
func (p port) Read(ctx context.Context, from uint64, filters ...string) iter.Seq2[events.Message, error] {
	info, err := p.info(ctx, filters...)
	return func(yield func(events.Message, error) bool) {
		if err != nil {
			yield(events.Message{}, fmt.Errorf("read: %w", err))
			return
		}
		if info.State.Msgs == 0 || info.State.LastSeq < from {
			return
		}
		r := &reader{
			port: p, stream: info.Config.Name, replicated: info.Config.Replicas > 1, filters: filters,
			next: max(1, from), last: info.State.LastSeq,
		}
		if err := r.run(ctx, yield); err != nil {
			yield(events.Message{}, fmt.Errorf("read: %w", err))
		}
	}
}

// Follow yields what is stored now and later; see events.Reader.
func (p port) Follow(ctx context.Context, from uint64, filters ...string) iter.Seq2[events.Message, error] {
	return p.follow(ctx, reader{filters: filters, next: max(1, from)})
}

func (p port) follow(ctx context.Context, r reader) iter.Seq2[events.Message, error] {
	return func(yield func(events.Message, error) bool) {
		name, err := p.bus.streamFor(r.filters...)
		if err == nil {
			r := r // each use of the sequence begins anew
			r.port, r.stream, r.last = p, name, math.MaxUint64
			err = r.run(ctx, yield)
		}
		if err != nil && ctx.Err() == nil {
			yield(events.Message{}, fmt.Errorf("follow: %w", err))
		}
	}
}

// FollowInStrides yields what is stored in strides; see events.Reader.
func (p port) FollowInStrides(ctx context.Context, from uint64, rest func(ctx context.Context, left uint64) error, filters ...string) iter.Seq2[events.Message, error] {
	return p.follow(ctx, reader{filters: filters, next: max(1, from), rest: rest})
}

// reader yields a stream's messages in order over as many consumers as it takes.
type reader struct {
	port
	stream  string
	filters []string
	// replicated: the consumer may be on a server that lags behind.
	replicated bool
	// next is the first sequence not seen yet, last the last one to yield.
	next, last uint64
	// limit bounds the next request for a consumer.
	limit time.Duration
	// rest is called between strides; nil where each message is taken when it comes.
	rest func(ctx context.Context, left uint64) error
}

// follows reports whether the reader waits for new messages.
func (r *reader) follows() bool { return r.last == math.MaxUint64 }

// errEnd ends a reader without an error.
var errEnd = errors.New("the end")

// run reads until the end. A consumer that is lost is replaced, from where it
// was; Read gives up when it gets nowhere for Config.Patience.
func (r *reader) run(ctx context.Context, yield func(events.Message, error) bool) error {
	var pause backoff
	start, at := time.Now(), uint64(0)
	if !r.follows() && r.bus.walks(r.stream) {
		return r.walk(ctx, yield)
	}
	for r.limit = firstAttempt; ; r.limit = min(r.limit+r.limit/2, lastAttempt) {
		err := r.consume(ctx, yield)
		if errors.Is(err, events.ErrDenied) && !r.follows() {
			r.bus.walkFromNow(r.stream)
			return r.walk(ctx, yield)
		}
		if err == nil || errors.Is(err, errEnd) {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if r.bus.ctx.Err() != nil || errors.Is(err, nats.ErrConnectionClosed) {
			return errClosed
		}
		if r.next > at {
			start, at, pause, r.limit = time.Now(), r.next, backoff{}, firstAttempt
		} else if classify(err) == refused || consumerLost(err) { // twice at the same place
			moved, err := r.step(ctx, yield)
			if errors.Is(err, errEnd) {
				return nil
			}
			if moved {
				continue
			}
		}
		if c := classify(err); !c.retried() && c != absent {
			return err
		}
		if !r.follows() && time.Since(start) > r.bus.conf.Patience {
			return fmt.Errorf("%w: %w", events.ErrUnreachable, err)
		}
		r.bus.log.Debug("read on with another consumer", "stream", r.stream, "from", r.next, "error", err)
		if err := pause.wait(ctx); err != nil {
			return err
		}
	}
}

// errGap is a message that the connection dropped.
var errGap = errors.New("a message of the consumer is missing")

// consume reads with one consumer, until the end (nil or errEnd) or until the
// consumer is lost.
func (r *reader) consume(ctx context.Context, yield func(events.Message, error) bool) error {
	c, pending, err := r.create(ctx)
	if err != nil {
		return err
	}
	defer r.forget(c)
	if !r.follows() && pending == 0 {
		return r.behind(ctx)
	}
	if r.rest != nil {
		return r.stride(ctx, c, yield)
	}
	epoch := r.bus.next()
	most := pullMessages
	if r.follows() {
		most = followMessages
	}
	it, err := c.Messages(jetstream.PullMaxMessagesWithBytesLimit(most, pullBytes),
		jetstream.PullExpiry(pullExpiry), jetstream.PullHeartbeat(pullHeartbeat))
	if err != nil {
		return err
	}
	defer it.Stop()
	// Next knows only one reason to end, so the others stop its iterator.
	watch, done := context.WithCancel(ctx)
	defer done()
	defer context.AfterFunc(watch, it.Stop)()
	defer context.AfterFunc(r.bus.ctx, it.Stop)() //nolint:contextcheck // the bus ends it too
	go func() {
		select {
		case <-epoch:
			it.Stop()
		case <-watch.Done():
		}
	}()
	return r.drain(ctx, c, it, yield)
}

// create makes the server's side of a reader and says how much waits in it.
func (r *reader) create(ctx context.Context) (jetstream.Consumer, uint64, error) {
	conf := jetstream.ConsumerConfig{
		DeliverPolicy:     jetstream.DeliverByStartSequencePolicy,
		OptStartSeq:       r.next,
		AckPolicy:         jetstream.AckNonePolicy,
		InactiveThreshold: inactive,
		MemoryStorage:     true,
		Replicas:          1,
		FilterSubjects:    r.server(),
	}
	var c jetstream.Consumer
	err := r.bus.attempt(ctx, "$JS.API.CONSUMER.CREATE."+r.stream+".", r.limit, func(ctx context.Context) (err error) {
		c, err = r.bus.js.CreateConsumer(ctx, r.stream, conf)
		return placed(err)
	})
	if err != nil {
		return nil, 0, err
	}
	return c, c.CachedInfo().NumPending, nil
}

// server returns the filters the server applies. It refuses overlapping ones:
// then it sends everything, and matching is left to us.
func (r *reader) server() []string {
	var filters []string
	for i, f := range r.filters {
		for _, g := range r.filters[:i] {
			if events.Overlap(f, g) {
				return nil
			}
		}
		filters = append(filters, r.bus.subject(f))
	}
	return filters
}

// forget deletes the consumer; the server would do so after inactive.
func (r *reader) forget(c jetstream.Consumer) {
	if !r.bus.nc.IsConnected() {
		return
	}
	// Nobody waits for the answer: the request alone is enough.
	_ = r.bus.nc.Publish("$JS.API.CONSUMER.DELETE."+r.stream+"."+c.CachedInfo().Name, nil)
}

// drain yields what the consumer delivers.
func (r *reader) drain(ctx context.Context, c jetstream.Consumer, it jetstream.MessagesContext, yield func(events.Message, error) bool) error {
	for delivered := uint64(1); ; delivered++ {
		m, err := r.receive(ctx, c, it, delivered-1)
		if err != nil {
			return err
		}
		meta, err := m.Metadata()
		if err != nil {
			return err
		}
		if meta.Sequence.Consumer != delivered {
			return errGap
		}
		if meta.Sequence.Stream > r.last {
			return errEnd
		}
		if got := r.decode(m.Subject(), m.Headers(), m.Data(), meta.Sequence.Stream, meta.Timestamp); meta.Sequence.Stream >= r.next {
			r.next = meta.Sequence.Stream + 1
			if r.matches(got.Subject) && !isStray(m.Headers(), m.Data()) && !yield(got, nil) {
				return errEnd
			}
		}
		if meta.Sequence.Stream == r.last {
			return errEnd
		}
		if !r.follows() && meta.NumPending == 0 {
			return cmp.Or(r.behind(ctx), errEnd)
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
}

// receive returns the next message. After a while of silence it asks the
// server: what Read waits for may have been removed meanwhile, so that it never
// comes, and a message that the connection dropped leaves no other trace.
func (r *reader) receive(ctx context.Context, c jetstream.Consumer, it jetstream.MessagesContext, delivered uint64) (jetstream.Msg, error) {
	wait := doubt
	if r.follows() {
		wait = idle
	}
	for {
		m, err := it.Next(jetstream.NextMaxWait(wait))
		if !errors.Is(err, nats.ErrTimeout) {
			return m, err
		}
		var info *jetstream.ConsumerInfo
		err = r.bus.attempt(ctx, "$JS.API.CONSUMER.INFO."+r.stream+".", firstAttempt, func(ctx context.Context) (err error) {
			info, err = c.Info(ctx)
			return err
		})
		switch {
		case err != nil:
			return nil, err
		case info.Delivered.Consumer > delivered:
			return nil, errGap
		case info.NumPending == 0 && !r.follows():
			return nil, cmp.Or(r.behind(ctx), errEnd)
		}
	}
}

func (r *reader) decode(subject string, h nats.Header, data []byte, seq uint64, at time.Time) events.Message {
	id, header := decodeHeader(h)
	return events.Message{Subject: r.bus.relative(subject), Seq: seq, ID: id, After: after(h), Time: at, Header: header, Data: data}
}

func (r *reader) matches(subject string) bool {
	for _, f := range r.filters {
		if events.MatchSubject(f, subject) {
			return true
		}
	}
	return false
}
