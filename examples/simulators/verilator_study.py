#!/usr/bin/env python3
"""A study measured by Verilator 5: cycles of the array in array.sv, built anew for each design.

    apt install verilator g++ make       # 5.006 or newer
    python verilator_study.py

| parameter | parameter of array.sv |
|---|---|
| rows, cols | ROWS, COLS |

Replace array.sv by a design of yours: its parameters are those of the study, and it prints "cycles N".
"""

import os
import re

import apollo
from shared import CLOCK_HZ, HERE, call, layers, main, patience, product, program


@apollo.evaluator(metrics={"latency": "s", "multipliers": ""}, timeout=patience("30 min"), version="verilator/1", check=lambda rows, cols: {"multipliers": rows * cols})
def verilator(rows: int, cols: int):
    folder, cycles = apollo.current().scratch, 0
    call(folder, program("verilator"), "--binary", "-O3", "--Mdir", "build", "-o", "simulate", "--top-module", "array", f"-GROWS={rows}", f"-GCOLS={cols}", os.path.join(HERE, "array.sv"))
    for network in apollo.current().networks:
        for layer in layers(network["workload"]):
            said = call(folder, os.path.join("build", "simulate"), *(f"+{name}={size}" for name, size in product(layer).items()))
            found = re.search(r"^cycles (\d+)$", said, re.MULTILINE)
            if not found:
                raise RuntimeError(f"layer {layer['id']}: the simulation says no cycles: {said[-300:].strip()}")
            cycles += layer["G"] * int(found[1])
    return {"latency": cycles / CLOCK_HZ, "multipliers": rows * cols}


def study(trials, data):
    """The study: arrays of at most 128 multipliers, for a small network."""
    return apollo.Study(
        "verilator", space={"rows": [4, 8, 16, 32], "cols": [4, 8, 16, 32]},
        networks=[{"file": os.path.join(HERE, "small.yaml")}], minimize="latency", subject_to={"multipliers": "<= 128"}, evaluator=verilator, trials=trials, data=data,
    )


if __name__ == "__main__":
    main(study, "verilator")
