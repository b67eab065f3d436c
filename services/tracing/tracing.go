// Package tracing makes the spans of a study's way, from the request to the trial log,
// and sends them to an OpenTelemetry collector where the environment names one. The
// header of each message carries the span that it comes from, as W3C trace context.
package tracing

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"apollo/events"
	"apollo/internal/roots"
	"apollo/services/messages"
)

// flushTimeout is how long the spans that wait are sent for at the end: Ctrl-C
// promises ten seconds for everything.
const flushTimeout = 2 * time.Second

// Provider sends the spans of this process. The zero value, and nil, send nothing.
type Provider struct{ sdk *sdk.TracerProvider }

// Open reads the environment as every program with OpenTelemetry does. Without
// OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT or
// OTEL_TRACES_EXPORTER=otlp nothing is sent, nor with OTEL_SDK_DISABLED=true. Spans wait
// in a queue of OTEL_BSP_MAX_QUEUE_SIZE (2,048); what is more is dropped, and nobody
// waits. The error is for a setting that this program does not have.
func Open(ctx context.Context, version string) (*Provider, error) {
	if !configured(os.Getenv) {
		return nil, nil
	}
	if err := check(os.Getenv); err != nil {
		return nil, err
	}
	roots.Ensure()
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, fmt.Errorf("export traces: %w", err)
	}
	// What the environment says comes last, and counts.
	who, err := resource.New(ctx, resource.WithTelemetrySDK(),
		resource.WithAttributes(attribute.String("service.name", "apollo"), attribute.String("service.version", version)), resource.WithFromEnv())
	if err != nil && !errors.Is(err, resource.ErrPartialResource) {
		return nil, fmt.Errorf("OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	return &Provider{sdk.NewTracerProvider(sdk.WithBatcher(exporter), sdk.WithResource(who))}, nil
}

// configured says whether the environment asks for spans.
func configured(env func(string) string) bool {
	if strings.EqualFold(env("OTEL_SDK_DISABLED"), "true") || env("OTEL_TRACES_EXPORTER") == "none" {
		return false
	}
	return env("OTEL_EXPORTER_OTLP_ENDPOINT")+env("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")+env("OTEL_TRACES_EXPORTER") != ""
}

// check refuses what is asked for and not there, which the exporter would not see.
func check(env func(string) string) error {
	if e := env("OTEL_TRACES_EXPORTER"); e != "" && e != "otlp" {
		return fmt.Errorf("OTEL_TRACES_EXPORTER=%s: want otlp or none", events.Cut(e, 64))
	}
	for _, name := range []string{"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"} {
		switch p := env(name); p {
		case "":
			continue
		case "http/protobuf", "http/json":
			return nil
		default:
			return fmt.Errorf("%s=%s: want http/protobuf or http/json; collectors take them on port 4318", name, events.Cut(p, 64))
		}
	}
	return nil
}

// Tracer makes the spans; nil where nothing is sent.
func (p *Provider) Tracer() trace.Tracer {
	if p == nil || p.sdk == nil {
		return nil
	}
	return p.sdk.Tracer("apollo")
}

// Close sends what waits, for two seconds at most.
func (p *Provider) Close(ctx context.Context) error {
	if p == nil || p.sdk == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushTimeout)
	defer cancel()
	return p.sdk.Shutdown(ctx)
}

// Span is one step of a study's way. Where nothing is sent it is the header that it
// was begun with.
type Span struct {
	span   trace.Span // nil where nothing is sent
	header map[string]string
}

// Begin begins a span behind the one that header carries, or a trace where it carries
// none. t may be nil.
func Begin(ctx context.Context, t trace.Tracer, header map[string]string, name string, kind trace.SpanKind, attributes ...attribute.KeyValue) Span {
	return BeginAt(ctx, t, header, name, kind, time.Time{}, attributes...)
}

// BeginAt is Begin for what began before; the zero time is now.
func BeginAt(ctx context.Context, t trace.Tracer, header map[string]string, name string, kind trace.SpanKind, at time.Time, attributes ...attribute.KeyValue) Span {
	if t == nil {
		return Span{header: header}
	}
	var w3c propagation.TraceContext
	parent := w3c.Extract(ctx, propagation.MapCarrier(header))
	options := []trace.SpanStartOption{trace.WithSpanKind(kind), trace.WithAttributes(attributes...)}
	if !at.IsZero() {
		options = append(options, trace.WithTimestamp(at))
	}
	parent, span := t.Start(parent, name, options...)
	carried := propagation.MapCarrier{}
	w3c.Inject(parent, carried)
	next := map[string]string{}
	maps.Copy(next, header)
	next[messages.TraceParent] = carried.Get(messages.TraceParent)
	return Span{span, next}
}

// Header is that of the messages that follow from this step.
func (s Span) Header() map[string]string { return s.header }

// Recorded says that the span is sent when it ends.
func (s Span) Recorded() bool { return s.span != nil && s.span.IsRecording() }

// Note adds what was learned meanwhile.
func (s Span) Note(attributes ...attribute.KeyValue) {
	if s.span != nil {
		s.span.SetAttributes(attributes...)
	}
}

// End ends the span; err is why the step failed.
func (s Span) End(err error) {
	if s.span == nil {
		return
	}
	if err != nil {
		s.span.SetStatus(codes.Error, events.Cut(err.Error(), events.MaxReasonBytes))
	}
	s.span.End()
}

// Run are the attributes of a run.
func Run(study, run string) []attribute.KeyValue {
	return []attribute.KeyValue{attribute.String("apollo.study", study), attribute.String("apollo.run", run)}
}

// Batch are the attributes of a batch of a run: its number, its first trial, and how
// many it has.
func Batch(study, run string, batch, first, trials int) []attribute.KeyValue {
	return append(Run(study, run), attribute.Int("apollo.batch", batch), attribute.Int("apollo.trial", first), attribute.Int("apollo.trials", trials))
}
