package worker

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/ThreeDotsLabs/watermill/message"

	"apollo/evaluator"
	"apollo/events"
)

// maxReturned bounds the items given back that a notice names: while a stream is full they
// are all that is outstanding, and a notice has to fit in a message.
const maxReturned = events.MaxSlots

// maxPresenceText bounds the text of an item in a notice: with as many items in hand as a worker
// takes, and maxReturned given back, it still fits in a message of 1 MiB where JSON writes two bytes for each.
const maxPresenceText = 400

// presenceText bounds a text for a notice. What cannot be printed is a blank in it: JSON
// writes six bytes for each.
func presenceText(s string) string {
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, " "))
	return events.Cut(s, maxPresenceText)
}

// encodePresence is JSON that writes < > & as they are: json.Marshal takes six bytes for each.
func encodePresence(p events.Presence) ([]byte, error) {
	var out bytes.Buffer
	to := json.NewEncoder(&out)
	to.SetEscapeHTML(false)
	err := to.Encode(p)
	return out.Bytes(), err
}

// heldItems is what a worker has in its hands, for its notices of presence.
type heldItems struct {
	mu       sync.Mutex // guards what follows
	items    map[events.PresentItem]time.Time
	returned map[events.PresentItem]returnedItem
	said     map[events.PresentItem]string // how far items in hand are
}

// returnedItem is an item that was given back. It is told until it has come again:
// whoever looks sees the reason until then.
type returnedItem struct {
	events.PresentItem
	until time.Time
}

// comesAgainBy is until when an item that is given back now has been handed out again: its
// delay and a while for that are over.
func comesAgainBy(msg *message.Message, now time.Time) time.Time {
	return now.Add(events.RedeliveryDelay(msg) + events.AckWait)
}

// say notes how far an item is.
func (h *heldItems) say(item events.PresentItem, p evaluator.Progress) {
	text := p.Message
	if p.Done >= 0 {
		text = strings.TrimSpace(fmt.Sprintf("%.0f%% %s", 100*min(p.Done, 1), text))
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, held := h.items[item]; held {
		h.said[item] = presenceText(text)
	}
}

// hold notes that an item is in hand, until the function that it returns is
// called with what became of it.
func (h *heldItems) hold(msg *message.Message) (done func(err error)) {
	study, run, batch, ok := events.ParseWorkSubject(msg.Metadata.Get(events.MetaSubject))
	if !ok {
		return func(error) {}
	}
	key := events.PresentItem{Study: study, Run: run, Batch: batch}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.items == nil {
		h.items, h.returned = map[events.PresentItem]time.Time{}, map[events.PresentItem]returnedItem{}
		h.said = map[events.PresentItem]string{}
	}
	h.items[key] = time.Now()
	return func(err error) {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.items, key)
		delete(h.said, key)
		delete(h.returned, key)
		if err != nil && !errors.Is(err, context.Canceled) {
			item, now := key, time.Now()
			item.Since, item.Error = events.Micros(now.UnixMicro()), presenceText(err.Error())
			h.returned[key] = returnedItem{item, comesAgainBy(msg, now)}
		}
	}
}

// has reports whether an item is in hand.
func (h *heldItems) has(item events.PresentItem) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	_, held := h.items[item]
	return held
}

// list returns the items in hand and the latest of those given back that have not come
// again, in order; more is how many others were given back.
func (h *heldItems) list(now time.Time) (items, returned []events.PresentItem, more int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for item, since := range h.items {
		item.Progress = h.said[item]
		item.Since = events.Micros(since.UnixMicro())
		items = append(items, item)
	}
	maps.DeleteFunc(h.returned, func(_ events.PresentItem, item returnedItem) bool { return now.After(item.until) })
	for _, item := range h.returned {
		returned = append(returned, item.PresentItem)
	}
	for _, list := range [][]events.PresentItem{items, returned} {
		slices.SortFunc(list, func(a, b events.PresentItem) int { return int(a.Since - b.Since) })
	}
	more = max(0, len(returned)-maxReturned)
	return items, returned[more:], more
}

// stuckAfter is how long an answer may take to be stored: longer than a cluster takes to
// elect another leader of the stream.
const stuckAfter = 10 * time.Second

