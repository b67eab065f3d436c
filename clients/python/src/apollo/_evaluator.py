"""Functions as evaluators."""

from __future__ import annotations

import contextlib
import copy
import difflib
import functools
import hashlib
import inspect
import json
import math
import pprint
import re
import types
from collections.abc import Callable, Mapping, Sequence
from numbers import Integral
from typing import Any, NoReturn, Optional, overload

from ._failures import told
from ._space import Value, suffix, typed

Function = Callable[..., Any]
EXTRA = "extra values are numbers; leave it out, or keep it in a file with apollo.current().artifact(…)"


class Infeasible(Exception):
    """A design that cannot work: a result, no failure. :func:`infeasible` raises it."""

    def __init__(self, reason: dict[str, Any], metrics: Mapping[str, float]) -> None:
        super().__init__(reason["message"])
        self.reason = reason
        self.metrics = dict(metrics)


class Retry(Exception):
    """A failure that another attempt may not have: a licence server that is away."""


def infeasible(
    code: str,
    message: str = "",
    *,
    need: float = 0,
    have: float = 0,
    unit: str = "",
    layer: str = "",
    metrics: Optional[Mapping[str, float]] = None,
) -> NoReturn:
    """Say that the design cannot work, and why.

    ``code`` is a short word that is the same for the same rule; ``need`` and ``have`` say how far the
    design is from working, which the search learns from. ``metrics`` are those that are known all the same.
    """
    reason = because(code, message, need, have, unit)
    if layer:
        reason["layer"] = layer
    raise Infeasible(reason, metrics or {})


def because(code: str, message: str, need: float, have: float, unit: str) -> dict[str, Any]:
    """The reason of an infeasible design."""
    reason: dict[str, Any] = {"code": code, "message": message or code}
    if need or have:
        reason.update(need=finite("need", need), have=finite("have", have), unit=unit)
    return reason


def finite(name: str, value: Any, instead: str = "") -> float:
    """The value as a number of Python: NumPy has others, which are no JSON. ``instead`` is what to do with another value."""
    if isinstance(value, (str, bytes)):
        with contextlib.suppress(ValueError):
            instead = instead or f"return {float(value):g}, a number without quotes"
        raise TypeError(f"{name} is {value!r}, no number: {instead or 'return a number'}")
    if type(value).__name__ in ("bool", "bool_"):  # of Python and of NumPy
        raise TypeError(f"{name} is {value!r}, no number: {instead or f'return {int(value)} if that is meant'}")
    try:
        number = float(value)
    except OverflowError:
        raise ValueError(f"{name} is larger than a 64-bit float holds: give the metric a larger unit") from None
    except (TypeError, ValueError):
        if not instead and value is None:
            instead = "return a number, or say apollo.infeasible(…) where the design has none"
        elif not instead:
            instead = f"it has one element: return {only} in place of x" if (only := the_only(value)) else "return one number"
        raise TypeError(f"{name} is {value!r}, no number: {instead}") from None
    if not math.isfinite(number):
        raise ValueError(f"{name} is {number}: say apollo.infeasible(…) with finite numbers, or raise an error")
    return number


class Question:
    """What is asked at the moment: :func:`current` returns it inside of an evaluator.

    ``study``, ``trial``, ``run``, ``attempt``, ``seed``, ``limits``, ``timeout_s``, ``deadline_s`` and ``scratch`` are
    those of docs/plug-in-evaluator.md. ``networks`` has each network with its layers under "workload".
    """

    def __init__(
        self,
        line: Mapping[str, Any],
        say: Callable[[Mapping[str, Any]], None],
        layers: dict[str, Any],
        named: Callable[[Mapping[str, Any]], dict[str, float]] = dict,
    ) -> None:
        self.line = line
        self._say = say
        self._named = named
        self.study = str(line.get("study", ""))
        self.run = str(line.get("run", ""))
        self.trial = int(line.get("trial", 0))
        self.attempt = int(line.get("attempt", 1))
        self.seed = int(line.get("seed", 0))
        self.limits: list[dict[str, Any]] = list(line.get("limits", []))
        self.timeout_s: Optional[float] = line.get("timeout_s")
        self.deadline_s: Optional[float] = line.get("deadline_s")
        self.scratch = str(line.get("scratch", "."))
        self.networks: list[dict[str, Any]] = []
        for network in line.get("networks", []):
            if "workload" in network:
                layers[network["sha256"]] = network["workload"]
            self.networks.append({**network, "workload": layers.get(network.get("sha256", ""))})

    def progress(self, done: float, message: str = "") -> None:
        """Say how far the evaluation is, 0 to 1."""
        self._say({"progress": float(done), "message": message})

    def report(self, step: int, **metrics: float) -> None:
        """Say what the evaluation has come to at a step: ``report(8, runtime=0.021)``. Steps ascend.

        A study with ``early_stop`` may end the evaluation here: its process is killed, and the next design gets a new one.
        """
        if not isinstance(step, Integral) or step < 0:
            raise TypeError(f"step is {step!r}, want a whole number from 0 on")
        if not metrics:
            raise TypeError("report says nothing: want report(step, runtime=…) with a metric")
        self._say({"step": int(step), "intermediate": self._named(metrics)})

    def artifact(self, name: str) -> None:
        """Store a file of the scratch folder beside the log."""
        self._say({"artifact": name})


