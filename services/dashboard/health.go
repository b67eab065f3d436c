package dashboard

import (
	"context"
	"errors"
	"fmt"
	"html/template"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"apollo/events"
	"apollo/services/cli"
	"apollo/services/health"
	"apollo/services/messages"
)

// roles are those who say on the bus that they are there, and the runs that wait.
type roles struct {
	workers   messages.Workers
	archivers *health.Archivers
	waits     *health.Waits
	since     time.Time
}

// askTime is how long the bus may take to answer one question of the health page.
const askTime = 3 * time.Second

// mostLetters are shown, the newest; mostBody bytes of the message of each.
const (
	mostLetters = 50
	mostBody    = 4 << 10
)

// HealthAnswer is who is there and what is wrong, as the API says it.
type HealthAnswer struct {
	Findings  []health.Finding   `json:"findings"`
	Waits     []WaitAnswer       `json:"waits"`
	Workers   []events.Presence  `json:"workers"`
	Archivers []events.Archiving `json:"archivers"`
	Queues    []health.Queue     `json:"queues"`
	Streams   []StreamAnswer     `json:"streams"`
	// Letters are the newest dead letters, of LettersKept in all; the messages in them
	// are left out.
	LettersKept uint64          `json:"letters_kept"`
	Letters     []health.Letter `json:"letters"`
	// Log is what the trial log holds; left out where the server reads none.
	Log *LogAnswer `json:"log,omitempty"`
	// Unknown says what could not be asked, and why.
	Unknown map[string]string `json:"unknown,omitempty"`
}

// WaitAnswer is a cause for which a run waits.
type WaitAnswer struct {
	Study string `json:"study"`
	Run   string `json:"run"`
	events.Waiting
}

// StreamAnswer is the room of a stream.
type StreamAnswer struct {
	Stream   string `json:"stream"`
	Messages uint64 `json:"messages"`
	Bytes    uint64 `json:"bytes"`
	MaxBytes uint64 `json:"max_bytes"`
}

func newRoles() *roles {
	return &roles{archivers: health.NewArchivers(), waits: health.NewWaits(), since: time.Now()}
}

// followRoles listens to all of them until ctx ends.
func (s *Server) followRoles(ctx context.Context) {
	s.reading.Go(func() { s.roles.workers.Follow(ctx, s.Bus) })
	s.reading.Go(func() { s.roles.archivers.Follow(ctx, s.Bus) })
	s.reading.Go(func() { s.roles.waits.Follow(ctx, s.Bus) })
}

// health asks the bus. What it does not answer is in Unknown.
func (s *Server) health(ctx context.Context) *HealthAnswer {
	there, _ := s.roles.workers.Of("", time.Now())
	a := &HealthAnswer{
		Waits: []WaitAnswer{}, Workers: append([]events.Presence{}, there...), Archivers: append([]events.Archiving{}, s.roles.archivers.There()...),
		Queues: []health.Queue{}, Streams: []StreamAnswer{}, Letters: []health.Letter{}, Unknown: map[string]string{},
	}
	slices.SortFunc(a.Archivers, func(a, b events.Archiving) int { return strings.Compare(a.Worker, b.Worker) })
	for _, w := range s.roles.waits.List() {
		a.Waits = append(a.Waits, WaitAnswer{w.Study, w.Run, w.Waiting})
	}
	s.ask(ctx, a, "streams", func(ctx context.Context) error {
		a.Findings = health.Streams(ctx, s.Bus)
		for _, stream := range events.Topology() {
			info, err := s.Bus.Log().Info(ctx, stream.Subjects[0])
			if err != nil {
				return err
			}
			a.Streams = append(a.Streams, StreamAnswer{stream.Name, info.Messages, info.Bytes, info.MaxBytes})
		}
		return nil
	})
	unwritten := 0
	if s.roles.archivers.Missing() {
		unwritten = s.roles.waits.Unwritten()
	}
	a.Findings = append(a.Findings, health.Expiring(s.Bus, time.Now())...)
	a.Findings = append(a.Findings, health.Others(a.Archivers, a.Workers, unwritten)...)
	s.ask(ctx, a, "queues", func(ctx context.Context) error {
		queues, err := health.Queues(ctx, s.Bus, &s.roles.workers)
		a.Queues = append(a.Queues, queues...)
		return err
	})
	s.ask(ctx, a, "letters", func(ctx context.Context) error {
		a.Findings = append(a.Findings, health.Letters(ctx, s.Bus, 0))
		return s.letters(ctx, a)
	})
	if s.Holdings != nil && s.index != nil {
		s.ask(ctx, a, "log", func(ctx context.Context) error { return s.log(ctx, a) })
	}
	return a
}

