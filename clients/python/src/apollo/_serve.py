"""The processes that evaluate a function's designs.

Apollo starts _bridge.py for each worker. The bridge connects to a socket of this
process and hands over its standard input and output. A process that was forked
off before any thread was started accepts, and forks a worker for each bridge: a
function of a script or a notebook needs no import, and a crash takes one design.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import select
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Optional

from ._binary import ApolloError, binary, plain
from ._evaluator import Evaluator
from ._failures import Failures

Heard = Callable[[Mapping[str, Any]], None]


def command() -> str:
    """The command that Apollo starts."""
    return f"{shlex.quote(sys.executable)} {shlex.quote(str(Path(__file__).with_name('_bridge.py')))}"


class Server:
    """The socket of the bridges. ``close`` removes it."""

    def __init__(self) -> None:
        self.dir = tempfile.mkdtemp(prefix="apollo-")
        self.path = os.path.join(self.dir, "s")
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen(64)

    @property
    def env(self) -> dict[str, str]:
        """What the bridges need to know."""
        return {"APOLLO_BRIDGE": self.path}

    def close(self) -> None:
        """Accept no more."""
        self.listener.close()
        shutil.rmtree(self.dir, ignore_errors=True)


class ForkServer(Server):
    """Evaluates in forked processes."""

    def __init__(self, evaluator: Evaluator, *heard: Heard) -> None:
        super().__init__()
        self.hear, self.said = os.pipe()
        there, self.alive = os.pipe()
        self.pid = fork_beside_threads()
        if self.pid == 0:
            try:
                os.close(self.alive)
                os.close(self.hear)
                accept(self.listener, there, self.said, evaluator)
            finally:
                os._exit(0)
        os.close(there)
        os.close(self.said)
        self.reader = threading.Thread(target=self.listen, args=(heard,), daemon=True)
        self.reader.start()

    def watch(self, pid: int) -> None:
        """Interrupt this process when the one that called is killed."""
        os.write(self.alive, f"{pid}\n".encode())

    def listen(self, heard: Sequence[Heard]) -> None:
        """Pass on what the workers say of their designs."""
        with os.fdopen(self.hear, "rb") as lines:
            for line in lines:
                with contextlib.suppress(ValueError):
                    note = json.loads(line)
                    for hears in heard:
                        hears(note)

    def close(self) -> None:
        """End the workers."""
        with contextlib.suppress(OSError):
            os.write(self.alive, b"bye\n")
        os.close(self.alive)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.pid, 0)
        self.reader.join()
        super().close()


def fork_beside_threads() -> int:
    """os.fork, without the warning of Python 3.12 and later where this process has threads.

    A fork copies locks as they are, also those that another thread holds: docs/python.md says so, and what to do.
    An exec in its place could not bring the functions of scripts and notebooks along.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=DeprecationWarning, message=".*multi-threaded.*fork")
        return os.fork()


def accept(listener: socket.socket, there: int, said: int, evaluator: Evaluator) -> None:
    """Fork a worker for each bridge, until the process that started this one is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the system reaps
    os.set_blocking(said, False)
    heard = b""
    both: list[Any] = [listener, there]
    while True:
        ready: list[Any] = select.select(both, [], [])[0]
        if there in ready:
            part = os.read(there, 256)
            heard += part
            if b"bye" in heard:
                return
            if not part:
                for pid in heard.split():
                    with contextlib.suppress(OSError):
                        os.kill(int(pid), signal.SIGINT)
                return
        if listener in ready:
            link, _ = listener.accept()
            if os.fork() == 0:
                try:
                    listener.close()
                    os.close(there)
                    guard(link, said, evaluator)
                finally:
                    os._exit(1)
            link.close()


def guard(link: socket.socket, said: int, evaluator: Evaluator) -> None:
    """Fork a worker, and tell its bridge how it ended."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    pid = os.fork()
    if pid == 0:
        worker(link, said, evaluator)
    _, status = os.waitpid(pid, 0)
    with contextlib.suppress(OSError):
        link.send(f"ended {os.waitstatus_to_exitcode(status)}".encode())
    os._exit(0)


