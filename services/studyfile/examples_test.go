package studyfile_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"apollo/evaluator"
	builtins "apollo/evaluator/template"
	"apollo/evaluator/workload"
	"apollo/optimizer"
	"apollo/services/studyfile"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files again")

// product is the catalog of the real program.
func product() studyfile.Catalog {
	var templates []evaluator.Template
	for _, s := range builtins.All() {
		templates = append(templates, s.Template())
	}
	return studyfile.Catalog{
		Templates: templates,
		Network:   workload.Sized, NetworkNames: workload.Names(),
		Algorithm: func(name string, options []byte) error {
			_, err := optimizer.New(name, options)
			return err
		},
		AlgorithmNames: optimizer.Names(), MultiObjectiveNames: optimizer.MultiObjectiveNames(),
	}
}

// examples are the study files that the project ships.
func examples(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("../../examples/*.yaml")
	if err != nil || len(files) < 5 {
		t.Fatalf("Glob(examples) = %v, %v, want at least 5 files", files, err)
	}
	return files
}

func TestExamplesParse(t *testing.T) {
	t.Parallel()
	for _, file := range examples(t) {
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		doc, err := firstStudy(file, src)
		if err != nil {
			t.Errorf("%v", err)
			continue
		}
		published, err := studyfile.Parse("request", doc.Normalised, product(), studyfile.Options{Published: true})
		if err != nil {
			t.Errorf("%s does not survive publishing: %v", file, err)
			continue
		}
		if !bytes.Equal(published.Normalised, doc.Normalised) {
			t.Errorf("%s: published as %s, want %s", file, published.Normalised, doc.Normalised)
		}
		if s := doc.LegalShare(2000); s.Legal == 0 {
			t.Errorf("%s: LegalShare(2000) = %+v, want some legal designs", file, s)
		}
	}
}

// firstStudy is the study of a file, or the first one of a campaign.
func firstStudy(file string, src []byte) (*studyfile.Document, error) {
	o := studyfile.Options{Dir: filepath.Dir(file), ReadFile: os.ReadFile}
	if !studyfile.IsCampaign(src, o) {
		return studyfile.Parse(file, src, product(), o)
	}
	c, err := studyfile.ParseCampaign(file, src, product(), o)
	if err != nil {
		return nil, err
	}
	return c.Members[0].Document, nil
}

