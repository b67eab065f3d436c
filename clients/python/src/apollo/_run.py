"""Runs and their trials."""

from __future__ import annotations

import contextlib
import json
import warnings
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Optional

from ._binary import ApolloError, call, call_json, pandas
from ._space import Value, typed

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = {"trial", "outcome", "feasible", "origin", "reason", "attempts", "seconds"}  # of every DataFrame


class Metrics(dict[str, float]):
    """Metrics by the names of the log, which end with the unit. A KeyError says them."""

    def __missing__(self, name: str) -> float:
        """Say which names there are."""
        have = f"want {', '.join(self)}: the unit of a metric ends its name" if self else "the trial has no metrics"
        raise KeyError(f"there is no {name}: {have}")


@dataclass(frozen=True)
class Trial:
    """One design and what became of it."""

    number: int
    design: Mapping[str, Value]
    metrics: Mapping[str, float]
    outcome: str = "measured"
    feasible: bool = True
    origin: str = ""
    reason: Optional[Mapping[str, Any]] = None
    more: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """Everything that the command says of the trial."""
    units: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)
    """The unit of each parameter that has one; the names of metrics end with theirs."""

    @property
    def inactive(self) -> Collection[str]:
        """The parameters that mean nothing in the design, by their ``when``; there each has its first level."""
        named: Collection[str] = self.more.get("inactive", ())
        return named

    @property
    def estimate(self) -> Optional[Mapping[str, float]]:
        """Of the best one, where answers differ: the objective's "value", with 95 % between "low" and "high", by so many "measurements"."""
        return self.more.get("estimate")

    def __str__(self) -> str:
        """One line."""
        said = ", ".join(f"{k}={self.quantity(k)}" for k in self.design if k not in self.inactive)
        measured = ", ".join(f"{k}={v:.6g}" for k, v in self.metrics.items())
        return f"trial {self.number}: {said}: {measured or self.outcome}"

    def quantity(self, parameter: str) -> str:
        """The value of a parameter with its unit."""
        return " ".join([str(self.design[parameter]), *([self.units[parameter]] if parameter in self.units else [])])


