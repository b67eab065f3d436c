"""Ax as a peer: its Client with the default generation strategy over ordered choices of levels.

Ax knows linear constraints between parameters only, so a suggestion that breaks a free check is marked as abandoned, the
library's word for a trial that cannot run, and Ax is asked again; after some tries a random legal design is attached. A
design that cannot work is marked as failed.
"""

import logging
import warnings

from apollo_peer import serve

from ax.api.client import Client
from ax.api.configs import ChoiceParameterConfig

TRIES = 10


class Ax:
    def __init__(self, study):
        warnings.filterwarnings("ignore")
        logging.disable(logging.WARNING)
        self.s = study
        self.client = Client(random_seed=study.seed)
        self.client.configure_experiment(name="bench", parameters=[
            ChoiceParameterConfig(name=p["name"], values=list(range(len(p["values"]))), parameter_type="int", is_ordered=p["type"] == "ordinal")
            for p in study.space])
        self.client.configure_optimization(objective=", ".join(f"-m{i}" for i in range(len(study.objectives))))
        self.open = {}

    def params(self, levels):
        return {p["name"]: p["values"][int(levels[p["name"]])] for p in self.s.space}

    def levels(self, params):
        return {p["name"]: p["values"].index(params[p["name"]]) for p in self.s.space}

    def suggest(self, n):
        out = []
        for _ in range(n):
            chosen = None
            for _ in range(TRIES):
                for index, levels in self.client.get_next_trials(max_trials=1).items():
                    params = self.params(levels)
                    if self.s.new(params) and params not in out and self.s.legal(params):
                        chosen = index, params
                    else:
                        self.client.mark_trial_abandoned(index)
                if chosen:
                    break
            if chosen is None:
                designs = self.s.draw_legal(1)
                if not designs:
                    return out
                chosen = self.client.attach_trial(parameters=self.levels(designs[0])), designs[0]
            self.open[self.s.key(chosen[1])] = chosen[0]
            out.append(chosen[1])
        return out

    def observe(self, trial):
        index = self.open.pop(self.s.key(trial.params), None)
        if index is None:
            index = self.client.attach_trial(parameters=self.levels(trial.params))
        if trial.ok:
            self.client.complete_trial(trial_index=index, raw_data={f"m{i}": v for i, v in enumerate(trial.values)})
        else:
            self.client.mark_trial_failed(index)


if __name__ == "__main__":
    serve(Ax)
