#!/usr/bin/env python3
"""A study measured by Timeloop with Accelergy: energy, cycles and area of the best mapping that its mapper finds.

    TIMELOOP_MAPPER=timeloop/build/timeloop-mapper python timeloop_study.py      # accelergy is on the PATH

The tool prints areas in steps of 0.01 mm2 and the energy of an operation in steps of 0.01 pJ or less. Parameters are those of the template nvdla; forms/timeloop.yaml says which of the tool they are, in its format 0.3. A layer of several groups is one
of them, so often. One mapper thread: what it finds does not depend on the machine, and the study runs designs side by side.
"""

import os
import re

import apollo
from shared import CLOCK_HZ, HERE, call, fill, layers, main, patience, program, write


@apollo.evaluator(metrics={"energy": "J", "latency": "s", "area": "mm2"}, timeout=patience("1 h"), version="timeloop/1")
def timeloop(**design):
    out = {"energy": 0.0, "latency": 0.0, "area": 0.0}
    for at, network in enumerate(apollo.current().networks):
        for i, layer in enumerate(layers(network["workload"], refuse=["matmul"])):
            folder = os.path.join(apollo.current().scratch, f"{at}-{i}")
            os.mkdir(folder)
            said = call(folder, program("timeloop-mapper"), write(folder, "layer.yaml", fill("timeloop.yaml", last=int(design["atomic_c"] * design["atomic_k"]) - 1, **design, **layer)))
            if "no valid mappings found" in said:
                apollo.infeasible("no_mapping", "the mapper found no valid mapping", layer=layer["id"])
            with open(os.path.join(folder, "timeloop-mapper.stats.txt")) as f:
                summary = f.read().split("Summary Stats")[1]
            # The line "Energy" has two decimals of a uJ, too few for a small layer: the pJ of one operation say more.
            cycles, area, computes, energy = (float(re.findall(rf"^{line}", summary, re.MULTILINE)[-1]) for line in (r"Cycles: (\d+)", r"Area: ([-+.\deE]+) mm\^2", r"(?:Actual )?Computes = (\d+)", r" +Total += ([-+.\deE]+)"))
            out["energy"] += layer["G"] * computes * energy * 1e-12
            out["latency"] += layer["G"] * cycles / CLOCK_HZ
            out["area"] = max(out["area"], area)
    return out


def study(trials, data):
    """The study: a small network on arrays of up to 1,024 multipliers."""
    sizes = [8, 16, 32]
    return apollo.Study(
        "timeloop", space={
            "atomic_c": sizes, "atomic_k": sizes, "conv_buffer": apollo.span("32 KiB", "256 KiB", scale="log2", unit="B"),
            "accumulator": apollo.levels("8 KiB", "32 KiB", unit="B"), "io_bandwidth": apollo.levels("8 GB/s", "16 GB/s", "32 GB/s", unit="B/s")},
        networks=[{"file": os.path.join(HERE, "small.yaml")}], minimize="energy", subject_to={"latency": "<= 1 ms"}, evaluator=timeloop, trials=trials, data=data,
    )


if __name__ == "__main__":
    main(study, "timeloop-mapper")
