package events

import (
	"context"
	"errors"
	"iter"
	"strconv"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
)

// Sentinels of the ports.
var (
	// ErrFenced: another owner appended to the log first. Read what is new,
	// fold it, decide again.
	ErrFenced = errors.New("the log moved on")
	// ErrExists: the fact has been recorded already.
	ErrExists = errors.New("already recorded")
	// ErrFull: the stream is at its limit. Nothing was stored; try again later.
	ErrFull = errors.New("the stream is full")
	// ErrTooLarge: the message is larger than the bus or its stream carries.
	// Nothing was stored, and the same message never will be.
	ErrTooLarge = errors.New("the message is larger than the bus carries")
	// ErrUnreachable: the bus cannot be reached now. Nothing is known about
	// what was stored; try again with the same ID.
	ErrUnreachable = errors.New("the bus cannot be reached")
	// ErrNoStream: the bus answers, and has no such stream: no proposer has made it
	// yet, or somebody deleted it. It is ErrUnreachable too, so that who waits for the
	// bus waits for it.
	ErrNoStream error = noStream{}
	// ErrDenied: the server's permissions forbid a subject, which the error's
	// text names.
	ErrDenied = errors.New("the server denies it")
)

type noStream struct{}

func (noStream) Error() string { return "the stream is not there" }

func (noStream) Is(target error) bool { return target == ErrUnreachable }

// Message is one message of a stream.
type Message struct {
	// Subject is relative: the bus adds the configured prefix.
	Subject string
	// Seq is the stream's sequence; 0 before it is stored.
	Seq uint64
	// ID is the event's key (Nats-Msg-Id): the stream stores one message per
	// ID within its duplicates window.
	ID string
	// After is what the fence of its append named and what held then: the
	// sequence of the message before it, of those that the fence covers. nil
	// where there was no fence. A reader that has seen another one before it
	// knows that the bus has lost some.
	After *uint64
	// Time is when the stream stored it; it is for people. The only logic that rests
	// on it is the end of a budget of wall time, which the log then says.
	Time time.Time
	// Header carries the W3C trace context; may be nil.
	Header map[string]string
	// Data is the encoded event. It belongs to the receiver.
	Data []byte
}

// Fence makes an append conditional: the last message that matches Filter must
// have sequence Last (0: there is none).
type Fence struct {
	Filter string
	Last   uint64
}

// Validity is how long something that proves who is who is good for.
type Validity struct{ From, Until time.Time }

// StreamInfo is the state of a stream.
type StreamInfo struct {
	// Created tells a stream from one that was made anew under its name.
	Created     time.Time
	First, Last uint64
	Messages    uint64
	// Bytes stored of MaxBytes allowed.
	Bytes, MaxBytes uint64
	// Copies is how many servers are to hold the stream, Current how many of them
	// have all of it, and Wanted how many a proposer that starts now asks for. 0
	// where the bus knows of no copies.
	Copies, Current, Wanted int
}

// Reader reads the stored messages of one stream in order. Filters are
// relative subjects with the wildcards * (one token) and > (the rest); all
// filters of one call must belong to the same stream.
type Reader interface {
	// Read yields the messages with sequence >= from that match, up to the
	// last one that was stored when it was called. An error ends it.
	Read(ctx context.Context, from uint64, filters ...string) iter.Seq2[Message, error]
	// Follow is Read that then waits for new messages, until ctx is done
	// (which ends it without an error). It survives lost connections by itself.
	Follow(ctx context.Context, from uint64, filters ...string) iter.Seq2[Message, error]
	// FollowInStrides is Follow for whoever would rather have many messages now and then
	// than each when it comes, which costs the bus and the reader a fraction. It yields what
	// is stored, some hundred messages at most, calls rest with how many more the bus knows
	// to be stored (a copy that lags knows of less), and takes the next stride when that
	// returns. An error of rest ends it without one.
	FollowInStrides(ctx context.Context, from uint64, rest func(ctx context.Context, left uint64) error, filters ...string) iter.Seq2[Message, error]
	// Info returns the state of the stream that holds the subject.
	Info(ctx context.Context, subject string) (StreamInfo, error)
}

// Log is a fenced, append-only log.
type Log interface {
	Reader
	// Append stores m when fence holds, and returns its sequence once it is
	// durable. A zero Fence is no fence. A repeated ID is stored once and
	// returns the first one's sequence when the bus knows it. Without a fence that
	// is so only while the first one is there, on the same subject: another message
	// with its ID does not stand for m. Work returns it also when it is gone.
	// Errors: ErrFenced, ErrFull, ErrTooLarge, ErrUnreachable.
	Append(ctx context.Context, m Message, fence Fence) (uint64, error)
}

// Facts is a stream that holds at most one message per subject, the first.
type Facts interface {
	Reader
	// Record stores m unless its subject has a message, and returns its
	// sequence once it is durable. Only the subject decides: an ID that the stream
	// knows from elsewhere is no hindrance. Errors: ErrExists, ErrFull,
	// ErrTooLarge, ErrUnreachable.
	Record(ctx context.Context, m Message) (uint64, error)
}

