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
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional, Union

from . import _serve
from ._binary import ApolloError, binary, call, plain
from ._evaluator import Evaluator, because, fits, takes, units
from ._failures import Failures, Traces, brief
from ._progress import Progress
from ._run import Run, Trial, trial
from ._space import Space, Value, document, floats, parameters

Names = Union[str, Sequence[str]]
NOTHING_FEASIBLE = 6  # exit code of apollo run: an answer all the same
PAUSED = 5
LARGER = "study extend"  # the hint where a larger budget is all that differs
BRIDGE = ("start", "describe", "late", "unknown", "garbage", "end", "arguments")  # checks of what this package does for the function
PYTHON = {  # words of apollo for its command line, and those for a function
    "what the program needs": "what the function needs",
    "the program itself must change": "the function itself must change",
    "the program that measures study": "the function that measures study",
    "those of two programs": "those of two functions",
    "run the same command again": "call run() again",
    "left out by --quick": "left out by quick=True",
    "set spec.evaluator.reference to 10": "say reference=10 in @apollo.evaluator",
    "run it with --fresh": "call run(fresh=True)",
    "start anew with --fresh": "start anew with run(fresh=True)",
    "answer each line as soon as it is read, with its id, and flush standard output; a slow simulator needs a larger --timeout": "a slow function needs a larger timeout= in @apollo.evaluator",
    "; write one line per design and flush it, or raise --timeout": "",
    "; write one line per design and flush it, or raise spec.evaluator.timeout": ": if the design needs longer, raise timeout= of the evaluator",
    'describe yourself with "deterministic": false': "say deterministic=False in @apollo.evaluator",
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


@dataclass(frozen=True)
class Finding:
    """What :meth:`Study.check` found: ``verdict`` is pass, warn, skip or fail, ``advice`` what to do."""

    check: str
    verdict: str
    message: str
    advice: str = ""

    def __str__(self) -> str:
        """A line, and what to do below."""
        return f"{self.verdict:4}  {self.check:12}  {self.message}" + (f"\n{'':20}→ {self.advice}" if self.advice else "")


class CheckError(ApolloError):
    """A check of an evaluator failed: its text says what to mend, ``findings`` are all of them."""

    def __init__(self, text: str, findings: list[Finding]) -> None:
        super().__init__(text)
        self.findings = findings


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

    @brief
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
        learn_from: Sequence[Union[str, os.PathLike[str]]] = (),
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
        if not isinstance(name, str):
            raise TypeError(f"name is {name!r}, want a text")
        if not isinstance(data, (str, os.PathLike)):
            raise TypeError(f"data is {data!r}, want the path of a folder")
        if parallelism is not None and (not isinstance(parallelism, int) or parallelism < 1):
            raise ValueError(f"parallelism is {parallelism!r}, want 1 or more; leave it out for as many as the workers measure")
        self.name, self.evaluator, self.trials, self.data = name, evaluator, trials, os.fspath(data)
        self.parallelism = parallelism
        levels = {} if isinstance(space, str) else parameters(space)
        self._floats = floats(levels)
        spec: dict[str, Any] = {"seed": seed, "space": {"template": space} if isinstance(space, str) else {"parameters": document(levels)}}
        if rules:
            spec["space"]["rules"] = [{"id": f"rule-{i + 1}", "expr": expr} for i, expr in enumerate(rules)]
        if networks:
            spec["workload"] = {"networks": [{"name": n} if isinstance(n, str) else here(n) for n in networks]}
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
            sources = [os.fspath(s) for s in learn_from]
            spec["transfer"] = {"sources": [{"parquet": os.path.abspath(s)} if s.endswith(".parquet") else {"study": s} for s in sources]}
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

    @brief
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
        if "evaluator" not in self.spec and "template" not in self.spec["space"]:
            raise ValueError("nothing measures the designs: evaluator= a function, or metrics= what you tell yourself")
        done = subprocess.run([binary(), "study", "lint", path, "-o", "json"], capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return
        try:
            mistakes = [Mistake(m.get("pointer", ""), m["code"], m["message"], m.get("hint", "")) for m in json.loads(done.stdout)["mistakes"]]
        except (ValueError, KeyError):
            raise ApolloError(plain(done.stderr), done.returncode) from None
        shown = subprocess.run([binary(), "study", "lint", path, "--no-color"], capture_output=True, text=True, check=False).stderr
        raise StudyError(plain(shown.replace(path, self.name)), mistakes)

    @brief
    def check(self, *, quick: bool = False, designs: Optional[int] = None) -> list[Finding]:
        """Try the evaluator on designs of the space before a run: numbers, units, time-out, determinism, and as many processes as there are CPUs.

        Each finding is printed as it comes; all are returned. CheckError says what to mend where one fails.
        24 designs are tried at most, or ``designs``; ``quick`` tries three, and asks none of them twice.
        """
        if self.evaluator is None:
            raise ValueError("the study has no evaluator of yours to check")
        if designs is not None and (not isinstance(designs, int) or designs < 1):
            raise ValueError(f"designs is {designs!r}, want 1 or more")
        self._fits()
        findings: list[Finding] = []

        def found(text: str) -> None:
            findings.append(Finding(**{k: in_python(v) for k, v in json.loads(text).items() if k in Finding.__annotations__}))
            if findings[-1].check not in BRIDGE or findings[-1].verdict == "fail":
                print(findings[-1], flush=True)

        flags = [*(["--quick"] if quick else []), *(["--designs", str(designs)] if designs else [])]
        with self._served(Traces().heard) as (server, program), self._file(self.document(program=program)) as path:
            self._lint(path)
            apollo = _serve.Apollo("evaluator", "check", "--study", path, "-o", "jsonl", *flags, line=found)
            server.watch(apollo.process.pid)
            code = apollo.wait()
        failed = [f for f in findings if f.verdict == "fail"]
        if failed or code:
            mend = "".join(f"\n  {f.check}: {f.advice or f.message}" for f in failed)
            raise CheckError(f"{len(failed)} of {len(findings)} checks of {self.evaluator.name} failed; to mend:{mend}" if failed else str(apollo.error("the check")), findings)
        return findings

    @contextlib.contextmanager
    def _served(self, *heard: _serve.Heard) -> Iterator[tuple[_serve.ForkServer, dict[str, Any]]]:
        """The processes of the evaluator, and how the study file says that they are started."""
        assert self.evaluator
        with _serve.forked(self.evaluator.taking(self._floats), *heard) as server:
            program: dict[str, Any] = {"exec": _serve.command(), "env": {**self.evaluator.env, **server.env}}
            if self.evaluator.startup:
                program["startup"] = self.evaluator.startup
            yield server, program

    @brief
    def run(self, *, workers: Optional[int] = None, fresh: bool = False, progress: Optional[bool] = None) -> Run:
        """Search, and return the answer.

        ``workers`` designs are measured at a time, each in a process of its own; by default one per CPU. The same call again, with any
        ``workers``, goes on with a study that was interrupted, and answers one that has ended; ``fresh`` starts anew. ``progress`` shows a bar: by default
        on terminals and in notebooks.
        """
        if workers is not None and (not isinstance(workers, int) or workers < 1):
            raise ValueError(f"workers is {workers!r}, want 1 or more; leave it out for one per CPU")
        self._fits()
        self._elsewhere()
        try:
            return self._measured(workers or os.cpu_count() or 1, fresh, progress)
        except KeyboardInterrupt:
            sys.stderr.write(f"\napollo: study {self.name} was interrupted: the same run() goes on where it stopped\n")
            raise

    def _elsewhere(self) -> None:
        """Say where a study of this name is, if this folder has none and one that was probably meant does."""
        here = Path.cwd()
        if os.path.isabs(self.data) or self._logged(here):
            return
        script = getattr(sys.modules["__main__"], "__file__", None)
        for folder in dict.fromkeys([*([Path(script).resolve().parent] if script else []), *here.parents]):
            if folder != here and self._logged(folder):
                place = folder / self.data
                sys.stderr.write(f"apollo: warn: study {self.name} begins anew in {here / self.data}; one of that name is in {place}: data={str(place)!r} goes on with that\n")
                return

    def _logged(self, folder: Path) -> bool:
        return any((folder / self.data).glob(f"trials/*/study={self.name}"))

    def _measured(self, workers: int, fresh: bool, progress: Optional[bool]) -> Run:
        bar = Progress(self.name, self.trials, progress)
        failures = Failures(bar.above)
        if self.evaluator is None:
            with self._file(self.document(parallelism=None)) as path:
                self._lint(path)
                return self._answer(_serve.Apollo(*self._command(path, workers, fresh)))
        with self._served(failures.heard, bar.heard) as (server, program), self._file(self.document(parallelism="auto", program=program)) as path:
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
                f"the last one with {in_python((last.reason or {}).get('message', 'no reason'))}",
                stacklevel=4,
            )
        elif not shown["feasible"] and shown["trials"]:
            why = ", ".join(f"{reason['trials']} {reason['code']}" for reason in shown.get("infeasible_reasons") or ())
            warnings.warn(f"study {self.name} has no best: none of its {shown['trials']} trials is feasible{why and f' ({why})'}", stacklevel=4)
        for text in (shown.get("noise") or {}).get("warnings", ()):
            warnings.warn(f"study {self.name}: {in_python(text)}", stacklevel=4)
        identity = shown.get("identity") or {}
        if identity.get("version") not in (None, self.evaluator.version):
            warnings.warn(
                f"study {self.name} was measured by version {identity['version']} of the evaluator, which is {self.evaluator.version} now: "
                "run(fresh=True) measures anew",
                stacklevel=4,
            )
        return run

    @brief
    def submit(self, nats: str, *, fresh: bool = False) -> Run:
        """Publish the study to a server and return its run, which goes on there: also when the study is there already, unless ``fresh``.

        Somebody there measures: ``evaluator.serve(nats)``, or the server itself for a template.
        """
        run = Run(self.name, ["--nats", nats], floats=self._floats)
        with self._file(self.document()) as path:
            self._lint(path)
            try:
                call("study", "submit", path, "--nats", nats, *(["--fresh"] if fresh else []))
            except ApolloError as e:
                extended = LARGER in str(e) and run.show()["budget"] == self.trials
                if "exists already, with the same content" not in str(e) and not extended:
                    raise self._pythonic(e, nats) from None
        return run

    @brief
    def ask(self, n: int = 1, *, nats: Optional[str] = None) -> list[Trial]:
        """Return up to ``n`` designs that you are to measure, or none when the study has ended.

        The study has ``metrics`` and no evaluator. It begins with the first call; the same designs are returned until they are told.
        ``parallelism`` of the study is how many wait at a time. Nothing runs between two calls.
        """
        if not nats:
            self._elsewhere()
        with self._file(self.document()) as path:
            self._lint(path)
            lines = call("trial", "ask", path, "-n", str(n), "-o", "jsonl", *self._place(nats)).splitlines()
        asked = [json.loads(line) for line in lines]
        return [trial({**said, "outcome": "running", "feasible": False}, self._floats, said.get("units", {})) for said in asked]

    @brief
    def tell(
        self,
        asked: Union[Trial, int],
        metrics: Union[None, float, Mapping[str, float]] = None,
        *,
        infeasible: str = "",
        failed: str = "",
        message: str = "",
        need: float = 0,
        have: float = 0,
        unit: str = "",
        nats: Optional[str] = None,
    ) -> None:
        """Say what you measured of a design: its metrics, or the number of the only one.

        ``infeasible`` is the code of why the design cannot work, with ``need`` and ``have`` as :func:`apollo.infeasible` takes them;
        ``failed`` is the code of why the measurement broke. The first answer counts.
        """
        row: dict[str, Any] = {"trial": asked.number if isinstance(asked, Trial) else asked}
        if (metrics is not None) + bool(infeasible) + bool(failed) != 1:
            raise ValueError("tell metrics, or infeasible, or failed")
        if (need or have) and not infeasible:
            raise ValueError("need and have belong to infeasible")
        if infeasible:
            row.update(outcome="infeasible", reason=because(infeasible, message, need, have, unit))
        elif failed:
            row.update(outcome="failed", reason={"code": failed, "message": message})
        elif isinstance(metrics, Mapping):
            row["metrics"] = dict(metrics)
        else:
            names = [m["name"] for m in self.spec["evaluator"]["metrics"]]
            if len(names) != 1:
                raise ValueError(f"the study has the metrics {', '.join(names)}: tell them by name")
            row["metrics"] = {names[0]: metrics}
        call("trial", "tell", self.name, "--from", "-", "-o", "json", *self._place(nats), stdin=json.dumps(row))

    @brief
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

    @brief
    def extend(self, *, nats: Optional[str] = None) -> None:
        """Raise the budget of the study that exists to ``trials`` of this one: ``run()`` then goes on with it."""
        call("study", "extend", self.name, "--trials", str(self.trials), *self._place(nats))

    @brief
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
        return Run(self.name, ["--data", self.data], floats=self._floats)

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
        return Run(self.name, ["--data", self.data], answer, self._floats)

    def _pythonic(self, error: ApolloError, nats: str = "") -> ApolloError:
        """The error with hints that can be written in Python."""
        text = str(error)
        if "exists already with another content" not in text:
            if not self.evaluator:
                return error
            text = in_python(text)
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
            path = os.path.join(dir, "study.json")
            with open(path, "w", encoding="utf-8") as f:
                f.write(text)
            yield path

    def __repr__(self) -> str:
        """The name."""
        return f"Study({self.name!r})"


def here(network: Mapping[str, Any]) -> dict[str, Any]:
    """A network as a study file has it. Its file is meant from the current folder, which is not that of the study file."""
    said = dict(network)
    if said.get("file"):
        said["file"] = os.path.abspath(said["file"])
    return said


def in_python(text: str) -> str:
    """What apollo said, in words for a function."""
    for words, instead in PYTHON.items():
        text = text.replace(words, instead)
    return text


def about(evaluator: Evaluator) -> dict[str, Any]:
    """What a study file says of an evaluator."""
    said: dict[str, Any] = {
        "name": evaluator.name,
        "deterministic": evaluator.deterministic,
        "metrics": named(evaluator.metrics),
    }
    if evaluator.repeats is not None:
        said["repeats"] = evaluator.repeats
    if evaluator.reference is not None:
        said["reference"] = evaluator.reference
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