func compile(t *testing.T, schema []byte) *jsonschema.Schema {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(schema))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("study.json", v); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("study.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// valid reports whether a YAML document meets the schema.
func valid(t *testing.T, s *jsonschema.Schema, src []byte) error {
	t.Helper()
	b, err := yaml.YAMLToJSON(src)
	if err != nil {
		t.Fatal(err)
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	return s.Validate(v)
}

// Files that are made from the table of fields: make generate writes them.
func TestFilesAreCommitted(t *testing.T) {
	t.Parallel()
	schema, err := studyfile.Schema()
	if err != nil {
		t.Fatal(err)
	}
	const schemaFile, pageFile = "../../docs/study.schema.json", "../../docs/study-file.md"
	page, err := os.ReadFile(pageFile)
	if err != nil {
		t.Fatal(err)
	}
	for file, got := range map[string][]byte{schemaFile: schema, pageFile: studyfile.Page(page, product())} {
		if *rewrite {
			if err := os.WriteFile(file, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s lags behind the table of fields: run make generate", file)
		}
	}
}

func TestSchemaTakesStudies(t *testing.T) {
	t.Parallel()
	b, err := studyfile.Schema()
	if err != nil {
		t.Fatal(err)
	}
	s := compile(t, b)
	for _, file := range examples(t) {
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := valid(t, s, src); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
	for name, src := range map[string]string{"full": full, "small": small, "own": own} {
		if err := valid(t, s, []byte(src)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		doc := parse(t, src, studyfile.Options{})
		if err := valid(t, s, doc.Normalised); err != nil {
			t.Errorf("%s, normalised: %v", name, err)
		}
	}
}

func TestSchemaRefusesMistakes(t *testing.T) {
	t.Parallel()
	b, err := studyfile.Schema()
	if err != nil {
		t.Fatal(err)
	}
	s := compile(t, b)
	for _, change := range [][2]string{
		{"trials: 100", "trials: 0"},
		{"trials: 100", "trails: 100"},
		{"timeout: 90s", "timeout: 90"},
		{"timeout: 90s", "timeout: 90 mm"},
		{"order: relaxed", "order: loose"},
		{"name: full", "name: Full"},
		{"  seed: 18446744073709551615\n", "  seed: x\n"},
		{"improvement: 0.1%", "improvement: 1 s"},
		{"apiVersion: apollo/v1", "apiVersion: apollo/v2"},
	} {
		src := strings.Replace(full, change[0], change[1], 1)
		if src == full {
			t.Fatalf("the study has no %q", change[0])
		}
		if err := valid(t, s, []byte(src)); err == nil {
			t.Errorf("the schema takes %q", change[1])
		}
	}
}

// TestDocumentationNamesEveryField: each key of the schema is in the page.
func TestDocumentationNamesEveryField(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/study-file.md")
	if err != nil {
		t.Fatal(err)
	}
	b, err := studyfile.Schema()
	if err != nil {
		t.Fatal(err)
	}
	var v any
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	for _, path := range fieldPaths(v, "") {
		if !strings.Contains(string(page), "`"+path+"`") {
			t.Errorf("docs/study-file.md does not name `%s`", path)
		}
	}
}

// fieldPaths lists the keys of a schema as spec.rules[].id.
func fieldPaths(v any, at string) []string {
	s, _ := v.(map[string]any)
	var out []string
	if fields, ok := s["properties"].(map[string]any); ok {
		for name, f := range fields {
			path := strings.TrimPrefix(at+"."+name, ".")
			out = append(append(out, path), fieldPaths(f, path)...)
		}
	}
	if items, ok := s["items"]; ok {
		out = append(out, fieldPaths(items, at+"[]")...)
	}
	slices.Sort(out)
	return out
}

// Every limit of a field is in its row of the documentation.
func TestDocumentationHasEveryLimit(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/study-file.md")
	if err != nil {
		t.Fatal(err)
	}
	b, err := studyfile.Schema()
	if err != nil {
		t.Fatal(err)
	}
	var v any
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	limits := map[string][]float64{}
	fieldLimits(v, "", limits)
	if len(limits) < 20 {
		t.Fatalf("%d fields of the schema have limits: %v", len(limits), limits)
	}
	plain := strings.ReplaceAll(string(page), ",", "")
	for path, figures := range limits {
		_, row, _ := strings.Cut(plain, "| `"+path+"` |")
		row, _, _ = strings.Cut(row, "\n")
		for _, figure := range figures {
			text := strconv.FormatFloat(figure, 'f', -1, 64)
			if figure == 1<<64-1 {
				text = "2^64-1"
			}
			if !regexp.MustCompile(`(^|[^0-9])` + regexp.QuoteMeta(text) + `($|[^0-9])`).MatchString(row) {
				t.Errorf("docs/study-file.md, `%s`: the limit %s is not in its row", path, text)
			}
		}
	}
}

// fieldLimits collects the upper limits of a schema's fields; those of an item
// that has no keys are in the row of its list or mapping.
func fieldLimits(v any, at string, limits map[string][]float64) {
	s, _ := v.(map[string]any)
	for _, word := range []string{"maxLength", "maxItems", "maxProperties", "maximum"} {
		if figure, ok := s[word].(float64); ok {
			path := strings.TrimSuffix(at, "[]")
			limits[path] = append(limits[path], figure)
		}
	}
	if fields, ok := s["properties"].(map[string]any); ok {
		for name, f := range fields {
			fieldLimits(f, strings.TrimPrefix(at+"."+name, "."), limits)
		}
	}
	if items, ok := s["items"]; ok {
		fieldLimits(items, at+"[]", limits)
	}
	if values, ok := s["additionalProperties"].(map[string]any); ok {
		fieldLimits(values, at, limits)
	}
}