_current: list[Question] = []


def current() -> Question:
    """Return what is asked at the moment. It is for the body of an evaluator."""
    if not _current:
        raise RuntimeError("no design is evaluated at the moment")
    return _current[-1]


class Evaluator:
    """A function that measures designs. It can be called as before."""

    def __init__(
        self,
        function: Function,
        metrics: Mapping[str, str],
        *,
        name: Optional[str] = None,
        version: Optional[str] = None,
        deterministic: bool = True,
        repeats: Optional[int] = None,
        reference: Optional[int] = None,
        timeout: Optional[str] = None,
        startup: Optional[str] = None,
        attempts: Optional[int] = None,
        env: Optional[Mapping[str, str]] = None,
        check: Optional[Function] = None,
    ) -> None:
        if not callable(function):
            raise TypeError(f"an evaluator is made of a function, not of {function!r}")
        if inspect.isclass(function):
            raise TypeError(f"{function.__name__} is a class, whose instances are no numbers: decorate a function, or an object that can be called")
        for kind, made in ((inspect.iscoroutinefunction, "async: call asyncio.run(…) in a function"), (inspect.isgeneratorfunction, "a generator: return in place of yield")):
            if kind(function) or kind(getattr(function, "__call__", None)):  # noqa: B004
                raise TypeError(f"{getattr(function, '__name__', function)} is {made}")
        for option, given in (("timeout", timeout), ("startup", startup)):
            if not isinstance(given, (str, type(None))):
                raise TypeError(f'{option} is {given!r}, want a text with a unit: {option}="{given} s"')
        for option, count in (("repeats", repeats), ("reference", reference)):
            if count is not None and deterministic:
                raise ValueError(f"{option} is for answers that differ: say deterministic=False too")
        functools.update_wrapper(self, function)
        self.function = function
        self.metrics = units(metrics)
        self.name: str = name or label(getattr(function, "__name__", "mine"))
        self.version: str = version or fingerprint(function)
        self.deterministic, self.repeats, self.reference = deterministic, repeats, reference
        self.timeout, self.startup, self.attempts = timeout, startup, attempts
        self.env: dict[str, str] = dict(env or {})
        self.check = check
        self.floats: frozenset[str] = frozenset()  # parameters of the study that are floats
        self.raised: Optional[BaseException] = None  # by the last answer
        self.trace: dict[str, str] = {}  # of that
        if not self.metrics:
            raise ValueError("an evaluator needs metrics, for example metrics={'runtime': 's'}")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function."""
        return self.function(*args, **kwargs)

    def taking(self, floats: frozenset[str]) -> Evaluator:
        """This one, for a study where these parameters are floats."""
        same = copy.copy(self)
        same.floats = floats
        return same

    def serve(self, nats: str, *, slots: int = 1) -> None:
        """Measure the designs of studies on a server, until interrupted.

        Studies name the evaluator (``name``). ``slots`` designs are measured at a time.
        """
        from ._serve import serve

        serve(self, nats, slots)

    def columns(self) -> dict[str, str]:
        """The metrics as the log calls them, with their units."""
        return {name + suffix(unit): unit for name, unit in self.metrics.items()}

    def describe(self) -> dict[str, Any]:
        """What the evaluator says of itself."""
        return {
            "name": self.name,
            "version": self.version,
            "metrics": [{"name": name, "unit": unit or "1"} for name, unit in self.columns().items()],
            "deterministic": self.deterministic,
            "checks": self.check is not None,
        }

    def answer(self, line: Mapping[str, Any], say: Callable[[Mapping[str, Any]], None], layers: dict[str, Any]) -> dict[str, Any]:
        """Answer one question."""
        if line.get("op") == "describe":
            return self.describe()
        function = self.check if line.get("op") == "check" and self.check else self.function
        self.trace, self.raised = {}, None
        _current.append(Question(line, say, layers, self.named))
        try:
            answer = self.outcome(function, line["design"])
            json.dumps(answer, allow_nan=False)  # what is no JSON is a failure of this design
            return answer
        except Retry as e:
            return {"outcome": "failed", "retry": True, "reason": {"code": "retry", "message": str(e)}}
        except BaseException as e:  # the unit of failure is one design
            self.raised, said = e, told(e)
            self.trace = {k: v for k, v in said.items() if k != "message"}
            return {"outcome": "failed", "reason": {"code": snake(type(e).__name__), "message": said["message"]}}
        finally:
            _current.pop()

    def outcome(self, function: Function, design: Mapping[str, Value]) -> dict[str, Any]:
        """What became of a design that did not fail."""
        arguments = bind(function, typed(design, self.floats | annotated(function)))
        try:
            return self.measured(function(**arguments), partly=function is not self.function)
        except Infeasible as e:
            return {"outcome": "infeasible", "reason": e.reason, "metrics": self.named(e.metrics)}

    def measured(self, result: Any, partly: bool) -> dict[str, Any]:
        """What the function returned, as an answer."""
        names = list(self.metrics)
        if result is None and partly:
            return {}
        if isinstance(result, Mapping):
            values = dict(result)
        elif isinstance(result, tuple):
            if len(result) != len(names):
                raise ValueError(f"the function returned {len(result)} values, want {len(names)}: {', '.join(names)}; a dict may have others")
            values = dict(zip(names, result))
        elif len(names) == 1 and result is not None:
            values = {names[0]: result}
        else:
            what = "nothing (is there a return?)" if result is None else type(result).__name__
            raise TypeError(f"the function returned {what}, want a dict with {', '.join(names)}")
        missing = [name for name in names if name not in values]
        if missing and not partly:
            extra = [str(name) for name in values if name not in names]
            guesses = "".join(f'; "{near}": did you mean "{name}"?' for name in missing for near in difflib.get_close_matches(name, extra, 1))
            raise ValueError(f"the function returned {', '.join(map(str, values)) or 'nothing'}; the study wants {', '.join(names)}{guesses}")
        return {"metrics": self.named(values)}

    def named(self, values: Mapping[str, Any]) -> dict[str, float]:
        """The values by the names of the log."""
        out: dict[str, float] = {}
        for name, value in values.items():
            if not isinstance(name, str):
                raise TypeError(f"the function returned a dict with the key {name!r}, want the names of metrics")
            extra = name not in self.metrics
            if extra and value is None:
                continue  # null says nothing, as in the answer of a program
            column = name + suffix(self.metrics.get(name, ""))
            if column in out:
                raise ValueError(f"two values are called {column}, want one: leave out {column} or rename it, the unit of a metric ends its name")
            kind, instead = ("extra value", EXTRA) if extra else ("metric", "")
            out[column] = finite(f'{kind} "{name}"', value, instead)
        return out


@overload
def evaluator(function: Function, /) -> Evaluator: ...
@overload
def evaluator(
    *,
    metrics: Mapping[str, str],
    name: Optional[str] = None,
    version: Optional[str] = None,
    deterministic: bool = True,
    repeats: Optional[int] = None,
    reference: Optional[int] = None,
    timeout: Optional[str] = None,
    startup: Optional[str] = None,
    attempts: Optional[int] = None,
    env: Optional[Mapping[str, str]] = None,
    check: Optional[Function] = None,
) -> Callable[[Function], Evaluator]: ...
def evaluator(function: Optional[Function] = None, /, **options: Any) -> Any:
    """Make an evaluator of a function of the parameters.

    ``metrics`` are the names of what it returns, with their units ("" for a plain number). The function returns a dict,
    a tuple in that order, or a number when there is one metric. What it raises is a failed attempt of one design;
    :func:`infeasible` says that the design cannot work. ``timeout`` ("2 min") bounds one design. ``check`` is a cheap
    function of the same parameters, called before: it returns the metrics that cost nothing, or calls infeasible.
    With ``deterministic=False`` its answers differ: a design that may be the best is measured again by rule, or each one ``repeats`` times, and every
    ``reference``-th trial measures the first design, so that drift shows.
    ``version`` is by default the content of the function, its defaults and the values that it closes over: a study goes on only with the version that began it.
    """
    if function is not None:
        name = getattr(function, "__name__", "the function")
        raise TypeError(f'the metrics of {name} are missing: write @apollo.evaluator(metrics={{"runtime": "s"}}) above it')
    takes("evaluator", Evaluator.__init__, options)
    metrics = options.pop("metrics", {})
    return lambda f: Evaluator(f, metrics, **options)


def takes(what: str, function: Function, given: Mapping[str, Any]) -> None:
    """TypeError where an argument has a name that the function does not know, with the one that was meant."""
    known = [p.name for p in inspect.signature(function).parameters.values() if p.kind is p.KEYWORD_ONLY or p.name == "metrics"]
    for name in given:
        if name not in inspect.signature(function).parameters:
            near = difflib.get_close_matches(name, known, 1)
            raise TypeError(f"{what} has no argument {name}: " + (f"did you mean {near[0]}?" if near else f"it has {', '.join(known)}"))


def annotated(function: Function) -> set[str]:
    """The parameters that are floats by the function's own word."""
    try:
        signature = inspect.signature(function)
    except ValueError:  # a function of C that says nothing of its arguments
        return set()
    return {p.name for p in signature.parameters.values() if p.annotation in (float, "float")}


