"""Each adapter whose tool is a program runs its study against a stand-in that takes what the tool takes, and answers as it does."""

import glob
import importlib
import math
import os
import re
import subprocess
import sys

import pytest
import shared

import apollo

HERE = shared.HERE


@pytest.fixture(autouse=True)
def standins(monkeypatch):
    for path in glob.glob(os.path.join(HERE, "standins", "*")):
        monkeypatch.setenv(re.sub(r"\W", "_", os.path.basename(path)).upper(), path)
    monkeypatch.setenv("GEM5_SCRIPT", "se.py")


@pytest.mark.parametrize("name", ["gem5", "verilator", "maestro", "timeloop"])
def test_study(name, tmp_path):
    run = importlib.import_module(f"{name}_study").study(6, str(tmp_path)).run(workers=2)
    outcomes = [trial.outcome for trial in run.list_trials()]
    assert len(outcomes) == 6 and "failed" not in outcomes
    assert run.best is not None


def asked(name, design, **line):
    module = importlib.import_module(f"{name}_study")
    evaluator = getattr(module, name)
    networks = [{"name": "small", "weight": 1, "sha256": "1", "workload": {"layers": LAYERS}}]
    return evaluator.answer({"design": design, "networks": networks, **line}, lambda note: None, {})


LAYERS = [
    {"id": "first", "op": "conv", "K": 32, "C": 16, "P": 28, "Q": 28, "R": 3, "S": 3, "stride": [2, 2]},
    {"id": "depth", "op": "dwconv", "K": 32, "C": 1, "P": 28, "Q": 28, "R": 3, "S": 3, "groups": 32},
    {"id": "add", "op": "add", "K": 32, "P": 28, "Q": 28},
]


def test_verilator_counts_groups_and_tiles(tmp_path):
    answer = asked("verilator", {"rows": 8, "cols": 16}, scratch=str(tmp_path))
    tiles = 784 // 8 * 2 * (144 + 23) + 32 * 784 // 8 * (9 + 23)
    assert answer["metrics"] == {"latency_s": tiles / 1e9, "multipliers": 128}


def test_gem5_sums_products(tmp_path):
    design = {"core": "MinorCPU", "clock": 2e9, "l1": 32768, "l1_ways": 4, "l2": 131072, "l2_ways": 8}
    answer = asked("gem5", design, scratch=str(tmp_path))
    assert answer["metrics"]["instructions"] == 8 * 784 * (32 * 144 + 32 * 9)
    seconds = lambda n, k: 8 * 784 * n * k * (1 + n * k / 32768 / 4) / 2e9
    assert answer["metrics"]["latency_s"] == pytest.approx(seconds(32, 144) + 32 * seconds(1, 9), rel=1e-6)  # one of the groups takes 28 us


def test_gem5_that_stops_early_has_failed(tmp_path, monkeypatch):
    monkeypatch.setenv("STANDIN_FAILS", "1")
    design = {"core": "MinorCPU", "clock": 2e9, "l1": 32768, "l1_ways": 4, "l2": 131072, "l2_ways": 8}
    answer = asked("gem5", design, scratch=str(tmp_path))
    assert answer["outcome"] == "failed" and "did not come to its end" in answer["reason"]["message"]


def test_maestro_says_what_does_not_fit(tmp_path):
    design = {"dataflow": "ws", "pes": 256, "lanes": 16, "l1": 2048, "l2": 1 << 20, "noc_bandwidth": 64e9, "io_bandwidth": 16e9}
    answer = asked("maestro", design, scratch=str(tmp_path))
    assert answer["metrics"]["energy_j"] == pytest.approx(784 * 9 * (32 * 16 + 32) * 1e-12)
    for name, value, reason in (("l1", 256, "l1"), ("lanes", 48, "cluster")):
        folder = tmp_path / reason
        folder.mkdir()
        answer = asked("maestro", {**design, name: value}, scratch=str(folder))
        assert answer["outcome"] == "infeasible" and answer["reason"]["code"] == reason
    assert answer["reason"]["need"] == 48


