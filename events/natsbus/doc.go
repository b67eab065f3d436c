// Package natsbus carries the events over NATS JetStream. It is the only code
// that knows JetStream; the services see events.Bus.
//
// # Names
//
// Subjects of the ports are relative; the bus adds and strips Config.Prefix.
// With events.DefaultPrefix the streams have the topology's names
// (APOLLO_LOG); with another prefix they are followed by "-" and the prefix,
// dots written as underscores (APOLLO_LOG-lab_two), so that several prefixes
// share a server without meeting. An evaluator's consumer is ev-<evaluator>,
// the commands' is cmd.
//
// # Delivery
//
// A subscription pulls exactly as many messages as it has free slots, so
// nothing is prefetched that another worker could do. One goroutine per
// subscription tells the server every events.Heartbeat that the messages in
// hand are alive. A subscription outlives lost connections, servers that
// restart and consumers that are deleted: it binds again.
//
// The last of events.MaxDeliver deliveries is not handed to a worker: the bus
// writes it to the dead-letter stream. That stream also records the server's
// advisories about undeliverable work (of workers in other languages); the
// process that provisions turns those into dead letters of the same form.
//
// # Errors
//
// Every operation retries lost connections and time-outs with the same ID
// until its context is done or Config.Patience has passed, and then returns
// events.ErrUnreachable. A denied subject is told at once as events.ErrDenied.
package natsbus
