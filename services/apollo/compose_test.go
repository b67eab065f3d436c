package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
)

// TestComposeFile loads compose.yaml as docker compose does, and parses every
// command and health check in it with the real flags.
func TestComposeFile(t *testing.T) {
	t.Parallel()
	options, err := cli.NewProjectOptions([]string{"../../compose.yaml"})
	if err != nil {
		t.Fatal(err)
	}
	project, err := options.LoadProject(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range append([]string{"nats"}, roleNames[:]...) {
		s, err := project.GetService(name)
		if err != nil {
			t.Fatal(err)
		}
		if s.HealthCheck == nil || s.HealthCheck.Disable || s.Restart != types.RestartPolicyUnlessStopped {
			t.Errorf("service %s has no health check or restart policy", name)
		}
		if name == "nats" {
			if !strings.HasPrefix(s.Image, "nats:") {
				t.Errorf("service nats runs %s, want the official image", s.Image)
			}
			continue
		}
		if got, want := s.Command[:2], []string{"serve", name}; !slices.Equal(got, want) {
			t.Errorf("service %s runs %q, want %q", name, got, want)
		}
		checkCommandLine(t, s.Command)
		if test := s.HealthCheck.Test; test[0] != "CMD" || test[1] != "/apollo" {
			t.Errorf("service %s: the health check %q is no call of the binary: the image holds nothing else", name, test)
		} else {
			checkCommandLine(t, test[2:])
		}
		if s.DependsOn["nats"].Condition != types.ServiceConditionHealthy {
			t.Errorf("service %s does not wait for nats", name)
		}
		if s.ContainerName != "" || len(s.Ports) > 0 {
			t.Errorf("service %s cannot be scaled: it has a fixed name or port", name)
		}
	}
	for _, name := range []string{"proposer", "archiver"} {
		if volumes := project.Services[name].Volumes; len(volumes) != 1 || volumes[0].Source != "trials" || volumes[0].Target != "/data" {
			t.Errorf("service %s does not mount the trial logs: %v", name, volumes)
		}
	}
}

// checkCommandLine parses a command line without running it.
func checkCommandLine(t *testing.T, args []string) {
	t.Helper()
	root := (&app{terminal: &terminal{}}).root()
	c, rest, err := root.Find(args)
	if err != nil {
		t.Errorf("%q: %v", args, err)
		return
	}
	if err := c.ParseFlags(rest); err != nil {
		t.Errorf("%q: %v", args, err)
		return
	}
	if err := c.ValidateArgs(c.Flags().Args()); err != nil {
		t.Errorf("%q: %v", args, err)
	}
}
