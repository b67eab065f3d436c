package transfer

import (
	"strings"
	"testing"

	"apollo/archiver"
	"apollo/events"
)

// joint makes the spec of a study that searches its networks.
func joint(networks ...events.Network) func(*events.Spec) {
	return func(s *events.Spec) {
		s.Networks, s.Search = networks, events.SearchOne
		p := events.Parameter{Name: events.NetworkParameter}
		for _, n := range networks {
			p.Labels = append(p.Labels, n.Name)
		}
		s.Parameters = append(s.Parameters, p)
	}
}

// jointSource is sourceOf forty trials with the hash of what each design ran.
func jointSource(spec *events.Spec) archiver.Source {
	s := sourceOf(spec, 40)
	for i := range s.Trials {
		s.Trials[i].WorkloadHash = archiver.WorkloadHash(spec.NetworksOf(s.Trials[i].Design))
	}
	return s
}

// Between studies that search the network and studies of one, the trials on the
// networks that both measure count, and no other.
func TestTransferAcrossSearchedNetworks(t *testing.T) {
	t.Parallel()
	net := events.Network{Name: "net", Weight: 1, SHA256: "a"}
	other := events.Network{Name: "other", Weight: 1, SHA256: "b"}
	impostor := events.Network{Name: "other", Weight: 1, SHA256: "c"}
	earlier := func(s *events.Spec) { s.Study = "earlier" }

	source := jointSource(targetSpec(func(s *events.Spec) { earlier(s); joint(net, other)(s) }))
	ours := 0
	for _, trial := range source.Trials {
		if trial.Design[3].Label == "net" {
			ours++
		}
	}
	if ours == 0 || ours == len(source.Trials) {
		t.Fatalf("%d of %d trials ran the network", ours, len(source.Trials))
	}
	for name, c := range map[string]struct {
		target func(*events.Spec)
		use    string
		left   int
	}{
		"the same search":     {joint(net, other), UseMerge, 0},
		"one of its networks": {nil, UseModel, len(source.Trials) - ours},
		"another of its name": {joint(net, impostor), UseModel, len(source.Trials) - ours},
	} {
		got, _, _, err := add(t, targetSpec(c.target), source.Log())
		left := 0
		for _, q := range got.Quarantine {
			if q.Reason != OtherNetwork {
				t.Errorf("%s: %d rows are left out for their %s", name, q.Rows, q.Reason)
			}
			left += q.Rows
		}
		if err != nil || got.Use != c.use || left != c.left {
			t.Errorf("%s: %q with %d rows left out, %v; want %q with %d", name, got.Use, left, err, c.use, c.left)
		}
	}
	if _, _, _, err := add(t, targetSpec(func(s *events.Spec) { s.Networks = []events.Network{impostor} }), source.Log()); err == nil {
		t.Error("no design ran the study's network, and it is a source")
	}

	// A study of one network knows which one the joint study calls so.
	single := sourceOf(targetSpec(func(s *events.Spec) { earlier(s); s.Networks = []events.Network{other} }), 40)
	got, k, _, err := add(t, targetSpec(joint(net, other)), single.Log())
	if err != nil || got.Use != UseModel || len(k.Tasks) != 1 {
		t.Fatalf("a source of one of the networks: %+v, %v", got, err)
	}
	if last := got.Parameters[3]; last.Use != filled || !strings.Contains(last.Note, "other stands in") {
		t.Errorf("the network becomes %+v", last)
	}
	if _, _, _, err = add(t, targetSpec(joint(net, impostor)), single.Log()); err == nil || !strings.Contains(err.Error(), "none of the networks that this study searches") {
		t.Errorf("a source of a network that is not searched: %v", err)
	}

	// A row whose hash is of another network than its design says cannot be true.
	source.Trials[0].WorkloadHash = archiver.WorkloadHash([]events.Network{impostor})
	got, _, _, err = add(t, targetSpec(joint(net, other)), source.Log())
	if err != nil || len(got.Quarantine) != 1 || got.Quarantine[0] != (Quarantine{BadWorkload, 1}) {
		t.Errorf("a false hash: %+v, %v", got.Quarantine, err)
	}
}

