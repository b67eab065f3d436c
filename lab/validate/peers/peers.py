"""Runs layers on ZigZag and SCALE-Sim: JSON on standard input, JSON on standard output.

Every answer has cycles, the processor time of the tool's call in seconds, and
of ZigZag the energy in pJ. What the tools print goes to standard error.
"""

import contextlib
import csv
import glob
import json
import os
import sys
import tempfile
import time


def scalesim(job, folder):
    from scalesim.scale_sim import scalesim as tool

    config, topology, layout = (os.path.join(folder, name) for name in ("tool.cfg", "layer.csv", "layout.csv"))
    with open(config, "w") as f:
        f.write(
            "[general]\nrun_name = run\n"
            "[architecture_presets]\n"
            f"ArrayHeight = {job['rows']}\nArrayWidth = {job['cols']}\n"
            "IfmapSramSzkB = 65536\nFilterSramSzkB = 65536\nOfmapSramSzkB = 65536\n"
            "IfmapOffset = 0\nFilterOffset = 100000000\nOfmapOffset = 200000000\n"
            f"Dataflow = {job['dataflow']}\nBandwidth = 10\nReadRequestBuffer = 512\nWriteRequestBuffer = 512\nMemoryBanks = 1\n"
            "[layout]\nIfmapCustomLayout = False\nFilterCustomLayout = False\n"
            + "".join(f"{x}SRAMBank{y} = {z}\n" for x in ("Ifmap", "Filter") for y, z in (("Bandwidth", 10), ("Num", 10), ("Port", 2)))
            + f"[sparsity]\nSparsitySupport = {'sparsity' in job}\nSparseRep = ellpack_block\nOptimizedMapping = false\nBlockSize = 8\nRandomNumberGeneratorSeed = 1\n"
            "[run_presets]\nInterfaceBandwidth = CALC\nUseRamulatorTrace = False\n"
        )
    with open(topology, "w") as f:
        # The tool drops what stands behind the last comma.
        f.write("Layer,M,N,K,Sparsity,\n" f"layer,{job['m']},{job['n']},{job['k']},{job.get('sparsity', '1:1')},\n")
    with open(layout, "w") as f:
        f.write("header,\nlayer," + "1," * 20 + "\n")  # read, and not used without a layout of one's own
    start = time.process_time()
    run = tool(save_disk_space=True, verbose=False, config=config, topology=topology, layout=layout, input_type_gemm=True)
    run.run_scale(top_path=folder)
    seconds = time.process_time() - start
    report = glob.glob(os.path.join(folder, "**", "COMPUTE_REPORT.csv"), recursive=True)[0]
    with open(report) as f:
        row = {key.strip(): value for key, value in next(csv.DictReader(f)).items() if key}
    return {"cycles": float(row["Total Cycles"]), "seconds": seconds}


def memory(size, read, write, operands, ports):
    """One memory: sizes and widths in bits, costs in pJ for a bit."""
    width = max(port[2] for port in ports)
    return {
        "size": size, "r_cost": read * width, "w_cost": write * width, "area": 0, "latency": 1, "operands": operands,
        "ports": [
            {"name": name, "type": kind, "bandwidth_min": 8, "bandwidth_max": bits, "allocation": allocation}
            for name, kind, bits, allocation in ports
        ],
    }


def zigzag(job, folder):
    import yaml
    from zigzag.api import get_hardware_performance_zigzag as tool

    a, b = job["c"], job["k"]
    registers, sums, buffer, dram = job["levels"]
    memories = {
        "registers": memory(8, registers["read"], registers["write"], ["I2"], [("r_port_1", "read", 8, ["I2, tl"]), ("w_port_1", "write", 8, ["I2, fh"])]),
        "sums": memory(sums["bits"], sums["read"], sums["write"], ["O"], [
            ("r_port_1", "read", 32 * b, ["O, tl"]), ("r_port_2", "read", 32 * b, ["O, th"]), ("w_port_1", "write", 32 * b, ["O, fh"]), ("w_port_2", "write", 32 * b, ["O, fl"])]),
        "buffer": memory(buffer["bits"], buffer["read"], buffer["write"], ["I1", "I2"], [
            ("r_port_1", "read", buffer["width"], ["I1, tl", "I2, tl"]), ("w_port_1", "write", buffer["width"], ["I1, fh", "I2, fh"])]),
        "dram": memory(1 << 40, dram["read"], dram["write"], ["I1", "I2", "O"], [
            ("rw_port_1", "read_write", dram["width"], [f"{o}, {d}" for o in ("I1", "I2", "O") for d in ("fh", "tl")] + ["O, fl", "O, th"])]),
    }
    for name in memories:
        memories[name]["served_dimensions"] = [] if name == "registers" else ["D1", "D2"]
    accelerator = {
        "name": "machine", "memories": memories,
        "operational_array": {"unit_energy": job["mac"], "unit_area": 0, "dimensions": ["D1", "D2"], "sizes": [a, b]},
    }
    mapping = [{"name": "default", "spatial_mapping": {"D1": [f"C, {a}"], "D2": [f"K, {b}"]}, "memory_operand_links": {"O": "O", "W": "I2", "I": "I1"}}]
    p = job["layer"]
    layer = [{
        "id": 0, "name": "layer", "operator_type": "Conv", "equation": "O[b][k][oy][ox]+=W[k][c][fy][fx]*I[b][c][iy][ix]",
        "dimension_relations": [f"ix={p['stride']}*ox+1*fx", f"iy={p['stride']}*oy+1*fy"],
        "loop_dims": ["B", "K", "C", "OY", "OX", "FY", "FX"], "loop_sizes": [1, p["k"], p["c"], p["p"], p["q"], p["r"], p["s"]],
        "operand_precision": {"W": 8, "I": 8, "O": 32, "O_final": 8}, "operand_source": {"I": 0, "W": 0},
    }]
    paths = []
    for name, value in (("accelerator", accelerator), ("mapping", mapping), ("layer", layer)):
        paths.append(os.path.join(folder, name + ".yaml"))
        with open(paths[-1], "w") as f:
            yaml.safe_dump(value, f, sort_keys=False)  # memories stand innermost first
    start = time.process_time()
    energy, cycles, _ = tool(paths[2], paths[0], paths[1], opt=job["goal"], dump_folder=folder, loma_show_progress_bar=False)
    return {"cycles": float(cycles), "energy": float(energy), "seconds": time.process_time() - start}


def main():
    jobs = json.load(sys.stdin)
    answers = []
    for job in jobs:
        with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(sys.stderr):
            answers.append({"scalesim": scalesim, "zigzag": zigzag}[job["tool"]](job, folder))
    json.dump(answers, sys.stdout)


main()