// Queue hands work to workers, on Watermill's interfaces.
//
// Publish's topic is a relative subject of a work-queue stream; the message's
// UUID is its ID, and Publish returns once all messages are durable. Work is stored once
// per ID while an item of its subject is in the queue or its answer is stored: the window
// of IDs is the stream's, and who may write for one evaluator can use up those of another
// one. Subscribe's
// topic is "cmd" (commands, strictly one after the other) or "work.<evaluator>".
// Ack removes a message, Nack brings it back after a growing delay (or after the
// one that the worker put into its metadata, see HandBack), and a
// message in progress is kept from redelivery until it is answered. When a
// worker dies its messages go to another one. The subject, sequence and
// delivery count of a message, and when it was stored, are in its metadata
// (MetaSubject, MetaSequence, MetaDeliveries, MetaStored).
type Queue interface {
	message.Publisher
	message.Subscriber
}

// Keys of a queue message's metadata.
const (
	MetaSubject    = "apollo_subject"
	MetaSequence   = "apollo_sequence"
	MetaDeliveries = "apollo_deliveries"
	MetaStored     = "apollo_stored" // when the stream stored it, RFC 3339
	metaHandBack   = "apollo_hand_back"
)

// HandBack asks for a delay of its own before a message comes again that is
// nacked next: nothing is wrong with it, it is for somebody else.
func HandBack(m *message.Message, delay time.Duration) {
	m.Metadata.Set(metaHandBack, delay.String())
}

// HandBackDelay returns what HandBack asked for; ok is false when it did not.
func HandBackDelay(m *message.Message) (delay time.Duration, ok bool) {
	delay, err := time.ParseDuration(m.Metadata.Get(metaHandBack))
	return delay, err == nil
}

// RedeliveryDelay is after what time a message comes again that is nacked now.
func RedeliveryDelay(m *message.Message) time.Duration {
	if delay, asked := HandBackDelay(m); asked {
		return delay
	}
	n, _ := strconv.ParseUint(m.Metadata.Get(MetaDeliveries), 10, 64)
	return NackDelay(n)
}

// QueueHeader returns the headers of a queue message: its metadata without what
// a bus itself set at a delivery.
func QueueHeader(m *message.Message) map[string]string {
	header := make(map[string]string, len(m.Metadata))
	for k, v := range m.Metadata {
		switch k {
		case MetaSubject, MetaSequence, MetaDeliveries, MetaStored, metaHandBack:
		default:
			header[k] = v
		}
	}
	return header
}

// QueueInfo is who works on a queue at this moment.
type QueueInfo struct {
	// Known: there is such a queue.
	Known bool
	// Asking is how many requests for work are open: workers with nothing to do.
	Asking int
	// Held messages are handed out and not answered, also those of a worker
	// that died less than AckWait ago. Ready ones were not handed out yet.
	Held, Ready int
}

// Bus is what a message bus offers to the services. events/natsbus implements
// it over JetStream, events/membus in memory.
type Bus interface {
	Log() Log
	Facts() Facts
	// Queue returns a queue whose subscriptions hold at most slots messages
	// that are not yet answered.
	Queue(slots int) Queue
	// QueueInfo returns who works on a topic of Queue. One that was not
	// provisioned has nobody.
	QueueInfo(ctx context.Context, topic string) (QueueInfo, error)
	// Queued reports whether a queue still holds a message on that subject,
	// handed out or not: one that was acknowledged is gone.
	Queued(ctx context.Context, subject string) (bool, error)
	// Subjects lists the subjects that match the filter, all of one stream, and that
	// a message is stored on, in alphabetical order.
	Subjects(ctx context.Context, filter string) ([]string, error)
	// Provision creates or updates the streams of the topology. The proposer
	// does that; everyone else waits with Ready.
	Provision(ctx context.Context) error
	// ProvisionEvaluator creates the consumer of an evaluator's work.
	ProvisionEvaluator(ctx context.Context, name string) error
	// Evaluators lists whose work has a consumer, in alphabetical order.
	Evaluators(ctx context.Context) ([]string, error)
	// RemoveEvaluator removes the consumer of an evaluator's work, if there is one. Work
	// that is queued stays, for the next one.
	RemoveEvaluator(ctx context.Context, name string) error
	// Ready waits until the streams exist.
	Ready(ctx context.Context) error
	// MaxPayload is the largest message, with its headers, that the bus and its
	// streams of events carry now; see MessageRoom.
	MaxPayload() int
	// Purge removes the messages of one stream that match the relative filter. A
	// reader in a cluster may see them for a moment more.
	Purge(ctx context.Context, filter string) error
	// PurgeThrough is Purge of the messages up to sequence last.
	PurgeThrough(ctx context.Context, filter string, last uint64) error
	// Notify publishes a message that is not stored; Notices yields such
	// messages until ctx is done.
	Notify(ctx context.Context, subject string, data []byte) error
	Notices(ctx context.Context, filter string) iter.Seq2[Message, error]
}
