package tracing

import (
	"errors"
	"strings"
	"testing"

	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"apollo/services/messages"
)

const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

// TestHeaders begins spans behind what messages carry.
func TestHeaders(t *testing.T) {
	t.Parallel()
	kept := tracetest.NewInMemoryExporter()
	tracer := sdk.NewTracerProvider(sdk.WithSyncer(kept)).Tracer("test")
	for name, header := range map[string]map[string]string{
		"none": nil, "a parent": {messages.TraceParent: parent, "other": "stays"},
		"not sampled": {messages.TraceParent: strings.TrimSuffix(parent, "01") + "00"}, "nonsense": {messages.TraceParent: "what?"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Begin(t.Context(), nil, header, "x", trace.SpanKindInternal).Header(); len(got) != len(header) || got[messages.TraceParent] != header[messages.TraceParent] {
				t.Errorf("without a tracer: %v, want %v", got, header)
			}
			kept.Reset()
			s := Begin(t.Context(), tracer, header, "step", trace.SpanKindInternal, Batch("demo", "0badcafe", 3, 24, 8)...)
			s.End(errors.New("broken"))
			got := s.Header()
			if got["other"] != header["other"] || got[messages.TraceParent] == header[messages.TraceParent] || len(got[messages.TraceParent]) != len(parent) {
				t.Errorf("header %v behind %v", got, header)
			}
			sent := kept.GetSpans()
			if name == "not sampled" {
				if len(sent) != 0 || s.Recorded() || !strings.HasSuffix(got[messages.TraceParent], "-00") {
					t.Errorf("%d spans, header %v; want none, not sampled", len(sent), got)
				}
				return
			}
			if len(sent) != 1 || sent[0].Status.Description != "broken" || len(sent[0].Attributes) != 5 {
				t.Fatalf("sent %+v", sent)
			}
			if name == "a parent" && sent[0].Parent.SpanID().String() != "b7ad6b7169203331" {
				t.Errorf("its parent is %s", sent[0].Parent.SpanID())
			}
		})
	}
}

// What the environment asks for is done, and what this program does not have is refused.
func TestEnvironment(t *testing.T) {
	t.Parallel()
	const endpoint, protocol = "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_PROTOCOL"
	for _, test := range []struct {
		env       map[string]string
		on, legal bool
	}{
		{map[string]string{}, false, true},
		{map[string]string{endpoint: "http://localhost:4318"}, true, true},
		{map[string]string{endpoint: "http://localhost:4318", "OTEL_SDK_DISABLED": "TRUE"}, false, true},
		{map[string]string{endpoint: "http://localhost:4318", "OTEL_TRACES_EXPORTER": "none"}, false, true},
		{map[string]string{"OTEL_TRACES_EXPORTER": "zipkin"}, true, false},
		{map[string]string{endpoint: "http://localhost:4317", protocol: "grpc"}, true, false},
		{map[string]string{endpoint: "http://localhost:4318", protocol: "http/json"}, true, true},
	} {
		env := func(name string) string { return test.env[name] }
		if on := configured(env); on != test.on {
			t.Errorf("%v: configured %v, want %v", test.env, on, test.on)
		}
		if err := check(env); test.on && (err == nil) != test.legal {
			t.Errorf("%v: check %v, want legal %v", test.env, err, test.legal)
		}
	}
}
