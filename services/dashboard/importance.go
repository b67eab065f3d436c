package dashboard

import (
	"fmt"
	"net/http"
	"slices"

	"apollo/events"
	"apollo/services/cli"
	"apollo/services/inspect"
)

// weighed is the importance of parameters as it was measured last.
type weighed struct {
	feasible int // trials then
	ended    bool
	found    *inspect.Importance
	why      string
}

// importance measures which parameters matter, unless that was done when there were
// nearly as many feasible trials: a page that follows a study asks again and again.
func (s *Server) importance(r *http.Request, w *watch, shot *snapshot) (weighed, error) {
	const growth = 1.2
	w.mu.Lock()
	last := w.weighed
	w.mu.Unlock()
	ended := shot.view.State.Terminal()
	if last.feasible > 0 && ended == last.ended && (float64(shot.counts.Feasible) < growth*float64(last.feasible)) {
		return last, nil
	}
	select {
	case s.eyes <- struct{}{}:
		defer func() { <-s.eyes }()
	case <-r.Context().Done():
		return last, r.Context().Err()
	}
	now := weighed{feasible: shot.counts.Feasible, ended: ended}
	now.found, now.why = inspect.ImportanceOf(shot.spec, shot.latest)
	w.mu.Lock()
	w.weighed = now
	w.mu.Unlock()
	return now, nil
}

// latest yields the feasible trials that are kept, the last first.
func (s *snapshot) latest(yield func(events.Design, []float64) bool) {
	for _, t := range slices.Backward(s.ordered()) {
		if t.kind != kindFeasible {
			continue
		}
		design := make(events.Design, len(s.params))
		whole := true
		for i := range design {
			v, on := t.setting(s.params, i)
			design[i], whole = v, whole && on
		}
		if whole && !yield(design, t.values) {
			return
		}
	}
}

func (s *Server) apiImportance(w http.ResponseWriter, r *http.Request) {
	found := s.find(w, r) //nolint:contextcheck // a watch outlives the request that began it
	if found == nil {
		return
	}
	found.ready(r.Context(), follows(r))
	shot := found.snapshot()
	if len(shot.spec.Objectives) == 0 {
		http.Error(w, "the study is still being read: try again in a moment", http.StatusServiceUnavailable)
		return
	}
	of, err := s.importance(r, found, shot)
	switch {
	case err != nil:
		return // the client is gone
	case of.found == nil:
		http.Error(w, of.why, http.StatusConflict)
	default:
		answer(w, r, of.found)
	}
}

// importanceRows are for people.
type importanceRows struct {
	What, Note, Why string
	Rows            []partRow
}

func (of *weighed) rows() *importanceRows {
	if of.found == nil {
		return &importanceRows{Why: of.why}
	}
	out := &importanceRows{
		What: of.found.What,
		Note: fmt.Sprintf("Of %s: the forests explain %s of the variance of those that they did not see. Trials are where the search went: importance is that near its best designs.",
			cli.Plural(of.found.Trials, "feasible trial"), signs(cli.Percent(max(0, of.found.Explained)))),
	}
	for _, p := range of.found.Parameters {
		text := signs(cli.Percent(p.Low)) + " – " + signs(cli.Percent(p.High))
		out.Rows = append(out.Rows, partRow{breakable(p.Name), signs(cli.Percent(p.Mean)), text, int(min(max(p.Mean, 0), 1) * barSize), 0})
	}
	return out
}