def worker(link: socket.socket, said: int, evaluator: Evaluator) -> None:
    """Answer the questions of one bridge, in a process group that ends with it."""
    os.setpgid(0, 0)
    about, fds = received(link)
    os.environ.update(about["env"])
    resource.setrlimit(resource.RLIMIT_DATA, about["data"])
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    # Helpers must not read the questions, and what anybody prints is no answer.
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(fds[2], 1)
    os.dup2(fds[2], 2)
    sys.stdin = open(os.devnull)
    sys.stdout = sys.stderr = os.fdopen(2, "w", buffering=1, errors="replace", closefd=False)
    threading.Thread(target=end_with, args=(link,), daemon=True).start()
    with os.fdopen(fds[0], "rb") as questions, os.fdopen(fds[1], "wb", buffering=0) as answers:
        for fd in (*fds, said):
            os.set_inheritable(fd, False)
        serve_lines(questions, answers, evaluator, said)
    link.send(b"done")
    os._exit(0)


def received(link: socket.socket) -> tuple[dict[str, Any], list[int]]:
    """What a bridge says of itself, and its standard input, output and error."""
    text, fds, _, _ = socket.recv_fds(link, 4096, 3)
    while not text.endswith(b"\n"):
        part = link.recv(65536)
        if not part:
            raise ConnectionError("the bridge ended before it had said its environment")
        text += part
    about: dict[str, Any] = json.loads(text)
    return about, fds


def end_with(link: socket.socket) -> None:
    """Kill the group when the bridge is gone: a time-out killed it."""
    with contextlib.suppress(OSError):
        while link.recv(16):
            pass
    os.killpg(0, signal.SIGKILL)


def serve_lines(questions: BinaryIO, answers: Any, evaluator: Evaluator, said: int) -> None:
    """Read lines and answer them."""
    layers: dict[str, Any] = {}
    me = os.getpid()
    for text in questions:
        try:
            line = json.loads(text)
            key = line["id"]
        except (ValueError, TypeError, KeyError):
            answers.write(b'{"error": "the line is no JSON object with an id"}\n')
            continue

        def say(note: Mapping[str, Any], key: Any = key) -> None:
            answers.write(json.dumps({"id": key, **note}, allow_nan=False).encode() + b"\n")

        asked = "op" not in line
        about = {"run": line.get("run", ""), "trial": line.get("trial", 0), "attempt": line.get("attempt", 1)}
        if asked:
            note(said, {**about, "design": line.get("design", {})})
        answer = evaluator.answer(line, say, layers)
        if os.getpid() != me:
            end_child(evaluator.raised)  # the function forked, and this is the child
        with contextlib.suppress(ValueError):  # the function has closed it
            sys.stderr.flush()
        if asked:  # before the answer, which apollo tells the same reader of
            about["outcome"] = answer.get("outcome", "measured")
            if about["outcome"] == "failed":
                about.update(message=answer["reason"]["message"], final=evaluator.deterministic and not answer.get("retry"), **evaluator.trace)
            note(said, about)
        answers.write(json.dumps({"id": key, **answer}).encode() + b"\n")


def end_child(raised: Optional[BaseException]) -> None:
    """End a process that the function forked, with the status that it would have elsewhere."""
    status, said = 0, ""
    if isinstance(raised, SystemExit) and isinstance(raised.code, int):
        status = raised.code
    elif isinstance(raised, SystemExit) and raised.code is not None:
        status, said = 1, f"{raised.code}\n"
    elif raised and not isinstance(raised, SystemExit):
        status, said = 1, "".join(traceback.format_exception(raised))
    with contextlib.suppress(ValueError):  # the function has closed it
        sys.stderr.write(said)
        sys.stderr.flush()
    os._exit(status & 0xFF)


