#!/usr/bin/env python3
"""A study measured by ZigZag 3.9: energy and cycles of the best mapping that it finds.

    pip install -r zigzag.txt      # and the wheel of clients/python
    python zigzag_study.py

| parameter | ZigZag | template simba |
|---|---|---|
| rows | D1, input channels C | the lanes over C of a PE |
| cols | D2, output channels K | the lanes over K of a PE |
| buffer | size of the memory of I1 and I2 | the global buffer |
| io_bandwidth | bandwidth of the memory dram | io_bandwidth |

Energies are round figures for 22 nm at 8 bits: a multiplication 0.2 pJ, registers and sums 0.01 pJ/bit, DRAM 8 pJ/bit, and the buffer grows with the square
root of its size. Replace them by yours.
"""

import os
import sys

import apollo

CLOCK_HZ = 1e9
HERE = os.path.dirname(os.path.abspath(__file__))


def memory(size, read, write, operands, ports, served):
    """One memory: sizes and widths in bits, costs in pJ for a bit."""
    width = max(port[2] for port in ports)
    return {
        "size": size, "r_cost": read * width, "w_cost": write * width, "area": 0, "latency": 1, "operands": operands, "served_dimensions": served,
        "ports": [{"name": n, "type": kind, "bandwidth_min": 8, "bandwidth_max": bits, "allocation": allocation} for n, kind, bits, allocation in ports],
    }


def accelerator(rows, cols, buffer, io_bandwidth):
    """The machine, its memories innermost first."""
    everywhere = ["D1", "D2"]
    cost = 0.02 * (buffer / 32768) ** 0.5
    dram = int(8 * io_bandwidth / CLOCK_HZ)
    return {
        "name": "machine",
        "operational_array": {"unit_energy": 0.2, "unit_area": 0, "dimensions": everywhere, "sizes": [rows, cols]},
        "memories": {
            "registers": memory(8, 0.01, 0.01, ["I2"], [("r_port_1", "read", 8, ["I2, tl"]), ("w_port_1", "write", 8, ["I2, fh"])], []),
            "sums": memory(32 * cols * 256, 0.01, 0.01, ["O"], [
                ("r_port_1", "read", 32 * cols, ["O, tl"]), ("r_port_2", "read", 32 * cols, ["O, th"]),
                ("w_port_1", "write", 32 * cols, ["O, fh"]), ("w_port_2", "write", 32 * cols, ["O, fl"])], everywhere),
            "buffer": memory(int(8 * buffer), cost, cost, ["I1", "I2"], [
                ("r_port_1", "read", 8 * max(rows, cols), ["I1, tl", "I2, tl"]), ("w_port_1", "write", 8 * max(rows, cols), ["I1, fh", "I2, fh"])], everywhere),
            "dram": memory(1 << 40, 8, 8, ["I1", "I2", "O"], [
                ("rw_port_1", "read_write", dram, [f"{o}, {d}" for o in ("I1", "I2", "O") for d in ("fh", "tl")] + ["O, fl", "O, th"])], everywhere),
        },
    }


def layers(workload):
    """The layers of a network as ZigZag writes them; each stands for itself. What multiplies nothing takes nothing here."""
    for layer in workload["layers"]:
        if layer["op"] in ("gconv", "dwconv", "deconv", "matmul", "rnn"):
            raise ValueError(f"layer {layer['id']}: this adapter maps conv and gemm, not {layer['op']}")
        if layer["op"] not in ("conv", "gemm"):
            continue
        y, x = layer.get("stride", [1, 1])
        yield [{
            "id": 0, "name": layer["id"], "operator_type": "Conv", "equation": "O[b][k][oy][ox]+=W[k][c][fy][fx]*I[b][c][iy][ix]",
            "dimension_relations": [f"ix={x}*ox+1*fx", f"iy={y}*oy+1*fy"], "loop_dims": ["B", "K", "C", "OY", "OX", "FY", "FX"],
            "loop_sizes": [layer.get("N", 1) * layer.get("M", 1)] + [layer.get(d, 1) for d in ("K", "C", "P", "Q", "R", "S")],
            "operand_precision": {"W": 8, "I": 8, "O": 32, "O_final": 8}, "operand_source": {"I": 0, "W": 0},
        }]


@apollo.evaluator(metrics={"energy": "J", "latency": "s"}, timeout="10 min", startup="2 min", version="zigzag-3.9/1")
def zigzag(rows: int, cols: int, buffer: float, io_bandwidth: float):
    import yaml
    from zigzag.api import get_hardware_performance_zigzag as tool

    folder = apollo.current().scratch

    def write(name, value):
        path = os.path.join(folder, name + ".yaml")
        with open(path, "w") as f:
            yaml.safe_dump(value, f, sort_keys=False)
        return path

    machine = write("accelerator", accelerator(rows, cols, buffer, io_bandwidth))
    mapping = write("mapping", [{"name": "default", "spatial_mapping": {"D1": [f"C, {rows}"], "D2": [f"K, {cols}"]}, "memory_operand_links": {"O": "O", "W": "I2", "I": "I1"}}])
    energy, cycles = 0.0, 0.0
    for network in apollo.current().networks:
        for layer in layers(network["workload"]):
            joules, steps, _ = tool(write("layer", layer), machine, mapping, opt="energy", dump_folder=folder, loma_show_progress_bar=False)
            energy, cycles = energy + float(joules) * 1e-12, cycles + float(steps)
    return {"energy": energy, "latency": cycles / CLOCK_HZ}


def study(trials, data):
    """The study: a small network on arrays of up to 1,024 multipliers."""
    sizes = [8, 16, 32]
    return apollo.Study(
        "zigzag", space={
            "rows": sizes, "cols": sizes, "buffer": apollo.span("32 KiB", "256 KiB", scale="log2", unit="B"),
            "io_bandwidth": apollo.levels("8 GB/s", "16 GB/s", "32 GB/s", unit="B/s")},
        networks=[{"file": os.path.join(HERE, "small.yaml")}], minimize="energy", subject_to={"latency": "<= 1 ms"}, evaluator=zigzag, trials=trials, data=data,
    )


if __name__ == "__main__":
    run = study(int(sys.argv[1]) if len(sys.argv) > 1 else 20, sys.argv[2] if len(sys.argv) > 2 else "apollo-data").run()
    print(run.best)
