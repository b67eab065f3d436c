package dashboard

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"apollo/events"
)

// rawTime is how long the events of a trial are looked for: a run's proposals are read from
// the first.
const rawTime = 10 * time.Second

// RawAnswer is the events that a trial comes from, as the bus has them: each is that of a
// whole batch.
type RawAnswer struct {
	Proposed json.RawMessage `json:"proposed,omitempty"`
	// Evaluated is left out where every design of the batch had been measured before.
	Evaluated json.RawMessage `json:"evaluated,omitempty"`
	// Unread is the first thing stored for an answer, where none can be read as one.
	Unread string `json:"unread,omitempty"`
}

func (s *Server) apiRaw(w http.ResponseWriter, r *http.Request) {
	shot, t := s.wanted(w, r)
	if t == nil || !s.admit(r) {
		return
	}
	defer s.leave()
	ctx, cancel := context.WithTimeout(r.Context(), rawTime)
	defer cancel()
	v := &shot.view
	a, err := rawOf(ctx, s.Bus, v.Study, v.Run, shot.spec.Evaluator.Name, t.batch)
	if err != nil {
		w.Header().Set("Retry-After", "10")
		http.Error(w, "read the events of the trial: "+err.Error(), http.StatusServiceUnavailable)
		return
	}
	answer(w, r, a)
}

// rawOf reads the proposal of a batch and its answer, which is the first that can be read.
func rawOf(ctx context.Context, bus events.Bus, study, run, evaluator string, batch int) (a RawAnswer, err error) {
	for m, err := range bus.Facts().Read(ctx, 0, events.ResultSubject(evaluator, study, run, batch)) {
		if err != nil {
			return a, err
		}
		if _, _, err := events.DecodeAs[events.BatchEvaluated](m.Data); err == nil {
			a.Evaluated, a.Unread = m.Data, ""
			break
		}
		if a.Unread == "" {
			a.Unread = string(m.Data)
		}
	}
	for m, err := range bus.Log().Read(ctx, 0, events.StudySubject(study, run, "proposed")) {
		if err != nil {
			return a, err
		}
		if _, p, err := events.DecodeAs[events.TrialsProposed](m.Data); err == nil && p.Batch == batch {
			a.Proposed = m.Data
			break
		}
	}
	return a, nil
}
