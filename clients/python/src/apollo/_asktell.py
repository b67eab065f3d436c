"""Ask and tell: the caller's own loop around Apollo's strategies."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import socket
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any, Optional, Union

from . import _serve
from ._binary import ApolloError
from ._evaluator import Evaluator, because
from ._failures import brief
from ._run import Run
from ._space import Space, Value, typed
from ._study import Names, Study

LONGEST = "168 h"  # of one evaluation: who asks may take his time


class Asked:
    """A design that waits for its answer."""

    def __init__(self, number: int, design: Mapping[str, Value], evaluator: Evaluator) -> None:
        self.number, self.design = number, dict(design)
        self._evaluator = evaluator
        self._answer: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._told = False

    def tell(self, metrics: Union[float, Mapping[str, float]]) -> None:
        """Answer with the metrics, or with the number of the only one."""
        self._put(self._evaluator.measured(metrics, partly=False))

    def infeasible(self, code: str, message: str = "", *, need: float = 0, have: float = 0, unit: str = "") -> None:
        """Answer that the design cannot work, as :func:`apollo.infeasible` does."""
        self._put({"outcome": "infeasible", "reason": because(code, message, need, have, unit)})

    def fail(self, message: str) -> None:
        """Answer that the evaluation broke."""
        self._put({"outcome": "failed", "reason": {"code": "failed", "message": message}})

    def _put(self, answer: dict[str, Any]) -> None:
        if self._told:
            raise RuntimeError(f"trial {self.number} has its answer already")
        self._told = True
        self._answer.put(answer)

    def __repr__(self) -> str:
        """The trial and its design."""
        return f"Asked({self.number}, {self.design})"


class AskTell:
    """A study that the caller measures: ``ask`` for a design, ``tell`` its metrics.

    >>> with apollo.AskTell("mine", space={"x": [1, 2, 3]}, metrics={"cost": ""}, minimize="cost", trials=3) as loop:
    ...     for asked in loop:
    ...         asked.tell(asked.design["x"] ** 2)
    ...     loop.best

    ``parallel`` designs may wait for their answers at a time. Trials that are known already, of a study that was interrupted, are not asked again.
    """

    @brief
    def __init__(
        self,
        name: str,
        *,
        space: Space,
        metrics: Mapping[str, str],
        minimize: Names = (),
        maximize: Names = (),
        trials: int = 100,
        parallel: int = 1,
        data: Optional[str] = None,
        fresh: bool = False,
        **more: Any,
    ) -> None:
        def measure(**design: Value) -> None:
            raise NotImplementedError("the caller measures")

        self.evaluator = Evaluator(measure, metrics, name=f"ask-{name}"[:63].rstrip("-"), version="ask", timeout=LONGEST, attempts=1)
        self._temporary = tempfile.TemporaryDirectory(prefix="apollo-") if data is None else None
        place = self._temporary.name if self._temporary else str(data)
        self.study = Study(
            name, space=space, minimize=minimize, maximize=maximize, evaluator=self.evaluator, trials=trials, parallelism=parallel, data=place, **more
        )
        self._waiting: queue.Queue[Optional[Asked]] = queue.Queue()
        self._open: list[Asked] = []
        self._changed = threading.Condition()
        self._server = _serve.Server()
        threading.Thread(target=self._accept, daemon=True).start()
        self._stack = contextlib.ExitStack()
        program = {"exec": _serve.command(), "env": self._server.env}
        path = self._stack.enter_context(self.study._file(self.study.document(program=program)))
        try:
            self.study._lint(path)
            self._apollo = _serve.Apollo(*self.study._command(path, parallel, fresh))
        except BaseException:
            self._server.close()
            self._stack.close()
            raise
        self._run: Optional[Run] = None
        threading.Thread(target=self._end, daemon=True).start()

    def _end(self) -> None:
        self._apollo.process.wait()
        self._waiting.put(None)
        with self._changed:
            self._changed.notify_all()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                link, _ = self._server.listener.accept()
                threading.Thread(target=self._serve, args=(link,), daemon=True).start()

    def _serve(self, link: socket.socket) -> None:
        _, fds = _serve.received(link)
        os.close(fds[2])
        with link, os.fdopen(fds[0], "rb") as questions, os.fdopen(fds[1], "wb", buffering=0) as answers, contextlib.suppress(OSError):
            for text in questions:
                line = json.loads(text)
                answers.write(json.dumps({"id": line["id"], **self._reply(line)}).encode() + b"\n")
            link.send(b"done")

    def _reply(self, line: Mapping[str, Any]) -> dict[str, Any]:
        if line.get("op") == "describe":
            return self.evaluator.describe()
        asked = Asked(line["trial"], typed(line["design"], self.study._floats), self.evaluator)
        with self._changed:
            self._open.append(asked)
            self._changed.notify_all()
        self._waiting.put(asked)
        answer = asked._answer.get()
        with self._changed:
            self._open.remove(asked)
        return answer

    def ask(self, timeout: Optional[float] = None) -> Optional[Asked]:
        """Return the next design, or None when the study has ended.

        It waits while ``parallel`` designs wait for their answers; queue.Empty after ``timeout`` seconds.
        """
        asked = self._waiting.get(timeout=timeout)
        if asked is None:
            self._waiting.put(None)
        return asked

    def __iter__(self) -> Iterator[Asked]:
        """The designs, until the study ends."""
        while (asked := self.ask()) is not None:
            yield asked

    @property
    def run(self) -> Run:
        """The run, after the study has ended. RuntimeError while a design waits for its answer."""
        if self._run is None:
            with self._changed:
                self._changed.wait_for(lambda: self._ended() or self._untold())
                if not self._ended():
                    numbers = ", ".join(str(a.number) for a in self._untold())
                    raise RuntimeError(f"the study goes on, trial {numbers} waits for its answer: tell it, or close the loop first")
            self._run = self.study._answer(self._apollo)
        return self._run

    def _ended(self) -> bool:
        return self._apollo.process.poll() is not None

    def _untold(self) -> list[Asked]:
        return [a for a in self._open if not a._told]

    @property
    def best(self) -> Any:
        """The best feasible trial of the study that has ended, or None."""
        return self.run.best

    def close(self) -> None:
        """End the loop. With ``data`` the study can go on later."""
        if self._apollo.process.poll() is None:
            self._apollo.interrupt()
        elif self._temporary:
            with contextlib.suppress(ApolloError, RuntimeError):
                _ = self.best  # its folder goes
        self._server.close()
        self._stack.close()
        if self._temporary:
            self._temporary.cleanup()

    def __enter__(self) -> AskTell:
        """Itself."""
        return self

    def __exit__(self, kind: Optional[type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]) -> None:
        """Close it."""
        self.close()


if sys.platform == "win32":
    raise ImportError("apollo needs Linux or macOS")
