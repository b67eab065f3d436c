"""BoTorch as a peer: a SingleTaskGP on the levels (and the derived features), log expected improvement on the lattice.

The start is 10 random legal designs. Candidates are random legal designs and the legal neighbours of the best ones, as in
the library's optimize_acqf_discrete. A design that cannot work gets the worst value so far. With several objectives:
qLogNoisyExpectedHypervolumeImprovement.
"""

import math

from apollo_peer import serve

import torch
from botorch.acquisition.logei import qLogNoisyExpectedImprovement
from botorch.acquisition.multi_objective.logei import qLogNoisyExpectedHypervolumeImprovement
from botorch.fit import fit_gpytorch_mll
from botorch.models import SingleTaskGP
from botorch.models.transforms import Normalize, Standardize
from botorch.optim import optimize_acqf_discrete
from gpytorch.mlls import ExactMarginalLogLikelihood

START, RANDOM, ELITE = 10, 1000, 5


class BoTorch:
    def __init__(self, study):
        torch.set_num_threads(1)
        torch.manual_seed(study.seed)
        self.s = study
        self.trials = []

    def observe(self, trial):
        if trial.status != "failed":
            self.trials.append(trial)

    def rows(self, designs, features):
        rows = []
        for d, f in zip(designs, features):
            rows.append(self.s.unit(d) + [v if v is not None else 0.0 for v in f or []])
        return torch.tensor(rows, dtype=torch.double)

    def suggest(self, n):
        if sum(t.ok for t in self.trials) < 2 or len(self.trials) < START:
            return self.s.draw_legal(n)
        told = [t.params for t in self.trials]
        x = self.rows(told, self.s.check(told)[1])
        y = self.targets()
        model = SingleTaskGP(x, y, input_transform=Normalize(x.shape[-1]), outcome_transform=Standardize(y.shape[-1]))
        fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model))
        if y.shape[-1] == 1:
            acquisition = qLogNoisyExpectedImprovement(model, X_baseline=x, prune_baseline=True)
        else:
            acquisition = qLogNoisyExpectedHypervolumeImprovement(model, ref_point=y.min(0).values.tolist(), X_baseline=x, prune_baseline=True)
        designs, candidates = self.candidates()
        best, _ = optimize_acqf_discrete(acquisition, q=n, choices=candidates, unique=True)
        return [designs[int((candidates == row).all(-1).nonzero()[0, 0])] for row in best]

    def targets(self):
        """What is maximised: the negative logarithm where all values are positive."""
        measured = [t.values for t in self.trials if t.ok]
        columns = []
        for k in range(len(self.s.objectives)):
            low, high = min(v[k] for v in measured), max(v[k] for v in measured)
            scale = math.log if low > 0 else float
            columns.append([-scale(t.values[k]) if t.ok else -scale(high) for t in self.trials])
        return torch.tensor(columns, dtype=torch.double).T.contiguous()

    def candidates(self):
        designs = self.s.draw_legal(RANDOM, most=6000)
        elite = sorted((t for t in self.trials if t.ok), key=lambda t: sum(t.values))[:ELITE]
        near = [d for t in elite for d in self.s.neighbours(t.params) if self.s.new(d)]
        legal = self.s.check(near)[0]
        designs += [d for d, ok in zip(near, legal) if ok]
        unique = list({self.s.key(d): d for d in designs}.values())
        return unique, self.rows(unique, self.s.check(unique)[1])


if __name__ == "__main__":
    serve(BoTorch)
