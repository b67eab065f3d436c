package natsbus_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"apollo/events"
	"apollo/events/natsbus"
)

// script is a JetStream that says what a test wants, one answer after the
// other: what a cluster says while its leader is frozen cannot be had on demand.
type script struct {
	mu sync.Mutex
	// acks are the answers to publishes, gets those to questions about a
	// message; the last one of each is repeated.
	acks, gets []string
	// sent are the ids that were published, behind the sequences that were to be the last
	// of the subject then.
	sent, behind []string
}

// play starts the script's server and connects a bus to it.
func play(t *testing.T, s *script) *natsbus.Bus {
	t.Helper()
	ns, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true})
	if err != nil {
		t.Fatal(err)
	}
	ns.Start()
	t.Cleanup(ns.Shutdown)
	nc, err := nats.Connect("", nats.InProcessServer(ns))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	for subject, answer := range map[string]func(*nats.Msg) string{
		events.DefaultPrefix + ".>": func(m *nats.Msg) string {
			s.sent = append(s.sent, m.Header.Get(nats.MsgIdHdr))
			s.behind = append(s.behind, m.Header.Get(nats.ExpectedLastSubjSeqHdr))
			return take(&s.acks)
		},
		"$JS.API.STREAM.MSG.GET.*": func(*nats.Msg) string { return take(&s.gets) },
		"$JS.API.STREAM.INFO.*": func(m *nats.Msg) string {
			return `{"config":{"name":"` + m.Subject[strings.LastIndex(m.Subject, ".")+1:] + `"},"state":{"messages":0}}`
		},
	} {
		_, err := nc.Subscribe(subject, func(m *nats.Msg) {
			s.mu.Lock()
			defer s.mu.Unlock()
			_ = m.Respond([]byte(answer(m)))
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	return connect(t, natsbus.Config{URL: ns.ClientURL(), Patience: 5 * time.Second})
}

func take(answers *[]string) string {
	first := (*answers)[0]
	if len(*answers) > 1 {
		*answers = (*answers)[1:]
	}
	return first
}

const (
	inProcess = `{"error":{"code":409,"err_code":10158,"description":"duplicate message id is in process"}}`
	moved     = `{"error":{"code":400,"err_code":10164,"description":"wrong last sequence"}}`
	moved9    = `{"error":{"code":400,"err_code":10071,"description":"wrong last sequence: 9"}}`
	nothing   = `{"error":{"code":404,"err_code":10037,"description":"no message found"}}`
	lost      = ``
	full      = `{"error":{"code":503,"err_code":10077,"description":"maximum bytes exceeded"}}`
)

func stored(stream string, seq string, duplicate bool) string {
	if duplicate {
		return `{"stream":"` + stream + `","seq":` + seq + `,"duplicate":true}`
	}
	return `{"stream":"` + stream + `","seq":` + seq + `}`
}

// holds is the answer that a message with that id and data is there.
func holds(t *testing.T, seq int, id, data string) string {
	t.Helper()
	answer := map[string]any{"message": map[string]any{
		"subject": events.DefaultPrefix + ".x", "seq": seq, "data": []byte(data),
		"hdrs": []byte("NATS/1.0\r\nNats-Msg-Id: " + id + "\r\n\r\n"),
	}}
	text, err := json.Marshal(answer)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestAppendInProcess repeats an append whose first attempt is on its way
// inside the server, and tells what became of it.
func TestAppendInProcess(t *testing.T) {
	t.Parallel()
	const log = "APOLLO_LOG"
	for _, c := range []struct {
		name       string
		acks, gets []string
		seq        uint64
		err        error
	}{
		{"stored by the first attempt", []string{inProcess, inProcess, stored(log, "7", true)}, nil, 7, nil},
		{"the first attempt got lost", []string{inProcess, stored(log, "8", false)}, nil, 8, nil},
		{"stored, and fenced by itself", []string{inProcess, moved9}, []string{holds(t, 9, "id", "data")}, 9, nil},
		{"another owner was first", []string{inProcess, moved9}, []string{holds(t, 9, "other", "data")}, 0, events.ErrFenced},
		{"another owner's is on its way and gets lost", []string{moved, moved, stored(log, "7", false)}, []string{holds(t, 5, "before", "")}, 7, nil},
		{"another owner's is on its way and comes", []string{moved}, []string{holds(t, 5, "before", ""), holds(t, 6, "other", "")}, 0, events.ErrFenced},
		{"the fence's message was purged", []string{moved9}, []string{nothing}, 0, events.ErrFenced},
		{"full after all", []string{inProcess, full}, nil, 0, events.ErrFull},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := play(t, &script{acks: c.acks, gets: c.gets})
			m := events.Message{Subject: events.StudySubject("demo", "r", "started"), ID: "id", Data: []byte("data")}
			seq, err := b.Log().Append(t.Context(), m, events.Fence{Filter: events.RunFilter("demo", "r"), Last: 5})
			if seq != c.seq || !errors.Is(err, c.err) {
				t.Errorf("Append = %d, %v, want %d, %v", seq, err, c.seq, c.err)
			}
		})
	}
}

// TestRecordInProcess does the same for facts: the first answer wins, and an
// answer that is not stored is never taken for one that is.
func TestRecordInProcess(t *testing.T) {
	t.Parallel()
	const results = "APOLLO_RESULT"
	for _, c := range []struct {
		name       string
		acks, gets []string
		seq        uint64
		err        error
		unnamed    bool // stored without an id in the end
	}{
		{"stored by the first attempt", []string{inProcess, stored(results, "7", true)}, []string{holds(t, 7, "id", "mine")}, 7, nil, false},
		{"the first attempt got lost", []string{inProcess, stored(results, "8", false)}, nil, 8, nil, false},
		{"stored, and in its own way", []string{inProcess, moved9}, []string{holds(t, 9, "id", "mine")}, 9, nil, false},
		{"another worker was first", []string{inProcess, moved9}, []string{holds(t, 9, "id", "another's")}, 0, events.ErrExists, false},
		{"another worker was first, under our id", []string{inProcess, stored(results, "7", true)}, []string{holds(t, 7, "id", "another's")}, 0, events.ErrExists, false},
		{"another worker's is on its way and gets lost", []string{moved, moved, stored(results, "7", false)}, []string{nothing}, 7, nil, false},
		{"another worker's is on its way and comes", []string{moved}, []string{nothing, nothing, holds(t, 7, "x", "another's")}, 0, events.ErrExists, false},
		{"the id is known from elsewhere", []string{stored(results, "3", true), stored(results, "9", false)}, []string{nothing}, 9, nil, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := &script{acks: c.acks, gets: c.gets}
			b := play(t, s)
			m := events.Message{Subject: events.ResultSubject("edge", "demo", "r", 0), ID: "id", Data: []byte("mine")}
			seq, err := b.Facts().Record(t.Context(), m)
			if seq != c.seq || !errors.Is(err, c.err) {
				t.Errorf("Record = %d, %v, want %d, %v", seq, err, c.seq, c.err)
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			if last := s.sent[len(s.sent)-1]; (last == "") != c.unnamed {
				t.Errorf("the last message had id %q", last)
			}
		})
	}
}

// TestWorkInProcess publishes work whose first attempt is on its way: it is
// what paused studies when the leader of APOLLO_WORK was frozen. Where the queue
// does not hold it, and it is not answered, the server knows its ID from elsewhere: it is
// stored without one, and once, whatever becomes of the acknowledgements.
func TestWorkInProcess(t *testing.T) {
	t.Parallel()
	known, kept := stored("APOLLO_WORK", "7", true), stored("APOLLO_WORK", "8", false)
	held, stray := holds(t, 7, "", "work"), holds(t, 5, "", `{"stream":"X","seq":1}`)
	stray = strings.Replace(stray, `"hdrs"`, `"none"`, 1)
	for _, c := range []struct {
		name       string
		acks, gets []string
		sent       []string
		behind     string // of the last message
	}{
		{"stored by the first attempt", []string{inProcess, inProcess, inProcess, known}, []string{held}, []string{"id", "id", "id", "id"}, ""},
		{"the id is another item's", []string{known, kept}, []string{nothing}, []string{"id", ""}, "0"},
		{"behind an answer of the server", []string{known, kept}, []string{stray, stray, nothing}, []string{"id", ""}, "5"},
		{"its acknowledgement got lost", []string{known, lost, moved9}, []string{nothing, nothing, held}, []string{"id", "", ""}, "0"},
		{"another one is on its way and gets lost", []string{known, moved, kept}, []string{nothing}, []string{"id", "", ""}, "0"},
		{"it is answered", []string{known, kept}, []string{nothing, holds(t, 3, "", "answer")}, []string{"id"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := &script{acks: c.acks, gets: c.gets}
			b := play(t, s)
			if err := b.Queue(1).Publish(events.WorkSubject("edge", "demo", "r", 0), message.NewMessage("id", nil)); err != nil {
				t.Errorf("Publish = %v", err)
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			if !slices.Equal(s.sent, c.sent) {
				t.Errorf("it was sent with the ids %q, want %q", s.sent, c.sent)
			}
			if last := s.behind[len(s.behind)-1]; last != c.behind {
				t.Errorf("the last one was sent behind %q, want %q", last, c.behind)
			}
		})
	}
}
