package main

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/trace"

	"apollo/services/cli"
	"apollo/services/tracing"
)

// exportWarnEvery is how often it is said that spans are lost.
const exportWarnEvery = time.Minute

// trace returns what makes spans, nil where the environment asks for none.
func (a *app) trace(ctx context.Context, c *cobra.Command) (trace.Tracer, error) {
	if a.spans == nil {
		spans, err := tracing.Open(ctx, thisBuild().Version)
		if err != nil {
			return nil, cli.Hinted(cli.ExitUsage, "docs/operate.md has the variables of the environment that are read; OTEL_SDK_DISABLED=true sends nothing", err)
		}
		if a.spans = spans; spans != nil {
			otel.SetErrorHandler(&exportErrors{log: a.Logger(c, slog.LevelWarn)})
		}
	}
	return a.spans.Tracer(), nil
}

// endTracing sends what waits.
func (a *app) endTracing(ctx context.Context) {
	if err := a.spans.Close(ctx); err != nil {
		a.Say("warn: the last spans were not sent: %v", err)
	}
}

// exportErrors says now and then that spans are lost.
type exportErrors struct {
	log *slog.Logger

	mu   sync.Mutex // guards last
	last time.Time
}

// Handle implements otel.ErrorHandler.
func (e *exportErrors) Handle(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if now := time.Now(); now.Sub(e.last) >= exportWarnEvery {
		e.last = now
		e.log.Warn("spans are lost: no study waits for them", "error", err)
	}
}
