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
	for name, want := range map[string]string{"nothing.json": "the file cannot be read", "all.csv": "holds no JSON object"} {
		if _, err := studyfile.Parse("study.yaml", []byte(led(name)), catalog(), filesBeside()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	if _, err := studyfile.Parse("study.yaml", []byte(led("proxy.json")), catalog(), studyfile.Options{Published: true}); err == nil || !strings.Contains(err.Error(), "cannot name files") {
		t.Error(err)
	}
}
