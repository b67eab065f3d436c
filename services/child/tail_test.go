package child

import (
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"
)

func TestTailKeepsTheEnd(t *testing.T) {
	t.Parallel()
	var w tail
	for range 100 {
		_, _ = w.Write([]byte(strings.Repeat("x", 100) + "\n"))
	}
	_, _ = w.Write([]byte("one\ntwo\nthree\nfour\n"))
	if got, want := w.note(0), "; stderr: two | three | four"; got != want {
		t.Errorf("note() = %q, want %q", got, want)
	}
	if len(w.end) > maxTail {
		t.Errorf("%d bytes are kept, want at most %d", len(w.end), maxTail)
	}
	_, _ = w.Write([]byte(strings.Repeat("é", maxTail)))
	if got := w.note(0); !utf8.ValidString(got) || len(got) > 2*maxExcerpt+20 {
		t.Errorf("note() = %q, want short valid text", got)
	}
	if got := (&tail{}).note(0); got != "" {
		t.Errorf("note() of nothing = %q", got)
	}
	_, _ = w.Write([]byte("old\n"))
	mark := w.total()
	if got := w.note(mark); got != "" {
		t.Errorf("note() since the mark = %q, want nothing", got)
	}
	_, _ = w.Write([]byte("new\n"))
	if got, want := w.note(mark), "; stderr: new"; got != want {
		t.Errorf("note() since the mark = %q, want %q", got, want)
	}
}

// What the reader of the pipe took a moment ago is seen by who catches up: a
// writer to "also" that is slow stands for a reader that is interrupted there.
func TestCatchUpWaitsForWhatIsOnItsWay(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("pipes are not read twice here")
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	taken, goOn := make(chan struct{}), make(chan struct{})
	to := &tail{also: writerFunc(func([]byte) { taken <- struct{}{}; <-goOn })}
	var reader sync.WaitGroup
	reader.Go(func() { drain(r, to) })
	if _, err := w.WriteString("no licence\n"); err != nil {
		t.Fatal(err)
	}
	<-taken
	said := make(chan string)
	go func() {
		catchUp(r, to)
		said <- to.note(0)
	}()
	runtime.Gosched() // a catchUp that does not wait ends now
	select {
	case note := <-said:
		t.Errorf("catchUp came back with %q before the reader had kept what it read", note)
		close(goOn)
	default:
		close(goOn)
		if note := <-said; note != "; stderr: no licence" {
			t.Errorf("note() = %q", note)
		}
	}
	_ = w.Close()
	reader.Wait()
}

type writerFunc func([]byte)

func (f writerFunc) Write(b []byte) (int, error) {
	f(b)
	return len(b), nil
}
