package studyfile_test

import (
	"errors"
	"io/fs"
	"strings"
	"testing"

	"apollo/services/studyfile"
)

const ownNetwork = `apiVersion: apollo/v1
kind: Study
metadata: {name: own}
spec:
  space: {template: toy}
  workload: {networks: [{name: net_a}, {file: nets/tiny.yaml, weight: 2}, {name: again, file: nets/tiny.yaml}]}
  objectives: [{metric: latency, goal: minimize}]
`

const tinyNetwork = `schema: apollo.workload/v1
name: tiny
inputs: [{name: image, shape: [1, 8, 8, 3]}]
layers:
  - {id: c0, op: conv, K: 16, P: 4, Q: 4, R: 3, S: 3, stride: [2, 2], act: relu, in: [image]}
`

// files is a folder with one workload file.
func files(path string) ([]byte, error) {
	if text, ok := accuracyFiles()[strings.TrimPrefix(path, "/studies/")]; ok {
		return []byte(text), nil
	}
	if path != "/studies/nets/tiny.yaml" {
		return nil, fs.ErrNotExist
	}
	return []byte(tinyNetwork), nil
}

// A file is read relative to the study, and published with its layers: the
// published study is the same one, and needs no file.
func TestNetworkFile(t *testing.T) {
	t.Parallel()
	doc := parse(t, ownNetwork, studyfile.Options{Dir: "/studies", ReadFile: files})
	n := doc.Spec.Networks
	if len(n) != 3 || n[0].Name != "net_a" || n[1].Name != "tiny" || n[1].Weight != 2 || n[2].Name != "again" {
		t.Fatalf("networks %+v, want net_a, tiny with weight 2, again", n)
	}
	if n[0].Workload != nil || !strings.Contains(string(n[1].Workload), `"id":"c0"`) || len(n[1].SHA256) != 64 || n[1].SHA256 != n[2].SHA256 {
		t.Errorf("networks %+v, want layers in all but the first, and one identity", n)
	}
	again, err := studyfile.Parse("published", doc.Normalised, catalog(), studyfile.Options{Published: true})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range n {
		got := again.Spec.Networks[i]
		if got.Name != want.Name || got.SHA256 != want.SHA256 || got.Weight != want.Weight || string(got.Workload) != string(want.Workload) {
			t.Errorf("published network %d is %+v, want %+v", i, got, want)
		}
	}
}

func TestNetworkFileMistakes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		networks string
		opts     studyfile.Options
		want     string
	}{
		"no such file": {"{file: nets/other.yaml}", studyfile.Options{Dir: "/studies", ReadFile: files}, "the workload file cannot be read"},
		"no files":     {"{file: nets/tiny.yaml}", studyfile.Options{Dir: "/studies"}, "a published study cannot name files"},
		"both":         {"{file: nets/tiny.yaml, layers: {}}", studyfile.Options{Dir: "/studies", ReadFile: files}, "both say what the network is"},
		"layers":       {"{layers: {schema: apollo.workload/v1, name: x}}", studyfile.Options{}, "has no inputs"},
		"list":         {"{layers: [1]}", studyfile.Options{}, "want a mapping"},
		"nothing":      {"{weight: 1}", studyfile.Options{}, "the network has no name"},
		"twice":        {"{file: nets/tiny.yaml}, {file: nets/tiny.yaml}", studyfile.Options{Dir: "/studies", ReadFile: files}, "is here twice"},
		"name":         {"{name: \"\\u202e\", file: nets/tiny.yaml}", studyfile.Options{Dir: "/studies", ReadFile: files}, "unprintable"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			src := strings.Replace(ownNetwork, "{name: net_a}, {file: nets/tiny.yaml, weight: 2}, {name: again, file: nets/tiny.yaml}", c.networks, 1)
			_, err := studyfile.Parse("study.yaml", []byte(src), catalog(), c.opts)
			mistakes, ok := errors.AsType[*studyfile.Error](err)
			if !ok || !strings.Contains(mistakes.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
}

// A mistake in a size is reported once: by the field where it is one for every
// network, by the network otherwise.
func TestSizeMistakesComeOnce(t *testing.T) {
	t.Parallel()
	for networks, want := range map[string]string{
		"{name: net_a, batch: -3}":      "-3 is too small",
		"{name: net_a, batch: 9999999}": "is too large",
		"{name: net_a, batch: 65}":      "want 1 to 64",
		"{name: net_a, weights: int3}":  `"int3" is not allowed`,
	} {
		src := strings.Replace(ownNetwork, "{name: net_a}, {file: nets/tiny.yaml, weight: 2}, {name: again, file: nets/tiny.yaml}", networks, 1)
		_, err := studyfile.Parse("study.yaml", []byte(src), catalog(), studyfile.Options{})
		mistakes, ok := errors.AsType[*studyfile.Error](err)
		if !ok || len(mistakes.Mistakes) != 1 || !strings.Contains(mistakes.Error(), want) {
			t.Errorf("%s: error %v, want one mistake with %q", networks, err, want)
		}
	}
}
