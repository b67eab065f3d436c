"""HEBO as a peer: a warped GP with an ensemble of acquisitions over integer levels. hebo_peer.py [plain]

HEBO has no predicate for designs. It suggests eight at a time, the first legal and new one is tried; after some rounds a
random legal one. A design that cannot work is observed with the worst value so far.

`plain` is what a user gets who writes an objective and nothing else: HEBO's own start, one round, and what breaks a free
check is observed with the worst value so far too. Before there is a value nothing is observed: HEBO drops what is not finite.
"""

import sys
import warnings

from apollo_peer import serve

import numpy as np
import pandas as pd
from hebo.design_space.design_space import DesignSpace
from hebo.optimizers.hebo import HEBO

ROUNDS, AT_ONCE = 3, 8


class Hebo:
    def __init__(self, study, plain=False):
        warnings.filterwarnings("ignore")
        if len(study.objectives) > 1:
            raise ValueError("this adapter searches one objective")
        self.s, self.plain = study, plain
        np.random.seed(study.seed % (1 << 31))
        space = DesignSpace().parse([
            {"name": p["name"], "type": "int", "lb": 0, "ub": len(p["values"]) - 1} if p["type"] == "ordinal"
            else {"name": p["name"], "type": "cat", "categories": p["values"]} for p in study.space])
        self.optimizer = HEBO(space, rand_sample=None if plain else 10, scramble_seed=study.seed)
        self.worst = None

    def params(self, row):
        return {p["name"]: p["values"][int(row[p["name"]])] if p["type"] == "ordinal" else row[p["name"]] for p in self.s.space}

    def suggest(self, n):
        out = []
        # The first ten are HEBO's own start, quasi-random over the space: legal ones by the free check, unless plain.
        rounds = 1 if self.plain else ROUNDS if self.optimizer.X.shape[0] >= self.optimizer.rand_sample else 0
        for _ in range(rounds):
            rows = self.optimizer.suggest(n_suggestions=max(AT_ONCE, n))
            designs = [d for d in (self.params(row) for _, row in rows.iterrows()) if self.s.new(d)]
            legal = self.s.check(designs)[0] if self.s.constrained else [True] * len(designs)
            for d, ok in zip(designs, legal):
                if ok and len(out) < n and d not in out:
                    out.append(d)
                elif not ok and self.plain:
                    self.tell(d, self.worst)
            if len(out) == n:
                return out
        return out + self.s.draw_legal(n - len(out))

    def observe(self, trial):
        if trial.status == "failed":
            return
        if trial.ok:
            value = trial.values[0]
            self.worst = value if self.worst is None else max(self.worst, value)
            self.tell(trial.params, value)
        else:
            self.tell(trial.params, self.worst)

    def tell(self, params, value):
        if value is None:
            return
        row = {p["name"]: p["values"].index(params[p["name"]]) if p["type"] == "ordinal" else params[p["name"]] for p in self.s.space}
        self.optimizer.observe(pd.DataFrame([row]), np.array([[value]]))


if __name__ == "__main__":
    serve(lambda study: Hebo(study, "plain" in sys.argv[1:]))
