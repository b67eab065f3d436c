#!/usr/bin/env python3
"""A study measured by ZigZag 3.9: energy and cycles of the best mapping that it finds.

    pip install -r zigzag.txt      # and the wheel of clients/python
    python zigzag_study.py

Parameters are those of the template nvdla; forms/zigzag-machine.yaml says which of the tool they are. Energies are those of shared.energies.
"""

import os

import apollo
from shared import CLOCK_HZ, HERE, LOADING, energies, fill, layers, main, patience, write


@apollo.evaluator(metrics={"energy": "J", "latency": "s"}, timeout=patience("10 min"), startup=LOADING, version="zigzag-3.9/2")
def zigzag(**design):
    from zigzag.api import get_hardware_performance_zigzag as tool

    folder = apollo.current().scratch
    machine = write(folder, "machine.yaml", fill("zigzag-machine.yaml", **design, **energies(**design)))
    mapping = write(folder, "mapping.yaml", fill("zigzag-mapping.yaml", spatial_c=design["atomic_c"], spatial_k=design["atomic_k"], order="[]"))
    energy, cycles = 0.0, 0.0
    for network in apollo.current().networks:
        for layer in layers(network["workload"], refuse=["gconv", "dwconv", "matmul"]):
            joules, steps, _ = tool(write(folder, "layer.yaml", fill("zigzag-layer.yaml", **layer)), machine, mapping, opt="energy", dump_folder=folder, loma_show_progress_bar=False)
            energy, cycles = energy + float(joules) * 1e-12, cycles + float(steps)
    return {"energy": energy, "latency": cycles / CLOCK_HZ}


def study(trials, data):
    """The study: a small network on arrays of up to 1,024 multipliers."""
    sizes = [8, 16, 32]
    return apollo.Study(
        "zigzag", space={
            "atomic_c": sizes, "atomic_k": sizes, "conv_buffer": apollo.span("32 KiB", "256 KiB", scale="log2", unit="B"),
            "accumulator": apollo.levels("8 KiB", "32 KiB", unit="B"), "io_bandwidth": apollo.levels("8 GB/s", "16 GB/s", "32 GB/s", unit="B/s")},
        networks=[{"file": os.path.join(HERE, "small.yaml")}], minimize="energy", subject_to={"latency": "<= 1 ms"}, evaluator=zigzag, trials=trials, data=data,
    )


if __name__ == "__main__":
    main(study)
