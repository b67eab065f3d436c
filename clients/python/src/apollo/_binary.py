"""Where the apollo binary is, and how it is called."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn


class ApolloError(RuntimeError):
    """What the apollo command said when it failed; ``code`` is its exit code."""

    def __init__(self, message: str, code: int = 1) -> None:
        super().__init__(message)
        self.code = code


def binary() -> str:
    """Return the path of the apollo binary.

    That is ``APOLLO_BINARY`` of the environment, else the one in this package,
    else the one on the ``PATH``.
    """
    if named := os.environ.get("APOLLO_BINARY"):
        return named
    packaged = Path(__file__).parent / "_bin" / "apollo"
    if packaged.exists():
        return str(packaged)
    for folder in os.get_exec_path():
        found = shutil.which("apollo", path=folder or os.curdir)
        if found and not ours(found):
            return found
    raise ApolloError("there is no apollo binary: install a wheel that has one, put apollo on the PATH, or set APOLLO_BINARY")


def ours(path: str) -> bool:
    """Whether a file is the script of this package, which has the name too and would call itself."""
    if os.path.realpath(path) == os.path.realpath(sys.argv[0]):
        return True
    try:
        with open(path, "rb") as file:
            head = file.read(4096)
    except OSError:
        return False
    return head.startswith(b"#!") and b"apollo._binary" in head


def main() -> NoReturn:
    """Run the binary in the place of this process: the command ``apollo`` of an installed package."""
    try:
        program = binary()
        # A program that takes the place of this process keeps its number: who finds it has come round again.
        number = str(os.getpid())
        if os.environ.get("APOLLO_SCRIPT_PID") == number:
            raise ApolloError(f"{program} is no apollo binary: it starts this script again; set APOLLO_BINARY to the binary")
        os.environ["APOLLO_SCRIPT_PID"] = number
        os.execv(program, [program, *sys.argv[1:]])
    except (ApolloError, OSError) as e:
        sys.exit(f"apollo: {e}")


def call(*args: str, stdin: str | None = None, good: Sequence[int] = (0,)) -> str:
    """Run a command of apollo and return its standard output."""
    done = subprocess.run(
        [binary(), *args],
        input=stdin,
        stdin=subprocess.DEVNULL if stdin is None else None,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode not in good:
        raise ApolloError(plain(done.stderr) or f"apollo {args[0]} ended with {done.returncode}", done.returncode)
    return done.stdout


def call_json(*args: str, good: Sequence[int] = (0,)) -> Any:
    """Run a command of apollo and return its answer."""
    return json.loads(call(*args, "-o", "json", good=good))


def plain(said: str) -> str:
    """What a command said, without its name in front of the lines."""
    return "\n".join(line.removeprefix("apollo: ") for line in said.strip().splitlines())


def pandas() -> Any:
    """The module pandas, or an error that says how it is had."""
    try:
        import pandas as module
    except ImportError as e:
        raise ImportError("this table needs pandas: pip install pandas, or this package with its extra, apollo[pandas]") from e
    return module
