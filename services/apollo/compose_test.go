package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/nats-io/nats-server/v2/server"

	"apollo/services/cli"
)

// composeFile is the part of the Compose specification that compose.yaml uses:
// a key that is not here is a mistake, or belongs here.
type composeFile struct {
	Name     string                    `yaml:"name"`
	Common   any                       `yaml:"x-apollo"`
	Services map[string]composeService `yaml:"services"`
	Configs  map[string]struct {
		File    string `yaml:"file"`
		Content string `yaml:"content"`
	} `yaml:"configs"`
	Volumes map[string]any `yaml:"volumes"`
}

type composeService struct {
	Build       string            `yaml:"build"`
	Image       string            `yaml:"image"`
	Restart     string            `yaml:"restart"`
	Init        bool              `yaml:"init"`
	Command     []string          `yaml:"command"`
	Environment map[string]string `yaml:"environment"`
	DependsOn   map[string]struct {
		Condition string `yaml:"condition"`
	} `yaml:"depends_on"`
	StopGracePeriod string `yaml:"stop_grace_period"`
	Deploy          struct {
		Resources struct {
			Limits struct {
				Memory string `yaml:"memory"`
			} `yaml:"limits"`
		} `yaml:"resources"`
	} `yaml:"deploy"`
	ReadOnly    bool     `yaml:"read_only"`
	Tmpfs       []string `yaml:"tmpfs"`
	CapDrop     []string `yaml:"cap_drop"`
	SecurityOpt []string `yaml:"security_opt"`
	HealthCheck struct {
		Test        []string `yaml:"test"`
		Interval    string   `yaml:"interval"`
		Timeout     string   `yaml:"timeout"`
		Retries     int      `yaml:"retries"`
		StartPeriod string   `yaml:"start_period"`
	} `yaml:"healthcheck"`
	Ports   []string `yaml:"ports"`
	Volumes []string `yaml:"volumes"`
	Configs []struct {
		Source string `yaml:"source"`
		Target string `yaml:"target"`
	} `yaml:"configs"`
}

// TestComposeFile reads compose.yaml, and parses every command and health check
// in it with the real flags.
func TestComposeFile(t *testing.T) { //nolint:paralleltest // it sets the environment
	text, err := os.ReadFile("../../compose.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var project composeFile
	if err := yaml.NewDecoder(bytes.NewReader(text), yaml.Strict()).Decode(&project); err != nil {
		t.Fatal(err)
	}
	for _, name := range append([]string{"nats"}, roleNames[:]...) {
		s, ok := project.Services[name]
		if !ok {
			t.Errorf("there is no service %s", name)
			continue
		}
		if len(s.HealthCheck.Test) < 3 || s.Restart != "unless-stopped" {
			t.Errorf("service %s has no health check or restart policy", name)
			continue
		}
		if s.Deploy.Resources.Limits.Memory != "2G" || s.Environment["GOMEMLIMIT"] != "1800MiB" {
			t.Errorf("service %s has a memory of %q with GOMEMLIMIT=%q, want a limit and less than that", name, s.Deploy.Resources.Limits.Memory, s.Environment["GOMEMLIMIT"])
		}
		if name == "nats" {
			checkNATS(t, &project, &s)
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
		if !strings.HasSuffix(s.HealthCheck.Test[len(s.HealthCheck.Test)-1], "/readyz") {
			t.Errorf("service %s: the health check %q is not about whether it can work", name, s.HealthCheck.Test)
		}
		if !strings.HasPrefix(s.Environment["APOLLO_TOKEN"], "${APOLLO_TOKEN:?") {
			t.Errorf("service %s starts without a token", name)
		}
		if s.DependsOn["nats"].Condition != "service_healthy" {
			t.Errorf("service %s does not wait for nats", name)
		}
		if len(s.Ports) > 0 {
			t.Errorf("service %s cannot be scaled: it has a fixed port", name)
		}
	}
	for name, want := range map[string]string{"proposer": "trials:/data:ro", "archiver": "trials:/data"} {
		if got := project.Services[name].Volumes; len(got) != 1 || got[0] != want {
			t.Errorf("service %s mounts %v, want the trial logs: %s", name, got, want)
		}
		if _, ok := project.Volumes["trials"]; !ok {
			t.Error("the volume trials is not declared")
		}
	}
}

func checkNATS(t *testing.T, project *composeFile, s *composeService) {
	t.Helper()
	if !strings.HasPrefix(s.Image, "nats:") {
		t.Errorf("service nats runs %s, want the official image", s.Image)
	}
	const token = "not-on-the-command-line"
	if !strings.HasPrefix(s.Environment["APOLLO_TOKEN"], "${APOLLO_TOKEN:?") {
		t.Error("service nats starts without a token")
	}
	dir := t.TempDir()
	for _, c := range s.Configs {
		config := project.Configs[c.Source]
		text := []byte(strings.ReplaceAll(config.Content, "$$", "$")) // as compose writes it
		if config.File != "" {
			var err error
			if text, err = os.ReadFile("../../" + config.File); err != nil {
				t.Fatal(err)
			}
		}
		path := filepath.Join(dir, filepath.FromSlash(c.Target))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("APOLLO_TOKEN", token)
	opts, err := server.ProcessConfigFile(filepath.Join(dir, filepath.FromSlash(s.Command[slices.Index(s.Command, "--config")+1])))
	if err != nil {
		t.Fatal(err)
	}
	if opts.Authorization != token || !opts.JetStream {
		t.Errorf("service nats asks for the token %q, with JetStream %t; want %q", opts.Authorization, opts.JetStream, token)
	}
	for _, port := range s.Ports {
		if !strings.HasPrefix(port, "127.0.0.1:") {
			t.Errorf("port %s is open to everybody", port)
		}
	}
}

// checkCommandLine parses a command line without running it.
func checkCommandLine(t *testing.T, args []string) {
	t.Helper()
	root := (&app{Terminal: &cli.Terminal{}}).root()
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

// TestKubernetesCommands parses the command lines of the manifests with the
// real flags. tests/kubernetes holds the manifests to the API.
func TestKubernetesCommands(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../deploy/kubernetes/apollo.yaml")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for line := range strings.SplitSeq(string(text), "\n") {
		list, ok := strings.CutPrefix(strings.TrimSpace(line), "args: ")
		if !ok {
			continue
		}
		var args []string
		if err := yaml.Unmarshal([]byte(list), &args); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		checkCommandLine(t, args)
		found++
	}
	if found != len(servable()) {
		t.Errorf("%d commands, want one for each of %q", found, servable())
	}
}
