package interop

import (
	"bufio"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"apollo/archiver"
	"apollo/events"
)

// build compiles a command into a folder of the test.
func build(t *testing.T, module, pkg, name string) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), name)
	c := exec.CommandContext(t.Context(), "go", "build", "-o", out, pkg)
	c.Dir = module
	c.Env = append(os.Environ(), "CGO_ENABLED=0")
	if b, err := c.CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", pkg, err, b)
	}
	return out
}

// up starts `apollo up` on a free port and returns its URL.
func up(t *testing.T, apollo, dir string) string {
	t.Helper()
	c := exec.Command(apollo, "up", "--port", "0", "--data", dir)
	said, err := c.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Process.Signal(syscall.SIGINT)
		c.Wait()
	})
	lines := bufio.NewScanner(said)
	for lines.Scan() {
		if _, rest, ok := strings.Cut(lines.Text(), "listening on "); ok {
			url, _, _ := strings.Cut(rest, ",")
			go func() {
				for lines.Scan() {
				}
			}()
			return url
		}
	}
	t.Fatalf("apollo up does not listen: %v", lines.Err())
	return ""
}

// A user with nothing but the nats command publishes a study, is told when it
// was a duplicate, and sees what comes of it.
func TestNATSCommandSubmitsAStudy(t *testing.T) {
	t.Parallel()
	apollo, nats := build(t, "../..", "./services/apollo", "apollo"), build(t, "natscli", "github.com/nats-io/natscli/nats", "nats")
	dir := t.TempDir()
	url := up(t, apollo, dir)
	body, err := os.ReadFile("testdata/demo.json")
	if err != nil {
		t.Fatal(err)
	}
	publish := func(id string, body []byte) string {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		c := exec.CommandContext(ctx, nats, "--server", url, "pub", "--no-templates", "-J", "-H", "Nats-Msg-Id:"+id, "apollo.v1.cmd.study.submit.demo")
		c.Stdin = strings.NewReader(string(body))
		out, err := c.CombinedOutput()
		if err != nil {
			t.Fatalf("nats pub: %v\n%s", err, out)
		}
		return string(out)
	}
	if out := publish("x1", body); !strings.Contains(out, "APOLLO_CMD") || strings.Contains(out, "Duplicate: true") {
		t.Errorf("the first publication: %s", out)
	}
	if out := publish("x1", body); !strings.Contains(out, "Duplicate: true") {
		t.Errorf("the second publication is not told to be a duplicate: %s", out)
	}
	final := lastEvent[events.ArchiveFinal](t, nats, url, "apollo.v1.archive.demo.*.final", "APOLLO_ARCHIVE")
	if final.Trials != 64 {
		t.Errorf("final = %+v, want 64 trials", final)
	}
	completed := lastEvent[events.StudyCompleted](t, nats, url, "apollo.v1.study.demo.*.completed", "APOLLO_LOG")
	accepted := lastEvent[events.StudyAccepted](t, nats, url, "apollo.v1.study.demo.*.accepted", "APOLLO_LOG")
	if completed.Summary.Trials != 64 || completed.Run != accepted.Run || accepted.Command != "x1" {
		t.Errorf("completed = %+v, accepted run %s for %s", completed, accepted.Run, accepted.Command)
	}
	src, err := archiver.LoadSource(os.DirFS(dir), events.Source{Study: "demo"})
	if err != nil || src.SHA256 != completed.Summary.Hash {
		t.Errorf("the log's hash is %.12s, %v; the study's %.12s", src.SHA256, err, completed.Summary.Hash)
	}
	// A bad study is answered with what is wrong.
	publish("x2", []byte(strings.Replace(string(body), `"trials": 64`, `"trails": 64`, 1)))
	rejected := lastEvent[events.StudyRejected](t, nats, url, "apollo.v1.rejected.demo", "APOLLO_LOG")
	if len(rejected.Errors) == 0 || rejected.Errors[0].Pointer == "" || rejected.Errors[0].Code == "" || rejected.Errors[0].Message == "" {
		t.Errorf("rejected = %+v, want errors with pointer, code and message", rejected)
	}
}

// lastEvent reads the last event on a subject with the nats command, and waits
// for it.
func lastEvent[T events.Payload](t *testing.T, nats, url, subject, stream string) T {
	t.Helper()
	var out []byte
	for ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second); ; {
		c := exec.CommandContext(ctx, nats, "--server", url, "stream", "get", stream, "--last-for", subject, "--json")
		var err error
		if out, err = c.Output(); err == nil {
			cancel()
			break
		}
		if ctx.Err() != nil {
			cancel()
			t.Fatalf("no message on %s: %s", subject, out)
		}
		time.Sleep(200 * time.Millisecond)
	}
	var stored struct{ Data []byte }
	if err := json.Unmarshal(out, &stored); err != nil {
		t.Fatalf("%s: %v", out, err)
	}
	_, event, err := events.DecodeAs[T](stored.Data)
	if err != nil {
		t.Fatalf("%s: %v", stored.Data, err)
	}
	return event
}