// A study that searches a family and one of its own network know each other's
// trials; families that differ do not, and neither do accuracies of two scales.
func TestTransferAcrossFamilies(t *testing.T) {
	t.Parallel()
	family := func(members, scale string) func(*events.Spec) {
		return func(s *events.Spec) {
			s.Search = events.SearchOne
			s.Networks = []events.Network{{
				Name: "net", Weight: 1, Family: "net", SHA256: members + scale, Members: members, Own: "a",
				Chosen: []events.ChosenBy{{Name: "width", Own: 100}}, Accuracies: events.Accuracies{Scale: scale},
			}}
			s.Parameters = append(s.Parameters, events.Parameter{Name: "width", Unit: "%", Values: []float64{50, 100}})
			if scale != "" {
				s.Metrics = append(s.Metrics, events.Metric{Name: "accuracy_percent", Unit: "%", Cheap: true})
			}
		}
	}
	earlier := func(s *events.Spec) { s.Study = "earlier" }
	source := jointSource(targetSpec(func(s *events.Spec) { earlier(s); family("m", "")(s) }))
	own := 0
	for _, trial := range source.Trials {
		if trial.Design[3].Num == 100 {
			own++
		}
	}
	for name, c := range map[string]struct {
		target func(*events.Spec)
		left   int
	}{
		"the same family":  {family("m", ""), 0},
		"another family":   {family("n", ""), 40},
		"its own network":  {func(s *events.Spec) { s.Networks = []events.Network{{Name: "net", Weight: 1, SHA256: "a"}} }, 40 - own},
		"with an accuracy": {family("m", "proxy"), 0},
	} {
		got, _, _, err := add(t, targetSpec(c.target), source.Log())
		left := 0
		for _, q := range got.Quarantine {
			left += q.Rows
		}
		if left != c.left || (err != nil) != (left == 40) {
			t.Errorf("%s: %d rows are left out, want %d: %v", name, left, c.left, err)
		}
	}
	single := sourceOf(targetSpec(func(s *events.Spec) { earlier(s); s.Networks = []events.Network{{Name: "net", Weight: 1, SHA256: "a"}} }), 40)
	got, _, _, err := add(t, targetSpec(family("m", "")), single.Log())
	if last := got.Parameters[len(got.Parameters)-1]; err != nil || last.Use != filled {
		t.Errorf("a source of the family's own network: %+v, %v", last, err)
	}
	single = sourceOf(targetSpec(func(s *events.Spec) { earlier(s); s.Networks = []events.Network{{Name: "net", Weight: 1, SHA256: "b"}} }), 40)
	if _, _, _, err = add(t, targetSpec(family("m", "")), single.Log()); err == nil || !strings.Contains(err.Error(), "it did not measure net") {
		t.Errorf("a source of another network: %v", err)
	}
	lacks := func(s *events.Spec) { family("m", "")(s); s.Networks[0].Chosen[0].Own = events.NoOwn }
	single = sourceOf(targetSpec(func(s *events.Spec) { earlier(s); s.Networks = []events.Network{{Name: "net", Weight: 1, SHA256: "a"}} }), 40)
	if _, _, _, err = add(t, targetSpec(lacks), single.Log()); err == nil || !strings.Contains(err.Error(), "lacks the own network of net") {
		t.Errorf("a source of an own network that is not measured: %v", err)
	}

	published := jointSource(targetSpec(func(s *events.Spec) { earlier(s); family("m", "published")(s) }))
	got, _, _, err = add(t, targetSpec(family("m", "proxy")), published.Log())
	if last := got.Metrics[len(got.Metrics)-1]; err != nil || last.Use != missing || last.Note != "its accuracies are published, this study's are proxy" {
		t.Errorf("accuracies of another scale: %+v, %v", last, err)
	}

	stated := func(accuracy float64) func(*events.Spec) {
		return func(s *events.Spec) {
			joint(events.Network{Name: "net", Weight: 1, SHA256: "a", Accuracy: accuracy}, events.Network{Name: "other", Weight: 1, SHA256: "b", Accuracy: 0.5})(s)
			s.Metrics = append(s.Metrics, events.Metric{Name: "accuracy_percent", Unit: "%", Cheap: true})
		}
	}
	for accuracy, want := range map[float64]string{0.7: Mapped, 0.72: missing} {
		source := jointSource(targetSpec(func(s *events.Spec) { earlier(s); stated(accuracy)(s) }))
		got, _, _, err = add(t, targetSpec(stated(0.7)), source.Log())
		if last := got.Metrics[len(got.Metrics)-1]; err != nil || last.Use != want {
			t.Errorf("%v is stated there, 0.7 here: %+v, %v", accuracy, last, err)
		}
	}

	// A scale that nobody states equals none; other percents, and what is computed
	// without accuracies, are no matter of a scale.
	more := func(scale string) func(*events.Spec) {
		return func(s *events.Spec) {
			family("m", scale)(s)
			if scale == "" {
				s.Metrics = append(s.Metrics, events.Metric{Name: "accuracy_percent", Unit: "%"})
			}
			s.Metrics = append(s.Metrics, events.Metric{Name: "utilization_percent", Unit: "%"},
				events.Metric{Name: "loss_percent", Unit: "%", Expr: "100 % - accuracy"}, events.Metric{Name: "idle_percent", Unit: "%", Expr: "100 % - utilization"})
		}
	}
	for _, c := range []struct {
		theirs, ours string
		same         bool
	}{{"published", "proxy", false}, {"", "proxy", false}, {"published", "", false}, {"proxy", "proxy", true}, {"", "", true}} {
		source := jointSource(targetSpec(func(s *events.Spec) { earlier(s); more(c.theirs)(s) }))
		got, _, _, err := add(t, targetSpec(more(c.ours)), source.Log())
		if err != nil {
			t.Fatal(err)
		}
		uses := map[string]string{}
		for _, m := range got.Metrics {
			uses[m.Name] = m.Use
		}
		accuracy, loss := missing, missing
		if c.same {
			accuracy, loss = Mapped, computed
		}
		if uses["accuracy_percent"] != accuracy || uses["loss_percent"] != loss || uses["utilization_percent"] != Mapped || uses["idle_percent"] != computed {
			t.Errorf("accuracies of scale %q for a study of %q: %v", c.theirs, c.ours, uses)
		}
	}
}
