package dashboard

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"math/big"
	"net/http"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	reflector "github.com/invopop/jsonschema"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"apollo/events"
)

var rewrite = flag.Bool("rewrite", false, "write web/openapi.json again")

// The document that is served is the one that the routes and types give.
func TestOpenAPI(t *testing.T) {
	t.Parallel()
	want := document(t)
	if *rewrite {
		if err := os.WriteFile("web/"+openAPI, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile("web/" + openAPI)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("web/%s lags behind its source (%v): go test ./services/dashboard -run TestOpenAPI -rewrite", openAPI, err)
	}
}

// What the server answers is what the document says, field by field. Those of a
// comparison and of sources are checked by tests of their own.
func TestAnswersAreThoseOfTheDocument(t *testing.T) {
	t.Parallel()
	server, _ := site(t, 20)
	checked := 0
	for _, route := range (&Server{}).routes() {
		if route.method != http.MethodGet || route.kind != "" || strings.HasSuffix(route.path, "/compare") || strings.HasSuffix(route.path, "/transfer") {
			continue
		}
		r, body := get(t, server.URL+strings.NewReplacer("{study}", "demo", "{trial}", "3").Replace(route.path))
		if r.StatusCode != http.StatusOK {
			t.Errorf("%s: status %d: %s", route.path, r.StatusCode, body)
		}
		conforms(t, server.URL, route.method, route.path, body)
		checked++
	}
	if checked < 5 {
		t.Errorf("%d answers were checked, want 5 or more", checked)
	}
}

// conforms compares an answer with what the document that is served says of it.
func conforms(t *testing.T, url, method, path, body string) {
	t.Helper()
	r, document := get(t, url+"/api/"+openAPI)
	if r.StatusCode != http.StatusOK || r.Header.Get("Content-Type") != "application/json" {
		t.Fatalf("%s: status %d, %s", openAPI, r.StatusCode, r.Header)
	}
	c := jsonschema.NewCompiler()
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(document))
	if err == nil {
		err = c.AddResource("api.json", doc)
	}
	if err != nil {
		t.Fatal(err)
	}
	place := strings.NewReplacer("/", "~1", "{", "%7B", "}", "%7D").Replace(path)
	schema, err := c.Compile("api.json#/paths/" + place + "/" + strings.ToLower(method) + "/responses/200/content/application~1json/schema")
	if err != nil {
		t.Fatal(err)
	}
	said, err := jsonschema.UnmarshalJSON(strings.NewReader(body))
	if err == nil {
		err = schema.Validate(said)
	}
	if err != nil {
		t.Errorf("%s does not answer as the document says: %v\n%.2000s", path, err, body)
	}
}