def test_timeloop_reads_the_summary(tmp_path):
    design = {"atomic_c": 16, "atomic_k": 8, "conv_buffer": 65536, "accumulator": 8192, "io_bandwidth": 16e9}
    (tmp_path / "good").mkdir()
    answer = asked("timeloop", design, scratch=str(tmp_path / "good"))
    cycles = 784 * 32 * 144 // 128 + 32 * -(-784 * 9 // 128)
    assert answer["metrics"]["latency_s"] == pytest.approx(cycles / 1e9) and answer["metrics"]["area_mm2"] == 0.14
    energy = lambda macs: macs * 0.5 + -(-macs // 128) * 65536**0.5
    assert answer["metrics"]["energy_j"] == pytest.approx((energy(784 * 32 * 144) + 32 * energy(784 * 9)) * 1e-12, rel=0.005)  # one of the groups takes 18 nJ
    (tmp_path / "small").mkdir()
    answer = asked("timeloop", {**design, "conv_buffer": 1024}, scratch=str(tmp_path / "small"))
    assert (answer["outcome"], answer["reason"]["code"], answer["reason"]["layer"]) == ("infeasible", "no_mapping", "first")


def test_layers_are_those_of_the_model():
    first, depth = shared.layers({"layers": LAYERS})
    assert (first["Y"], first["X"], first["G"]) == (57, 57, 1) and shared.product(first) == {"M": 784, "N": 32, "K": 144}
    assert (depth["G"], depth["K"], depth["C"]) == (32, 1, 1)
    with pytest.raises(ValueError, match="layer up: this adapter does not map the operation deconv"):
        list(shared.layers({"layers": [{"id": "up", "op": "deconv"}]}))


@pytest.mark.parametrize("name", sorted(os.path.basename(path) for path in glob.glob(os.path.join(HERE, "forms", "*.*")) if not path.endswith(".go")))
def test_form_is_read_back(name):
    """Read gives what filled the form; a number that contradicts another is refused."""
    names = {part for place in shared.PLACE.findall(shared.form(name)) for part in re.split(r"[*/]", place) if not part[0].isdigit()}
    values = {n: float(1024 * 1000000000 * (i + 1)) for i, n in enumerate(sorted(names))}
    text = shared.fill(name, **values)
    got = shared.read(name, text)
    assert got == {n: values[n] for n in got} and shared.fill(name, **got) == text
    with pytest.raises(ValueError, match="want|contradict"):
        shared.read(name, text.replace(str(next(iter(text.split()))), "changed", 1))


@pytest.mark.parametrize(("tool", "template", "form", "design"), [
    ("scalesim", "systolic", "scalesim.cfg", {"rows": 16, "cols": 32, "dataflow": "os", "input_buffer": 65536, "weight_buffer": 131072, "output_buffer": 32768, "io_bandwidth": 32e9}),
    ("zigzag", "nvdla", "zigzag-machine.yaml", {"atomic_c": 16, "atomic_k": 32, "conv_buffer": 131072, "accumulator": 65536, "io_bandwidth": 8e9}),
    ("accelforge", "nvdla", "accelforge.yaml", {"atomic_c": 16, "atomic_k": 32, "conv_buffer": 131072, "accumulator": 16384, "io_bandwidth": 8e9}),
])
def test_export_is_read_back(tool, template, form, design, tmp_path):
    """A design that apollo exports is the same design to the adapter, layers and all."""
    small = os.path.join(HERE, "small.yaml")
    unit = lambda name: " B/s" if name == "io_bandwidth" else " B" if name.endswith(("buffer", "accumulator")) else ""
    settings = [part for name, value in design.items() for part in ("--set", f"{name}={value}{unit(name)}")]
    subprocess.run([apollo.binary(), "design", "export", "--template", template, "--workload", small, *settings, "--as", tool, "--dir", str(tmp_path)], check=True)
    layer = tmp_path / "small" / "001-conv.yaml"
    machine = {"scalesim": tmp_path / "scalesim.cfg", "zigzag": tmp_path / "machine.yaml", "accelforge": layer}[tool].read_text()
    got = shared.read(form, machine)
    assert {name: got[name] for name in design} == design
    if tool == "zigzag":
        got = shared.read("zigzag-layer.yaml", layer.read_text())
        mapping = shared.read("zigzag-mapping.yaml", (tmp_path / "small" / "001-conv.mapping.yaml").read_text())
        steps = re.findall(r"\[(\w+), (\d+)\]", mapping["order"])
        assert (mapping["spatial_c"], mapping["spatial_k"]) == (16, 32)
        assert {dim: math.prod(int(n) for at, n in steps if at == dim) for dim, _ in steps} == {"OX": 28, "OY": 28, "FX": 3, "FY": 3}
    if tool == "accelforge":
        assert re.findall(r"!Spatial {rank_variable: (\w)", got["nodes"]) == ["k", "c"] and got["nodes"].endswith("!Compute {einsum: Layer, component: MAC}]")
    if tool != "scalesim":
        want = {"N": 1, "K": 32, "C": 16, "P": 28, "Q": 28, "R": 3, "S": 3, "stride_y": 1, "dilation_x": 1}
        assert {name: got[name] for name in want} == want


def test_missing_program_is_named():
    said = subprocess.run([sys.executable, os.path.join(HERE, "maestro_study.py")], capture_output=True, text=True, env={**os.environ, "MAESTRO": "/nowhere"})
    assert said.returncode == 1 and "maestro is not there: install it, or say where it is in MAESTRO" in said.stderr


@pytest.mark.parametrize("said, want", [(None, "10 min"), ("", "10 min"), (" ", "10 min"), ("12 h", "12 h")])
def test_patience(monkeypatch, said, want):
    monkeypatch.delenv("TIMEOUT", raising=False)
    if said is not None:
        monkeypatch.setenv("TIMEOUT", said)
    assert shared.patience("10 min") == want


@pytest.mark.parametrize("said", ["5", "soon", "3 parsecs", "-1 h"])
def test_patience_without_a_time(monkeypatch, said):
    monkeypatch.setenv("TIMEOUT", said)
    with pytest.raises(SystemExit, match="want a time with a unit"):
        shared.patience("10 min")
