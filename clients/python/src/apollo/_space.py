"""The parameters of a study."""

from __future__ import annotations

import enum
import math
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Union

Value = Union[int, float, str]
"""A value of a parameter: a number in its unit, or a label."""


@dataclass(frozen=True)
class Parameter:
    """The levels of a parameter, as :func:`levels` and :func:`span` make them."""

    unit: str = ""
    body: Mapping[str, Any] = field(default_factory=dict)


def levels(*values: Value, unit: str = "") -> Parameter:
    """A parameter with these values.

    Texts with a unit are quantities when ``unit`` is given: ``levels("16 KiB", "32 KiB", unit="B")``.
    ``unit`` is the scale in which the values reach the function and stand in the log, however they are written:
    "128 KiB" is 131072 with ``unit="B"`` and 128 with ``unit="KiB"``; "32 GB/s" is 32 with ``unit="GB/s"``.
    Without it "128 KiB" is a label, which reaches the function as that text.
    """
    return Parameter(unit, {"values": [_with_unit(v, unit) for v in values]})


def span(low: Value, high: Value, *, step: Value | None = None, steps: int | None = None, scale: str = "linear", unit: str = "") -> Parameter:
    """A parameter from ``low`` to ``high``.

    ``scale`` is "linear" (by ``step``, or in ``steps`` equal distances), "log2" (doubling) or
    "log" (``steps`` levels in equal ratios). ``unit`` is the scale in which the levels reach the function, as in :func:`levels`.
    """
    body: dict[str, Any] = {"min": _with_unit(low, unit), "max": _with_unit(high, unit)}
    if step is not None:
        body["step"] = _with_unit(step, unit)
    if steps is not None:
        body["steps"] = steps
    if scale != "linear":
        body["scale"] = scale
    return Parameter(unit, body)


def _with_unit(value: Any, unit: str) -> Value:
    value = value.item() if hasattr(value, "item") else value  # NumPy's numbers
    if unit and isinstance(value, (int, float)):
        return f"{value!r} {unit}"
    said: Value = value
    return said


Space = Mapping[str, Union[Parameter, Sequence[Value]]]
"""Parameters by name: a list of values, or what :func:`levels` and :func:`span` return."""


def parameters(space: Space) -> dict[str, Parameter]:
    """The parameters of a space, or a TypeError."""
    if not isinstance(space, Mapping) or not space:
        raise TypeError(f'space is {space!r}, want a dict of parameters, {{"rows": [4, 8]}}, or the name of a template')
    for name, given in space.items():
        if isinstance(given, str) or not isinstance(given, (Parameter, Iterable)):
            raise TypeError(f"space: {name} is {given!r}, want a list of values, apollo.levels(…) or apollo.span(…)")
    found = {name: given if isinstance(given, Parameter) else levels(*given) for name, given in space.items()}
    for name, p in found.items():
        for value in p.body.get("values", ()):
            _level(name, value)
    return found


def _level(name: str, value: Any) -> None:
    """TypeError where a level is neither a number nor a text that comes back as it was written."""
    if isinstance(value, enum.Enum) and not isinstance(value, (int, str)):
        raise TypeError(f"space: {name} has the level {value}, want a number or a text: [e.value for e in {type(value).__name__}], and {type(value).__name__}({name}) in the function")
    if isinstance(value, bool) or value is None:
        raise TypeError(f'space: {name} has the level {value}, want numbers or texts: [0, 1], or ["off", "on"]')
    if not isinstance(value, (int, float, str)):
        raise TypeError(f"space: {name} has the level {value!r}, want a number or a text; what belongs together is looked up in the function")
    if not isinstance(value, str) and not (math.isfinite(value) and abs(value) <= 2**53):
        raise ValueError(f"space: {name} has the level {value}, want a number that is finite and at most 2**53")


def document(space: Mapping[str, Parameter]) -> list[dict[str, Any]]:
    """The parameters as a study file lists them."""
    listed = []
    for name, p in space.items():
        entry: dict[str, Any] = {"name": name}
        if p.unit:
            entry["unit"] = p.unit
        entry.update(p.body)
        listed.append(entry)
    return listed


def floats(space: Mapping[str, Parameter]) -> frozenset[str]:
    """The parameters whose levels are no whole numbers as they were written: JSON has no 1.0."""
    return frozenset(name for name, p in space.items() if not _whole(p))


def _whole(p: Parameter) -> bool:
    written = [*p.body.get("values", ()), *(p.body[k] for k in ("min", "max", "step") if k in p.body)]
    own = re.compile(rf"([+-]?[\d.]+(?:[eE][+-]?\d+)?) *{re.escape(p.unit)}")
    digits = [str(v) for v in written if not isinstance(v, str)] + [m[1] for v in written if isinstance(v, str) and p.unit and (m := own.fullmatch(v))]
    if p.body.get("scale") == "log" or not all(re.fullmatch(r"[+-]?\d+", d) for d in digits):
        return False
    steps = p.body.get("steps", 1)
    return len(digits) < 2 or steps < 2 or (int(digits[1]) - int(digits[0])) % (steps - 1) == 0


def typed(design: Mapping[str, Value], floats: Collection[str]) -> dict[str, Value]:
    """The design with the types of its space. A text stays one, whatever the function says of it."""
    return {k: float(v) if k in floats and not isinstance(v, (str, bool)) else v for k, v in design.items()}


def suffix(unit: str) -> str:
    """How a unit ends a name: ``latency_s``, ``rate_b_per_s``."""
    if not unit or unit == "1":
        return ""
    return "_" + unit.lower().replace("/", "_per_").replace("%", "percent")
