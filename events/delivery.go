package events

import (
	"fmt"
	"strings"
	"time"
)

// Rules of delivery that every bus keeps.
const (
	// AckWait is how long a bus waits for a sign of life of the worker that
	// holds a message before it hands the message to another one.
	AckWait = 10 * time.Second
	// Heartbeat is the interval of those signs: three of them fit in AckWait,
	// so that one that is lost costs nothing.
	Heartbeat = 3 * time.Second
	// MaxDeliver bounds how many times a message is delivered: the last
	// delivery goes to the dead-letter stream instead of to a worker.
	MaxDeliver = 100
	// maxNackDelay bounds the growing delay of a message that is sent back.
	maxNackDelay = 5 * time.Minute
)

// QueueService is the service name of dead letters that the bus itself writes.
const QueueService = "queue"

// NackDelay is the time until a message comes back that was refused at its
// nth delivery (from 1): 1 s, 2 s, 4 s, … at most 5 min.
func NackDelay(n uint64) time.Duration {
	if n == 0 {
		n = 1
	}
	if n > 9 { // 2^9 s is beyond the bound
		return maxNackDelay
	}
	return min(time.Second<<(n-1), maxNackDelay)
}

// Undeliverable makes the dead letter of a queue message that was handed out
// too many times, or that was terminated, for a bus that carries payload bytes.
func Undeliverable(m Message, deliveries uint64, reason string, now time.Time, payload int) (Message, error) {
	// The sequence keeps two letters about the same ID apart (a message that
	// was published again after its first one was removed).
	id := fmt.Sprintf("dead.%s.%d.%d", m.Subject, m.Seq, m.Time.UnixNano())
	study := StudyOf(m.Subject)
	letter := DeadLetter{
		Service: QueueService, Reason: reason, Subject: m.Subject,
		Sequence: m.Seq, Deliveries: deliveries, Body: m.Data,
	}
	data, err := letter.Fit(id, study, now, MessageRoom(payload))
	if err != nil {
		return Message{}, err
	}
	return Message{Subject: DeadLetterSubject(QueueService, study), ID: id, Data: data}, nil
}

// StudyOf returns the study token of a relative subject of the contract, or
// "unknown" when there is none.
func StudyOf(subject string) string {
	place := map[string]int{"study": 1, "rejected": 1, "work": 2, "result": 2, "archive": 1, "dlq": 2, "tick": 1}
	if _, _, study, ok := ParseCommandSubject(subject); ok && IsName(study) {
		return study
	}
	tokens := strings.Split(subject, ".")
	if i, ok := place[tokens[0]]; ok && i < len(tokens) && IsName(tokens[i]) {
		return tokens[i]
	}
	return "unknown"
}

// StreamOf returns the name of the stream of the topology that holds what a
// relative subject or filter matches. ok is false when there is none or when
// the filter spans more than one.
func StreamOf(topology []Stream, filter string) (s Stream, ok bool) {
	found := 0
	for _, stream := range topology {
		for _, subject := range stream.Subjects {
			if Overlap(subject, filter) {
				s = stream
				found++
				break
			}
		}
	}
	return s, found == 1
}

// Overlap reports whether some subject matches both filters.
func Overlap(a, b string) bool {
	for {
		x, restA, moreA := strings.Cut(a, ".")
		y, restB, moreB := strings.Cut(b, ".")
		switch {
		case x == ">" || y == ">":
			return true
		case x != y && x != "*" && y != "*":
			return false
		case !moreA || !moreB:
			return moreA == moreB
		}
		a, b = restA, restB
	}
}

// IsSubject reports whether s is a subject that a message can be published on:
// tokens that are not empty, without wildcards, spaces or control characters.
func IsSubject(s string) bool {
	for token := range strings.SplitSeq(s, ".") {
		if token == "" || strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r == 0x7f || r == '*' || r == '>' }) {
			return false
		}
	}
	return true
}
