package studyfile_test

import (
	"slices"
	"strings"
	"testing"

	"apollo/events"
	"apollo/services/studyfile"
)

const campaignStudy = `apiVersion: apollo/v1
kind: Study
metadata: {name: all}
spec:
  space: {template: edge}
  workload: {networks: [{name: mobilenet_v2}]}
  objectives: [{metric: latency, goal: minimize}]
  constraints: [{metric: area, max: 6.8 mm2}]
  budget: {trials: 20}
`

func campaignNames(c *studyfile.Campaign) (names []string) {
	for _, m := range c.Members {
		names = append(names, m.Spec.Study)
	}
	return names
}

// Words that tell the values of every axis apart may still make one name of two studies.
func TestCampaignNamesDiffer(t *testing.T) {
	t.Parallel()
	src := campaignStudy + "matrix:\n  spec.space.restrict.pes_x: [[1], [1, 2]]\n  spec.space.restrict.pes_y: [[2, 4], [4]]\n"
	c, err := studyfile.ParseCampaign("all.yaml", []byte(src), product(), studyfile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if names, want := campaignNames(c), []string{"all-001", "all-002", "all-003", "all-004"}; !slices.Equal(names, want) {
		t.Errorf("the studies are %v, want %v", names, want)
	}
}

// Every combination is a study with its name, its values and its labels.
func TestCampaignIsEveryCombination(t *testing.T) {
	t.Parallel()
	src := campaignStudy + "  transfer: {control: 20 %}\nmatrix:\n  spec.constraints[0].max: [6.8 mm2, 5.8 mm2]\n  spec.seed: [1, 2]\n"
	if !studyfile.IsCampaign([]byte(src), studyfile.Options{}) || studyfile.IsCampaign([]byte(campaignStudy), studyfile.Options{}) {
		t.Fatal("a campaign is what has a matrix")
	}
	c, err := studyfile.ParseCampaign("all.yaml", []byte(src), product(), studyfile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"all-6p8-mm2-seed1", "all-6p8-mm2-seed2", "all-5p8-mm2-seed1", "all-5p8-mm2-seed2"}
	if names := campaignNames(c); !slices.Equal(names, want) {
		t.Fatalf("the studies are %v, want %v", names, want)
	}
	third := c.Members[2]
	if *third.Spec.Constraints[0].Max != 5.8 || third.Spec.Seed != 1 || third.Spec.Transfer != nil || third.Spec.Labels[studyfile.CampaignLabel] != "all" {
		t.Errorf("the third study is %+v", third.Spec)
	}
	axes := studyfile.AxesOf(third.Spec.Labels)
	if len(axes) != 2 || axes[0].Path != "spec.constraints[0].max" || axes[0].Values[0] != "5.8 mm2" || axes[1].Values[0] != "1" {
		t.Errorf("its labels say %+v", axes)
	}
	// Studies of one seed learn from each other, and those of two do not.
	if c.Chain(0) != c.Chain(2) || c.Chain(0) == c.Chain(1) {
		t.Errorf("the chains are %q, %q, %q", c.Chain(0), c.Chain(1), c.Chain(2))
	}
	if err := c.Learn(2, []string{want[0]}); err != nil {
		t.Fatal(err)
	}
	if tr := c.Members[2].Spec.Transfer; tr == nil || len(tr.Sources) != 1 || tr.Sources[0].Study != want[0] || tr.Control != 0.2 {
		t.Errorf("the third study learns from %+v", tr)
	}
	// It is one study like any other, when it is published.
	again, err := studyfile.Parse("request", c.Members[2].Normalised, product(), studyfile.Options{Published: true})
	if err != nil || events.SpecSHA256(again.Spec) != events.SpecSHA256(c.Members[2].Spec) {
		t.Errorf("published: %v", err)
	}
}

// Values that make no name are numbered.
func TestCampaignNumbersStudiesThatHaveNoName(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", 58)
	src := strings.Replace(campaignStudy, "name: all", "name: "+long, 1) + "matrix: {spec.seed: [1, 2, 3]}\n"
	c, err := studyfile.ParseCampaign("all.yaml", []byte(src), product(), studyfile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if names := campaignNames(c); names[2] != long+"-003" {
		t.Errorf("the names are %v", names)
	}
}

// What is wrong is said once, at the path or the value.
func TestCampaignMistakes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		matrix, want string
		column       int
	}{
		"no mapping":     {"matrix: 3", "a matrix is a mapping of fields to lists", 9},
		"empty":          {"matrix: {}", "a matrix is a mapping of fields to lists", 9},
		"no list":        {"matrix: {spec.seed: 3}", "spec.seed has no list of values", 21},
		"empty list":     {"matrix: {spec.seed: []}", "spec.seed has no list of values", 21},
		"twice":          {"matrix: {spec.seed: [1, 2, 1]}", "1 is here twice", 28},
		"another part":   {"matrix: {metadata.name: [a, b]}", `"metadata.name" is no field of a matrix: it varies fields of spec`, 10},
		"no path":        {"matrix: {'spec.a[x]': [1]}", `"spec.a[x]" is no field of a matrix: an index is a number`, 10},
		"unknown field":  {"matrix: {spec.budget.trails: [1, 2]}", "unknown field", 10},
		"through a text": {"matrix: {spec.seed.x: [1]}", "want a number, not a mapping", 10},
		"beyond a list":  {"matrix: {'spec.constraints[3].max': [7 mm2]}", "the list has 1 items, so there is no [3]", 10},
		"a bad value":    {"matrix: {'spec.constraints[0].max': [7 mm2, 7 ms]}", `"7 ms" is a time`, 45},
		"a bad network":  {"matrix: {'spec.workload.networks[0].name': [nonet]}", `there is no network "nonet"`, 45},
		"too many":       {"matrix: {spec.seed: [" + numbers(20) + "], spec.budget.trials: [" + numbers(20) + "]}", "the matrix has more than 256 studies", 0},
	} {
		src := campaignStudy + c.matrix + "\n"
		_, err := studyfile.ParseCampaign("all.yaml", []byte(src), product(), studyfile.Options{})
		bad, ok := err.(*studyfile.Error) //nolint:errorlint // it is returned as it is
		if !ok || !strings.Contains(bad.Mistakes[0].Message, c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
			continue
		}
		if m := bad.Mistakes[0]; c.column > 0 && (m.Line != 10 || m.Column != c.column) {
			t.Errorf("%s: at %d:%d, want 10:%d: %v", name, m.Line, m.Column, c.column, err)
		}
		if len(bad.Mistakes) != 1 {
			t.Errorf("%s: %d mistakes, want one: %v", name, len(bad.Mistakes), err)
		}
	}
	// What is wrong in all of the studies is wrong once; and one study is no campaign.
	src := strings.Replace(campaignStudy, "minimize", "least", 1) + "matrix: {spec.seed: [1, 2, 3]}\n"
	_, err := studyfile.ParseCampaign("all.yaml", []byte(src), product(), studyfile.Options{})
	if bad, ok := err.(*studyfile.Error); !ok || len(bad.Mistakes) != 1 { //nolint:errorlint // as above
		t.Errorf("a mistake that all share: %v", err)
	}
	if _, err := studyfile.Parse("all.yaml", []byte(campaignStudy+"matrix: {spec.seed: [1, 2]}\n"), product(), studyfile.Options{}); err == nil || !strings.Contains(err.Error(), "is several studies") {
		t.Errorf("read as one study: %v", err)
	}
}

// numbers are the whole numbers from 1 to n.
func numbers(n int) string {
	var all []string
	for i := range n {
		all = append(all, strings.Repeat("1", i/9+1)+string(rune('1'+i%9)))
	}
	return strings.Join(all, ", ")
}