// storing is since when answers wait to be stored. A server whose disk takes nothing gives
// no answer, and says that it is well.
type storing struct {
	mu   sync.Mutex // guards what follows
	next int
	// since is when each attempt that goes on began; failing when the first one began of
	// those that have failed since the last answer was stored.
	since   map[int]time.Time
	failing time.Time
	why     error
	// unstored are the items whose answers failed since then, and until when each comes
	// again.
	unstored map[events.PresentItem]time.Time
}

// begin notes that the answer to an item is being stored, until the function that it
// returns is called with what became of it, and until when the item comes again.
func (s *storing) begin(item events.PresentItem, now time.Time) (done func(err error, now, again time.Time)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.since == nil {
		s.since = map[int]time.Time{}
	}
	key := s.next
	s.next++
	s.since[key] = now
	return func(err error, now, again time.Time) {
		s.mu.Lock()
		defer s.mu.Unlock()
		began := s.since[key]
		delete(s.since, key)
		switch {
		case err == nil:
			s.failing, s.why, s.unstored = time.Time{}, nil, nil
			for k := range s.since {
				s.since[k] = now // others wait since then: it takes something
			}
		case errors.Is(err, context.Canceled), errors.Is(err, errPoison):
		case s.failing.IsZero():
			s.failing, s.unstored = began, map[events.PresentItem]time.Time{}
			fallthrough
		default:
			s.why, s.unstored[item] = err, again
		}
	}
}

// stuck says that nothing was stored for a while, although something was to be; inHand
// reports whether the worker measures an item. Of one that failed and does not come again
// somebody else stored the answer, or its study has ended: what else is measured meanwhile
// says nothing of the server.
func (s *storing) stuck(now time.Time, inHand func(events.PresentItem) bool) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	comes := false
	for item, again := range s.unstored {
		comes = comes || inHand(item) || !now.After(again)
	}
	if !comes && len(s.since) == 0 {
		s.failing, s.why, s.unstored = time.Time{}, nil, nil
	}
	first := s.failing
	for _, t := range s.since {
		if first.IsZero() || t.Before(first) {
			first = t
		}
	}
	switch waits := now.Sub(first); {
	case first.IsZero() || waits < stuckAfter:
		return ""
	case s.why == nil:
		return fmt.Sprintf("the server has not said for %s that it stored an answer", waits.Truncate(time.Second))
	default:
		return fmt.Sprintf("no answer was stored for %s: %v", waits.Truncate(time.Second), s.why)
	}
}

// inHand is the middleware that notes what is in hand.
func (e *Evaluator) inHand(next message.HandlerFunc) message.HandlerFunc {
	return func(msg *message.Message) ([]*message.Message, error) {
		done := e.hands.hold(msg)
		out, err := next(msg)
		done(err)
		return out, err
	}
}

// beat tells that the worker is there, until ctx ends.
func (e *Evaluator) beat(ctx context.Context) {
	tell := time.NewTicker(events.PresentEvery)
	defer tell.Stop()
	for {
		data, err := encodePresence(e.presence())
		if err == nil {
			err = e.Bus.Notify(ctx, events.PresenceSubject(e.Name), data)
		}
		if err != nil {
			e.Logger.Debug("notice of presence", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tell.C:
		}
	}
}

// presence is what the worker says about itself.
func (e *Evaluator) presence() events.Presence {
	p := events.Presence{
		Evaluator: e.Name, Worker: e.Worker, Process: e.process, Version: e.version(), Program: e.Program.Digest(), ProgramText: e.Program.String(),
		Study: e.OnlyStudy, Run: e.OnlyRun, Slots: max(e.Slots, 1), HandedBack: e.HandedBack(),
		Answered: e.answered.Load(), FailedAttempts: e.failed.Load(), UpSeconds: time.Since(e.began).Seconds(),
	}
	p.Items, p.Returned, p.MoreReturned = e.hands.list(time.Now())
	p.Stuck = e.storing.stuck(time.Now(), e.hands.has)
	return p
}

// version is the version of what measures.
func (e *Evaluator) version() string {
	if e.Backend != nil {
		return e.Backend.Describe().Version
	}
	for _, t := range e.Catalog.Templates {
		if d := t.Backend.Describe(); d.Name == e.Name {
			return d.Version
		}
	}
	return ""
}
