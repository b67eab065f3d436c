"""A stand-in for a simulator that takes long: its estimate of the runtime gets better over 20 steps.

It says each estimate, so that a study with earlyStop can end it. STEP_S makes a step take that many seconds;
SPREAD is how far the first estimates are off at most, as a multiple of the answer.
"""

import json
import math
import os
import sys
import time

STEPS = 20
PAUSE = float(os.environ.get("STEP_S", "0"))
SPREAD = float(os.environ.get("SPREAD", "1"))


def say(**line):
    print(json.dumps(line), flush=True)


def runtime(rows, cols, buffer, banks):
    """Seconds: compute, or memory where the buffer is too small for the array."""
    compute = 0.4 / (rows * cols) * (1 + 0.05 * math.log2(rows * cols / 16) ** 2)
    traffic = 0.003 * (1 + (64 * rows * cols / buffer) ** 0.7) / banks**0.5
    return max(compute, traffic) + 0.2 * min(compute, traffic)


for text in sys.stdin:
    question = json.loads(text)
    if question.get("op") == "describe":
        metrics = [{"name": "runtime_s", "unit": "s"}, {"name": "area_mm2", "unit": "mm2"}]
        say(id=question["id"], name="converging", version="1", metrics=metrics, deterministic=True)
        continue
    design = question["design"]
    rows, cols, buffer, banks = (int(design[name]) for name in ("rows", "cols", "buffer", "banks"))
    whole = runtime(rows, cols, buffer, banks)
    # The first steps are too slow, caches are cold then, by as much as depends on the design.
    off = SPREAD * math.sin(3.1 * math.log2(rows) + 1.7 * math.log2(cols) + banks) ** 2
    for step in range(1, STEPS + 1):
        time.sleep(PAUSE)
        say(id=question["id"], progress=step / STEPS, step=step, intermediate={"runtime_s": whole * (1 + off * math.exp(-step / 4))})
    say(id=question["id"], metrics={"runtime_s": whole, "area_mm2": rows * cols * 0.0015 + buffer / 2**20 * 2 + banks * 0.05})
