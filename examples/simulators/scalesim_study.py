#!/usr/bin/env python3
"""A study measured by SCALE-Sim 3: cycles of systolic arrays, simulated access by access.

    pip install -r scalesim.txt    # and the wheel of clients/python
    python scalesim_study.py

Parameters are those of the template systolic; forms/scalesim.cfg says which of the tool they are.
A layer is the matrix product that SCALE-Sim makes of it: M = N P Q, N = K / groups, K = C R S, once for each group. The time is that of a
clock of 1 GHz with the memory bandwidth that the tool calculates, so without stalls.
"""

import csv
import glob
import os

import apollo
from shared import CLOCK_HZ, HERE, LOADING, fill, layers, main, patience, product, write


def area(design):
    """Square millimetres: 600 um2 for each multiplier and 1 mm2 for each MiB, round figures for 22 nm."""
    return design["rows"] * design["cols"] * 600e-6 + sum(v for k, v in design.items() if k.endswith("_buffer")) / 2**20


def cheap(**design):
    return {"area": area(design)}


@apollo.evaluator(metrics={"latency": "s", "area": "mm2"}, timeout=patience("10 min"), startup=LOADING, version="scalesim-3.0.0/1", check=cheap)
def scalesim(**design):
    from scalesim.scale_sim import scalesim as tool

    folder = apollo.current().scratch
    config = write(folder, "tool.cfg", fill("scalesim.cfg", run="run", interface="CALC", io_bandwidth=10e9, **design))
    cycles = 0.0
    for network in apollo.current().networks:
        work = list(layers(network["workload"]))
        topology = write(folder, "layers.csv", "Layer,M,N,K,\n" + "".join(",".join([v["id"], *map(str, product(v).values())]) + ",\n" for v in work))
        layout = write(folder, "layout.csv", "header,\n" + "".join(f"{v['id']}," + "1," * 20 + "\n" for v in work))  # read, and not used
        run = tool(save_disk_space=True, verbose=False, config=config, topology=topology, layout=layout, input_type_gemm=True)
        run.run_scale(top_path=folder)
        (report,) = glob.glob(os.path.join(folder, "**", "COMPUTE_REPORT.csv"), recursive=True)
        with open(report) as f:
            rows = [{k.strip(): v for k, v in row.items() if k} for row in csv.DictReader(f)]
        cycles += sum(float(row["Total Cycles"]) * v["G"] for row, v in zip(rows, work, strict=True))
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
    main(study)
