package membus

import (
	"bytes"
	"maps"
	"slices"
	"strings"
	"time"

	"apollo/events"
)

// overhead is what a file store adds to a message, in bytes: the record's
// header and checksum (nats-server 2.15, fileStoreMsgSize).
const overhead = 22 + 8

// stream holds the messages of one stream. Its hub's mutex guards it.
type stream struct {
	conf    events.Stream
	created time.Time
	last    uint64
	bytes   uint64
	// msgs is ordered by sequence; a removed message leaves it at once.
	msgs []*events.Message
	// latest holds the last sequence of every subject that has messages.
	latest map[string]uint64
	ids    map[string]seen
	// changed is closed and replaced when a message is stored.
	changed chan struct{}
}

// seen remembers an ID for the duplicates window.
type seen struct {
	seq uint64
	at  time.Time
}

func newStream(conf events.Stream, now time.Time) *stream {
	return &stream{conf: conf, created: now, latest: map[string]uint64{}, ids: map[string]seen{}, changed: make(chan struct{})}
}

// duplicate returns the sequence under which the window knows id.
func (s *stream) duplicate(id string, now time.Time) (uint64, bool) {
	if id == "" {
		return 0, false
	}
	old, ok := s.ids[id]
	if !ok || now.Sub(old.at) >= s.conf.Duplicates {
		return 0, false
	}
	return old.seq, true
}

// store appends a copy of m. The caller has checked everything but the size.
func (s *stream) store(m events.Message, now time.Time) (uint64, error) {
	n := size(m)
	if s.conf.Ring {
		s.makeRoom(m.Subject, n)
	}
	if s.conf.MaxBytes > 0 && s.bytes+n > uint64(s.conf.MaxBytes) {
		return 0, events.ErrFull
	}
	s.last++
	s.bytes += n
	kept := clone(m)
	kept.Seq, kept.Time = s.last, now
	s.msgs = append(s.msgs, &kept)
	s.latest[m.Subject] = s.last
	if m.ID != "" {
		s.ids[m.ID] = seen{s.last, now}
	}
	close(s.changed)
	s.changed = make(chan struct{})
	return s.last, nil
}

// makeRoom drops the oldest messages so that one of n bytes on subject fits.
func (s *stream) makeRoom(subject string, n uint64) {
	if most := s.conf.MaxPerSubject; most > 0 {
		var held []uint64
		for _, m := range s.msgs {
			if m.Subject == subject {
				held = append(held, m.Seq)
			}
		}
		for ; int64(len(held)) >= most; held = held[1:] {
			s.remove(held[0])
		}
	}
	for s.conf.MaxBytes > 0 && len(s.msgs) > 0 && s.bytes+n > uint64(s.conf.MaxBytes) {
		s.remove(s.msgs[0].Seq)
	}
}

// lastOf returns the last sequence of a message that matches filter, or 0.
func (s *stream) lastOf(filter string) uint64 {
	if !strings.ContainsAny(filter, "*>") {
		return s.latest[filter]
	}
	var last uint64
	for subject, seq := range s.latest {
		if seq > last && events.MatchSubject(filter, subject) {
			last = seq
		}
	}
	return last
}

// at returns the index of the first message with sequence >= seq.
func (s *stream) at(seq uint64) int {
	i, _ := slices.BinarySearchFunc(s.msgs, seq, func(m *events.Message, seq uint64) int {
		switch {
		case m.Seq < seq:
			return -1
		case m.Seq > seq:
			return 1
		}
		return 0
	})
	return i
}

// batch bounds how many messages one read copies under the hub's mutex.
const batch = 256

// read returns copies of the messages with from <= sequence <= to that match,
// at most a batch, and the sequence to go on from.
func (s *stream) read(from, to uint64, filters []string) (got []events.Message, next uint64) {
	for i := s.at(from); i < len(s.msgs); i++ {
		m := s.msgs[i]
		if m.Seq > to {
			break
		}
		if !matches(filters, m.Subject) {
			continue
		}
		got = append(got, clone(*m))
		if len(got) == batch {
			return got, m.Seq + 1
		}
	}
	return got, max(from, min(to, s.last)+1)
}

// remove drops the message with that sequence, if it is there.
func (s *stream) remove(seq uint64) {
	i := s.at(seq)
	if i == len(s.msgs) || s.msgs[i].Seq != seq {
		return
	}
	m := s.msgs[i]
	s.bytes -= size(*m)
	s.msgs = slices.Delete(s.msgs, i, i+1)
	if s.latest[m.Subject] == seq {
		s.recount(m.Subject)
	}
}

// recount finds the last sequence of one subject again.
func (s *stream) recount(subject string) {
	for _, v := range slices.Backward(s.msgs) {
		if v.Subject == subject {
			s.latest[subject] = v.Seq
			return
		}
	}
	delete(s.latest, subject)
}

// purge drops the messages up to sequence last that match filter.
func (s *stream) purge(filter string, last uint64) {
	s.msgs = slices.DeleteFunc(s.msgs, func(m *events.Message) bool {
		if m.Seq > last || !events.MatchSubject(filter, m.Subject) {
			return false
		}
		s.bytes -= size(*m)
		return true
	})
	maps.DeleteFunc(s.latest, func(subject string, latest uint64) bool {
		return latest <= last && events.MatchSubject(filter, subject)
	})
}

func (s *stream) info() events.StreamInfo {
	i := events.StreamInfo{Created: s.created, Last: s.last, Messages: uint64(len(s.msgs)), Bytes: s.bytes, MaxBytes: uint64(max(0, s.conf.MaxBytes))}
	switch {
	case len(s.msgs) > 0:
		i.First = s.msgs[0].Seq
	case s.last > 0:
		i.First = s.last + 1
	}
	return i
}

func size(m events.Message) uint64 {
	n := overhead + len(m.Subject) + len(m.ID) + len(m.Data)
	for k, v := range m.Header {
		n += len(k) + len(v)
	}
	return uint64(n)
}

func clone(m events.Message) events.Message {
	m.Data = bytes.Clone(m.Data)
	m.Header = maps.Clone(m.Header)
	return m
}

func matches(filters []string, subject string) bool {
	return slices.ContainsFunc(filters, func(f string) bool { return events.MatchSubject(f, subject) })
}
