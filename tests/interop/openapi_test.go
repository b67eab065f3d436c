package interop

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/routers/gorillamux"
)

// A well-known reader of OpenAPI takes the dashboard's document, and finds its addresses.
func TestOpenAPIOfTheDashboard(t *testing.T) {
	t.Parallel()
	doc, err := openapi3.NewLoader().LoadFromFile("../../services/dashboard/web/openapi.json")
	if err == nil {
		err = doc.Validate(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	router, err := gorillamux.NewRouter(doc)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"/api/v1/studies": "get_studies", "/api/v1/studies/demo": "get_studies_study", "/api/v1/studies/demo/trials.csv": "get_studies_study_trials_csv",
		"/api/v1/compare": "get_compare", "/api/v1/health": "get_health",
	} {
		route, _, err := router.FindRoute(&http.Request{Method: http.MethodGet, URL: &url.URL{Path: path}})
		if err != nil || route.Operation.OperationID != want || strings.TrimSpace(route.Operation.Summary) == "" {
			t.Errorf("%s: %v, want %s with a summary", path, err, want)
		}
	}
}
