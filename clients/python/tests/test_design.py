"""One design on the cost model."""

import subprocess
import sysconfig
from pathlib import Path

import apollo
import pytest


def test_design():
    d = apollo.design("systolic", rows=32)
    assert d.feasible and d.design["rows"] == 32 and d.metrics["latency_s"] > 0
    assert d._repr_svg_().lstrip().startswith(("<svg", "<?xml"))
    assert "latency_s" in repr(d)


def test_frames():
    pytest.importorskip("pandas")
    d = apollo.design("systolic")
    assert len(d.layers) > 50 and d.layers["latency_s"].sum() > 0 and d.layers.attrs["units"]["latency_s"] == "s"
    assert d.area.sum() == pytest.approx(d.metrics["area_mm2"])
    assert d.energy.loc["mobilenet_v2", "total"] == pytest.approx(d.metrics["energy_j"])
    assert d.time.loc["mobilenet_v2", "total_s"] == pytest.approx(d.metrics["latency_s"])


def test_mistakes():
    with pytest.raises(apollo.ApolloError, match="rowss"):
        apollo.design("systolic", rowss=32)


def test_command():
    """The installed package puts the command on the PATH of its environment."""
    script = Path(sysconfig.get_path("scripts")) / "apollo"
    if not script.exists():
        pytest.skip("the package is not installed here")
    done = subprocess.run([script, "no-such-command"], capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "no-such-command" in done.stderr
