//go:build unix

package chaos

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"apollo/archiver/storage/storagetest"
	"apollo/events"
	"apollo/services/messages"
)

// faultsVariable asks for TestFaultsAreSeen: "1", or the page whose table it writes.
const faultsVariable = "APOLLO_FAULTS"

const (
	// unseenAfter is when a fault counts as not seen at all.
	unseenAfter = 45 * time.Second
	// settled is how long a service may take to be well before a fault, and after it.
	settled = 90 * time.Second
)

// slowEvaluator measures one design in a second, so that a study is under way for as
// long as the faults take.
const slowEvaluator = `crash=$(dirname "$0")/crash
while read -r line; do
  id=${line##*\"id\":\"}; id=${id%%\"*}
  case $line in
  *'"op":"describe"'*) printf '{"id":"%s","name":"slow","version":"VERSION","metrics":[{"name":"runtime_s","unit":"s"}]}\n' "$id" ;;
  *) sleep 1; [ ! -e "$crash" ] || exit 1; printf '{"id":"%s","metrics":{"runtime_s":1}}\n' "$id" ;;
  esac
done
`

const slowStudy = `apiVersion: apollo/v1
kind: Study
metadata: {name: slow}
spec:
  space: {parameters: [{name: rows, min: 1, max: 100}, {name: cols, min: 1, max: 100}]}
  objectives: [{metric: runtime, goal: minimize}]
  evaluator: {name: slow, metrics: [{name: runtime, unit: s}], maxFailures: 3}
  algorithm: {name: random}
  budget: {trials: 5000, parallelism: 2}
`

// watched is a service with a process that serves its health, as an operator sees it.
type watched struct {
	*cluster
	http string
	// bucket is where the archiver writes; "" is its disk.
	bucket string
	// fills: the archiver has a disk of its own, which can be full.
	fills bool
}

// fault is what goes wrong, and what each place says of it: a pattern, "" where it is
// none of its business.
type fault struct {
	name                            string
	healthz, readyz, metric, doctor string
	begin, end                      func()
}

// start starts a process of the service.
func (w *watched) start(name string, args ...string) {
	w.t.Helper()
	s := &child{name: name, role: name, epoch: w.epoch, cmd: exec.Command(os.Getenv(binaryVariable), append(args, "--log-format", "json")...)}
	spawn(w.t, w.logs(), s, w.env(), func(s *child) { w.exits <- s })
	w.services[name] = s
}

func (w *watched) kill(name string) {
	w.t.Helper()
	if err := w.services[name].kill(); err != nil {
		w.t.Fatal(err)
	}
}

func newWatched(t *testing.T, servers int) *watched {
	t.Helper()
	return watchOver(newCluster(t, quick, servers))
}

