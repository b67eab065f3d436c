#!/usr/bin/env python3
"""A study measured by gem5: the seconds that a core takes for the matrix products of a network.

    gcc -O2 -static -o product product.c      # for the instructions that gem5 was built for
    GEM5_OPT=build/X86/gem5.opt GEM5_SCRIPT=configs/deprecated/example/se.py python gem5_study.py

| parameter | option of the script |
|---|---|
| core | --cpu-type |
| clock | --cpu-clock |
| l1, l2 | --l1d_size, --l2_size |
| l1_ways, l2_ways | --l1d_assoc, --l2_assoc |

Each product is one simulation; a layer of several groups counts one of them so often.
"""

import os
import re

import apollo
from shared import HERE, call, layers, main, patience, product, program

OPTIONS = {"core": "cpu-type", "clock": "cpu-clock", "l1": "l1d_size", "l2": "l2_size", "l1_ways": "l1d_assoc", "l2_ways": "l2_assoc"}


def option(name, value):
    """A parameter as an option: sizes in B, clocks in Hz, with the units that gem5 reads."""
    unit = {"clock": "Hz", "l1": "B", "l2": "B"}.get(name)
    return f"--{OPTIONS[name]}={value if unit is None else f'{int(value)}{unit}'}"


def statistics(path):
    """The first dump of stats.txt: later ones, if any, are of what comes after the program."""
    with open(path) as f:
        return {m[1]: float(m[2]) for m in re.finditer(r"^(\S+)\s+([-+.\deE]+)\s", f.read().split("End Simulation Statistics")[0], re.MULTILINE)}


@apollo.evaluator(metrics={"latency": "s", "instructions": ""}, timeout=patience("2 h"), version="gem5/1")
def gem5(**design):
    folder, seconds, instructions = apollo.current().scratch, 0.0, 0.0
    command = [program("gem5.opt"), f"--outdir={folder}", os.environ.get("GEM5_SCRIPT", "configs/deprecated/example/se.py"), "--caches", "--l2cache", *(option(k, v) for k, v in design.items())]
    for network in apollo.current().networks:
        for layer in layers(network["workload"]):
            sizes = " ".join(str(v) for v in product(layer).values())
            said = call(folder, *command, f"--cmd={os.environ.get('GEM5_PROGRAM', os.path.join(HERE, 'product'))}", f"--options={sizes}")
            if "exiting with last active thread context" not in said:
                raise RuntimeError(f"layer {layer['id']}: the program did not come to its end: {said[-300:].strip()}")
            found = statistics(os.path.join(folder, "stats.txt"))
            # simSeconds has whole microseconds only.
            seconds, instructions = seconds + layer["G"] * found["simTicks"] / found["simFreq"], instructions + layer["G"] * found["simInsts"]
    return {"latency": seconds, "instructions": instructions}


def study(trials, data):
    """The study: caches and the clock of a core, for a small network."""
    kib = lambda *sizes: apollo.levels(*(f"{n} KiB" for n in sizes), unit="B")
    return apollo.Study(
        "gem5", space={
            "core": ["TimingSimpleCPU", "MinorCPU"], "clock": apollo.levels("1 GHz", "2 GHz", "3 GHz", unit="Hz"),
            "l1": kib(16, 32, 64), "l1_ways": [2, 4, 8], "l2": kib(128, 256, 512), "l2_ways": [8, 16]},
        networks=[{"file": os.path.join(HERE, "small.yaml")}], minimize="latency", evaluator=gem5, trials=trials, data=data,
    )


if __name__ == "__main__":
    main(study, "gem5.opt")
