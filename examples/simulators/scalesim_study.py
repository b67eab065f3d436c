#!/usr/bin/env python3
"""A study measured by SCALE-Sim 3: cycles of systolic arrays, simulated access by access.

    pip install -r scalesim.txt    # and the wheel of clients/python
    python scalesim_study.py

| parameter | SCALE-Sim | template systolic |
|---|---|---|
| rows, cols | ArrayHeight, ArrayWidth | rows, cols |
| dataflow | Dataflow | dataflow |
| input_buffer, weight_buffer, output_buffer | IfmapSramSzkB, FilterSramSzkB, OfmapSramSzkB | the same |

A layer is the matrix product that SCALE-Sim makes of it: M = N P Q, N = K / groups, K = C R S, once for each group. The time is that of a
clock of 1 GHz with the memory bandwidth that the tool calculates, so without stalls.
"""

import csv
import glob
import os
import sys

import apollo

CLOCK_HZ = 1e9
HERE = os.path.dirname(os.path.abspath(__file__))
CONFIG = """[general]
run_name = run
[architecture_presets]
ArrayHeight = {rows}
ArrayWidth = {cols}
IfmapSramSzkB = {input_buffer}
FilterSramSzkB = {weight_buffer}
OfmapSramSzkB = {output_buffer}
IfmapOffset = 0
FilterOffset = 100000000
OfmapOffset = 200000000
Dataflow = {dataflow}
Bandwidth = 10
ReadRequestBuffer = 512
WriteRequestBuffer = 512
MemoryBanks = 1
[layout]
IfmapCustomLayout = False
FilterCustomLayout = False
IfmapSRAMBankBandwidth = 10
IfmapSRAMBankNum = 10
IfmapSRAMBankPort = 2
FilterSRAMBankBandwidth = 10
FilterSRAMBankNum = 10
FilterSRAMBankPort = 2
[sparsity]
SparsitySupport = false
SparseRep = ellpack_block
OptimizedMapping = false
BlockSize = 8
RandomNumberGeneratorSeed = 1
[run_presets]
InterfaceBandwidth = CALC
UseRamulatorTrace = False
"""


def products(workload):
    """The matrix products of a network, M, N, K, with how often each comes."""
    for layer in workload["layers"]:
        size = {d: layer.get(d, 1) for d in "NMKCPQRS"}
        inner = size["C"] * size["R"] * size["S"]
        if layer["op"] in ("conv", "gconv", "dwconv", "gemm"):
            groups = layer.get("groups", 1)
            yield layer["id"], size["N"] * size["M"] * size["P"] * size["Q"], size["K"] // groups, inner, groups
        elif layer["op"] == "matmul":
            yield layer["id"], size["M"], size["K"], inner, size["N"]
        elif layer["op"] in ("deconv", "rnn"):
            raise ValueError(f"layer {layer['id']}: this adapter does not map the operation {layer['op']}")
        # What multiplies nothing takes no time here.


def area(design):
    """Square millimetres: 600 um2 for each multiplier and 1 mm2 for each MiB, round figures for 22 nm."""
    return design["rows"] * design["cols"] * 600e-6 + sum(v for k, v in design.items() if k.endswith("_buffer")) / 2**20


def cheap(**design):
    return {"area": area(design)}


@apollo.evaluator(metrics={"latency": "s", "area": "mm2"}, timeout="10 min", startup="2 min", version="scalesim-3.0.0/1", check=cheap)
def scalesim(**design):
    from scalesim.scale_sim import scalesim as tool

    folder = apollo.current().scratch
    config, topology, layout = (os.path.join(folder, name) for name in ("tool.cfg", "layers.csv", "layout.csv"))
    with open(config, "w") as f:
        f.write(CONFIG.format(**{k: int(v) // 1024 if k.endswith("_buffer") else v for k, v in design.items()}))
    cycles = 0.0
    for network in apollo.current().networks:
        layers = list(products(network["workload"]))
        with open(topology, "w") as f:
            f.write("Layer,M,N,K,\n" + "".join(f"{name},{m},{n},{k},\n" for name, m, n, k, _ in layers))
        with open(layout, "w") as f:
            f.write("header,\n" + "".join(f"{name}," + "1," * 20 + "\n" for name, *_ in layers))  # read, and not used
        run = tool(save_disk_space=True, verbose=False, config=config, topology=topology, layout=layout, input_type_gemm=True)
        run.run_scale(top_path=folder)
        (report,) = glob.glob(os.path.join(folder, "**", "COMPUTE_REPORT.csv"), recursive=True)
        with open(report) as f:
            rows = [{k.strip(): v for k, v in row.items() if k} for row in csv.DictReader(f)]
        cycles += sum(float(row["Total Cycles"]) * groups for row, (*_, groups) in zip(rows, layers))
    return {"latency": cycles / CLOCK_HZ, "area": area(design)}


def study(trials, data):
    """The study: a small network on arrays of up to 1,024 multipliers."""
    sizes = [8, 16, 32]
    buffers = apollo.levels("32 KiB", "64 KiB", "128 KiB", unit="B")
    return apollo.Study(
        "scalesim", space={"rows": sizes, "cols": sizes, "dataflow": ["ws", "os", "is"], "input_buffer": buffers, "weight_buffer": buffers, "output_buffer": buffers},
        networks=[{"file": os.path.join(HERE, "small.yaml")}], minimize="latency", subject_to={"area": "<= 0.7 mm2"}, evaluator=scalesim, trials=trials, data=data,
    )


if __name__ == "__main__":
    run = study(int(sys.argv[1]) if len(sys.argv) > 1 else 20, sys.argv[2] if len(sys.argv) > 2 else "apollo-data").run()
    print(run.best)
