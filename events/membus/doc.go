// Package membus is the twin of events/natsbus in memory: a message bus with
// the same promises, kept by the same conformance suite (events/bustest), with
// faults that are drawn from a seed.
//
// A Hub plays the server, a Client one process that is connected to it. Every
// wait is on a channel or a timer, so the whole pipeline runs under
// testing/synctest in fake time.
//
// # Faults
//
// What happens to an operation is decided by its key alone: the seed of the
// hub, the kind of the decision, the message's ID (or its subject, when it has
// none) and how many times that decision was made for that key. So the same
// seed takes the same decisions whatever the order in which goroutines run;
// only the choice among several waiting messages (Faults.Reorder) also depends
// on which messages wait at that moment.
//
// # What it leaves out
//
// Nothing is on disk, so a hub survives no restart. A consumer's heartbeat is
// implied by its client being alive. Subjects are held without their prefix;
// hubs share nothing, so two prefixes are two hubs.
package membus
