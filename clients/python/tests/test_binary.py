"""Which program the command of the package runs."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import apollo
import pytest

SCRIPT = f"""#!{sys.executable}
import sys
from apollo._binary import main
if __name__ == "__main__":
    sys.exit(main())
"""
REAL = '#!/bin/sh\necho "real $1"\n'


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


def run(script: Path, *folders: Path, **env: str) -> subprocess.CompletedProcess:
    path = os.pathsep.join([str(script.parent / "package"), *sys.path])
    env = {k: v for k, v in os.environ.items() if k != "APOLLO_BINARY"} | {"PYTHONPATH": path} | env
    env["PATH"] = os.pathsep.join([*map(str, folders), "/usr/bin", "/bin"])
    return subprocess.run([script, "version"], env=env, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def script(tmp_path: Path) -> Path:
    # The package that runs the tests may carry a binary, which would come before the PATH.
    shutil.copytree(Path(apollo.__file__).parent, tmp_path / "user" / "package" / "apollo", ignore=shutil.ignore_patterns("_bin"))
    return write(tmp_path / "user" / "apollo", SCRIPT)


def test_the_script_is_not_the_binary(tmp_path, script):
    write(tmp_path / "other" / "apollo", SCRIPT)  # of another interpreter
    linked = tmp_path / "linked"
    linked.mkdir()
    (linked / "apollo").symlink_to(script)
    done = run(script, linked, script.parent, tmp_path / "other")
    assert done.returncode == 1 and "there is no apollo binary" in done.stderr
    write(tmp_path / "last" / "apollo", REAL)
    assert run(script, linked, script.parent, tmp_path / "other", tmp_path / "last").stdout == "real version\n"


def test_the_binary_beside_the_interpreter(tmp_path, script):
    bin = tmp_path / "bin"
    bin.mkdir()
    (bin / "python3").symlink_to(sys.executable)
    write(bin / "apollo", REAL)
    script.write_text(SCRIPT.replace(sys.executable, str(bin / "python3")))
    assert run(script, bin).stdout == "real version\n"


def test_a_program_that_starts_the_script_again(tmp_path, script):
    shim = write(tmp_path / "shim" / "apollo", f'#!/bin/sh\nexec {script} "$@"\n')
    for env in ({}, {"APOLLO_BINARY": str(shim)}, {"APOLLO_BINARY": str(script)}):
        done = run(script, shim.parent, **env)
        assert done.returncode == 1 and "starts this script again" in done.stderr


def test_the_binary_may_start_the_script(tmp_path, script):
    write(tmp_path / "real" / "apollo", f'#!/bin/sh\n[ "$1" = nested ] || {script} nested\necho "real $1"\n')
    assert run(script, tmp_path / "real").stdout == "real nested\nreal version\n"