def bind(function: Function, design: Mapping[str, Value]) -> dict[str, Value]:
    """The arguments of a design; a parameter that is unknown or missing is an error."""
    try:
        inspect.signature(function).bind(**design)
    except TypeError as e:
        raise TypeError(f"the study's parameters are {', '.join(design)}: {e}") from None
    return dict(design)


def the_only(value: Any) -> str:
    """How x is written as its only element; "" where it has none or several."""
    if getattr(value, "size", None) == 1:  # of NumPy and pandas
        return "x.item()" if hasattr(value, "item") else "x.iloc[0, 0]" if hasattr(value, "iloc") else ""
    return "float(x[0])" if isinstance(value, Sequence) and len(value) == 1 else ""


def fits(function: Function, parameters: Sequence[str]) -> None:
    """TypeError where the function does not take the parameters of a space by their names."""
    try:
        signature = inspect.signature(function)
    except ValueError:  # a function of C that says nothing of its arguments
        return
    try:
        signature.bind(**dict.fromkeys(parameters))
    except TypeError as e:
        name = getattr(function, "__name__", "of the evaluator")
        takes = ", ".join(signature.parameters) or "nothing"
        method = "; it is a method: decorate the one of an object, apollo.evaluator(…)(thing.method)" if takes.startswith("self") else ""
        raise TypeError(f"the function {name} takes {takes}; the space has {', '.join(parameters)}: {e}{method}") from None


