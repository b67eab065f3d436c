#!/usr/bin/env python3
"""A study measured by MAESTRO: cycles, energy and area of a dataflow on an array with two levels of memory.

    MAESTRO=maestro/maestro python maestro_study.py      # built by scons from its sources

| parameter | MAESTRO | template nvdla |
|---|---|---|
| pes | num_pes | atomic_k atomic_c |
| lanes | size of a cluster | atomic_c |
| l1, l2 | l1_size_cstr, of a PE, l2_size_cstr | registers of a PE, the convolution buffer |
| noc_bandwidth, io_bandwidth | noc_bw_cstr, offchip_bw_cstr, elements in a cycle of 1 ns | io_bandwidth |
| dataflow | the mapping: forms/maestro-ws.txt keeps weights, forms/maestro-os.txt sums | |

A layer of several groups or images is one of them, so often.
"""

import csv
import os

import apollo
from shared import CLOCK_HZ, HERE, call, fill, layers, main, patience, program, write


@apollo.evaluator(metrics={"latency": "s", "energy": "J", "area": "mm2"}, timeout=patience("10 min"), version="maestro/1")
def maestro(dataflow: str, pes: int, lanes: int, **design):
    if pes % lanes:
        apollo.infeasible("cluster", "the PEs are no whole clusters", need=lanes, have=pes)
    folder = apollo.current().scratch
    machine = write(folder, "machine.m", fill("maestro-machine.txt", pes=pes, **design))
    out = {"latency": 0.0, "energy": 0.0, "area": 0.0}
    for at, network in enumerate(apollo.current().networks):
        work = list(layers(network["workload"], refuse=["matmul"]))
        texts = [fill(f"maestro-{dataflow}.txt", **{**layer, "id": f"layer{i}", "lanes": lanes, "tile": lanes + layer["S"] - 1}) for i, layer in enumerate(work)]
        mapping = write(folder, f"network{at}.m", f"Network network{at} {{\n{''.join(texts)}}}\n")
        call(folder, program("maestro"), f"--HW_file={machine}", f"--Mapping_file={mapping}", "--print_res=false", "--print_res_csv_file=true", "--print_log_file=false")
        with open(os.path.join(folder, f"network{at}.csv")) as f:
            rows = [{k.strip(): v for k, v in row.items() if k} for row in csv.DictReader(f)]
        for layer, row in zip(work, rows, strict=True):
            for level in ("l1", "l2"):
                need = float(row[f"{level.upper()} SRAM Size Req (Bytes)"])
                if need > design[level]:
                    apollo.infeasible(level, f"the tiles do not fit into {level}", need=need, have=design[level], unit="B", layer=layer["id"])
            times = layer["G"] * layer["N"]
            out["latency"] += times * float(row["Runtime (Cycles)"]) / CLOCK_HZ
            out["energy"] += times * float(row["Activity count-based Energy (nJ)"]) * 1e-9
            out["area"] = max(out["area"], float(row["Area"]) * 1e-6)
    return out


def study(trials, data):
    """The study: at most 1,024 PEs, for a small network."""
    rates = apollo.levels("16 GB/s", "64 GB/s", "256 GB/s", unit="B/s")
    return apollo.Study(
        "maestro", space={
            "dataflow": ["ws", "os"], "pes": [64, 128, 256, 512, 1024], "lanes": [8, 16, 32, 64],
            "l1": apollo.levels("256 B", "512 B", "2 KiB", "8 KiB", unit="B"), "l2": apollo.levels("64 KiB", "256 KiB", "1 MiB", unit="B"),
            "noc_bandwidth": rates, "io_bandwidth": rates},
        networks=[{"file": os.path.join(HERE, "small.yaml")}], minimize="energy", subject_to={"latency": "<= 10 ms"}, evaluator=maestro, trials=trials, data=data,
    )


if __name__ == "__main__":
    main(study, "maestro")