def note(said: int, about: Mapping[str, Any]) -> None:
    """Tell the process that has the function. More than one piece of a pipe would mix with that of others: long texts go first."""
    for left in ((), ("trace", "frames"), ("trace", "frames", "message", "design")):
        text = json.dumps({k: v for k, v in about.items() if k not in left}).encode() + b"\n"
        if len(text) <= select.PIPE_BUF:
            with contextlib.suppress(BlockingIOError):
                os.write(said, text)
            return


class Apollo:
    """A running command of apollo. Lines that it did not write itself are shown."""

    def __init__(self, *args: str, failures: Optional[Failures] = None, line: Optional[Callable[[str], None]] = None) -> None:
        not_imported()
        self.failures, self.line = failures, line
        self.process = subprocess.Popen(
            [binary(), *args],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",  # what the function prints may be anything
            start_new_session=True,
        )
        self.said: list[str] = []
        self.out = ""
        self.broken: Optional[Exception] = None  # what taking a line raised
        self.threads = [threading.Thread(target=t, daemon=True) for t in (self.read_out, self.read_err)]
        for t in self.threads:
            t.start()

    def read_out(self) -> None:
        """Keep the answer, or pass on its lines."""
        assert self.process.stdout
        if self.line:
            for text in self.process.stdout:
                try:
                    if not self.broken:
                        self.line(text)
                except Exception as e:  # apollo would wait for ever where nobody reads on: wait() raises it
                    self.broken = e
        self.out = self.process.stdout.read()

    def read_err(self) -> None:
        """Show what the function printed, keep what apollo said."""
        assert self.process.stderr
        went_on = False  # an error of apollo, whose next lines are indented
        for line in self.process.stderr:
            if line.startswith("apollo:") or (went_on and line.startswith("  ")):
                went_on = not line.startswith("apollo: warn:")
                if not (self.failures and self.failures.logged(line)):
                    self.said.append(line)
            else:
                sys.stderr.write(line)

    def wait(self) -> int:
        """Wait for the end. An interruption drains the run before it goes on."""
        try:
            code = self.process.wait()
        except KeyboardInterrupt:
            self.interrupt()
            raise
        for t in self.threads:
            t.join()
        for pipe in (self.process.stdout, self.process.stderr):
            if pipe:
                pipe.close()
        if self.broken:
            raise self.broken
        return code

    def interrupt(self) -> None:
        """End it: designs in progress are answered first."""
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(15)
        except (subprocess.TimeoutExpired, KeyboardInterrupt):
            self.process.kill()
            self.process.wait()

    def error(self, what: str) -> ApolloError:
        """What it said, as an error."""
        return ApolloError(plain("".join(self.said)) or f"{what} ended with {self.process.returncode}", self.process.returncode)


def serve(evaluator: Evaluator, nats: str, slots: int) -> None:
    """Evaluator.serve."""
    if not isinstance(slots, int) or slots < 1:
        raise ValueError(f"slots is {slots!r}, want 1 or more")
    failures = Failures()
    with forked(evaluator, failures.heard) as server:
        env = {**evaluator.env, **server.env}
        flags = [part for name, value in env.items() for part in ("--env", f"{name}={value}")]
        apollo = Apollo("evaluator", "run", "--name", evaluator.name, "--exec", command(), "--nats", nats, "--slots", str(slots), *flags, failures=failures)
        server.watch(apollo.process.pid)
        with contextlib.suppress(KeyboardInterrupt):
            if apollo.wait() not in (0, 130):
                raise apollo.error("apollo evaluator run")


def not_imported() -> None:
    """Refuse to start anything in a process that multiprocessing has started, while it imports the script: it would start the study again, in each of them."""
    processes = sys.modules.get("multiprocessing.process")
    if processes and getattr(processes.current_process(), "_inheriting", False):  # as multiprocessing itself knows it
        raise RuntimeError('multiprocessing imports the script in each of its processes, and would run the study again: write what runs it below if __name__ == "__main__":')


@contextlib.contextmanager
def forked(evaluator: Evaluator, *heard: Heard) -> Iterator[ForkServer]:
    """A ForkServer for the time of a block."""
    not_imported()
    server = ForkServer(evaluator, *heard)
    try:
        yield server
    finally:
        server.close()
