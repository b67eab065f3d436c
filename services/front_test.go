package services_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"apollo/events"
	"apollo/events/membus"
	"apollo/services/client"
	"apollo/services/study"
)

const frontStudy = `{"apiVersion":"apollo/v1","kind":"Study","metadata":{"name":"sim"},"spec":{
  "seed":9,"space":{"template":"toy"},"workload":{"networks":[{"name":"mobilenet_v2"}]},
  "objectives":[{"metric":"latency","goal":"minimize"},{"metric":"area","goal":"minimize","reference":"32 mm2"}],
  "algorithm":{"name":"nsga2","options":{"population":8}},
  "budget":{"trials":80,"batch":8,"parallelism":2}}}`

// The front is the same with faults and kills as without, in the log's view, in
// the summary and over the API; the reference was frozen in the specification.
func TestAFrontSurvivesFaults(t *testing.T) {
	t.Parallel()
	want := simulate(t, 0, membus.Faults{}, 0, 1, frontStudy)
	if want.State != study.Completed || want.Best != nil || len(want.Front) < 2 || want.Hypervolume == nil {
		t.Fatalf("view = %+v, want a completed study with a front and no best trial", want)
	}
	// One is from the baseline, the other is declared.
	for i, o := range want.Spec.Objectives {
		if o.Reference == nil || want.Reference[o.Metric] != *o.Reference {
			t.Errorf("objective %d: reference %v, the front's is %v", i, o.Reference, want.Reference)
		}
	}
	same := cmp.Options{cmpopts.IgnoreFields(events.Summary{}, "LastResult")}
	if diff := cmp.Diff(want.Front, want.Summary.Front); diff != "" || want.Summary.FrontSize != len(want.Front) {
		t.Errorf("view and summary differ (-view +summary):\n%s", diff)
	}
	for seed := range uint64(6) {
		got := simulate(t, seed+1, allFaults, 3, 2, frontStudy)
		if diff := cmp.Diff(want.Summary, got.Summary, same); diff != "" {
			t.Fatalf("seed %d (-want +got):\n%s", seed+1, diff)
		}
		if diff := cmp.Diff(want.Front, got.Front); diff != "" || *got.Hypervolume != *want.Hypervolume {
			t.Fatalf("seed %d: the view's front (-want +got):\n%s", seed+1, diff)
		}
	}
}

func TestTheAPIHasTheFront(t *testing.T) {
	t.Parallel()
	calm(t, func(s *sim) {
		s.submit("sim", "x1", frontStudy)
		view := s.wait("sim")
		b, err := client.API(s.hub.Client("user"))["get"](s.ctx, []byte("sim"))
		if err != nil {
			t.Fatal(err)
		}
		var got struct {
			Best        *events.BestTrial
			Hypervolume *float64
			Reference   map[string]float64
			Summary     *events.Summary
		}
		if err := json.Unmarshal(b, &got); err != nil {
			t.Fatal(err)
		}
		if got.Best != nil || *got.Hypervolume != *view.Hypervolume || len(got.Reference) != 2 || len(got.Summary.Front) != len(view.Front) {
			t.Errorf("get answers %s", b)
		}
	})
}
