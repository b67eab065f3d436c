package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"apollo/internal/roots/rootstest"
)

// A health page behind https has the roots of the bundle to prove itself where the machine
// has none.
func TestProbeHasRoots(t *testing.T) {
	t.Parallel()
	rootstest.Bare(t, func(t *testing.T) {
		page := httptest.NewTLSServer(http.NotFoundHandler()) // its certificate is nobody's
		defer page.Close()
		if f := probe(t.Context(), page.URL); f.OK || !strings.Contains(f.Text, "unknown authority") {
			t.Errorf("%+v, want an unknown authority", f)
		}
	})
}
