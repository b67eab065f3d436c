"""Optuna (TPE or GP sampler) as a peer: optuna_peer.py tpe|gp

Designs that cannot work are told as the library intends, by constraints_func: the violation, or 1 where it is not known.
Those that break a free check never become trials of the bench: they are told as failed to Optuna, and it is asked again;
after some tries a random legal design is enqueued.
"""

import sys

from apollo_peer import serve

import optuna


class Optuna:
    def __init__(self, study, sampler):
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self.s = study
        self.tries = 200 if sampler == "tpe" else 5  # a suggestion of the GP takes much longer
        make = {"tpe": lambda **k: optuna.samplers.TPESampler(multivariate=True, **k), "gp": lambda **k: optuna.samplers.GPSampler(**k)}
        options = {"seed": study.seed}
        if len(study.objectives) == 1 or sampler == "tpe":
            options["constraints_func"] = lambda t: [t.user_attrs.get("violation", 0.0)]
        self.study = optuna.create_study(sampler=make[sampler](**options), directions=["minimize"] * len(study.objectives))
        # Ordinal parameters are integers that count levels; Optuna has no lattice of its own.
        self.distributions = {
            p["name"]: optuna.distributions.IntDistribution(0, len(p["values"]) - 1) if p["type"] == "ordinal"
            else optuna.distributions.CategoricalDistribution(p["values"]) for p in study.space}
        self.open = {}
        self.worst = None

    def params(self, trial):
        return {p["name"]: p["values"][trial.params[p["name"]]] if p["type"] == "ordinal" else trial.params[p["name"]] for p in self.s.space}

    def levels(self, params):
        return {p["name"]: p["values"].index(params[p["name"]]) if p["type"] == "ordinal" else params[p["name"]] for p in self.s.space}

    def suggest(self, n):
        out = []
        for _ in range(n):
            for _ in range(self.tries):
                trial = self.study.ask(self.distributions)
                params = self.params(trial)
                if self.s.new(params) and params not in out and self.s.legal(params):
                    break
                self.study.tell(trial, state=optuna.trial.TrialState.FAIL)
            else:
                designs = self.s.draw_legal(1)
                if not designs:
                    return out
                self.study.enqueue_trial(self.levels(designs[0]))
                trial = self.study.ask(self.distributions)
                params = self.params(trial)
            self.open[self.s.key(params)] = trial
            out.append(params)
        return out

    def observe(self, trial):
        if trial.values is not None:
            self.worst = trial.values if self.worst is None else [max(a, b) for a, b in zip(self.worst, trial.values)]
        open_trial = self.open.pop(self.s.key(trial.params), None)
        if trial.status == "failed":
            if open_trial is not None:
                self.study.tell(open_trial, state=optuna.trial.TrialState.FAIL)
            return
        violation = 0.0 if trial.ok else trial.violation or 1.0
        values = trial.values or self.worst or [1.0] * len(self.s.objectives)
        if open_trial is None:
            self.study.add_trial(optuna.trial.create_trial(
                params=self.levels(trial.params), distributions=self.distributions, values=values,
                user_attrs={"violation": violation}, system_attrs={"constraints": [violation]}))
            return
        open_trial.set_user_attr("violation", violation)
        self.study.tell(open_trial, values)


if __name__ == "__main__":
    serve(lambda study: Optuna(study, sys.argv[1]))