// document makes the document of the routes.
func document(t *testing.T) []byte {
	t.Helper()
	comments := &reflector.Reflector{}
	for _, dir := range []string{".", "../cli", "../compare", "../health", "../studyfile", "../transfer", "../../archiver", "../../events"} {
		if err := comments.AddGoComments("apollo/services/dashboard", dir, reflector.WithFullComment()); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range comments.CommentMap {
		comments.CommentMap[name] = strings.Join(strings.Fields(text), " ")
	}
	r := &reflector.Reflector{CommentMap: comments.CommentMap, Anonymous: true, Mapper: ownForms, Namer: schemaName}
	schemas := map[string]any{}
	paths := map[string]map[string]any{}
	for _, route := range (&Server{}).routes() {
		if paths[route.path] == nil {
			paths[route.path] = map[string]any{}
		}
		paths[route.path][strings.ToLower(route.method)] = operation(r, schemas, &route)
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(map[string]any{
		"openapi": "3.1.0",
		"info": map[string]any{
			"title": "Apollo dashboard", "version": "1", "license": map[string]any{"name": "Apache-2.0", "identifier": "Apache-2.0"},
			"description": "What the pages of the dashboard are made of. Numbers are in SI units, but areas in mm²; names end in their unit.",
		},
		"servers":    []any{map[string]any{"url": "/"}},
		"security":   []any{map[string]any{}, map[string]any{"token": []any{}}},
		"paths":      paths,
		"components": map[string]any{"schemas": schemas, "securitySchemes": map[string]any{"token": map[string]any{"type": "http", "scheme": "bearer", "description": "The token of --http-auth."}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	var lines bytes.Buffer // short, for it is part of the program, and still a line a field
	if err := json.Indent(&lines, b.Bytes(), "", ""); err != nil {
		t.Fatal(err)
	}
	return lines.Bytes()
}

func operation(r *reflector.Reflector, schemas map[string]any, route *route) map[string]any {
	var parameters []any
	for _, m := range regexp.MustCompile(`{(\w+)}`).FindAllStringSubmatch(route.path, -1) {
		about := map[string]string{"study": "The name of the study.", "trial": "The number of the trial."}[m[1]]
		parameters = append(parameters, map[string]any{"name": m[1], "in": "path", "required": true, "schema": map[string]any{"type": "string"}, "description": about})
	}
	for _, p := range route.parameters {
		schema := map[string]any{"type": "string"}
		if p.words != nil {
			schema["enum"] = p.words
		}
		if p.whole {
			schema = map[string]any{"type": "integer", "minimum": 1}
		}
		if p.several {
			schema = map[string]any{"type": "array", "items": schema}
		}
		parameters = append(parameters, map[string]any{"name": p.name, "in": "query", "description": p.about, "schema": schema})
	}
	content := map[string]any{}
	if route.kind != "" {
		content[route.kind] = map[string]any{"schema": map[string]any{"type": "string"}}
	} else {
		content["application/json"] = map[string]any{"schema": schemaOf(r, schemas, route.answer)}
	}
	text := func(about string) map[string]any {
		return map[string]any{"description": about, "content": map[string]any{"text/plain": map[string]any{"schema": map[string]any{"type": "string"}}}}
	}
	responses := map[string]any{
		"200": map[string]any{"description": "The answer.", "content": content},
		"400": text("A parameter or the body is not understood, and what is wanted."),
		"401": text("The token is missing or wrong."),
	}
	for _, status := range slices.Sorted(maps.Keys(route.refused)) {
		responses[strconv.Itoa(status)] = text(route.refused[status])
	}
	o := map[string]any{"summary": route.summary, "operationId": operationID(route), "responses": responses}
	if parameters != nil {
		o["parameters"] = parameters
	}
	if route.body != nil {
		o["requestBody"] = map[string]any{"required": true, "content": map[string]any{"application/json": map[string]any{"schema": schemaOf(r, schemas, route.body)}}}
	}
	if route.text {
		file := map[string]any{"schema": map[string]any{"type": "string", "description": "The text of a study file."}}
		o["requestBody"] = map[string]any{"required": true, "content": map[string]any{"application/yaml": file, "application/json": map[string]any{"schema": map[string]any{"type": "object"}}}}
	}
	return o
}

// operationID is a name for the route in programs that are made of the document.
func operationID(r *route) string {
	words := strings.FieldsFunc(strings.TrimPrefix(r.path, "/api/v1/"), func(c rune) bool { return strings.ContainsRune("/{}.", c) })
	return strings.ToLower(r.method) + "_" + strings.Join(words, "_")
}

// schemaOf is the schema of a value; those of the types in it go into schemas.
func schemaOf(r *reflector.Reflector, schemas map[string]any, v any) any {
	b, err := json.Marshal(r.Reflect(v))
	if err != nil {
		panic(fmt.Sprintf("dashboard: schema of %T: %v", v, err))
	}
	var s map[string]any
	if err := json.Unmarshal(bytes.ReplaceAll(b, []byte(`"#/$defs/`), []byte(`"#/components/schemas/`)), &s); err != nil {
		panic(fmt.Sprintf("dashboard: schema of %T: %v", v, err))
	}
	if defs, ok := s["$defs"].(map[string]any); ok {
		for name, def := range defs {
			if known := schemas[name]; known != nil && !reflect.DeepEqual(known, def) {
				panic("dashboard: two types are called " + name)
			}
			schemas[name] = def
		}
	}
	delete(s, "$defs")
	delete(s, "$schema")
	return s
}

// schemaName tells types of one name apart.
func schemaName(t reflect.Type) string {
	if strings.HasSuffix(t.PkgPath(), "/compare") {
		return "Compared" + t.Name()
	}
	return t.Name()
}

// ownForms are the schemas of types whose JSON is not that of their fields.
func ownForms(t reflect.Type) *reflector.Schema {
	cell := &reflector.Schema{OneOf: []*reflector.Schema{{Type: "number"}, {Type: "null"}}}
	switch t {
	case reflect.TypeFor[[]*float64]():
		return &reflector.Schema{Type: "array", Items: cell}
	case reflect.TypeFor[[][]*float64]():
		return &reflector.Schema{Type: "array", Items: &reflector.Schema{Type: "array", Items: cell}}
	case reflect.TypeFor[map[string]any]():
		return &reflector.Schema{Type: "object", AdditionalProperties: &reflector.Schema{OneOf: []*reflector.Schema{{Type: "number"}, {Type: "string"}}}}
	case reflect.TypeFor[[]byte]():
		return &reflector.Schema{Type: "string", ContentEncoding: "base64"}
	case reflect.TypeFor[events.Spec]():
		return &reflector.Schema{Type: "object", Description: "The study with every default filled in, as spec of apollo.study.accepted.v1 has it (apollo events schema)."}
	case reflect.TypeFor[json.RawMessage]():
		return &reflector.Schema{Type: "object", Description: "A CloudEvents envelope (apollo events schema)."}
	case reflect.TypeFor[big.Int]():
		return &reflector.Schema{Type: "integer"}
	case reflect.TypeFor[events.Micros]():
		return &reflector.Schema{Type: "integer", Description: "Microseconds since the Unix epoch, UTC."}
	}
	return nil
}
