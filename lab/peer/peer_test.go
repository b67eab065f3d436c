package peer

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"apollo/optimizer"
	"apollo/optimizer/space"
)

// TestMain lets the test binary be a peer: with the arguments "script FILE" it
// plays the part "peer" of a transcript and insists on the part "bench".
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "script" {
		if err := play(os.Args[2]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(3)
		}
		return
	}
	os.Exit(m.Run())
}

// play reads lines of a transcript: "bench: JSON" must arrive, "peer: TEXT" is
// said; "stderr: TEXT", "exit" and "hang" do what they say.
func play(path string) error {
	script, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	in := bufio.NewReader(os.Stdin)
	for want := range strings.SplitSeq(strings.TrimSpace(string(script)), "\n") {
		word, text, _ := strings.Cut(want, ":")
		text = strings.TrimSpace(text)
		switch word {
		case "bench":
			got, err := in.ReadString('\n')
			if err != nil {
				return fmt.Errorf("wait for %s: %w", text, err)
			}
			if text != "*" && !sameJSON(got, text) {
				return fmt.Errorf("got %s want %s", got, text)
			}
		case "peer":
			fmt.Println(text)
		case "stderr":
			fmt.Fprintln(os.Stderr, text)
		case "exit":
			os.Exit(1)
		case "hang":
			_, _ = in.ReadString(0)
		default:
			return fmt.Errorf("the script says %q", want)
		}
	}
	return nil
}

func sameJSON(a, b string) bool {
	var x, y any
	return json.Unmarshal([]byte(a), &x) == nil && json.Unmarshal([]byte(b), &y) == nil && reflect.DeepEqual(x, y)
}

// small is the problem of docs/peers.md.
func small(t *testing.T) optimizer.Problem {
	t.Helper()
	sp, err := space.New(space.Param{Name: "rows", Values: []float64{4, 8, 16}}, space.Param{Name: "flow", Labels: []string{"weight", "output"}})
	if err != nil {
		t.Fatal(err)
	}
	return optimizer.Problem{
		Space: sp, Seed: 1, Legal: func(p space.Point) bool { return p[0] < 2 },
		Features: func(p space.Point) []float64 { return []float64{2 * math.Log(sp.Values(p)[0].Num)} },
	}
}

// start runs a script as a peer.
func start(t *testing.T, c Peer, p optimizer.Problem, script string) *Strategy {
	t.Helper()
	path := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(path, []byte(script), 0o600); err != nil {
		t.Fatal(err)
	}
	c.Command = fmt.Sprintf("'%s' script '%s'", os.Args[0], path)
	s, err := c.Start(p)
	if err != nil {
		t.Fatal(err)
	}
	running := s.(*Strategy)
	t.Cleanup(func() { _ = running.Close() })
	return running
}