// ask asks the bus for a part of an answer, and notes why there is none.
func (s *Server) ask(ctx context.Context, a *HealthAnswer, part string, from func(context.Context) error) {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	switch err := from(ctx); {
	case err == nil:
	case errors.Is(err, events.ErrDenied):
		a.Unknown[part] = "the dashboard's user on the bus may not read them: the role operator may"
	default:
		a.Unknown[part] = events.Redact(err.Error())
	}
}

func (s *Server) letters(ctx context.Context, a *HealthAnswer) error {
	filter := events.DeadLetterSubject("*", "*")
	counts, err := s.Bus.Count(ctx, filter)
	if err != nil {
		return err
	}
	for _, n := range counts {
		a.LettersKept += n
	}
	info, err := s.Bus.Log().Info(ctx, filter)
	if err != nil || a.LettersKept == 0 {
		return err
	}
	// Letters that were removed leave holes: as many more are read.
	const spare = 4
	from := uint64(0)
	if info.Last > spare*mostLetters && a.LettersKept > spare*mostLetters {
		from = info.Last - spare*mostLetters
	}
	for m, err := range s.Bus.Log().Read(ctx, from, filter) {
		if err != nil {
			return err
		}
		if a.Letters = append(a.Letters, health.ReadLetter(m)); len(a.Letters) > mostLetters {
			a.Letters = a.Letters[1:]
		}
	}
	slices.Reverse(a.Letters)
	return nil
}

func (s *Server) apiHealth(w http.ResponseWriter, r *http.Request) {
	a := s.health(r.Context())
	for i := range a.Letters {
		a.Letters[i].Body = nil // `dlq show` has it
	}
	answer(w, r, a)
}

// healthPage is what the page of health shows.
type healthPage struct {
	*HealthAnswer
	Bad, Warnings int
	Found         []findingRow
	Room          []roomRow
	Working       []workerRow
	Writing       []archiverRow
	Waiting       []WaitAnswer
	Work          []queueRow
	Dead          []letterRow
	Missing       []field
	Held          *heldRow
	Removed       []heldRow
	Metrics       string // where the process serves them; "" where it does not
	Young         bool   // nobody can have been heard of yet
}

type findingRow struct{ Check, State, Text, Hint string }

type roomRow struct {
	Name, Messages, Held, Room string
	Share                      int // of barSize
}

type workerRow struct {
	Evaluator, Worker, Version, Program, For string
	Answered, Rate, Failed                   string
	Slots, Busy                              int
	HandedBack                               uint64
}

type archiverRow struct{ Worker, Dir, Rows, Text string }

type queueRow struct{ Evaluator, Ready, Held, Oldest string }

type letterRow struct {
	Number                        uint64
	When, Service, Study, Subject string
	Reason, Body, Size            string
}

// healthNow serves the page of health.
func (s *Server) healthNow(w http.ResponseWriter, r *http.Request, pages *template.Template) {
	s.settle(r)
	p := s.health(r.Context()).page(s.roles.since, time.Now())
	p.Metrics = s.Metrics
	render(w, r, pages, "health", p)
}

