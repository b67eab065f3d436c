package dashboard

import (
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"

	"apollo/archiver"
	"apollo/events"
	"apollo/services/archive"
	"apollo/services/inspect"
)

// maxExports are written at a time: each reads a whole run from the bus.
const maxExports = 4

// export writes all trials of the run that a request names as a file. It reads them from
// the bus as they were when it began, so that it holds no run in memory.
func (s *Server) export(kind, suffix string, write func(context.Context, io.Writer, events.Bus, *snapshot) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		shot := s.shot(w, r)
		if shot == nil {
			return
		}
		if shot.reading || shot.err != nil {
			w.Header().Set("Retry-After", "10")
			http.Error(w, "the study is still being read: try again later", http.StatusServiceUnavailable)
			return
		}
		select {
		case s.exports <- struct{}{}:
			defer func() { <-s.exports }()
		default:
			w.Header().Set("Retry-After", "10")
			http.Error(w, fmt.Sprintf("%d studies are exported already: try again later", maxExports), http.StatusServiceUnavailable)
			return
		}
		v := &shot.view
		w.Header().Set("Content-Type", kind)
		w.Header().Set("Content-Disposition", fmt.Sprintf(`attachment; filename="%s-%s.%s"`, v.Study, v.Run, suffix))
		if err := write(r.Context(), goingOn{w}, s.Bus, shot); err != nil {
			if r.Context().Err() == nil {
				s.Logger.Error("an export ended early", "study", v.Study, "run", v.Run, "format", suffix, "error", err)
			}
			panic(http.ErrAbortHandler) // the client must not take a part for the whole
		}
	}
}

// batches are those that were proposed when the snapshot was made.
func (s *snapshot) batches(ctx context.Context, bus events.Bus) iter.Seq2[archive.Joined, error] {
	return func(yield func(archive.Joined, error) bool) {
		for b, err := range archive.Read(ctx, bus, &s.view) {
			if err == nil && b.Proposed.FirstTrial >= s.view.Proposed || !yield(b, err) {
				return
			}
		}
	}
}

// writeCSV writes the trials as `trial ls -o csv` does.
func writeCSV(ctx context.Context, w io.Writer, bus events.Bus, s *snapshot) error {
	out, of := csv.NewWriter(w), inspect.MeaningOf(s.spec)
	_ = out.Write(inspect.TrialHead(s.spec)) // an error stays until Error
	for b, err := range s.batches(ctx, bus) {
		if err != nil {
			return err
		}
		for i := range b.Proposed.Designs {
			_ = out.Write(s.line(&b, i).Cells(of))
		}
		if err := out.Error(); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

// line is a trial of a batch for CSV.
func (s *snapshot) line(b *archive.Joined, i int) *inspect.TrialLine {
	l := &inspect.TrialLine{Trial: b.Proposed.FirstTrial + i, Outcome: s.view.State.OpenTrial(), Design: b.Proposed.Designs[i]}
	if i < len(b.Proposed.Origins) {
		l.Origin = b.Proposed.Origins[i]
	}
	if b.Rows != nil {
		row := &b.Rows[i]
		l.Outcome, l.Metrics = row.Outcome, inspect.Metrics(s.spec, row.Values)
		if row.Reason != nil {
			l.Reason = row.Reason.Code
		}
		l.Feasible = row.Feasible
	}
	if s.voided[l.Trial] {
		l.Outcome, l.Reason, l.Feasible = "voided", "", false
	}
	return l
}

// writeParquet writes the trials that have an answer as the trial log does.
func writeParquet(ctx context.Context, w io.Writer, bus events.Bus, s *snapshot) error {
	rows := func(yield func(archiver.Row, error) bool) {
		for b, err := range s.batches(ctx, bus) {
			if err != nil {
				yield(archiver.Row{}, err)
				return
			}
			for i := range b.Rows {
				if !yield(b.Rows[i], nil) {
					return
				}
			}
		}
	}
	return archiver.WriteRun(w, archiver.Run{Spec: s.spec, ID: s.view.Run, Accepted: s.view.Accepted}, rows)
}

// exports are the links of a page to the files of its run.
func (s *snapshot) exports() (out []choice) {
	for _, f := range []field{{"CSV", "csv"}, {"Parquet", "parquet"}} {
		out = append(out, choice{Text: f.Name, Link: "/api/v1/studies/" + url.PathEscape(s.view.Study) + "/trials." + f.Value + "?" + url.Values{"run": {s.view.Run}}.Encode()})
	}
	return out
}
