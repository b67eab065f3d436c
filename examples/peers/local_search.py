#!/usr/bin/env python3
"""A peer with the standard library alone: random designs, then local search.

    apollo bench --suite apollo --task mobilenetv2-6p8 --peer 'local=python3 examples/peers/local_search.py'

The first fifth of the trials are random legal designs. Then every trial is an
untried neighbour of the best design so far, or of a design with two parameters
changed when all neighbours were tried.
"""

from apollo_peer import serve


class LocalSearch:
    def __init__(self, study):
        self.study = study
        self.trials = 0
        self.best = None  # (value, design)

    def observe(self, trial):
        self.trials += 1
        if trial.ok and (self.best is None or sum(trial.values) < self.best[0]):
            self.best = (sum(trial.values), trial.params)

    def suggest(self, n):
        if self.best is None or self.trials < self.study.budget / 5:
            return self.study.draw_legal(n)
        designs = self.near(self.best[1], n)
        return designs + self.study.draw_legal(n - len(designs))

    def near(self, center, n):
        """Up to n new legal neighbours; where there is none, of a random neighbour."""
        for _ in range(20):
            designs = [d for d in self.study.neighbours(center) if self.study.new(d)]
            self.study.random.shuffle(designs)
            legal = self.study.check(designs)[0] if self.study.constrained else [True] * len(designs)
            found = [d for d, ok in zip(designs, legal) if ok]
            if found:
                return found[:n]
            center = self.study.random.choice(self.study.neighbours(center))
        return []


if __name__ == "__main__":
    serve(LocalSearch)