func watchOver(c *cluster) *watched {
	t := c.t
	t.Helper()
	w := &watched{cluster: c, http: freeAddress(t)}
	w.mountDisk()
	for version, name := range map[string]string{"1": "slow.sh", "2": "rival.sh"} {
		if err := os.WriteFile(filepath.Join(w.dir, name), []byte(strings.Replace(slowEvaluator, "VERSION", version, 1)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

// serveAll starts every role, with a study under way and a process that tells of it.
func (w *watched) serveAll() {
	w.t.Helper()
	w.start("proposer", "serve", "proposer")
	limited, cancel := context.WithTimeout(w.t.Context(), settled)
	defer cancel()
	if err := w.bus.Ready(limited); err != nil {
		w.t.Fatalf("the streams are not made: %v\n%s", err, w.tails())
	}
	w.startArchiver()
	w.startSlow()
	w.startMonitor()
	study := filepath.Join(w.dir, "slow.yaml")
	if err := os.WriteFile(study, []byte(slowStudy), 0o600); err != nil {
		w.t.Fatal(err)
	}
	var accepted struct{ Run string }
	w.apollo(&accepted, "study", "submit", study)
}

func (w *watched) startMonitor() {
	w.t.Helper()
	w.start("monitor", "serve", "dashboard", "--web", "127.0.0.1:0", "--http", w.http)
}

// disk is where the archiver writes.
func (w *watched) disk() string { return filepath.Join(w.dir, "disk") }

func (w *watched) startArchiver() {
	w.t.Helper()
	w.start("archiver", "serve", "archiver", "--archive", cmp.Or(w.bucket, w.disk()))
}

func (w *watched) startSlow() {
	w.t.Helper()
	w.start("evaluator", "evaluator", "run", "--name", "slow", "--slots", "2", "--exec", "sh "+filepath.Join(w.dir, "slow.sh"))
}

// page asks the monitor, with its status before the text.
func (w *watched) page(path string) string {
	client := http.Client{Timeout: 5 * time.Second}
	reply, err := client.Get("http://" + w.http + path)
	if err != nil {
		return err.Error()
	}
	defer reply.Body.Close()
	body, _ := io.ReadAll(reply.Body)
	return fmt.Sprintf("%d\n%s", reply.StatusCode, body)
}

// doctor asks the command, with its exit code before the text.
func (w *watched) doctor(ctx context.Context) string {
	cmd := exec.CommandContext(ctx, os.Getenv(binaryVariable), "doctor")
	cmd.Env = append(os.Environ(), append(w.env(), "COLUMNS=1000")...)
	out, err := cmd.CombinedOutput()
	code := 0
	if failed, ok := errors.AsType[*exec.ExitError](err); ok {
		code = failed.ExitCode()
	}
	return fmt.Sprintf("%d\n%s", code, out)
}

// well waits until nothing is wrong.
func (w *watched) well(before string) {
	w.t.Helper()
	for end := time.Now().Add(settled); ; time.Sleep(200 * time.Millisecond) {
		said := w.page("/healthz")
		if said == "200\nok\n" && strings.HasPrefix(w.page("/readyz"), "200") {
			return
		}
		if time.Now().After(end) {
			w.t.Fatalf("before %q the service is not well:\n%s\n%s", before, said, w.tails())
		}
	}
}

// seen begins a fault, says after how long each place told of it, and ends it.
func (w *watched) seen(f *fault) string {
	w.t.Helper()
	f.begin()
	began := time.Now()
	row := []string{f.name, "", "", "", ""}
	var asking sync.WaitGroup
	for i, place := range []struct {
		want string
		ask  func(context.Context) string
	}{
		{f.healthz, func(context.Context) string { return w.page("/healthz") }},
		{f.readyz, func(context.Context) string { return w.page("/readyz") }},
		{f.metric, func(context.Context) string { return w.page("/metrics") }},
		{f.doctor, w.doctor},
	} {
		row[i+1] = "–"
		if place.want == "" {
			continue
		}
		asking.Go(func() {
			ctx, cancel := context.WithTimeout(w.t.Context(), unseenAfter)
			defer cancel()
			pattern, said := regexp.MustCompile(`(?m)`+place.want), ""
			for ctx.Err() == nil {
				answer := place.ask(ctx)
				if ctx.Err() == nil || said == "" { // the last one may have been cut off
					said = answer
				}
				if pattern.MatchString(answer) {
					row[i+1] = fmt.Sprintf("%.1f s", time.Since(began).Seconds())
					return
				}
				time.Sleep(100 * time.Millisecond)
			}
			row[i+1] = "not seen"
			w.t.Errorf("%s: place %d does not say %q within %s but\n%s", f.name, i, place.want, unseenAfter, said[:min(len(said), 3000)])
		})
	}
	asking.Wait()
	f.end()
	return "| " + strings.Join(row, " | ") + " |"
}

// TestFaultsAreSeen makes everything go wrong that an operator has to know of, and
// measures when the health page, the readiness page, the metrics and doctor say so.
func TestFaultsAreSeen(t *testing.T) {
	page := os.Getenv(faultsVariable)
	if testing.Short() || page == "" {
		t.Skipf("it takes minutes: ask with %s=1, or `make faults`", faultsVariable)
	}
	rows := []string{"| fault | `/healthz` | `/readyz` | metric | `apollo doctor` |", "|---|---|---|---|---|"}
	tell := func(w *watched, faults []fault) {
		for _, f := range faults {
			w.well(f.name)
			rows = append(rows, w.seen(&f))
			w.t.Log(rows[len(rows)-1])
		}
		w.well("the end")
	}
	t.Run("one server", func(t *testing.T) {
		w := newWatched(t, 1)
		w.serveAll()
		tell(w, w.faults())
	})
	t.Run("a bucket", func(t *testing.T) {
		store := storagetest.New(t)
		w := newWatched(t, 1)
		w.bucket = storagetest.Place("faults")
		w.serveAll()
		tell(w, bucketFaults(store))
	})
	t.Run("operator mode", func(t *testing.T) {
		w, i := newOperated(t)
		w.serveAll()
		tell(w, w.credentialFaults(i))
	})
	t.Run("three servers", func(t *testing.T) {
		w := newWatched(t, 3)
		w.serveAll()
		tell(w, w.clusterFaults())
	})
	if page != "1" && !t.Failed() {
		writeTable(t, page, rows)
	}
}

// writeTable puts a table between the marks of a page.
func writeTable(t *testing.T, page string, rows []string) {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	const from, to = "<!-- faults -->\n", "<!-- /faults -->"
	head, rest, begins := strings.Cut(string(text), from)
	_, tail, ends := strings.Cut(rest, to)
	if !begins || !ends {
		t.Fatalf("%s has no %q and %q", page, from, to)
	}
	if err := os.WriteFile(page, []byte(head+from+strings.Join(rows, "\n")+"\n"+to+tail), 0o644); err != nil {
		t.Fatal(err)
	}
}

// mountDisk gives the archiver a disk of its own. Only the superuser may.
func (w *watched) mountDisk() {
	w.t.Helper()
	if err := os.Mkdir(w.disk(), 0o755); err != nil {
		w.t.Fatal(err)
	}
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", w.disk()).CombinedOutput(); err != nil {
		w.t.Logf("no disk is filled, and that of this machine counts: mount: %v: %s", err, out)
		return
	}
	w.fills = true
	w.t.Cleanup(func() {
		if out, err := exec.Command("umount", "--lazy", w.disk()).CombinedOutput(); err != nil {
			w.t.Errorf("umount: %v: %s", err, out)
		}
	})
}

// fill writes a file until the disk takes no more.
func (w *watched) fill(name string) {
	w.t.Helper()
	f, err := os.Create(name)
	if err != nil {
		w.t.Fatal(err)
	}
	defer f.Close()
	for block := make([]byte, 1<<16); err == nil; {
		_, err = f.Write(block)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		w.t.Fatal(err)
	}
}

// faults are those of one server.
func (w *watched) faults() []fault {
	server := w.nodes[0]
	trials := filepath.Join(w.disk(), "trials")
	aside := trials + ".aside"
	var folder string
	var stream jetstream.StreamConfig
	move := func(from, to string) {
		if err := os.Rename(from, to); err != nil {
			w.t.Fatal(err)
		}
	}
	file := func(name string) {
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			w.t.Fatal(err)
		}
	}
	remove := func(name string) {
		if err := os.Remove(name); err != nil {
			w.t.Fatal(err)
		}
	}
	all := []fault{
		{
			"no evaluator for a study", `^waits: slow/.*no_evaluator`, "", `^apollo_study_waiting\{code="no_evaluator"`, `^no_evaluator +warn`,
			func() { w.kill("evaluator") }, w.startSlow,
		},
		{
			"no proposer", `^no_proposer:`, "", `^apollo_faults [1-9]`, `^no_proposer +BAD`,
			func() { w.kill("proposer") }, func() { w.start("proposer", "serve", "proposer") },
		},
		{
			"no archiver", `^archivers: no archiver is there`, "", `^apollo_faults [1-9]`, `^archivers +BAD`,
			func() { w.kill("archiver") }, w.startArchiver,
		},
		{
			"the archiver cannot write", `^archiver .*cannot write`, "", `^apollo_archive_stuck\{.*\} 1`, `^archiver .*BAD`,
			func() { move(trials, aside); file(trials) }, func() { remove(trials); move(aside, trials) },
		},
		{
			"the archiver is behind with one run", `^archiver .*behind with run`, "", `^apollo_faults [1-9]`, `^archiver .*BAD +behind with run`,
			func() {
				found, err := filepath.Glob(filepath.Join(trials, "current", "study=slow", "run=*"))
				if err != nil || len(found) != 1 {
					w.t.Fatalf("the folders of the study are %v, %v", found, err)
				}
				folder = found[0]
				move(folder, folder+".aside")
				file(folder)
			}, func() { remove(folder); move(folder+".aside", folder) },
		},
		{
			"a stream is full by 80 %", `^APOLLO_LOG: `, "", `^apollo_faults [1-9]`, `^APOLLO_LOG +BAD`,
			func() {
				w.changeStream("APOLLO_LOG", func(c *jetstream.StreamConfig, bytes uint64) { stream = *c; c.MaxBytes = int64(bytes) * 10 / 9 })
			},
			func() {
				w.changeStream("APOLLO_LOG", func(c *jetstream.StreamConfig, _ uint64) { c.MaxBytes = stream.MaxBytes })
			},
		},
		{
			"two evaluators of one name", `^warns: evaluators: 2 different`, "", `^apollo_evaluator_slots\{.*version="2"`, `^evaluators +BAD`,
			func() {
				w.start("rival", "evaluator", "run", "--name", "slow", "--exec", "sh "+filepath.Join(w.dir, "rival.sh"))
			},
			func() { w.kill("rival") },
		},
		{
			"only another version works", `^waits: slow/.*wrong_version`, "", `^apollo_study_waiting\{code="wrong_version"`, `^wrong_version +warn`,
			func() {
				w.kill("evaluator")
				w.start("rival", "evaluator", "run", "--name", "slow", "--exec", "sh "+filepath.Join(w.dir, "rival.sh"))
			},
			func() { w.kill("rival"); w.startSlow() },
		},
		{
			"the program crashes at every design", `^waits: slow/.*paused`, "", `^apollo_study_waiting\{code="paused"`, `paused`,
			func() { file(filepath.Join(w.dir, "crash")) },
			func() {
				remove(filepath.Join(w.dir, "crash"))
				var resumed any
				w.apollo(&resumed, "study", "resume", "slow")
			},
		},
		{
			"dead letters", `^warns: dead letters: proposer 1`, "", `^apollo_dead_letters\{service="proposer"\} 1`, `^dead letters +warn`,
			func() {
				letter := events.DeadLetter{Service: "proposer", Reason: "a test", Subject: "study.slow.x.y"}
				if err := messages.AppendDeadLetter(w.t.Context(), w.bus, "slow", letter, "a-letter"); err != nil {
					w.t.Fatal(err)
				}
			},
			func() {
				if err := w.bus.Purge(w.t.Context(), events.DeadLetterSubject("*", "*")); err != nil {
					w.t.Fatal(err)
				}
			},
		},
		{
			"a stream is gone", `^APOLLO_DLQ: `, `^503`, `^apollo_faults [1-9]`, `^APOLLO_DLQ +BAD`,
			func() {
				w.nats(func(ctx context.Context, js jetstream.JetStream) error { return js.DeleteStream(ctx, "APOLLO_DLQ") })
			},
			func() { w.kill("proposer"); w.start("proposer", "serve", "proposer") },
		},
		{
			"the server hangs", `^bus: `, `^503`, `^apollo_faults [1-9]`, `^[1-9]`,
			func() { w.signal(server, syscall.SIGSTOP) }, func() { w.signal(server, syscall.SIGCONT) },
		},
		{
			"the server is gone", `^bus: `, `^503`, `^apollo_faults [1-9]`, `^[1-9]`,
			func() {
				if err := server.child.kill(); err != nil {
					w.t.Fatal(err)
				}
			}, func() { w.cluster.start(server); w.awaitNode(server) },
		},
	}
	if block := filepath.Join(w.disk(), "block"); w.fills {
		all = slices.Insert(all, 3, fault{
			"the archiver's disk is full", `^archiver .*no space left`, "", `^apollo_archive_stuck\{.*\} 1`, `^archiver .*BAD .*no space left`,
			func() { w.fill(block) }, func() { remove(block) },
		})
	}
	return all
}

// bucketFaults are those of a bucket that the archiver writes to.
func bucketFaults(store *storagetest.Server) (all []fault) {
	for _, f := range [][2]string{
		{"the bucket is slowed down", storagetest.SlowDown},
		{"the bucket answers with errors", storagetest.Internal},
		{"the bucket does not answer", storagetest.Hangs},
		{"the bucket denies", storagetest.Denied},
		{"the key of the bucket has run out", storagetest.Expired},
		{"the clock is not the bucket's", storagetest.Skewed},
		{"the bucket is gone", storagetest.Gone},
	} {
		all = append(all, fault{
			f[0], `^archiver .*cannot write`, "", `^apollo_archive_stuck\{.*\} 1`, `^archiver .*BAD`,
			func() { store.Always(f[1]) }, func() { store.Always("") },
		})
	}
	return all
}

// clusterFaults are those of three servers.
func (w *watched) clusterFaults() []fault {
	kill := func(nodes ...*node) {
		for _, n := range nodes {
			if err := n.child.kill(); err != nil {
				w.t.Fatal(err)
			}
		}
	}
	start := func(nodes ...*node) {
		for _, n := range nodes {
			w.cluster.start(n)
			w.awaitNode(n)
		}
	}
	second, third := w.nodes[1], w.nodes[2]
	const lacks = `^apollo_stream_missing_copies\{.*\} [1-9]`
	return []fault{
		{
			"one of three servers is gone", `^warns: APOLLO_LOG: .*copies current`, "", lacks, `^APOLLO_LOG +warn .*copies current`,
			func() { kill(third) }, func() { start(third) },
		},
		{
			"two of three servers are gone", `^503`, `^503`, `^apollo_faults [1-9]`, `^[1-9]`,
			func() { kill(second, third) }, func() { start(second, third) },
		},
	}
}

// nats does something to the server that no command of apollo does.
func (w *watched) nats(do func(context.Context, jetstream.JetStream) error) {
	w.t.Helper()
	nc, err := nats.Connect(w.url, nats.Token(token))
	if err != nil {
		w.t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err == nil {
		err = do(w.t.Context(), js)
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *watched) changeStream(name string, change func(c *jetstream.StreamConfig, bytes uint64)) {
	w.t.Helper()
	w.nats(func(ctx context.Context, js jetstream.JetStream) error {
		s, err := js.Stream(ctx, name)
		if err != nil {
			return err
		}
		info := s.CachedInfo()
		change(&info.Config, info.State.Bytes)
		_, err = js.UpdateStream(ctx, info.Config)
		return err
	})
}
