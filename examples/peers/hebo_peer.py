"""HEBO as a peer: a warped GP with an ensemble of acquisitions over integer levels.

HEBO has no predicate for designs. It suggests eight at a time, the first legal and new one is tried; after some rounds a
random legal one. A design that cannot work is observed with the worst value so far.
"""

import warnings

from apollo_peer import serve

import numpy as np
import pandas as pd
from hebo.design_space.design_space import DesignSpace
from hebo.optimizers.hebo import HEBO

ROUNDS, AT_ONCE = 3, 8


class Hebo:
    def __init__(self, study):
        warnings.filterwarnings("ignore")
        if len(study.objectives) > 1:
            raise ValueError("this adapter searches one objective")
        self.s = study
        np.random.seed(study.seed % (1 << 31))
        space = DesignSpace().parse([
            {"name": p["name"], "type": "int", "lb": 0, "ub": len(p["values"]) - 1} if p["type"] == "ordinal"
            else {"name": p["name"], "type": "cat", "categories": p["values"]} for p in study.space])
        self.optimizer = HEBO(space, rand_sample=10, scramble_seed=study.seed)
        self.worst = None

    def params(self, row):
        return {p["name"]: p["values"][int(row[p["name"]])] if p["type"] == "ordinal" else row[p["name"]] for p in self.s.space}

    def suggest(self, n):
        out = []
        # The first ten are HEBO's own start, quasi-random over the space: legal ones by the free check.
        rounds = ROUNDS if self.optimizer.X.shape[0] >= self.optimizer.rand_sample else 0
        for _ in range(rounds):
            rows = self.optimizer.suggest(n_suggestions=max(AT_ONCE, n))
            designs = [d for d in (self.params(row) for _, row in rows.iterrows()) if self.s.new(d)]
            legal = self.s.check(designs)[0] if self.s.constrained else [True] * len(designs)
            for d, ok in zip(designs, legal):
                if ok and len(out) < n and d not in out:
                    out.append(d)
            if len(out) == n:
                return out
        return out + self.s.draw_legal(n - len(out))

    def observe(self, trial):
        if trial.status == "failed":
            return
        if trial.ok:
            value = trial.values[0]
            self.worst = value if self.worst is None else max(self.worst, value)
        elif self.worst is None:
            return
        else:
            value = self.worst
        row = {p["name"]: p["values"].index(trial.params[p["name"]]) if p["type"] == "ordinal" else trial.params[p["name"]] for p in self.s.space}
        self.optimizer.observe(pd.DataFrame([row]), np.array([[value]]))


if __name__ == "__main__":
    serve(Hebo)
