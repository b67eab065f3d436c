"""One design of a built-in template on the cost model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Optional

from ._binary import call, call_json, pandas
from ._space import Value

if TYPE_CHECKING:
    import pandas as pd


class Design:
    """A design with its metrics, its layers and where area, time and energy go.

    In a notebook it shows its pictures.
    """

    def __init__(self, said: Mapping[str, Any], flags: list[str]) -> None:
        self.said = dict(said)
        """What ``apollo design eval -o json`` says."""
        self.template: str = said["template"]
        self.design: dict[str, Value] = said["design"]
        self.feasible: bool = said["feasible"]
        self.reason: Optional[dict[str, Any]] = said.get("reason")
        self.metrics: dict[str, float] = said.get("metrics") or {}
        self._flags = flags

    @property
    def layers(self) -> pd.DataFrame:
        """One row for each layer; nested numbers are columns as "bytes.off_chip". It needs pandas."""
        rows = [{k: v for k, v in layer.items() if not isinstance(v, list)} for layer in self.said.get("layers") or []]
        frame = pandas().json_normalize(rows)
        frame.attrs["units"] = {c: "s" for c in frame.columns if c.endswith("_s")} | {c: "J" for c in frame.columns if c.endswith("_j")}
        return frame

    @property
    def area(self) -> pd.Series[float]:
        """The area of each part, in mm2. It needs pandas."""
        return pandas().Series({k: v for k, v in self.said["area"].items() if k != "total"}, name="area_mm2", dtype=float)

    @property
    def energy(self) -> pd.DataFrame:
        """The energy of each part, a row for each network, in J. It needs pandas."""
        return pandas().DataFrame({n["name"]: n["energy"] for n in self.said["networks"]}).T

    @property
    def time(self) -> pd.DataFrame:
        """What each network waits for, in s. It needs pandas."""
        return pandas().DataFrame({n["name"]: n["latency"] for n in self.said["networks"]}).T

    def svg(self) -> str:
        """The design as a picture."""
        return call("design", "eval", *self._flags, "-o", "svg")

    def _repr_svg_(self) -> str:
        return self.svg()

    def __repr__(self) -> str:
        """The metrics, or why there are none."""
        said = ", ".join(f"{k}={v:.6g}" for k, v in self.metrics.items())
        return f"<Design of {self.template}: {said if self.feasible else (self.reason or {}).get('message')}>"


def design(template: str = "edge", *, networks: Sequence[str] = ("mobilenet_v2",), preset: str = "baseline", **parameters: Value) -> Design:
    """Evaluate one design of a built-in template.

    ``parameters`` that are not given are those of the ``preset``: ``apollo.design("edge", pes_x=4, pe_memory="512KiB")``.
    """
    flags = ["--template", template, "--preset", preset]
    for network in networks:
        flags += ["--workload", network]
    for name, value in parameters.items():
        flags += ["--set", f"{name}={value}"]
    return Design(call_json("design", "eval", *flags), flags)
