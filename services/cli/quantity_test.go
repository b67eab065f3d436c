package cli

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"
)

func TestScales(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		value float64
		unit  string
		want  string
	}{
		{1, "s", "1 s"},
		{0.99999, "s", "1000 ms"},
		{0.0009994, "s", "999.4 us"},
		{-0.00025, "s", "-250 us"},
		{4e-10, "s", "400 ps"},
		{4e-13, "s", "0.4 ps"},
		{7200, "s", "7200 s"},
		{36000, "s", "36,000 s"},
		{1e-12, "J", "1 pJ"},
		{0.0025, "W", "2.5 mW"},
		{2.5e-7, "W", "250 nW"},
		{1023, "B", "1023 B"},
		{1024, "B", "1 KiB"},
		{1048575, "B", "1024 KiB"},
		{1048576, "B", "1 MiB"},
		{3 << 29, "B", "1.5 GiB"},
		{-2048, "B", "-2 KiB"},
		{30e9, "B/s", "30 GB/s"},
		{12.5e6, "B/s", "0.0125 GB/s"},
		{1.2345e9, "Hz", "1235 MHz"},
		{999.96, "mm2", "1000 mm2"},
		{1000.5, "mm2", "1001 mm2"},
		{9999, "", "9999"},
		{10000, "", "10,000"},
		{1234567, "", "1,234,567"},
		{-100000, "", "-100,000"},
		{0.123456789, "", "0.123456789"},
		{1e15, "", "1e+15"},
	} {
		if got := Quantity(test.value, test.unit); got != test.want {
			t.Errorf("Quantity(%v, %q) = %q, want %q", test.value, test.unit, got, test.want)
		}
	}
}

func TestWords(t *testing.T) {
	t.Parallel()
	for _, test := range [][2]string{
		{Share(1, 3), "33.3 %"},
		{Share(2, 3), "66.7 %"},
		{Share(7, 7), "100.0 %"},
		{Share(0, 0), "-"},
		{Percent(0.125), "12.5 %"},
		{Percent(-1), "-100.0 %"},
		{Percent(-0.0004), "0.0 %"},
		{Count(12345), "12,345"},
		{Count(uint64(999)), "999"},
		{Plural(1, "trial"), "1 trial"},
		{Plural(0, "trial"), "0 trials"},
		{Plural(2, "trial"), "2 trials"},
		{Duration(89*time.Second + 600*time.Millisecond), "1m30s"},
		{Duration(1449 * time.Millisecond), "1.4s"},
		{Duration(1449 * time.Microsecond), "1ms"},
		{Bare("bandwidth_b_per_s", "B/s"), "bandwidth"},
		{Bare("ms_total", "ms"), "ms_total"},
		{Quantity(Round(0.12345, 3), ""), "0.123"},
		{Quantity(Round(-2.5, 0), ""), "-3"},
	} {
		if test[0] != test[1] {
			t.Errorf("got %q, want %q", test[0], test[1])
		}
	}
}

// Numbers end in one column, names begin in one, also with letters of several bytes.
func TestGrid(t *testing.T) {
	t.Parallel()
	g := &Grid{Header: []string{"NAME", ">VALUE", "WHY"}}
	g.Add("é", "1", "one, two")
	g.Add("long name", "12,345", "")
	var text, csv bytes.Buffer
	g.Text(&text, Paint{})
	want := "NAME        VALUE  WHY\n" +
		"é               1  one, two\n" +
		"long name  12,345\n"
	if text.String() != want {
		t.Errorf("Text() wrote\n%swant\n%s", text.String(), want)
	}
	if err := g.csv(&csv); err != nil {
		t.Fatal(err)
	}
	if want := "NAME,VALUE,WHY\né,1,\"one, two\"\nlong name,\"12,345\",\n"; csv.String() != want {
		t.Errorf("csv() wrote %q, want %q", csv.String(), want)
	}
}

// An answer that was not written whole is an error that says so, once.
func TestBrokenOutlet(t *testing.T) {
	t.Parallel()
	full := &limited{room: 8}
	term := Terminal{Stdout: &Outlet{Writer: full}, Output: "json"}
	err := term.Print(Answer{Value: map[string]int{"a": 1, "b": 2}})
	if err == nil || !strings.Contains(err.Error(), "the answer was not written whole: disk full") {
		t.Errorf("Print() = %v, want that the disk is full", err)
	}
	if code, _ := Classify(t.Context(), err); code != ExitError {
		t.Errorf("exit code %d, want %d", code, ExitError)
	}
	if _, again := term.Stdout.Write([]byte("x")); again == nil || full.calls != 1 {
		t.Errorf("a write after the broken one: %v, %d writes, want none to reach the disk", again, full.calls)
	}
}

// limited is a disk with little room.
type limited struct{ room, calls int }

func (l *limited) Write(b []byte) (int, error) {
	l.calls++
	if len(b) > l.room {
		return l.room, errors.New("disk full")
	}
	l.room -= len(b)
	return len(b), nil
}

// Lines of an answer fit, whatever wrote them: broken between words, indented, with colours
// that count for nothing. What is copied stays, and so does a word that is longer.
func TestAnswersFit(t *testing.T) {
	p := Paint{Width: 20, known: true}
	for text, want := range map[string]string{
		"short":                               "short",
		"one two three four five six\n":       "one two three four\n  five six\n",
		"  - one two three four five six":     "  - one two three\n    four five six",
		"hash     0123456789abcdef0123456789": "hash     0123456789abcdef0123456789",
		"next: apollo design neighbours --x":  "next: apollo design neighbours --x",
		"a-word-that-is-longer-than-a-line":   "a-word-that-is-longer-than-a-line",
		"a-word-that-is-longer-than-a x y\n":  "a-word-that-is-longer-than-a\n  x y\n",
		"\x1b[1mone two\x1b[0m three four":    "\x1b[1mone two\x1b[0m three four",
		"one\n\ntwo\n":                        "one\n\ntwo\n",
	} {
		if got := p.fit(text); got != want {
			t.Errorf("fit(%q) = %q, want %q", text, got, want)
		}
	}
	if long := strings.Repeat("x y ", 90); (Paint{}).fit(long) != long || (Paint{Width: plainWidth}).fit(long) != long {
		t.Error("a line of any width was broken")
	}
}
