"""A learned value model as a peer: learned_peer.py LOG [PATTERN...]

    apollo bench --suite apollo --task mobiledet-6p8 --peer 'learned=python learned_peer.py apollo-bench apollo-mobilenetv2-*'

LOG is a data directory with the logs of earlier studies, in Parquet; a PATTERN chooses studies by their names ("*", "?"),
all by default: leave out those of the task itself. Gradient-boosted trees (scikit-learn's HistGradientBoostingRegressor)
learn from them what a design is worth: the logarithm of the objective, standardised within its study; a design that cannot
run is worth as little as the worst that does. On the task the prediction is calibrated by what was measured there, and a
second model learns what is left. Each trial is the best of random legal designs and of legal neighbours of the best ones,
by that sum; every tenth is random. One objective.

It needs what requirements/learned.txt lists; `make peers` installs that in an environment of its own, .peers/learned.
"""

import fnmatch
import pathlib
import sys

from apollo_peer import serve  # before numpy: it sets the number of threads

try:
    import numpy as np
    import pyarrow.dataset
    from sklearn.ensemble import HistGradientBoostingRegressor
except ImportError as e:
    sys.exit(f"{e}: install what {pathlib.Path(__file__).parent / 'requirements' / 'learned.txt'} lists")

DRAWN, ROUNDS, KEPT = 1000, 3, 5  # random designs, climbs, and designs that are climbed from
ENOUGH = 8  # trials before the second model


class Learned:
    def __init__(self, study, log, patterns):
        if len(study.objectives) != 1:
            raise ValueError("the value model has one objective")
        self.study, self.goal = study, study.objectives[0]
        self.base = self.learn(log, patterns)
        self.designs, self.values, self.legal = [], [], []

    def learn(self, log, patterns):
        """The model of earlier studies; a study that lacks a parameter or the objective is left out."""
        folder = pathlib.Path(log) / "trials" / "current"
        x, y = [], []
        for path in sorted(folder.glob("study=*")):
            name = path.name.removeprefix("study=")
            if patterns and not any(fnmatch.fnmatch(name, p) for p in patterns):
                continue
            for run in sorted(path.glob("run=*")):
                self.read(pyarrow.dataset.dataset(run, format="parquet"), x, y)
        if not y:
            raise ValueError(f"no log below {folder} has a study with the task's parameters and {self.goal['name']}")
        y = np.concatenate(y)
        print(f"learned from {len(y)} designs", file=sys.stderr)
        return HistGradientBoostingRegressor(max_iter=300, random_state=0).fit(np.concatenate(x), y)

    def read(self, data, x, y):
        names = ["p_" + n for n in self.study.names]
        metric = self.goal["name"]
        if not set(names + [metric, "feasible"]) <= set(data.schema.names):
            return
        rows = data.to_table(columns=[*names, metric, "feasible"]).to_pydict()
        levels = [{v: i / max(len(p["values"]) - 1, 1) for i, v in enumerate(p["values"])} for p in self.study.space]
        feasible = np.array(rows["feasible"], dtype=bool)
        if feasible.sum() < 2:
            return
        unit = np.array([[at.get(v, np.nan) for v in rows[n]] for n, at in zip(names, levels)]).T
        x.append(unit)
        y.append(standardised(self.minimised(rows[metric]), feasible))

    def minimised(self, values):
        """Logarithms, smaller is better."""
        logs = np.log([v if v is not None and v > 0 else np.nan for v in values])
        return -logs if self.goal["goal"] == "maximize" else logs

    def observe(self, trial):
        self.designs.append(trial.params)
        self.legal.append(trial.ok)
        self.values.append(abs(trial.values[0]) if trial.ok else None)

    def suggest(self, n):
        drawn = self.study.draw_legal(DRAWN)
        if len(self.designs) % 10 == 9:
            return drawn[:n]
        score = self.model()
        best = [self.designs[i] for i in self.ranked()[:KEPT]]
        pool = {self.study.key(d): d for d in drawn}
        for _ in range(ROUNDS):
            near = [d for b in best for d in self.study.neighbours(b) if self.study.new(d) and self.study.key(d) not in pool]
            legal = self.study.check(near)[0] if self.study.constrained else [True] * len(near)
            pool.update({self.study.key(d): d for d, ok in zip(near, legal) if ok})
            designs = list(pool.values())
            order = np.argsort(score(designs), kind="stable")
            best = [designs[i] for i in order[:KEPT]]
        return [designs[i] for i in order[:n]]

    def ranked(self):
        """The trials that ran, best first."""
        values = self.minimised(self.values) if self.values else []
        return [i for i in np.argsort(values, kind="stable") if self.legal[i]]

    def model(self):
        """What designs are worth: the earlier studies' model, calibrated, and what it does not explain."""
        def before(designs):
            return self.base.predict([self.study.unit(d) for d in designs])

        feasible = np.array(self.legal, dtype=bool)
        if len(self.designs) < ENOUGH or feasible.sum() < 3:
            return before
        y, base = standardised(self.minimised(self.values), feasible), before(self.designs)
        slope, offset = np.polyfit(base, y, 1)
        slope = max(slope, 0)  # the earlier studies may mislead, but not be turned round by a few trials
        offset = np.mean(y - slope * base)
        rest = HistGradientBoostingRegressor(max_iter=50, min_samples_leaf=3, random_state=0)
        rest.fit([self.study.unit(d) for d in self.designs], y - slope * base - offset)
        return lambda designs: slope * before(designs) + offset + rest.predict([self.study.unit(d) for d in designs])


def standardised(values, feasible):
    """Values of one study with mean 0 and deviation 1; one that is not feasible is the worst."""
    good = values[feasible]
    out = (values - good.mean()) / max(good.std(), 1e-9)
    out[~feasible] = out[feasible].max()
    return out


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("want learned_peer.py LOG [PATTERN...]: a data directory with logs of earlier studies")
    serve(lambda study: Learned(study, sys.argv[1], sys.argv[2:]))
