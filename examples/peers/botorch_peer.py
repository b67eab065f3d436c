"""BoTorch as a peer: a SingleTaskGP on the levels (and the derived features, unless called with `plain`), log expected
improvement on the lattice.

The start is 10 random legal designs. Candidates are random legal designs and the legal neighbours of the best ones, as in
the library's optimize_acqf_discrete. Designs that cannot work are an outcome constraint, as in the library's constrained
tutorials: a second model of the logarithm of 1 + violation, on all designs, where feasible ones have minus the median of
the others, and those with an unknown violation the median. The objective is modelled on what was measured. With several
objectives: qLogNoisyExpectedHypervolumeImprovement, from the worst feasible values.
"""

import math
import statistics
import sys

from apollo_peer import serve

import torch
from botorch.acquisition.logei import qLogNoisyExpectedImprovement
from botorch.acquisition.multi_objective.logei import qLogNoisyExpectedHypervolumeImprovement
from botorch.acquisition.multi_objective.objective import IdentityMCMultiOutputObjective
from botorch.acquisition.objective import GenericMCObjective
from botorch.fit import fit_gpytorch_mll
from botorch.models import ModelListGP, SingleTaskGP
from botorch.models.transforms import Normalize, Standardize
from botorch.optim import optimize_acqf_discrete
from gpytorch.mlls import ExactMarginalLogLikelihood

START, RANDOM, ELITE = 10, 1000, 5


class BoTorch:
    def __init__(self, study, plain=False):
        torch.set_num_threads(1)
        torch.manual_seed(study.seed)
        self.s = study
        self.plain = plain
        self.trials = []

    def observe(self, trial):
        if trial.status != "failed":
            self.trials.append(trial)

    def rows(self, designs, features):
        rows = []
        for d, f in zip(designs, features):
            rows.append(self.s.unit(d) + [v if v is not None else 0.0 for v in (() if self.plain else f or ())])
        return torch.tensor(rows, dtype=torch.double)

    def suggest(self, n):
        if sum(t.ok for t in self.trials) < 2 or len(self.trials) < START:
            return self.s.draw_legal(n)
        told = [t.params for t in self.trials]
        x = self.rows(told, self.s.check(told)[1])
        y, violation = self.targets(), self.violations()
        measured = torch.tensor([t.values is not None for t in self.trials])
        feasible = torch.tensor([t.ok for t in self.trials])
        objectives = y.shape[-1]
        models = [self.fit(x[measured], y[measured][:, [k]]) for k in range(objectives)]
        options = {}
        if violation is not None:
            models.append(self.fit(x, violation))
            options["constraints"] = [lambda z: z[..., -1]]
        model = ModelListGP(*models)
        if objectives == 1:
            options["objective"] = GenericMCObjective(lambda z, X=None: z[..., 0])
            acquisition = qLogNoisyExpectedImprovement(model, X_baseline=x[measured], prune_baseline=True, **options)
        else:
            options["objective"] = IdentityMCMultiOutputObjective(outcomes=list(range(objectives)))
            worst = y[feasible].min(0).values.tolist()
            acquisition = qLogNoisyExpectedHypervolumeImprovement(model, ref_point=worst, X_baseline=x[measured], prune_baseline=True, **options)
        designs, candidates = self.candidates()
        best, _ = optimize_acqf_discrete(acquisition, q=n, choices=candidates, unique=True)
        return [designs[int((candidates == row).all(-1).nonzero()[0, 0])] for row in best]

    @staticmethod
    def fit(x, y):
        model = SingleTaskGP(x, y, input_transform=Normalize(x.shape[-1]), outcome_transform=Standardize(1))
        fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model))
        return model

    def targets(self):
        """What is maximised: the negative logarithm where all values are positive; NaN where nothing was measured."""
        columns = []
        for k in range(len(self.s.objectives)):
            low = min(t.values[k] for t in self.trials if t.values)
            scale = math.log if low > 0 else float
            columns.append([-scale(t.values[k]) if t.values else math.nan for t in self.trials])
        return torch.tensor(columns, dtype=torch.double).T.contiguous()

    def violations(self):
        """The outcome that must not be positive; None while every design was feasible."""
        if all(t.ok for t in self.trials):
            return None
        known = [math.log1p(t.violation) for t in self.trials if not t.ok and t.violation > 0]
        middle = statistics.median(known) if known else 1.0
        column = [-middle if t.ok else math.log1p(t.violation) if t.violation > 0 else middle for t in self.trials]
        return torch.tensor([column], dtype=torch.double).T.contiguous()

    def candidates(self):
        designs = self.s.draw_legal(RANDOM, most=6000)
        elite = sorted((t for t in self.trials if t.ok), key=lambda t: sum(t.values))[:ELITE]
        near = [d for t in elite for d in self.s.neighbours(t.params) if self.s.new(d)]
        legal = self.s.check(near)[0]
        designs += [d for d, ok in zip(near, legal) if ok]
        unique = list({self.s.key(d): d for d in designs}.values())
        return unique, self.rows(unique, self.s.check(unique)[1])


if __name__ == "__main__":
    serve(lambda study: BoTorch(study, "plain" in sys.argv[1:]))
