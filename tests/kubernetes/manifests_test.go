// Package kubernetes holds the manifests of deploy/kubernetes to the types of the
// Kubernetes API. It is a module of its own, so that those are no dependency of
// the product.
package kubernetes

import (
	"bytes"
	"os"
	"strings"
	"testing"

	apps "k8s.io/api/apps/v1"
	autoscaling "k8s.io/api/autoscaling/v2"
	core "k8s.io/api/core/v1"
	policy "k8s.io/api/policy/v1"
	"sigs.k8s.io/yaml"
)

// TestManifests decodes every document strictly: a field that the API does not
// have, or a value of another type, fails.
func TestManifests(t *testing.T) {
	text, err := os.ReadFile("../../deploy/kubernetes/apollo.yaml")
	if err != nil {
		t.Fatal(err)
	}
	deployments := map[string]*apps.Deployment{}
	var scaler *autoscaling.HorizontalPodAutoscaler
	for _, part := range bytes.Split(text, []byte("\n---\n")) {
		var kind struct {
			Kind string `json:"kind"`
		}
		if err := yaml.Unmarshal(part, &kind); err != nil {
			t.Fatal(err)
		}
		into := map[string]any{
			"ConfigMap": &core.ConfigMap{}, "Deployment": &apps.Deployment{}, "PodDisruptionBudget": &policy.PodDisruptionBudget{},
			"HorizontalPodAutoscaler": &autoscaling.HorizontalPodAutoscaler{},
		}[kind.Kind]
		if into == nil {
			t.Errorf("a document has the kind %q", kind.Kind)
			continue
		}
		if err := yaml.UnmarshalStrict(part, into); err != nil {
			t.Errorf("%s: %v", kind.Kind, err)
		}
		switch v := into.(type) {
		case *apps.Deployment:
			deployments[v.Name] = v
		case *autoscaling.HorizontalPodAutoscaler:
			scaler = v
		}
	}
	for _, role := range []string{"proposer", "archiver", "evaluator", "dashboard"} {
		d := deployments["apollo-"+role]
		if d == nil {
			t.Errorf("there is no deployment of the %s", role)
			continue
		}
		c := d.Spec.Template.Spec.Containers[0]
		for key, want := range d.Spec.Selector.MatchLabels {
			if d.Spec.Template.Labels[key] != want {
				t.Errorf("%s: its pods do not have the label %s=%s that it selects", role, key, want)
			}
		}
		if len(c.Args) < 2 || c.Args[0] != "serve" || c.Args[1] != role {
			t.Errorf("%s runs %q", role, c.Args)
		}
		if c.ReadinessProbe == nil || c.ReadinessProbe.HTTPGet.Path != "/readyz" || c.LivenessProbe != nil {
			t.Errorf("%s: want a readiness probe of /readyz, and none that kills", role)
		}
		limit, soft := c.Resources.Limits.Memory().Value(), ""
		for _, e := range c.Env {
			if e.Name == "GOMEMLIMIT" {
				soft = e.Value
			}
		}
		if limit == 0 || !strings.HasSuffix(soft, "MiB") {
			t.Errorf("%s: limit %d with GOMEMLIMIT %q, want both", role, limit, soft)
		}
		if s := c.SecurityContext; s == nil || s.ReadOnlyRootFilesystem == nil || !*s.ReadOnlyRootFilesystem || *s.AllowPrivilegeEscalation {
			t.Errorf("%s: want a root file system that is read only, and no escalation", role)
		}
		if p := d.Spec.Template.Spec.SecurityContext; p == nil || p.RunAsNonRoot == nil || !*p.RunAsNonRoot {
			t.Errorf("%s runs as root", role)
		}
	}
	if scaler == nil || scaler.Spec.ScaleTargetRef.Name != "apollo-evaluator" || scaler.Spec.Metrics[0].External.Metric.Name != "apollo_queue_age_seconds" {
		t.Errorf("the evaluators are not scaled by the age of the queue: %+v", scaler)
	}
}
