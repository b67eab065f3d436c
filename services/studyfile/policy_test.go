package studyfile_test

import (
	"strings"
	"testing"

	"apollo/services/studyfile"
)

// A policy's file becomes part of the study that is published, which is the same study
// and names no file.
func TestPolicyFile(t *testing.T) {
	t.Parallel()
	led := func(file string) string {
		return small + "  algorithm: {name: evolution, options: {policy: " + file + ", population: 7}}\n"
	}
	doc := parse(t, led("proxy.json"), filesBeside())
	want := `{"policy":` + accuracyFiles()["proxy.json"] + `,"population":7}`
	if got := string(doc.Spec.Algorithm.Options); got != want {
		t.Errorf("options %s, want %s", got, want)
	}
	again := parse(t, string(doc.Normalised), studyfile.Options{Published: true})
	if got := string(again.Spec.Algorithm.Options); got != want {
		t.Errorf("published options %s, want %s", got, want)
	}
	for name, want := range map[string]string{"nothing.json": "the file cannot be read", "all.csv": "the file all.csv: line 1, column 1: invalid character"} {
		if _, err := studyfile.Parse("study.yaml", []byte(led(name)), catalog(), filesBeside()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	if _, err := studyfile.Parse("study.yaml", []byte(led("proxy.json")), catalog(), studyfile.Options{Published: true}); err == nil || !strings.Contains(err.Error(), "cannot name files") {
		t.Error(err)
	}
}

// A mistake in a policy is shown in its file, and not as one of the study's options.
func TestMistakeInAPolicyFile(t *testing.T) {
	t.Parallel()
	const study = small + "  algorithm: {name: explore, options: {policy: p.json}}\n"
	for file, want := range map[string]string{
		"{\n \"schema\": \"apollo.policy/v1\",\n \"mean\": [\n  \"x\"]}": "the file p.json: line 4, column 5: policy.mean is a string, but must be of type float64",
		"\n\n{\"schema\": 7}":    "the file p.json: line 3, column 12: policy.schema is a number",
		"{\"schema\": \"x\"}":    `the file p.json: policy: its schema is "x", but must be "apollo.policy/v1"`,
		"{\"schema\":\n \"x\",}": "the file p.json: line 2, column 6: invalid character '}'",
		"{\"schema\": ":          "the file p.json: line 1, column 11: unexpected end of JSON input",
		"[1]":                    "the file p.json: it holds no JSON object",
		"":                       "the file p.json: line 1, column 1: unexpected end of JSON input",
	} {
		read := studyfile.Options{ReadFile: func(string) ([]byte, error) { return []byte(file), nil }}
		_, err := studyfile.Parse("study.yaml", []byte(strings.ReplaceAll(study, "template: toy", "template: edge")), product(), read)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "spec.algorithm.options.policy") {
			t.Errorf("%q: %v, want %q", file, err, want)
		}
	}
}
