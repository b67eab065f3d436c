package interop

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// clientPackages are what the tests of the Python package need besides it.
var clientPackages = []string{"pytest", "mypy", "pandas", "optuna", "nbclient", "ipykernel", "hatchling"}

// clientPython returns the interpreter of a fresh environment with the wheel of the
// Python package, which carries this build's binary. The test is skipped where the
// environment cannot be made.
func clientPython(t *testing.T) (python string, env []string) {
	t.Helper()
	system, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("no python3: the Python package is not tested")
	}
	dir := t.TempDir()
	venv := filepath.Join(dir, "venv")
	if out, err := exec.CommandContext(t.Context(), system, "-m", "venv", venv).CombinedOutput(); err != nil {
		t.Skipf("no virtual environment: %v\n%s", err, out)
	}
	python = filepath.Join(venv, "bin", "python3")
	binary := build(t, "../..", "./services/apollo", "apollo")
	pip := func(args ...string) *exec.Cmd {
		c := exec.CommandContext(t.Context(), python, append([]string{"-m", "pip", "--quiet", "--disable-pip-version-check"}, args...)...)
		c.Env = append(os.Environ(), "APOLLO_BINARY="+binary)
		return c
	}
	if out, err := pip(append([]string{"install"}, clientPackages...)...).CombinedOutput(); err != nil {
		t.Skipf("the packages cannot be installed: %v\n%s", err, out)
	}
	if out, err := pip("wheel", "--no-deps", "--wheel-dir", dir, "../../clients/python").CombinedOutput(); err != nil {
		t.Fatalf("build the wheel: %v\n%s", err, out)
	}
	wheels, err := filepath.Glob(filepath.Join(dir, "apollo-*-py3-none-*.whl"))
	if err != nil || len(wheels) != 1 {
		t.Fatalf("%v, %v: want one wheel of this platform", wheels, err)
	}
	if out, err := pip("install", "--no-deps", wheels[0]).CombinedOutput(); err != nil {
		t.Fatalf("install the wheel: %v\n%s", err, out)
	}
	for _, e := range os.Environ() { // the wheel's own binary is tested, with its own modules
		if !strings.HasPrefix(e, "APOLLO_") && !strings.HasPrefix(e, "PYTHON") && !strings.HasPrefix(e, "PATH=") {
			env = append(env, e)
		}
	}
	return python, append(env, "PATH="+filepath.Join(venv, "bin")+":/usr/bin:/bin")
}

// The Python package as a user has it: the wheel with its binary, alone in a fresh
// environment, with its tests, its types for every Python, and its notebook.
func TestPythonClient(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it installs packages")
	}
	python, env := clientPython(t)
	client, err := filepath.Abs("../../clients/python")
	if err != nil {
		t.Fatal(err)
	}
	call := func(t *testing.T, args ...string) string {
		c := exec.CommandContext(t.Context(), python, args...)
		c.Dir, c.Env = client, env
		out, err := c.CombinedOutput()
		if err != nil {
			t.Errorf("%v: %v\n%s", args, err, out)
		}
		return string(out)
	}
	if at := call(t, "-c", "import apollo; print(apollo.binary())"); !strings.Contains(at, "site-packages") {
		t.Fatalf("the binary is %s, want the wheel's own", at)
	}
	t.Run("pytest", func(t *testing.T) { call(t, "-m", "pytest", "-q", "-p", "no:cacheprovider") })
	t.Run("simulators", func(t *testing.T) {
		call(t, "-m", "pytest", "-q", "-p", "no:cacheprovider", "../../examples/simulators")
	})
	for _, version := range []string{"3.10", "3.11", "3.12", "3.13"} {
		t.Run("mypy "+version, func(t *testing.T) {
			call(t, "-m", "mypy", "--python-version", version, "--cache-dir", t.TempDir())
		})
	}
}
