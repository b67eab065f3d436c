package membus

import (
	"maps"
	"slices"
)

// Moment is a copy of what a hub stores, as a copy of a server's directory is.
type Moment struct {
	streams map[string]stream
}

// Moment copies everything that is stored now.
func (h *Hub) Moment() *Moment {
	h.mu.Lock()
	defer h.mu.Unlock()
	m := &Moment{streams: map[string]stream{}}
	for name, s := range h.streams {
		m.streams[name] = s.copied()
	}
	return m
}

func (s *stream) copied() stream {
	c := *s
	c.msgs, c.latest, c.ids = slices.Clone(s.msgs), maps.Clone(s.latest), maps.Clone(s.ids)
	return c
}

// Restore goes back to a moment, in the streams of that name or in all. Clients
// stay connected and do not hear of it, as when a server comes back with an
// older directory. What queues held is delivered again, and like a server that
// was started anew the streams know the ids of what they hold only.
func (h *Hub) Restore(m *Moment, names ...string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for name, s := range h.streams {
		if len(names) > 0 && !slices.Contains(names, name) {
			s.forget()
			continue
		}
		old, there := m.streams[name]
		if !there {
			old = *newStream(s.conf, s.created)
		}
		changed := s.changed
		*s = old.copied()
		s.changed = changed
		s.forget()
		for _, q := range h.consumers {
			if q.stream == s {
				q.items = nil
				for _, msg := range s.msgs {
					q.enqueue(h, msg)
				}
				q.wake()
			}
		}
	}
}

// forget drops the ids of messages that are not there any more.
func (s *stream) forget() {
	maps.DeleteFunc(s.ids, func(_ string, old seen) bool {
		i := s.at(old.seq)
		return i == len(s.msgs) || s.msgs[i].Seq != old.seq
	})
}

// Cut drops the last n messages of a stream, as a block that is cut off does.
func (h *Hub) Cut(name string, n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.streams[name]
	for range min(n, len(s.msgs)) {
		s.remove(s.msgs[len(s.msgs)-1].Seq)
	}
	s.last = 0
	if len(s.msgs) > 0 {
		s.last = s.msgs[len(s.msgs)-1].Seq
	}
	s.forget()
}
