package main

import (
	"bytes"
	"compress/gzip"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	otlp "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"apollo/archiver"
	"apollo/services/cli"
)

const tracedStudy = `apiVersion: apollo/v1
kind: Study
metadata: {name: traced}
spec:
  space: {template: edge}
  workload: {networks: [{name: mobilenet_v2}]}
  objectives: [{metric: latency, goal: minimize}]
  algorithm: {name: random}
  budget: {trials: 7, batch: 2}
`

// otlpReceiver is a collector that keeps what it gets.
type otlpReceiver struct {
	mu       sync.Mutex // guards what follows
	spans    []*otlp.Span
	resource map[string]string
	err      error
}

func (r *otlpReceiver) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.take(q); err != nil {
		r.err = err
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/x-protobuf")
}

func (r *otlpReceiver) take(q *http.Request) error {
	var from io.Reader = q.Body
	if q.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(q.Body)
		if err != nil {
			return err
		}
		from = z
	}
	body, err := io.ReadAll(from)
	if err != nil {
		return err
	}
	var request collector.ExportTraceServiceRequest
	if err := proto.Unmarshal(body, &request); err != nil {
		return err
	}
	for _, resource := range request.GetResourceSpans() {
		for _, a := range resource.GetResource().GetAttributes() {
			r.resource[a.GetKey()] = a.GetValue().GetStringValue()
		}
		for _, scope := range resource.GetScopeSpans() {
			r.spans = append(r.spans, scope.GetSpans()...)
		}
	}
	return nil
}

// attribute is a number that a span says; -1 where it does not.
func attributeOf(s *otlp.Span, key string) int64 {
	for _, a := range s.GetAttributes() {
		if a.GetKey() == key {
			return a.GetValue().GetIntValue()
		}
	}
	return -1
}

// TestSpansOfATrial runs a study with a collector, and follows every trial from the
// trial log back to the request.
func TestSpansOfATrial(t *testing.T) {
	receiver := &otlpReceiver{resource: map[string]string{}}
	server := httptest.NewServer(receiver)
	defer server.Close()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", server.URL)
	t.Setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=lab")
	dir := t.TempDir()
	file := filepath.Join(dir, "traced.yaml")
	if err := os.WriteFile(file, []byte(tracedStudy), 0o600); err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	if code := Main(t.Context(), []string{"run", file, "--data", dir, "-q"}, strings.NewReader(""), &out, &errs); code != 0 && code != cli.ExitInfeasible {
		t.Fatalf("apollo run: exit %d\n%s%s", code, &out, &errs)
	}
	if receiver.err != nil {
		t.Fatal(receiver.err)
	}
	if r := receiver.resource; r["service.name"] != "apollo" || r["deployment.environment.name"] != "lab" {
		t.Errorf("the resource is %v", r)
	}
	spans, last := map[string]*otlp.Span{}, map[int64]*otlp.Span{}
	for _, s := range receiver.spans {
		spans[string(s.GetSpanId())] = s
		if s.GetName() == "archive" {
			for i := range attributeOf(s, "apollo.trials") {
				last[attributeOf(s, "apollo.trial")+i] = s
			}
		}
	}
	rows := 0
	for row, err := range archiver.Scan(os.DirFS(dir), archiver.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		rows++
		var way []string
		for s := last[row.Trial]; s != nil; s = spans[string(s.GetParentSpanId())] {
			way = append(way, s.GetName())
			if trace := hex.EncodeToString(s.GetTraceId()); trace != row.TraceID {
				t.Errorf("trial %d has the trace %s in the log, and %s in its span %s", row.Trial, row.TraceID, trace, s.GetName())
			}
			if s.GetEndTimeUnixNano() < s.GetStartTimeUnixNano() {
				t.Errorf("span %s ends before it begins", s.GetName())
			}
		}
		if got := strings.Join(way, " < "); got != "archive < evaluate < work < ask < accept < submit" {
			t.Errorf("trial %d: %s", row.Trial, got)
		}
	}
	if rows != 7 {
		t.Errorf("%d trials, want 7", rows)
	}
}

// TestNoCollectorDelaysNobody runs a study whose spans nobody takes.
func TestNoCollectorDelaysNobody(t *testing.T) {
	end := make(chan struct{})
	hanging := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-end }))
	defer hanging.Close()
	defer close(end)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", hanging.URL)
	t.Setenv("OTEL_BSP_MAX_QUEUE_SIZE", "1")
	dir := t.TempDir()
	file := filepath.Join(dir, "traced.yaml")
	if err := os.WriteFile(file, []byte(tracedStudy), 0o600); err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	if code := Main(t.Context(), []string{"run", file, "--data", dir}, strings.NewReader(""), &out, &errs); code != 0 && code != cli.ExitInfeasible {
		t.Fatalf("apollo run: exit %d\n%s%s", code, &out, &errs)
	}
	if !strings.Contains(errs.String(), "the last spans were not sent") {
		t.Errorf("nothing says that spans are lost:\n%s", &errs)
	}
}

// TestTracingSettings asks for what there is not.
func TestTracingSettings(t *testing.T) {
	for name, value := range map[string]string{"OTEL_TRACES_EXPORTER": "zipkin", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
			t.Setenv(name, value)
			var out, errs bytes.Buffer
			code := Main(t.Context(), []string{"study", "ls", "--data", t.TempDir()}, strings.NewReader(""), &out, &errs)
			if code != 2 || !strings.Contains(errs.String(), name+"="+value) {
				t.Errorf("exit %d, and it said %s", code, &errs)
			}
		})
	}
}
