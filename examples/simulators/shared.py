"""What the adapters share: layers of the study's networks, forms, programs, and the command line.

A form is an input file of a tool, in its own syntax, with our parameters and dimensions in place of numbers: "@rows@", "@rows*8@",
"@input_buffer/1024@". The forms are the one place that knows what a parameter is called there: the adapters fill them, `apollo design export` fills
the same files, and read() takes the parameters from a file of the tool.
"""

import math
import os
import re
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
CLOCK_HZ = 1e9
LOADING = "30 min"  # a hang at the start is seen after so long, also where TIMEOUT gives a design hours
PLACE = re.compile(r"@([^@\n]+)@")


def form(name):
    with open(os.path.join(HERE, "forms", name)) as f:
        return f.read()


def fill(name, **values):
    """The text of a form with its places filled."""

    def text(place):
        first, *rest = re.split(r"([*/])", place[1])
        out = values[first]
        for sign, factor in zip(rest[::2], rest[1::2]):
            number = values[factor] if factor in values else float(factor)
            out = out * number if sign == "*" else out / number
        return out if isinstance(out, str) else f"{int(out)}" if out == int(out) else f"{out:.12g}"

    return PLACE.sub(text, form(name))


def read(name, text):
    """The values by which the form becomes this text; numbers that contradict each other are refused."""
    values, products, given, lines = {}, [], text.splitlines(), form(name).splitlines()
    if len(given) != len(lines):
        raise ValueError(f"{name}: the file has {len(given)} lines, want {len(lines)}")
    for line, want in zip(given, lines):
        found = re.fullmatch("(.+?)".join(re.escape(part) for part in PLACE.split(want)[::2]), line)
        if not found:
            raise ValueError(f"{name}: the line is {line!r}, want {want!r}")
        products += zip(PLACE.findall(want), found.groups())
    for place, got in products + products[::-1]:  # what a product of two says follows when one of them is known
        factors = re.split(r"([*/])", "*" + place)[1:]
        factors = [(sign, values.get(factor, factor)) for sign, factor in zip(factors[::2], factors[1::2])]
        unknown = [factor for _, factor in factors if isinstance(factor, str) and not factor[0].isdigit()]
        if len(factors) == 1 and unknown:
            values[unknown[0]] = float(got) if re.fullmatch(r"[-+0-9.e]+", got) else got
        elif len(unknown) == 1 and ("*", unknown[0]) in factors:
            shares = {sign: math.prod(float(v) for at, v in factors if at == sign and v != unknown[0]) for sign in "*/"}
            values[unknown[0]] = float(f"{float(got) * shares['/'] / shares['*']:.12g}")
    if fill(name, **values) != "\n".join(given) + "\n":
        raise ValueError(f"{name}: the numbers of the file contradict each other; its form has {', '.join(values)}")
    return values


def layers(workload, refuse=()):
    """The layers that multiply, with the dimensions of docs/model.md: K and C are those of one of G groups.

    Y and X are rows and columns of the input, with its padding. What multiplies nothing takes no time in the adapters.
    """
    for layer in workload["layers"]:
        op, size = layer["op"], {d: layer.get(d, 1) for d in "NMKCPQRS"}
        if op in ("deconv", "rnn", *refuse):
            raise ValueError(f"layer {layer['id']}: this adapter does not map the operation {op}")
        if op not in ("conv", "gconv", "dwconv", "gemm", "matmul"):
            continue
        groups, rows = layer.get("groups", 1), size.pop("M")
        if op == "matmul":
            groups, size["N"] = size["N"], 1
        else:
            size["K"] //= groups
        size["P"] *= rows
        (y, x), (v, u) = layer.get("stride", [1, 1]), layer.get("dilation", [1, 1])
        yield {
            **size, "id": layer["id"], "G": groups, "stride_y": y, "stride_x": x, "dilation_y": v, "dilation_x": u,
            "Y": (size["P"] - 1) * y + (size["R"] - 1) * v + 1, "X": (size["Q"] - 1) * x + (size["S"] - 1) * u + 1,
        }


def energies(conv_buffer, accumulator, **_):
    """Energies in J, of a multiplication and of a bit: round figures for 22 nm at 8 bits. Replace them by yours.

    Buffers grow with the square root of their size.
    """
    sram = lambda size: 0.02e-12 * (size / 32768) ** 0.5
    return {"mac_energy": 0.2e-12, "register_energy": 0.01e-12, "buffer_energy": sram(conv_buffer), "accumulator_energy": sram(accumulator), "dram_energy": 8e-12}


def product(layer):
    """A layer as the matrix product M x K by K x N of one group."""
    return {"M": layer["N"] * layer["P"] * layer["Q"], "N": layer["K"], "K": layer["C"] * layer["R"] * layer["S"]}


def write(folder, name, text):
    path = os.path.join(folder, name)
    with open(path, "w") as f:
        f.write(text)
    return path


def program(name):
    """Where a program is: what the variable of its name says (GEM5_OPT), else the name, from the PATH."""
    return os.environ.get(re.sub(r"\W", "_", name).upper(), name)


def call(folder, *command):
    """Run a tool in a folder, and return what it prints. A failure quotes the end of it."""
    done = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    if done.returncode:
        raise RuntimeError(f"{command[0]} ended with {done.returncode}: {done.stdout[-600:].strip()}")
    return done.stdout


def patience(usual):
    """How long a design may take. TIMEOUT says more for a busy machine, whose clock runs while a tool waits for its turn."""
    said = os.environ.get("TIMEOUT", "").strip() or usual
    if not re.fullmatch(r"[0-9.]+ *(s|min|h)", said):
        sys.exit(f'TIMEOUT is {said!r}, want a time with a unit (s, min, h): TIMEOUT="3 h"')
    return said


def main(study, *programs):
    """Run a study for as many trials as the first argument says, in the folder that the second says."""
    for name in programs:
        if not shutil.which(program(name)):
            sys.exit(f"{name} is not there: install it, or say where it is in {re.sub(r'[^A-Z0-9]', '_', name.upper())}")
    run = study(int(sys.argv[1]) if len(sys.argv) > 1 else 20, sys.argv[2] if len(sys.argv) > 2 else "apollo-data").run()
    print(run.best)
