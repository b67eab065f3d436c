// Command dist makes what is given to users: an archive of the program for each
// platform with its bill of materials and completions, and their checksums.
// `make dist` runs it.
package main

import (
	"bytes"
	"crypto/sha256"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

// platforms are those of the archives.
func platforms() []string {
	return []string{"linux/amd64", "linux/arm64", "darwin/amd64", "darwin/arm64", "windows/amd64", "windows/arm64"}
}

func main() {
	out := flag.String("out", "dist", "`folder` of the archives")
	version := flag.String("version", "dev", "`version` of this build")
	only := flag.String("only", "", "`platforms` to build for, with commas between; default: all")
	flag.Parse()
	d := &dist{out: *out, version: strings.TrimPrefix(*version, "v"), full: *version}
	if err := d.run(*only); err != nil {
		fmt.Fprintln(os.Stderr, "dist:", err)
		os.Exit(1)
	}
}

type dist struct {
	out, version, full string
	at                 time.Time
	sums               []string
}

func (d *dist) run(only string) error {
	list := platforms()
	if only != "" {
		list = strings.Split(only, ",")
	}
	seconds, err := output(nil, "git", "log", "-1", "--format=%ct")
	if err != nil {
		return err
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(seconds)), 10, 64)
	if err != nil {
		return fmt.Errorf("time of the last commit: %w", err)
	}
	d.at = time.Unix(n, 0).UTC()
	if err := os.MkdirAll(d.out, 0o755); err != nil {
		return err
	}
	common, err := d.common()
	if err != nil {
		return err
	}
	for _, p := range list {
		if !slices.Contains(platforms(), p) {
			return fmt.Errorf("there is no platform %q: want %s", p, strings.Join(platforms(), ", "))
		}
		if err := d.platform(p, common); err != nil {
			return fmt.Errorf("%s: %w", p, err)
		}
	}
	return os.WriteFile(filepath.Join(d.out, "checksums.txt"), []byte(strings.Join(d.sums, "")), 0o644)
}

// common are the files of every archive. The completions come from a build for
// this machine.
func (d *dist) common() ([]file, error) {
	var files []file
	for _, name := range []string{"LICENSE", "README.md", "CHANGELOG.md"} {
		content, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		files = append(files, file{name: name, content: content})
	}
	here, err := d.build(runtime.GOOS, runtime.GOARCH)
	if err != nil {
		return nil, err
	}
	defer remove(here)
	for shell, name := range map[string]string{"bash": "apollo.bash", "zsh": "_apollo", "fish": "apollo.fish", "powershell": "apollo.ps1"} {
		content, err := output(nil, here, "completion", shell)
		if err != nil {
			return nil, err
		}
		files = append(files, file{name: "completions/" + name, content: content})
	}
	return files, nil
}

// build makes the program and returns where it is.
func (d *dist) build(system, machine string) (string, error) {
	path := filepath.Join(d.out, fmt.Sprintf(".apollo-%s-%s", system, machine))
	// Without -buildvcs the state of the checkout is not in the program: the
	// version says which commit it is.
	_, err := output([]string{"CGO_ENABLED=0", "GOOS=" + system, "GOARCH=" + machine, "GOFLAGS="},
		"go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w -buildid= -X main.version="+d.full, "-o", path, "./services/apollo")
	return path, err
}

func (d *dist) platform(p string, common []file) error {
	system, machine, _ := strings.Cut(p, "/")
	path, err := d.build(system, machine)
	if err != nil {
		return err
	}
	defer remove(path)
	program, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	bill, err := output(nil, "go", "tool", "-modfile=.tools/dist/go.mod", "cyclonedx-gomod", "bin", "-json", "-noserial", "-notimestamp", "-version", d.full, path)
	if err != nil {
		return err
	}
	// The path of this build is no part of it.
	bill = bytes.ReplaceAll(bill, []byte(filepath.Base(path)), []byte("apollo"))
	name, as := fmt.Sprintf("apollo-%s-%s-%s.tar.gz", d.version, system, machine), "apollo"
	if system == "windows" {
		name, as = strings.TrimSuffix(name, ".tar.gz")+".zip", "apollo.exe"
	}
	files := append(slices.Clone(common), file{name: as, content: program, program: true}, file{name: "sbom.cdx.json", content: bill})
	slices.SortFunc(files, func(a, b file) int { return strings.Compare(a.name, b.name) })
	var packed bytes.Buffer
	if err := pack(&packed, name, files, d.at); err != nil {
		return err
	}
	d.sums = append(d.sums, fmt.Sprintf("%x  %s\n", sha256.Sum256(packed.Bytes()), name))
	fmt.Printf("%s: %d bytes\n", name, packed.Len())
	return os.WriteFile(filepath.Join(d.out, name), packed.Bytes(), 0o644)
}

// remove takes a build away that is packed; one that stays is in nobody's way.
func remove(path string) { _ = os.Remove(path) }

func output(env []string, name string, args ...string) ([]byte, error) {
	c := exec.Command(name, args...)
	c.Env = append(os.Environ(), env...)
	var said bytes.Buffer
	c.Stderr = &said
	out, err := c.Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w\n%s", strings.Join(append([]string{name}, args...), " "), err, &said)
	}
	return out, nil
}
