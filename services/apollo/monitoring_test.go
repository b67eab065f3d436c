package main

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/prometheus/client_golang/prometheus"

	"apollo/events/membus"
)

// metricLabels are the labels of every metric of Apollo that /metrics can have,
// by the names of its series.
func metricLabels(t *testing.T) map[string][]string {
	t.Helper()
	m := newMonitor(membus.New(membus.Config{}).Client("monitor"), newMeters())
	ch := make(chan *prometheus.Desc, 1000)
	m.registry.Describe(ch)
	close(ch)
	of := map[string][]string{}
	desc := regexp.MustCompile(`fqName: "(apollo_\w+)".*variableLabels: \{([^}]*)\}`)
	for d := range ch {
		found := desc.FindStringSubmatch(d.String())
		if found == nil {
			continue // of the process
		}
		labels := append([]string{}, strings.FieldsFunc(found[2], func(r rune) bool { return r == ',' })...)
		of[found[1]] = labels
		if strings.HasSuffix(found[1], "_seconds") {
			of[found[1]+"_bucket"] = append(slices.Clone(labels), "le")
		}
	}
	return of
}

var (
	metricName = regexp.MustCompile(`\bapollo_\w+`)
	labelsUsed = regexp.MustCompile(`(?:by|on) \(([^)]*)\)|\{(\w+)!?=|\$labels\.(\w+)`)
)

// checkExpr refuses metrics and labels that do not exist.
func checkExpr(t *testing.T, what, expr, text string, labels map[string][]string) {
	t.Helper()
	known := []string{"instance", "job"}
	for _, name := range metricName.FindAllString(expr, -1) {
		if labels[name] == nil {
			t.Errorf("%s asks for %s, which there is not", what, name)
		}
		known = append(known, labels[name]...)
	}
	for _, use := range labelsUsed.FindAllStringSubmatch(expr+" "+text, -1) {
		for label := range strings.SplitSeq(use[1]+use[2]+use[3], ", ") {
			if !slices.Contains(known, label) {
				t.Errorf("%s uses the label %s, which none of its metrics has", what, label)
			}
		}
	}
}

// The alarms and the dashboard ask for metrics that exist, the page for operators
// explains every metric and every alarm, and none that there is not.
func TestAlarmsAndDashboard(t *testing.T) {
	t.Parallel()
	labels := metricLabels(t)
	read := func(name string) []byte {
		t.Helper()
		data, err := os.ReadFile("../../" + name)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	page := string(read("docs/operate.md"))
	var rules struct {
		Groups []struct {
			Rules []struct {
				Alert, Expr string
				Annotations struct{ Summary string }
			}
		}
	}
	if err := yaml.Unmarshal(read("deploy/monitoring/alerts.yaml"), &rules); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, g := range rules.Groups {
		for _, r := range g.Rules {
			n++
			checkExpr(t, r.Alert, r.Expr, r.Annotations.Summary, labels)
			if !strings.Contains(page, "`"+r.Alert+"`") {
				t.Errorf("the page does not say what to do about %s", r.Alert)
			}
		}
	}
	if n < 10 {
		t.Errorf("%d alarms were read", n)
	}
	var board struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr, LegendFormat string }
		}
	}
	if err := json.Unmarshal(read("deploy/monitoring/grafana.json"), &board); err != nil {
		t.Fatal(err)
	}
	legend := regexp.MustCompile(`\{\{(\w+)\}\}`)
	for _, p := range board.Panels {
		if len(p.Targets) == 0 {
			t.Errorf("panel %s is empty", p.Title)
		}
		for _, target := range p.Targets {
			checkExpr(t, p.Title, target.Expr, legend.ReplaceAllString(target.LegendFormat, "$$labels.$1"), labels)
		}
	}
	told := metricName.FindAllString(page, -1)
	for name := range labels {
		if !slices.Contains(told, strings.TrimSuffix(name, "_bucket")) {
			t.Errorf("the page does not explain %s", name)
		}
	}
	for _, name := range told {
		if labels[name] == nil {
			t.Errorf("the page explains %s, which there is not", name)
		}
	}
}
