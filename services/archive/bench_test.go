package archive

import (
	"errors"
	"log/slog"
	"testing"

	"apollo/archiver"
	"apollo/events"
	"apollo/services/messages"
	"apollo/services/servicestest"
)

// BenchmarkArchive decodes proposals and results, joins them, and commits them
// to files whenever a commit is due, fsync included.
func BenchmarkArchive(b *testing.B) {
	p := servicestest.NewPipe(b)
	store, err := archiver.Open(b.TempDir(), archiver.Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	w := &archive{store: store, log: slog.New(slog.DiscardHandler), runs: map[messages.RunKey]*archiveRun{}}
	accepted := p.Encode("a", events.StudyAccepted{Study: "bench", Run: servicestest.Run, Spec: *servicestest.Spec()})
	err = w.logged(b.Context(), delivery{m: events.Message{Subject: events.StudySubject("bench", servicestest.Run, "accepted"), Data: accepted}})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		proposed, _ := p.Propose()
		answer, result := p.Answer()
		if problems := p.Machine.Result(result.Seq, &answer); len(problems) > 0 {
			b.Fatal(problems)
		}
		b.StartTimer()
		err := errors.Join(w.logged(b.Context(), delivery{m: proposed}), w.archiveResult(b.Context(), result, nil))
		if err == nil && store.Due() {
			err = store.Commit(archiver.Position{Sequence: result.Seq})
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	p.PerTrial()
	if err := store.Close(); err != nil {
		b.Fatal(err)
	}
}
