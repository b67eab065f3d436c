"""SMAC as a peer: the hyperparameter optimisation facade (random forest, log EI) over ordinal hyperparameters. smac_peer.py [plain]

SMAC has no predicate for designs, so suggestions that break a free check are told as crashed with the worst cost so far, as
SMAC does with a target that crashes, and it is asked again; after some tries a random legal design is tried and told.

`plain` is the facade with its own settings: it is told the budget, of which its start takes a quarter. A crash keeps the
worst cost: with its own, infinity, its forest cannot be fitted.
"""

import logging
import sys
import tempfile

from apollo_peer import serve

from ConfigSpace import CategoricalHyperparameter, Configuration, ConfigurationSpace, OrdinalHyperparameter
from smac import HyperparameterOptimizationFacade, Scenario
from smac.runhistory.dataclasses import TrialInfo, TrialValue
from smac.runhistory.enumerations import StatusType

TRIES = 50


class SMAC:
    def __init__(self, study, plain=False):
        logging.disable(logging.WARNING)
        if len(study.objectives) > 1:
            raise ValueError("this adapter searches one objective")
        self.s = study
        self.space = ConfigurationSpace(seed=study.seed)
        for p in study.space:
            if p["type"] == "ordinal":
                self.space.add(OrdinalHyperparameter(p["name"], list(range(len(p["values"])))))
            else:
                self.space.add(CategoricalHyperparameter(p["name"], p["values"]))
        trials = study.budget if plain and study.budget else 100_000
        scenario = Scenario(self.space, deterministic=True, n_trials=trials, seed=study.seed, output_directory=tempfile.mkdtemp())
        start = HyperparameterOptimizationFacade.get_initial_design(scenario, n_configs=None if plain else 10)
        self.smac = HyperparameterOptimizationFacade(scenario, lambda config, seed=0: 0.0, initial_design=start, overwrite=True)
        self.worst = 1.0
        self.open = {}

    def params(self, config):
        return {p["name"]: p["values"][config[p["name"]]] if p["type"] == "ordinal" else config[p["name"]] for p in self.s.space}

    def config(self, params):
        return Configuration(self.space, values={
            p["name"]: p["values"].index(params[p["name"]]) if p["type"] == "ordinal" else params[p["name"]] for p in self.s.space})

    def suggest(self, n):
        out = []
        for _ in range(n):
            for _ in range(TRIES):
                info = self.smac.ask()
                params = self.params(info.config)
                if self.s.new(params) and params not in out and self.s.legal(params):
                    break
                self.tell(info, self.worst, StatusType.CRASHED)
            else:
                designs = self.s.draw_legal(1)
                if not designs:
                    return out
                params = designs[0]
                info = TrialInfo(self.config(params), seed=0)
            self.open[self.s.key(params)] = info
            out.append(params)
        return out

    def tell(self, info, cost, status=StatusType.SUCCESS):
        self.smac.tell(info, TrialValue(cost=cost, status=status), save=False)

    def observe(self, trial):
        info = self.open.pop(self.s.key(trial.params), None) or TrialInfo(self.config(trial.params), seed=0)
        if trial.values is not None:
            self.worst = max(self.worst, trial.values[0])
        if trial.ok:
            self.tell(info, trial.values[0])
        else:
            self.tell(info, self.worst, StatusType.CRASHED)


if __name__ == "__main__":
    serve(lambda study: SMAC(study, "plain" in sys.argv[1:]))
