"""Google Vizier (its default algorithm, the GP-UCB-PE designer) as a peer over discrete parameters.

The start is 5 random legal designs, because a suggestion takes the designer seconds and its own first ones are mostly not legal.
A suggestion that breaks a free check is completed as infeasible, the library's own means, and the designer is asked again;
after some tries a random legal design is tried. A design that cannot work is completed as infeasible too.
"""

import os

os.environ.setdefault("JAX_PLATFORMS", "cpu")

from apollo_peer import serve

import jax
from vizier import algorithms as vza
from vizier import pyvizier as vz
from vizier._src.algorithms.designers.gp_ucb_pe import VizierGPUCBPEBandit

# As Vizier's own service does: in single precision the designer's suggestions become NaN after some trials.
jax.config.update("jax_enable_x64", True)

START, TRIES = 5, 3


class Vizier:
    def __init__(self, study):
        self.s = study
        problem = vz.ProblemStatement()
        for p in study.space:
            if p["type"] == "ordinal":
                scale = vz.ScaleType.LOG if p.get("scale") == "log" else vz.ScaleType.LINEAR
                problem.search_space.root.add_discrete_param(p["name"], p["values"], scale_type=scale)
            else:
                problem.search_space.root.add_categorical_param(p["name"], p["values"])
        for o in study.objectives:
            problem.metric_information.append(vz.MetricInformation(o["name"], goal=vz.ObjectiveMetricGoal.MINIMIZE))
        self.designer = VizierGPUCBPEBandit(problem, rng=jax.random.PRNGKey(study.seed))
        self.count = 0
        self.told = 0

    def suggest(self, n):
        out = []
        if self.told < START:
            return self.s.draw_legal(n)
        for _ in range(TRIES):
            refused = []
            for suggestion in self.designer.suggest(n - len(out)):
                values = suggestion.parameters.as_dict()
                params = {p["name"]: self.level(p, values[p["name"]]) for p in self.s.space}
                if self.s.new(params) and params not in out:
                    if self.s.legal(params):
                        out.append(params)
                    else:
                        refused.append(self.trial(params, None))
            if refused:
                self.designer.update(vza.CompletedTrials(refused), vza.ActiveTrials())
            if len(out) == n:
                return out
        return out + self.s.draw_legal(n - len(out))

    @staticmethod
    def level(p, value):
        return min(p["values"], key=lambda v: abs(v - value)) if p["type"] == "ordinal" else str(value)

    def trial(self, params, values):
        self.count += 1
        trial = vz.Trial(id=self.count, parameters=params)
        if values is None:
            return trial.complete(vz.Measurement(), infeasibility_reason="infeasible")
        return trial.complete(vz.Measurement(metrics={o["name"]: v for o, v in zip(self.s.objectives, values)}))

    def observe(self, trial):
        self.told += 1
        if trial.status != "failed":
            done = self.trial(trial.params, trial.values if trial.ok else None)
            self.designer.update(vza.CompletedTrials([done]), vza.ActiveTrials())


if __name__ == "__main__":
    serve(Vizier)
