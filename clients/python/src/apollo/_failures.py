"""What is said of trials that fail."""

from __future__ import annotations

import ast
import functools
import os
import re
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Optional, TypeVar


from ._binary import ApolloError

F = TypeVar("F", bound=Callable[..., Any])
HERE = str(Path(__file__).parent) + os.sep  # a folder beside it may begin with its name
ATTEMPT = re.compile(r'apollo: warn: attempt failed .*? run=(\S+) trial=(\d+) attempt=(\d+) attempts=(\d+) code=(\S+) error=("(?:[^"\\]|\\.)*"|\S*)')
ENDED = ("child_died", "timeout")  # codes of apollo itself: the function could say nothing

Key = tuple[str, int, int]


def brief(function: F) -> F:
    """Raise what this package says of a mistake without the frames inside of it: the traceback is that of the caller."""

    @functools.wraps(function)
    def called(*args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True  # pytest and IPython show no frame at all
        try:
            return function(*args, **kwargs)
        except KeyboardInterrupt as e:
            error: BaseException = e
        except (ApolloError, TypeError, ValueError) as e:
            if not traceback.extract_tb(e.__traceback__)[-1].filename.startswith(HERE):
                raise  # of a library, or of the caller's
            error = e
        raise error.with_traceback(None) from None

    return called  # type: ignore[return-value]


class Failures:
    """Joins what the workers note of a design with apollo's word that an attempt at it failed, and writes one line for each failed trial."""

    def __init__(self, write: Optional[Callable[[str], None]] = None) -> None:
        self.write = write or sys.stderr.write
        self.notes: dict[Key, dict[str, Any]] = {}
        self.shown: set[str] = set()
        self.changed = threading.Condition()

    def heard(self, note: Mapping[str, Any]) -> None:
        """Note what a worker began, and what became of it."""
        key = (note["run"], note["trial"], note["attempt"])
        with self.changed:
            if note.get("outcome") in ("measured", "infeasible"):
                self.notes.pop(key, None)
            else:
                self.notes[key] = {**self.notes.get(key, {}), **note}
            self.changed.notify_all()

    def logged(self, line: str) -> bool:
        """Whether this line of apollo's log is of an attempt that failed: after the last one of a trial its line is written."""
        found = ATTEMPT.match(line)
        if not found:
            return False
        run, code = found[1], found[5]
        trial, attempt, attempts = (int(found[i]) for i in (2, 3, 4))
        key = (run, trial, attempt)
        wanted = "design" if code in ENDED else "outcome"
        with self.changed:  # the note was sent first, but another thread reads it
            self.changed.wait_for(lambda: wanted in self.notes.get(key, {}), 1)
            note = self.notes.pop(key, {})
        if attempt < attempts and not note.get("final"):
            return True
        error = str(ast.literal_eval(found[6])) if found[6].startswith('"') else found[6]
        if code == "timeout":
            error = error.split(";")[0] + ": if the design needs longer, raise timeout= of the evaluator"
        error = " ".join(str(note.get("message", error)).split())
        design = ", ".join(f"{k}={v}" for k, v in note.get("design", {}).items())
        text = f"apollo: trial {trial}{f' ({design})' if design else ''} failed{f' after {attempt} attempts' if attempt > 1 else ''}: {error}\n"
        trace, frames = note.get("trace", ""), note.get("frames", "")
        if trace and frames not in self.shown:
            self.shown.add(frames)
            text += trace
        self.write(text)
        return True


class Traces:
    """Shows the traceback of what a function raises, once for each place."""

    def __init__(self) -> None:
        self.shown: set[str] = set()

    def heard(self, note: Mapping[str, Any]) -> None:
        """Note what became of a design."""
        if note.get("trace") and note["frames"] not in self.shown:
            self.shown.add(note["frames"])
            sys.stderr.write(note["trace"])


def told(error: BaseException) -> dict[str, str]:
    """What is said of an exception: a message with its place, and the traceback without the frames of this package."""
    said = traceback.TracebackException.from_exception(error)
    chain: list[Optional[traceback.TracebackException]] = [said]
    for one in chain:
        if one is not None:
            one.stack = traceback.StackSummary.from_list([f for f in one.stack if not f.filename.startswith(HERE)])
            chain += [one.__cause__, one.__context__]
    try:
        text = str(error)
    except Exception as e:  # its own text is broken
        text = f"(its text raises {type(e).__name__})"
    message = type(error).__name__ + (f": {text}" if text else "")
    if not said.stack:
        return {"message": message}
    last = said.stack[-1]
    return {
        "message": f"{message} ({Path(last.filename).name}:{last.lineno}, in {last.name})",
        "trace": "".join(said.format()),
        "frames": type(error).__name__ + "".join(said.stack.format()),
    }
