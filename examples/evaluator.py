#!/usr/bin/env python3
"""An evaluator for Apollo as a program: the standard library only.

It models C = A x B with 512 x 512 int8 matrices on a systolic array of
`rows` x `columns` multipliers at 1 GHz, which works out of an on-chip buffer
that is filled from memory. Replace evaluate() by your own model or simulator.

    apollo evaluator check --exec 'python3 examples/evaluator.py'
    apollo run examples/own-evaluator.yaml

The protocol (docs/plug-in-evaluator.md): one JSON object per line on standard
input, one per line with the same id on standard output. Everything else that a
program has to say goes to standard error.
"""

import json
import math
import sys

SIZE = 512  # of the square matrices
CLOCK_HZ = 1e9
MEMORY_BYTES_PER_S = 25.6e9  # 64 bits of LPDDR4-3200
PE_MM2 = 600e-6  # a multiplier with its registers, a round figure for 22 nm
SRAM_MM2_PER_B = 1.0 / 2**20  # about 1 mm2 per MiB

# Optional, but then Apollo checks a study against it before it starts.
# "cheap" metrics are given for infeasible designs, too.
DESCRIPTION = {
    "name": "systolic-matmul",
    "version": "1.0",
    "parameters": [
        {"name": "rows", "unit": "", "values": [4, 8, 16, 32, 64]},
        {"name": "columns", "unit": "", "values": [4, 8, 16, 32, 64]},
        {"name": "buffer", "unit": "B", "values": [2**k for k in range(14, 19)]},
        {"name": "dataflow", "unit": "", "labels": ["weight", "output"]},
    ],
    "metrics": [
        {"name": "latency_s", "unit": "s"},
        {"name": "area_mm2", "unit": "mm2", "cheap": True},
    ],
    "deterministic": True,
}


def evaluate(design):
    """Returns the answer to one design, without its id."""
    names = {p["name"] for p in DESCRIPTION["parameters"]}
    if set(design) != names:
        # A broken question, not a bad design: going on with a default would
        # measure another design than the study means.
        wrong = ", ".join(sorted(set(design) ^ names))
        return failed("parameters", f"missing or unknown parameters: {wrong}")
    rows, columns = int(design["rows"]), int(design["columns"])
    stationary = design["dataflow"]
    if min(rows, columns) < 1 or stationary not in ("weight", "output"):
        return failed("parameters", "rows and columns must be positive, dataflow weight or output")

    area = rows * columns * PE_MM2 + design["buffer"] * SRAM_MM2_PER_B

    # Two copies of what the array holds (1-byte weights or 4-byte sums) and of
    # 64 steps of the two streams that run through it.
    held = rows * columns * (1 if stationary == "weight" else 4)
    need = 2 * (held + 64 * (rows + columns))
    if need > design["buffer"]:
        # An infeasible design is a result: it teaches the search where not to
        # look. Say what it needs and has, and what would help.
        return {
            "outcome": "infeasible",
            "metrics": {"area_mm2": area},
            "reason": {
                "code": "buffer", "need": need, "have": design["buffer"], "unit": "B",
                "message": "two tiles do not fit; enlarge the buffer or shrink the array",
            },
        }

    # Cycles of a fold, from skewed operands entering to the last result
    # leaving: the closed forms of SCALE-Sim (arXiv 1811.02883). Both dataflows
    # tile two dimensions of the product and stream the third.
    folds = math.ceil(SIZE / rows) * math.ceil(SIZE / columns)
    load = rows if stationary == "weight" else 0
    compute_s = folds * (load + rows + columns + SIZE - 2) / CLOCK_HZ

    # Three square tiles in half of the buffer, sums of 4 bytes: every operand
    # is read once per tile of the other one.
    tile = min(SIZE, math.isqrt(int(design["buffer"]) // 12))
    traffic = 2 * SIZE * SIZE * math.ceil(SIZE / tile) + SIZE * SIZE
    return {"metrics": {"latency_s": max(compute_s, traffic / MEMORY_BYTES_PER_S), "area_mm2": area}}


def failed(code, message):
    return {"outcome": "failed", "reason": {"code": code, "message": message}}


def answer(line):
    """Returns the answer to one line. Whatever the line is, it must not end
    the program: the next designs would wait for a restart."""
    try:
        question = json.loads(line)
        key = question["id"]
    except (ValueError, TypeError, KeyError):
        return {"id": None, "error": "the line is no JSON object with an id"}
    if question.get("op") == "describe":
        return {"id": key, **DESCRIPTION}
    try:
        return {"id": key, **evaluate(question["design"])}
    except Exception as e:  # the unit of failure is one design
        return {"id": key, **failed("exception", f"{type(e).__name__}: {e}")}


def main():
    for line in sys.stdin:  # ends when Apollo closes the input
        print(json.dumps(answer(line)), flush=True)  # without flush Apollo waits


if __name__ == "__main__":
    main()