func transcript(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("../../docs/peers.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(b), "```transcript\n")
	script, _, closed := strings.Cut(rest, "```")
	if !ok || !closed {
		t.Fatal("docs/peers.md has no transcript")
	}
	return script
}

// The conversation of docs/peers.md, word for word.
func TestTranscript(t *testing.T) {
	t.Parallel()
	var stderr bytes.Buffer
	c := Peer{Label: "p", Budget: 10, Objectives: []Objective{{"latency_s", "minimize"}}, Features: []string{"macs"}, Stderr: &stderr}
	s := start(t, c, small(t), transcript(t))
	var points []space.Point
	for i, o := range []optimizer.Observation{
		{Status: optimizer.Measured, Values: []float64{0.25}},
		{Status: optimizer.Infeasible, Violation: 0.5, Cause: "parameter_memory", Trial: 1},
		{},
	} {
		proposals, err := s.Ask(uint64(i), 1, nil)
		if err != nil {
			t.Fatal(err)
		}
		if len(proposals) != 1 || proposals[0].Origin != "p" {
			t.Fatalf("ask %d: %v", i, proposals)
		}
		points = append(points, proposals[0].Point)
		if i < 2 {
			o.Point = proposals[0].Point
			s.Tell(o)
		}
	}
	if want := []space.Point{{0, 0}, {1, 1}, {0, 1}}; !reflect.DeepEqual(points, want) {
		t.Errorf("suggested %v, want %v", points, want)
	}
	if want := (Stats{Checks: 3, Illegal: 1}); s.Stats() != want {
		t.Errorf("stats %+v, want %+v", s.Stats(), want)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if state := s.process.State(); !state.Success() {
		t.Errorf("the peer ended with %v: %s", state, stderr.String())
	}
}

func TestRulesForSuggestions(t *testing.T) {
	t.Parallel()
	const opening = "bench: *\nbench: *\n" // init, ask
	for name, c := range map[string]struct {
		script string
		left   int
		want   []space.Point
		stats  Stats
		origin string
	}{
		"a number between levels goes to the nearest": {
			script: `peer: {"op":"suggest","trials":[{"id":"1","params":{"rows":6.5,"flow":"output"}}]}`,
			want:   []space.Point{{1, 1}}, stats: Stats{Moved: 1}, origin: "peer",
		},
		"the lower of two": {
			script: `peer: {"op":"suggest","trials":[{"id":"1","params":{"rows":6,"flow":"output"}}]}`,
			want:   []space.Point{{0, 1}}, stats: Stats{Moved: 1}, origin: "peer",
		},
		"more than was asked for is ignored": {
			script: `peer: {"op":"suggest","trials":[{"id":"1","params":{"rows":4,"flow":"output"}},{"id":"2","params":{"rows":8,"flow":"output"}}]}`,
			want:   []space.Point{{0, 1}}, origin: "peer",
		},
		"nothing is replaced by a random legal design": {
			script: `peer: {"op":"suggest","trials":[]}`,
			stats:  Stats{Replaced: 1}, origin: "peer/random",
		},
		"checks beyond the cap are refused": {
			script: `peer: {"op":"check","designs":[[4,"output"],[8,"output"],[4,"weight"]]}
bench: {"op":"checked","legal":[true,true,null],"features":[[2.772588722239781],[4.1588830833596715],null],"left":0}
peer: {"op":"suggest","trials":[{"id":"1","params":{"rows":4,"flow":"output"}}]}`,
			left: 2, want: []space.Point{{0, 1}}, stats: Stats{Checks: 2, Refused: 1}, origin: "peer",
		},
		"after enough rejections a random design is tried": {
			script: strings.Repeat("peer: {\"op\":\"suggest\",\"trials\":[{\"id\":\"1\",\"params\":{\"rows\":16,\"flow\":\"output\"}}]}\nbench: *\nbench: *\n", maxRejections-1) +
				`peer: {"op":"suggest","trials":[{"id":"1","params":{"rows":16,"flow":"output"}}]}`,
			stats: Stats{Illegal: maxRejections, Replaced: 1}, origin: "peer/random",
		},
		"a pending design is a duplicate": {
			script: `peer: {"op":"suggest","trials":[{"id":"x","params":{"rows":4,"flow":"weight"}}]}
bench: {"op":"rejected","trials":[{"id":"x","reason":"duplicate"}]}
bench: {"op":"ask","n":1}
peer: {"op":"suggest","trials":[{"id":"y","params":{"rows":8,"flow":"weight"}}]}`,
			want: []space.Point{{1, 0}}, stats: Stats{Duplicate: 1}, origin: "peer",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, Peer{Checks: c.left}, small(t), opening+c.script)
			pending := space.Point{0, 0}
			got, err := s.Ask(0, 1, []space.Point{pending})
			if err != nil {
				t.Fatal(err)
			}
			if len(got) != 1 || got[0].Origin != c.origin || c.want != nil && !reflect.DeepEqual(got[0].Point, c.want[0]) {
				t.Errorf("%v, want %v by %s", got, c.want, c.origin)
			}
			if !small(t).Legal(got[0].Point) || reflect.DeepEqual(got[0].Point, pending) {
				t.Errorf("%v is not legal, or pending", got[0].Point)
			}
			if s.Stats() != c.stats {
				t.Errorf("stats %+v, want %+v", s.Stats(), c.stats)
			}
		})
	}
}

