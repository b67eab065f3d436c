"""Studies."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Optional, Union

from . import _serve
from ._binary import ApolloError, binary, call, plain
from ._evaluator import Evaluator, fits, takes, units
from ._failures import Failures
from ._progress import Progress
from ._run import Run, Trial, trial
from ._space import Space, Value, document

Names = Union[str, Sequence[str]]
NOTHING_FEASIBLE = 6  # exit code of apollo run: an answer all the same
PAUSED = 5
LARGER = "study extend"  # the hint where a larger budget is all that differs
PYTHON = {  # words of apollo for its command line, and those for a function
    "what the program needs": "what the function needs",
    "the program itself must change": "the function itself must change",
    "the program that measures study": "the function that measures study",
    "those of two programs": "those of two functions",
    "run the same command again": "call run() again",
    "run it with --fresh": "call run(fresh=True)",
    "start anew with --fresh": "start anew with run(fresh=True)",
}


@dataclass(frozen=True)
class Mistake:
    """One mistake of a study: where, what, and what to do."""

    pointer: str
    code: str
    message: str
    hint: str = ""


class StudyError(ApolloError):
    """A study with mistakes. Its text shows each with a caret under it; ``mistakes`` are the data."""

    def __init__(self, text: str, mistakes: list[Mistake]) -> None:
        super().__init__(text, 2)
        self.mistakes = mistakes


class Study:
    """What to search, what measures it, and what to spend.

    ``space`` is a mapping of parameters (values, :func:`apollo.levels`, :func:`apollo.span`), or the name of a built-in
    template ("edge"). ``minimize`` and ``maximize`` name metrics, ``subject_to`` bounds them (``{"cost": "<= 1 mm2"}``).
    ``evaluator`` measures the designs; a template has its own. With ``metrics`` (``{"runtime": "s"}``) and no evaluator you measure them:
    :meth:`ask` and :meth:`tell`. ``networks`` are the workload, ``rules`` are expressions that every
    design meets, ``learn_from`` names earlier studies, or Parquet files of their logs. ``parallelism`` is how many designs are in
    flight, by default as many as the ``workers`` of the first ``run`` measure; it decides which designs are tried. ``early_stop`` ends evaluations that are worse than others by what they
    :meth:`report <Question.report>` on the way: True, or ``{"after": 5, "warmup": 3}``. ``fidelity`` names the parameter
    that is a setting of the evaluator: cheaper values teach the search, the last one alone counts. ``data`` is the folder of the logs. ``more`` is merged into the ``spec`` of the study file
    (docs/study-file.md) for all that has no argument here.
    """

    if not TYPE_CHECKING:  # type checkers have the names of __init__

        def __new__(cls, *args: Any, **given: Any) -> Study:
            """Refuse an argument with a misspelt name."""
            takes("Study", cls.__init__, given)
            return super().__new__(cls)

    def __init__(
        self,
        name: str,
        *,
        space: Union[str, Space],
        minimize: Names = (),
        maximize: Names = (),
        subject_to: Optional[Mapping[str, str]] = None,
        evaluator: Optional[Evaluator] = None,
        metrics: Optional[Mapping[str, str]] = None,
        trials: int = 100,
        networks: Sequence[Union[str, Mapping[str, Any]]] = (),
        rules: Sequence[str] = (),
        learn_from: Sequence[str] = (),
        seed: int = 1,
        algorithm: str = "default",
        parallelism: Optional[int] = None,
        early_stop: Union[bool, Mapping[str, Any]] = False,
        fidelity: Optional[str] = None,
        data: str = "apollo-data",
        more: Optional[Mapping[str, Any]] = None,
    ) -> None:
        if evaluator is not None and not isinstance(evaluator, Evaluator):
            called = getattr(evaluator, "__name__", repr(evaluator))
            raise TypeError(f'evaluator is {called}, no evaluator: write @apollo.evaluator(metrics={{"runtime": "s"}}) above the function')
        for argument, given in (("networks", networks), ("rules", rules), ("learn_from", learn_from)):
            if isinstance(given, str):
                raise TypeError(f"{argument} is the text {given!r}, want a list: {argument}=[{given!r}]")
        if metrics is not None:
            units(metrics)
        self.name, self.evaluator, self.trials, self.data = name, evaluator, trials, os.fspath(data)
        self.parallelism = parallelism
        spec: dict[str, Any] = {"seed": seed, "space": {"template": space} if isinstance(space, str) else {"parameters": document(space)}}
        if rules:
            spec["space"]["rules"] = [{"id": f"rule-{i + 1}", "expr": expr} for i, expr in enumerate(rules)]
        if networks:
            spec["workload"] = {"networks": [{"name": n} if isinstance(n, str) else dict(n) for n in networks]}
        if evaluator and metrics:
            raise ValueError("the evaluator has its metrics: leave metrics out, or measure without an evaluator")
        if evaluator:
            spec["evaluator"] = about(evaluator)
        elif metrics:
            spec["evaluator"] = {"name": name, "manual": True, "metrics": named(metrics)}
        spec["objectives"] = [{"metric": m, "goal": "minimize"} for m in listed("minimize", minimize)] + [{"metric": m, "goal": "maximize"} for m in listed("maximize", maximize)]
        if subject_to:
            if not isinstance(subject_to, Mapping):
                raise TypeError(f'subject_to is {subject_to!r}, want a dict of metrics and bounds: {{"cost": "<= 1 mm2"}}')
            spec["constraints"] = [{"metric": metric, **bound(metric, text)} for metric, text in subject_to.items()]
        if learn_from:
            spec["transfer"] = {"sources": [{"parquet": s} if s.endswith(".parquet") else {"study": s} for s in learn_from]}
        spec["algorithm"] = {"name": algorithm}
        spec["budget"] = {"trials": trials}
        if early_stop is not False:
            if early_stop is not True and not isinstance(early_stop, Mapping):
                raise TypeError(f'early_stop is {early_stop!r}, want True or a dict: early_stop={{"after": 5, "warmup": 3}}')
            spec["earlyStop"] = {} if early_stop is True else dict(early_stop)
        if fidelity is not None:
            spec["fidelity"] = {"parameter": fidelity}
        self.spec = merged(spec, more or {})

    def document(self, *, parallelism: Union[int, str, None] = None, program: Optional[Mapping[str, Any]] = None) -> str:
        """The study file, in JSON. ``program`` is how the evaluator is started, ``parallelism`` that of a study which says none."""
        spec = json.loads(json.dumps(self.spec))
        if program and self.evaluator:
            spec["evaluator"].update(program)
        if parallelism := self.parallelism or parallelism:
            spec["budget"].setdefault("parallelism", parallelism)
        head = {"apiVersion": "apollo/v1", "kind": "Study", "metadata": {"name": self.name}}
        return json.dumps({**head, "spec": spec}, indent=2, ensure_ascii=False)

    def lint(self) -> None:
        """Check the study; StudyError has every mistake, TypeError those of the evaluator's function."""
        with self._file(self.document()) as path:
            self._lint(path)
        self._fits()

    def _fits(self) -> None:
        networks = self.spec.get("workload", {}).get("networks", [])
        if self.evaluator is None or "template" in self.spec["space"] or "search" in self.spec.get("workload", {}) or any("family" in n for n in networks):
            return  # only the parameters that stand here are known here
        for function in (self.evaluator.function, self.evaluator.check):
            if function is not None:
                fits(function, [p["name"] for p in self.spec["space"].get("parameters", [])])

    def _lint(self, path: str) -> None:
        if not self.spec["objectives"]:
            raise ValueError('nothing says which design is best: minimize="runtime", or maximize= a metric')
        done = subprocess.run([binary(), "study", "lint", path, "-o", "json"], capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return
        try:
            mistakes = [Mistake(m.get("pointer", ""), m["code"], m["message"], m.get("hint", "")) for m in json.loads(done.stdout)["mistakes"]]
        except (ValueError, KeyError):
            raise ApolloError(plain(done.stderr), done.returncode) from None
        shown = subprocess.run([binary(), "study", "lint", path, "--no-color"], capture_output=True, text=True, check=False).stderr
        raise StudyError(plain(shown.replace(path, self.name)), mistakes)

    def run(self, *, workers: Optional[int] = None, fresh: bool = False, progress: Optional[bool] = None) -> Run:
        """Search, and return the answer.

        ``workers`` designs are measured at a time, each in a process of its own; by default one per CPU. The same call again, with any
        ``workers``, goes on with a study that was interrupted, and answers one that has ended; ``fresh`` starts anew. ``progress`` shows a bar: by default
        on terminals and in notebooks.
        """
        if workers is not None and (not isinstance(workers, int) or workers < 1):
            raise ValueError(f"workers is {workers!r}, want 1 or more; leave it out for one per CPU")
        self._fits()
        try:
            return self._measured(workers or os.cpu_count() or 1, fresh, progress)
        except KeyboardInterrupt as e:
            sys.stderr.write(f"\napollo: study {self.name} was interrupted: the same run() goes on where it stopped\n")
            raise e.with_traceback(None) from None  # the frames below wait for the processes

    def _measured(self, workers: int, fresh: bool, progress: Optional[bool]) -> Run:
        bar = Progress(self.name, self.trials, progress)
        failures = Failures(bar.above)
        if self.evaluator is None:
            with self._file(self.document(parallelism=None)) as path:
                self._lint(path)
                return self._answer(_serve.Apollo(*self._command(path, workers, fresh)))
        with _serve.forked(self.evaluator, failures.heard, bar.heard) as server:
            program = {"exec": _serve.command(), "env": {**self.evaluator.env, **server.env}}
            if self.evaluator.startup:
                program["startup"] = self.evaluator.startup
            with self._file(self.document(parallelism="auto", program=program)) as path:
                self._lint(path)
                apollo = _serve.Apollo(*self._command(path, workers, fresh), failures=failures)
                server.watch(apollo.process.pid)
                run = self._answer(apollo)
        bar.end()
        shown = run.show()
        if shown["failed"] and not shown["measured"]:
            last = [t for t in run.list_trials() if t.outcome == "failed"][-1]
            warnings.warn(
                f"study {self.name} has no best: none of its {shown['trials']} trials was measured, {shown['failed']} failed, "
                f"the last one with {(last.reason or {}).get('message', 'no reason')}",
                stacklevel=3,
            )
        identity = shown.get("identity") or {}
        if identity.get("version") not in (None, self.evaluator.version):
            warnings.warn(
                f"study {self.name} was measured by version {identity['version']} of the evaluator, which is {self.evaluator.version} now: "
                "run(fresh=True) measures anew",
                stacklevel=3,
            )
        return run

    def submit(self, nats: str, *, fresh: bool = False) -> Run:
        """Publish the study to a server and return its run, which goes on there: also when the study is there already, unless ``fresh``.

        Somebody there measures: ``evaluator.serve(nats)``, or the server itself for a template.
        """
        run = Run(self.name, ["--nats", nats])
        with self._file(self.document()) as path:
            self._lint(path)
            try:
                call("study", "submit", path, "--nats", nats, *(["--fresh"] if fresh else []))
            except ApolloError as e:
                extended = LARGER in str(e) and run.show()["budget"] == self.trials
                if "exists already, with the same content" not in str(e) and not extended:
                    raise self._pythonic(e, nats) from None
        return run

    def ask(self, n: int = 1, *, nats: Optional[str] = None) -> list[Trial]:
        """Return up to ``n`` designs that you are to measure, or none when the study has ended.

        The study has ``metrics`` and no evaluator. It begins with the first call; the same designs are returned until they are told.
        ``parallelism`` of the study is how many wait at a time. Nothing runs between two calls.
        """
        with self._file(self.document()) as path:
            self._lint(path)
            lines = call("trial", "ask", path, "-n", str(n), "-o", "jsonl", *self._place(nats)).splitlines()
        return [trial({**json.loads(line), "outcome": "running", "feasible": False}) for line in lines]

    def tell(
        self,
        asked: Union[Trial, int],
        metrics: Union[None, float, Mapping[str, float]] = None,
        *,
        infeasible: str = "",
        failed: str = "",
        message: str = "",
        nats: Optional[str] = None,
    ) -> None:
        """Say what you measured of a design: its metrics, or the number of the only one.

        ``infeasible`` is the code of why the design cannot work, ``failed`` of why the measurement broke. The first answer counts.
        """
        row: dict[str, Any] = {"trial": asked.number if isinstance(asked, Trial) else asked}
        if (metrics is not None) + bool(infeasible) + bool(failed) != 1:
            raise ValueError("tell metrics, or infeasible, or failed")
        if infeasible or failed:
            row.update(outcome="infeasible" if infeasible else "failed", reason={"code": infeasible or failed, "message": message})
        elif isinstance(metrics, Mapping):
            row["metrics"] = dict(metrics)
        else:
            names = [m["name"] for m in self.spec["evaluator"]["metrics"]]
            if len(names) != 1:
                raise ValueError(f"the study has the metrics {', '.join(names)}: tell them by name")
            row["metrics"] = {names[0]: metrics}
        call("trial", "tell", self.name, "--from", "-", "-o", "json", *self._place(nats), stdin=json.dumps(row))

    def add(
        self,
        designs: Union[Mapping[str, Value], Sequence[Mapping[str, Value]]],
        metrics: Union[None, Mapping[str, float], Sequence[Mapping[str, float]]] = None,
        *,
        origin: str = "",
        nats: Optional[str] = None,
    ) -> list[int]:
        """Add designs of your own to the study that exists, and return their trials.

        They are measured like others, on top of the budget, unless ``metrics`` says what somebody measured elsewhere.
        """
        rows: list[dict[str, Any]] = [{"design": dict(d)} for d in ([designs] if isinstance(designs, Mapping) else designs)]
        if metrics is not None:
            measured = [metrics] if isinstance(metrics, Mapping) else list(metrics)
            if len(measured) != len(rows):
                raise ValueError(f"{len(rows)} designs and the metrics of {len(measured)}")
            for row, values in zip(rows, measured):
                row["metrics"] = dict(values)
        text = "\n".join(json.dumps(row) for row in rows)
        said = call("trial", "add", self.name, "--from", "-", "-o", "json", *(["--origin", origin] if origin else []), *self._place(nats), stdin=text)
        added: list[int] = json.loads(said)["added"]
        return added

    def extend(self, *, nats: Optional[str] = None) -> None:
        """Raise the budget of the study that exists to ``trials`` of this one: ``run()`` then goes on with it."""
        call("study", "extend", self.name, "--trials", str(self.trials), *self._place(nats))

    def retry(self, trials: Sequence[int] = (), *, failed: bool = False, where: str = "", nats: Optional[str] = None) -> list[int]:
        """Void trials and have them measured anew; return the new ones, which come on top of the budget.

        Name the trials, or those that ``failed``, or those for which an expression holds: ``where='reason == "licence"'``.
        """
        which = ["--failed"] if failed else ["--where", where] if where else ["--trials", ",".join(str(n) for n in trials)]
        said = call("study", "retry", self.name, *which, "-o", "json", *self._place(nats))
        new: list[int] = json.loads(said)["trials"]
        return new

    @property
    def so_far(self) -> Run:
        """The run as it is: its best and its trials until now."""
        return Run(self.name, ["--data", self.data])

    def _place(self, nats: Optional[str]) -> list[str]:
        return ["--nats", nats] if nats else ["--data", self.data]

    def _command(self, path: str, workers: int, fresh: bool) -> list[str]:
        return ["run", path, "--data", self.data, "-q", "-o", "json", "--evaluators", str(workers), *(["--fresh"] if fresh else [])]

    def _answer(self, apollo: _serve.Apollo) -> Run:
        code = apollo.wait()
        if code not in (0, NOTHING_FEASIBLE, PAUSED) or not apollo.out:
            raise self._pythonic(apollo.error("apollo run"))
        answer = json.loads(apollo.out)
        if code == PAUSED:
            raise self._pythonic(apollo.error(f"study {self.name} is {answer.get('state')}: {answer.get('reason', '')}"))
        return Run(self.name, ["--data", self.data], answer)

    def _pythonic(self, error: ApolloError, nats: str = "") -> ApolloError:
        """The error with hints that can be written in Python."""
        text = str(error)
        if "exists already with another content" not in text:
            if not self.evaluator:
                return error
            for words, instead in PYTHON.items():
                text = text.replace(words, instead)
            if began := re.search(r'the version that it says: "([^"]+)", now', text):
                text += f'; version="{began[1]}" in @apollo.evaluator goes on with it, where the edit changes no result'
            return ApolloError(text, error.code)
        said = [line for line in text.splitlines() if not line.startswith("hint:")]
        extend, again, fresh = ("extend(nats=…)", "submit(…)", "submit(…, fresh=True)") if nats else ("extend()", "run()", "run(fresh=True)")
        more = f"study.{extend}, then {again}, goes on with it to {self.trials} trials; " if LARGER in text else ""
        return ApolloError("\n".join([*said, f"hint: {more}{fresh} starts anew; another name keeps both"]), error.code)

    @contextlib.contextmanager
    def _file(self, text: str) -> Iterator[str]:
        with tempfile.TemporaryDirectory(prefix="apollo-") as dir:
            path = os.path.join(dir, f"{self.name}.json")
            with open(path, "w", encoding="utf-8") as f:
                f.write(text)
            yield path

    def __repr__(self) -> str:
        """The name."""
        return f"Study({self.name!r})"


def about(evaluator: Evaluator) -> dict[str, Any]:
    """What a study file says of an evaluator."""
    said: dict[str, Any] = {
        "name": evaluator.name,
        "deterministic": evaluator.deterministic,
        "metrics": named(evaluator.metrics),
    }
    if evaluator.timeout:
        said["timeout"] = evaluator.timeout
    if evaluator.attempts:
        said["attempts"] = evaluator.attempts
    return said


def named(metrics: Mapping[str, str]) -> list[dict[str, str]]:
    """Metrics as a study file has them."""
    return [{"name": name, "unit": unit} if unit not in ("", "1") else {"name": name} for name, unit in metrics.items()]


def bound(metric: str, text: Any) -> dict[str, str]:
    """A constraint: "<= 1 mm2" is a max, ">= 3" a min."""
    if not isinstance(text, str):
        raise TypeError(f'subject_to: {metric} is {text!r}, want a text with a bound: "<= {text}" or ">= {text}", with its unit')
    for sign, key in (("<=", "max"), (">=", "min")):
        if text.strip().startswith(sign):
            return {key: text.strip()[len(sign) :].strip()}
    raise ValueError(f'subject_to: {metric} is {text!r}: write a bound as "<= 1 mm2" or ">= 30"')


def listed(argument: str, names: Any) -> list[str]:
    """One name or several."""
    if not isinstance(names, (str, Sequence)) or not all(isinstance(name, str) for name in names):
        raise TypeError(f"{argument} is {names!r}, want the name of a metric, or a list of names")
    return [names] if isinstance(names, str) else list(names)


def merged(base: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """Both mappings, the second before the first."""
    out = dict(base)
    for key, value in more.items():
        old = out.get(key)
        out[key] = merged(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return out