def units(metrics: Any) -> dict[str, str]:
    """Metrics with their units, or a TypeError."""
    if not isinstance(metrics, Mapping) or not all(isinstance(text, str) for pair in metrics.items() for text in pair):
        raise TypeError(f'metrics is {metrics!r}, want a dict of names and units: metrics={{"runtime": "s", "cost": ""}}')
    return dict(metrics)


def fingerprint(function: Function) -> str:
    """A version that changes with the function's text, the values around it and its defaults."""
    return hashlib.sha256(content(function, set()).encode()).hexdigest()[:12]


def content(value: Any, seen: set[int]) -> str:
    """The text of a function with what it closes over, or of another value: the same in each process."""
    if isinstance(value, Evaluator):
        return value.version
    if isinstance(value, types.ModuleType):
        return value.__name__
    if not inspect.isfunction(value):
        return re.sub(r" at 0x[0-9a-f]+", "", pprint.pformat(value, width=1))  # sorts sets, at width 1 short ones too
    if id(value) in seen:
        return value.__qualname__
    seen.add(id(value))
    try:
        text = inspect.getsource(value)
    except (OSError, TypeError):
        text = re.sub(r" at 0x[0-9a-f]+", "", repr((value.__code__.co_code, value.__code__.co_consts)))
    around = [*(value.__defaults__ or ()), *(value.__kwdefaults__ or {}).values()]
    for cell in value.__closure__ or ():
        with contextlib.suppress(ValueError):  # a cell that is still empty
            around.append(cell.cell_contents)
    return "\n".join([text, *(content(v, seen) for v in around)]) if around else text


def label(name: str) -> str:
    """A DNS label of a name."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:63] or "mine"


def snake(name: str) -> str:
    """ValueError becomes value_error."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