func TestFailures(t *testing.T) {
	t.Parallel()
	const opening = "bench: *\nbench: *\n"
	for name, c := range map[string]struct{ script, code, text string }{
		"it ends":              {"stderr: no licence\nexit", codeDied, "stderr: no licence"},
		"it hangs":             {"hang", codeTimeout, "no answer within"},
		"its error":            {`peer: {"op":"error","message":"out of ideas"}`, codeError, "out of ideas"},
		"no JSON":              {"peer: hello", codeProtocol, `the line "hello" is not a JSON object`},
		"unknown operation":    {`peer: {"op":"tell"}`, codeProtocol, `"tell" is none of check, suggest and error`},
		"a label that is none": {`peer: {"op":"suggest","trials":[{"id":"1","params":{"rows":4,"flow":"input"}}]}`, codeProtocol, `parameter "flow" has no level "input"`},
		"a text for a number":  {`peer: {"op":"suggest","trials":[{"id":"1","params":{"rows":"4","flow":"output"}}]}`, codeProtocol, `parameter "rows" has no level "4"`},
		"a missing parameter":  {`peer: {"op":"suggest","trials":[{"id":"1","params":{"rows":4}}]}`, codeProtocol, `parameter "flow" is missing`},
		"an unknown one":       {`peer: {"op":"suggest","trials":[{"id":"1","params":{"rows":4,"flow":"output","x":1}}]}`, codeProtocol, `there is no parameter "x"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := c
			limit := Peer{}
			if c.code == codeTimeout {
				limit.Timeout = 300 * time.Millisecond
			}
			s := start(t, limit, small(t), opening+c.script)
			_, err := s.Ask(0, 1, nil)
			f, ok := errors.AsType[*Failure](err)
			if !ok || f.Code != c.code || !strings.Contains(f.Message, c.text) {
				t.Fatalf("Ask() = %v, want %s with %q", err, c.code, c.text)
			}
			if _, again := s.Ask(0, 1, nil); !errors.Is(again, err) {
				t.Errorf("a second ask gives %v, want the same error", again)
			}
			if err := s.Close(); err != nil || !s.process.Exited() {
				t.Errorf("Close() = %v, exited %t", err, s.process.Exited())
			}
		})
	}
}

func TestStartExplainsMistakes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		peer Peer
		want string
	}{
		"no command":          {Peer{}, "the command is empty"},
		"no such program":     {Peer{Command: "/does/not/exist"}, codeStart},
		"too many objectives": {Peer{Command: "x", Objectives: make([]Objective, 2)}, "2 objectives are named"},
		"negative checks":     {Peer{Command: "x", Checks: -1}, "must not be negative"},
	} {
		if _, err := c.peer.Start(small(t)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want an error with %q", name, err, c.want)
		}
	}
}

func TestMaximizeIsToldAsMeant(t *testing.T) {
	t.Parallel()
	c := Peer{Objectives: []Objective{{"speed", "maximize"}}}
	s := start(t, c, small(t), `bench: *
bench: *
peer: {"op":"suggest","trials":[{"id":"1","params":{"rows":4,"flow":"output"}}]}
bench: {"op":"tell","trials":[{"id":"1","params":{"rows":4,"flow":"output"},"status":"ok","metrics":{"speed":7}},{"params":{"rows":8,"flow":"output"},"status":"failed"}]}
bench: *
peer: {"op":"suggest","trials":[{"id":"2","params":{"rows":4,"flow":"weight"}}]}`)
	if _, err := s.Ask(0, 1, nil); err != nil {
		t.Fatal(err)
	}
	s.Tell(
		optimizer.Observation{Point: space.Point{0, 1}, Values: []float64{-7}},
		optimizer.Observation{Point: space.Point{1, 1}, Status: optimizer.Failed, Trial: 1},
		optimizer.Observation{Point: space.Point{1, 1}, Trial: 1},
	)
	if _, err := s.Ask(2, 1, nil); err != nil {
		t.Error(err)
	}
}

func TestExhaustedSpace(t *testing.T) {
	t.Parallel()
	s := start(t, Peer{}, small(t), "bench: *\nbench: *\nbench: *\npeer: {\"op\":\"suggest\",\"trials\":[]}")
	for _, p := range small(t).Space.All() {
		s.Tell(optimizer.Observation{Point: p, Values: []float64{1}})
	}
	if _, err := s.Ask(6, 1, nil); !errors.Is(err, optimizer.ErrExhausted) {
		t.Errorf("Ask() = %v, want ErrExhausted", err)
	}
}
