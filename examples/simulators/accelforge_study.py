#!/usr/bin/env python3
"""A study measured by AccelForge 1.0: energy and time of the best mapping that it finds.

    apt install graphviz           # AccelForge draws each mapping that it evaluates
    pip install -r accelforge.txt  # Python 3.12 or newer, and the wheel of clients/python
    python accelforge_study.py

Parameters are those of the template nvdla; forms/accelforge.yaml says which of the tool they are. Energies are those of shared.energies. A layer of
several groups is one of them, so often; layers are mapped one by one, unfused.
"""

import contextlib
import os

import apollo
from shared import HERE, LOADING, energies, fill, layers, main, patience, write


@apollo.evaluator(metrics={"energy": "J", "latency": "s"}, timeout=patience("30 min"), startup=LOADING, version="accelforge-1.0.467/1")
def accelforge(**design):
    import accelforge as tool

    tool.set_n_parallel_jobs(1)  # the study runs designs side by side
    energy, seconds = 0.0, 0.0
    with contextlib.chdir(apollo.current().scratch):  # where the drawings go
        for network in apollo.current().networks:
            for layer in layers(network["workload"], refuse=["matmul"]):
                spec = tool.Spec.from_yaml(write(".", "layer.yaml", fill("accelforge.yaml", nodes="[]", **design, **energies(**design), **layer)))
                spec.mapper.metrics = tool.Metrics.ENERGY
                best = spec.map_workload_to_arch(print_progress=False)
                energy, seconds = energy + layer["G"] * float(best.energy()), seconds + layer["G"] * float(best.latency())
    return {"energy": energy, "latency": seconds}


def study(trials, data):
    """The study: a small network on arrays of up to 1,024 multipliers."""
    sizes = [8, 16, 32]
    return apollo.Study(
        "accelforge", space={
            "atomic_c": sizes, "atomic_k": sizes, "conv_buffer": apollo.span("32 KiB", "256 KiB", scale="log2", unit="B"),
            "accumulator": apollo.levels("8 KiB", "32 KiB", unit="B"), "io_bandwidth": apollo.levels("8 GB/s", "16 GB/s", "32 GB/s", unit="B/s")},
        networks=[{"file": os.path.join(HERE, "small.yaml")}], minimize="energy", subject_to={"latency": "<= 1 ms"}, evaluator=accelforge, trials=trials, data=data,
    )


if __name__ == "__main__":
    main(study, "dot")