class Run:
    """A run of a study: an answer, and its trials in the log."""

    def __init__(self, study: str, place: list[str], answer: Optional[Mapping[str, Any]] = None, floats: frozenset[str] = frozenset()) -> None:
        self.study, self._floats = study, floats
        self.answer = dict(answer or {})
        """What ``apollo run -o json`` answers."""
        self._place = place
        self._best: Optional[Trial] = None  # of the answer

    @property
    def state(self) -> str:
        """completed, paused, …; interrupted while nobody goes on with one that has not ended."""
        if self.answer.get("state"):
            return str(self.answer["state"])
        shown = self.show()
        alone = any(w["code"] == "no_proposer" for w in shown.get("waiting") or ())
        return "interrupted" if alone and not shown["spec"]["evaluator"].get("manual") else str(shown["state"])

    @property
    def best(self) -> Optional[Trial]:
        """The best feasible trial, or None. With several objectives use :meth:`front`."""
        answer = self._answered()
        if "front" in answer:
            warnings.warn(f"study {self.study} has several objectives and no best: front() has the trials that no other one dominates", stacklevel=2)
        return self._best_of(answer)

    def _answered(self) -> Mapping[str, Any]:
        return self.answer if self.answer.get("best") else self.show()

    def _best_of(self, answer: Mapping[str, Any]) -> Optional[Trial]:
        if self._best:
            return self._best
        best = answer.get("best")
        if not best:
            return None
        said: dict[str, Any] = {}
        known = False
        with contextlib.suppress(ApolloError):  # the folder may be gone, or busy: origin and more are missing then
            said = call_json("trial", "show", self.study, str(best["trial"]), *self._of(answer), *self._place)
            known = answer is self.answer
        found = trial({**said, "outcome": "measured", "feasible": True, **best}, self._floats, units_of(answer))
        if known:
            self._best = found
        return found

    def front(self) -> list[Trial]:
        """The feasible trials that no other one dominates, in their order: with one objective the best alone, of equal ones the first."""
        shown = self.show()
        answer = shown["front"] if "front" in shown else [shown["best"]] if shown["best"] else []
        numbers = {t["trial"] for t in answer}
        return [t for t in self.list_trials() if t.number in numbers]

    def show(self) -> dict[str, Any]:
        """What ``apollo study show`` says of the study."""
        shown: dict[str, Any] = call_json("study", "show", self.study, *self._of(self.answer), *self._place)
        return shown

    def units(self) -> dict[str, str]:
        """The unit of each parameter and metric that has one."""
        spec = self.show()["spec"]
        return {p["name"]: p["unit"] for p in [*spec["parameters"], *spec["metrics"]] if p.get("unit")}

    def list_trials(self) -> list[Trial]:
        """The trials in their order."""
        units = units_of(self.answer if self.answer.get("spec") else self.show())
        return [trial(json.loads(line), self._floats, units) for line in self._lines()]

    def trials(self) -> pd.DataFrame:
        """The trials as a DataFrame; ``attrs["units"]`` has the units of its columns. It needs pandas.

        A parameter that means nothing in a design, by its ``when``, has no value there.
        A parameter or a metric whose name another column has is called p_… or m_…, as in the Parquet log.
        """
        spec, trials = self.show()["spec"], self.list_trials()
        units = {kind: {p["name"]: p.get("unit") for p in spec[kind]} for kind in ("parameters", "metrics")}
        params = set(units["parameters"]).union(*(t.design for t in trials))
        metrics = set(units["metrics"]).union(*(t.metrics for t in trials))
        taken = COLUMNS | (params & metrics)
        param = {name: f"p_{name}" if name in taken else name for name in params}
        metric = {name: f"m_{name}" if name in taken else name for name in metrics}
        rows = []
        for t in trials:
            row: dict[str, Any] = {"trial": t.number, **{param[k]: v for k, v in t.design.items() if k not in t.inactive}, "outcome": t.outcome, "feasible": t.feasible}
            row.update({metric[k]: v for k, v in t.metrics.items()})
            row.update(origin=t.origin, reason=(t.reason or {}).get("code"), attempts=t.more.get("attempts"), seconds=t.more.get("seconds"))
            rows.append(row)
        frame = pandas().DataFrame(rows)
        called = [(param[k], unit) for k, unit in units["parameters"].items()] + [(metric[k], unit) for k, unit in units["metrics"].items()]
        frame.attrs["units"] = {**{name: unit for name, unit in called if unit}, "seconds": "s"}
        return frame

    def _lines(self, *flags: str) -> list[str]:
        return call("trial", "ls", self.study, *flags, "-o", "jsonl", *self._of(self.answer), *self._place).splitlines()

    @staticmethod
    def _of(answer: Mapping[str, Any]) -> list[str]:
        """The flags for the run of an answer, which a later run of the study is not; none asks for the latest."""
        run = of_log(answer.get("log", ""))
        return ["--run", run] if run else []

    def __repr__(self) -> str:
        """The study, its state and its best trial."""
        return f"<Run of {self.study}: {self.state}, best {self._best_of(self._answered())}>"

    def _repr_html_(self) -> str:
        from html import escape

        best = self._best_of(self._answered())
        rows = ""
        if best:
            cells = [(k, best.quantity(k)) for k in best.design] + [(k, f"{v:.6g}") for k, v in best.metrics.items()]
            rows = "".join(f"<tr><td>{escape(k)}</td><td style='text-align:right'>{escape(v)}</td></tr>" for k, v in cells)
        head = f"{escape(self.study)}: {escape(self.state)}" + (f", best is trial {best.number}" if best else ", nothing is feasible")
        return f"<table><thead><tr><th colspan='2'>{head}</th></tr></thead><tbody>{rows}</tbody></table>"


def of_log(place: str) -> str:
    """The run whose log is at this place, which ends with ``run=0badcafe``."""
    return place.rpartition("run=")[2]


def units_of(answer: Mapping[str, Any]) -> dict[str, str]:
    """The units of the parameters of a run, where the answer says its study."""
    spec = answer.get("spec") or {"parameters": ()}
    return {p["name"]: p["unit"] for p in spec["parameters"] if p.get("unit")}


def trial(said: Mapping[str, Any], floats: frozenset[str], units: Mapping[str, str]) -> Trial:
    """A trial as the command says it."""
    metrics = Metrics(said.get("metrics", {}))
    return Trial(said["trial"], typed(said["design"], floats), metrics, said["outcome"], said["feasible"], said.get("origin", ""), said.get("reason"), said, units)
