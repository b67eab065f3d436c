package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"apollo/evaluator"
	"apollo/events"
)

// returnedFor is how long a worker tells that it gave an item back: longer than
// the longest delay after which the item comes again, so that whoever looks
// sees the reason.
const returnedFor = 30 * time.Second

// heldItems is what a worker has in its hands, for its notices of presence.
type heldItems struct {
	mu       sync.Mutex // guards what follows
	items    map[events.PresentItem]time.Time
	returned map[events.PresentItem]events.PresentItem
	said     map[events.PresentItem]string // how far items in hand are
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
		h.said[item] = text
	}
}

// hold notes that an item is in hand, until the function that it returns is
// called with what became of it.
func (h *heldItems) hold(subject string) (done func(err error)) {
	study, run, batch, ok := events.ParseWorkSubject(subject)
	if !ok {
		return func(error) {}
	}
	key := events.PresentItem{Study: study, Run: run, Batch: batch}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.items == nil {
		h.items, h.returned = map[events.PresentItem]time.Time{}, map[events.PresentItem]events.PresentItem{}
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
			item := key
			item.Since, item.Error = events.Micros(time.Now().UnixMicro()), err.Error()
			h.returned[key] = item
		}
	}
}

// list returns the items in hand and those given back lately, in order.
func (h *heldItems) list(now time.Time) (items, returned []events.PresentItem) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for item, since := range h.items {
		item.Progress = h.said[item]
		item.Since = events.Micros(since.UnixMicro())
		items = append(items, item)
	}
	maps.DeleteFunc(h.returned, func(_, item events.PresentItem) bool {
		return now.Sub(time.UnixMicro(int64(item.Since))) > returnedFor
	})
	returned = slices.Collect(maps.Values(h.returned))
	for _, list := range [][]events.PresentItem{items, returned} {
		slices.SortFunc(list, func(a, b events.PresentItem) int { return int(a.Since - b.Since) })
	}
	return items, returned
}

// inHand is the middleware that notes what is in hand.
func (e *Evaluator) inHand(next message.HandlerFunc) message.HandlerFunc {
	return func(msg *message.Message) ([]*message.Message, error) {
		done := e.hands.hold(msg.Metadata.Get(events.MetaSubject))
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
		data, err := json.Marshal(e.presence())
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
	p.Items, p.Returned = e.hands.list(time.Now())
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
