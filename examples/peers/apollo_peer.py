"""The protocol of peers (docs/peers.md) for programs in Python: standard library only.

A peer is a class with two methods, given to serve():

    class Mine:
        def __init__(self, study): ...
        def suggest(self, n):       # returns up to n designs, {name: value}
        def observe(self, trial):   # a finished trial, also of designs it did not suggest

Standard output belongs to the protocol; print() goes to standard error.
"""

import json
import os
import random
import sys

# One thread, so that CPU times compare; numerical libraries read this when they load.
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")


class Trial:
    """A finished trial. values are minimised, one per objective; None where nothing was measured."""

    def __init__(self, study, line):
        self.params = line["params"]
        self.suggested = "id" in line
        self.status = line["status"]  # ok, infeasible or failed
        self.violation = line.get("violation", 0.0)  # 0 where it is not known
        self.cause = line.get("cause", "")  # the code of the rule that was broken
        metrics = line.get("metrics")
        self.values = None
        if metrics:
            self.values = [metrics[o["name"]] * (-1 if o["goal"] == "maximize" else 1) for o in study.objectives]

    @property
    def ok(self):
        return self.status == "ok"


class Study:
    """What is searched, and the free checks."""

    def __init__(self, init, send, hear):
        self.space = init["space"]
        self.names = [p["name"] for p in self.space]
        self.objectives = init["objectives"]
        self.seed = init["seed"] % (1 << 31)
        self.budget = init.get("budget", 0)
        self.batch = init["batch"]
        self.features = init["features"]
        self.constrained = init["constrained"]
        self.checks = init["checks"]
        self.left = self.checks
        self.random = random.Random(self.seed)
        self.tried = set()
        self._send, self._hear = send, hear

    def key(self, params):
        return tuple(params[n] for n in self.names)

    def new(self, params):
        """Whether the design was neither suggested nor told."""
        return self.key(params) not in self.tried

    def check(self, designs):
        """Whether each design is legal, and its derived features; a design beyond the cap is not legal."""
        if not designs:
            return [], []
        self._send({"op": "check", "designs": [[d[n] for n in self.names] for d in designs]})
        answer = self._hear()
        self.left = answer["left"]
        return [bool(legal) for legal in answer["legal"]], answer["features"]

    def legal(self, params):
        return not self.constrained or self.check([params])[0][0]

    def draw(self):
        """A uniform design, legal or not."""
        return {p["name"]: self.random.choice(p["values"]) for p in self.space}

    def draw_legal(self, n, most=10_000):
        """Up to n new legal designs, by rejection within the cap of the trial."""
        found, seen = [], set()
        while len(found) < n and most > 0 and (self.left > 0 or not self.constrained):
            designs = [self.draw() for _ in range(min(most, 500))]
            most -= len(designs)
            legal = self.check(designs)[0] if self.constrained else [True] * len(designs)
            for d, ok in zip(designs, legal):
                if ok and self.new(d) and self.key(d) not in seen and len(found) < n:
                    seen.add(self.key(d))
                    found.append(d)
        return found

    def neighbours(self, params):
        """The designs that differ in one parameter: by one level, or by label."""
        out = []
        for p in self.space:
            values, at = p["values"], p["values"].index(params[p["name"]])
            near = (at - 1, at + 1) if p["type"] == "ordinal" else range(len(values))
            for i in near:
                if 0 <= i < len(values) and i != at:
                    out.append({**params, p["name"]: values[i]})
        return out

    def unit(self, params):
        """The design as levels from 0 to 1: the lattice as most models want it."""
        return [p["values"].index(params[p["name"]]) / max(len(p["values"]) - 1, 1) for p in self.space]


def serve(make):
    """Run the peer that make(study) returns until the bench says stop."""
    out, sys.stdout = sys.stdout, sys.stderr

    def send(line):
        out.write(json.dumps(line) + "\n")
        out.flush()

    def hear():
        line = sys.stdin.readline()
        if not line:
            sys.exit(0)
        return json.loads(line)

    study = peer = None
    count = 0
    while True:
        message = hear()
        op = message["op"]
        if op == "init":
            study = Study(message, send, hear)
            try:
                peer = make(study)
            except Exception as e:  # the bench reports it
                send({"op": "error", "message": f"{type(e).__name__}: {e}"})
                raise
        elif op == "ask":
            study.left = message["n"] * study.checks
            trials = []
            try:
                designs = peer.suggest(message["n"])
            except Exception as e:
                send({"op": "error", "message": f"{type(e).__name__}: {e}"})
                raise
            for params in designs:
                trials.append({"id": str(count), "params": params})
                study.tried.add(study.key(params))
                count += 1
            send({"op": "suggest", "trials": trials})
        elif op == "tell":
            for line in message["trials"]:
                study.tried.add(study.key(line["params"]))
                peer.observe(Trial(study, line))
        elif op == "error":
            print(message["message"], file=sys.stderr)
            sys.exit(1)
        elif op == "stop":
            sys.exit(0)
        # "rejected" is followed by another ask; later versions may say more.