func (a *HealthAnswer) page(since, now time.Time) *healthPage {
	p := &healthPage{HealthAnswer: a, Waiting: a.Waits, Young: now.Sub(since) < events.AbsentAfter}
	for _, f := range a.Findings {
		row := findingRow{f.Check, "ok", f.Text, f.Hint}
		switch {
		case !f.OK:
			row.State = "bad"
			p.Bad++
		case f.Warning:
			row.State = "look"
			p.Warnings++
		}
		p.Found = append(p.Found, row)
	}
	for _, st := range a.Streams {
		row := roomRow{st.Stream, cli.Count(int(st.Messages)), signs(cli.Quantity(float64(st.Bytes), "B")), "no limit", 0}
		if st.MaxBytes > 0 {
			row.Room, row.Share = signs(cli.Quantity(float64(st.MaxBytes), "B")), int(float64(st.Bytes)/float64(st.MaxBytes)*barSize)
		}
		p.Room = append(p.Room, row)
	}
	for i := range a.Workers {
		p.Working = append(p.Working, workerOf(&a.Workers[i]))
	}
	for i := range a.Archivers {
		v := &a.Archivers[i]
		row := archiverRow{Worker: v.Worker, Dir: v.Dir, Rows: cli.Count(v.Rows), Text: "writes"}
		if v.Waiting != nil {
			row.Text = v.Waiting.Message
		} else if len(v.Behind) > 0 {
			row.Text = fmt.Sprintf("behind with %s", cli.Plural(len(v.Behind), "run"))
		}
		p.Writing = append(p.Writing, row)
	}
	for _, q := range a.Queues {
		row := queueRow{q.Evaluator, cli.Count(q.Ready), cli.Count(q.Held), "–"}
		if q.OldestSeconds > 0 {
			row.Oldest = cli.Duration(time.Duration(q.OldestSeconds * float64(time.Second)))
		}
		p.Work = append(p.Work, row)
	}
	for _, part := range slices.Sorted(maps.Keys(a.Unknown)) {
		p.Missing = append(p.Missing, field{part, a.Unknown[part]})
	}
	if l := a.Log; l != nil {
		p.Held = new(heldText(l.Place, l.Runs, l.Files, l.Rows, l.Bytes))
		for _, h := range slices.Backward(l.Removed) {
			p.Removed = append(p.Removed, heldText(h.Study, h.Runs, h.Files, h.Rows, h.Bytes))
		}
	}
	for i := range a.Letters {
		p.Dead = append(p.Dead, letterOf(&a.Letters[i], now))
	}
	return p
}

func workerOf(w *events.Presence) workerRow {
	row := workerRow{
		Evaluator: w.Evaluator, Worker: w.Worker, Version: w.Version, Program: w.ProgramText, For: "all studies",
		Slots: w.Slots, Busy: len(w.Items), HandedBack: w.HandedBack, Answered: cli.Count(w.Answered), Rate: "–", Failed: cli.Count(w.FailedAttempts),
	}
	if w.UpSeconds > 0 {
		row.Rate = cli.Significant(float64(w.Answered)/w.UpSeconds) + "/s"
	}
	if row.Program == "" {
		row.Program = w.Program
	}
	if w.Study != "" {
		row.For = w.Study + "/" + w.Run
	}
	return row
}

func letterOf(l *health.Letter, now time.Time) letterRow {
	row := letterRow{
		Number: l.Number, When: ago(l.Time, now), Service: l.Service, Study: l.Study, Subject: l.Subject, Reason: l.Reason,
		Size: signs(cli.Quantity(float64(l.Bytes()), "B")),
	}
	switch body := l.Body[:min(len(l.Body), mostBody)]; {
	case len(body) == 0:
		row.Body = "The message was not kept."
	case !utf8.Valid(body[:max(0, len(body)-utf8.UTFMax)]):
		row.Body = "The message is no text."
	default:
		row.Body = strings.ToValidUTF8(string(body), "")
	}
	return row
}
