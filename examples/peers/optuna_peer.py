"""Optuna as a peer: optuna_peer.py tpe|gp|cmaes [plain]

Designs that cannot work are told as the library intends, as a constraint: the violation, or 1 where it is not known. It is
one constraint for all causes, because the GP sampler needs the same ones in every trial and causes are not known
beforehand. There is none until a design was infeasible: the samplers would model it. Those that break a free check never
become trials of the bench: they are told as failed to Optuna, and it is asked again; after some tries a random legal design
is enqueued.

`plain` is what a user gets who writes an objective and nothing else: the sampler's own settings, and every design that
cannot work is a pruned trial, as Optuna's documentation advises for parameters that do not fit together. A design that was
tried before gets its value again.
"""

import sys

from apollo_peer import serve

import optuna

# A violation is what a design needs over what there is, less 1, so that a feasible one lies between -1 and 0.
FEASIBLE = -0.5

# What a sampler gets beside the seed when it is not plain. CMA-ES has no constraints, and needs numbers: categories are
# drawn by themselves.
SAMPLERS = {
    "tpe": (optuna.samplers.TPESampler, {"multivariate": True}),
    "gp": (optuna.samplers.GPSampler, {}),
    "cmaes": (optuna.samplers.CmaEsSampler, {"with_margin": True}),
}


class Optuna:
    def __init__(self, study, sampler, plain=False):
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self.s, self.plain = study, plain
        self.tries = 5 if sampler == "gp" else 200  # a suggestion of the GP takes much longer
        make, options = SAMPLERS[sampler]
        self.sampler = make(seed=study.seed, **({} if plain else options))
        self.study = self.new_study()
        self.constrained = False
        self.done = []
        self.known = {}
        # Ordinal parameters are integers that count levels; Optuna has no lattice of its own.
        self.distributions = {
            p["name"]: optuna.distributions.IntDistribution(0, len(p["values"]) - 1) if p["type"] == "ordinal"
            else optuna.distributions.CategoricalDistribution(p["values"]) for p in study.space}
        self.open = {}
        self.worst = None

    def new_study(self):
        return optuna.create_study(sampler=self.sampler, directions=["minimize"] * len(self.s.objectives))

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
                self.refuse(trial, params)
            else:
                designs = self.s.draw_legal(1)
                if not designs:
                    return out
                self.study.enqueue_trial(self.levels(designs[0]))
                trial = self.study.ask(self.distributions)
                params = self.params(trial)
            self.open[self.s.key(params)] = self.study, trial
            out.append(params)
        return out

    def refuse(self, trial, params):
        """Tells a suggestion that becomes no trial of the bench."""
        if not self.plain:
            self.study.tell(trial, state=optuna.trial.TrialState.FAIL)
        elif (known := self.known.get(self.s.key(params))) is not None:
            self.study.tell(trial, known)
        else:
            self.study.tell(trial, state=optuna.trial.TrialState.PRUNED)

    def observe_plain(self, trial):
        if trial.ok:
            self.known[self.s.key(trial.params)] = trial.values
        _, open_trial = self.open.pop(self.s.key(trial.params), (None, None))
        if open_trial is None:
            return
        if trial.ok:
            self.study.tell(open_trial, trial.values)
        else:
            self.study.tell(open_trial, state=optuna.trial.TrialState.FAIL if trial.status == "failed" else optuna.trial.TrialState.PRUNED)

    def observe(self, trial):
        if self.plain:
            self.observe_plain(trial)
            return
        if trial.values is not None:
            self.worst = trial.values if self.worst is None else [max(a, b) for a, b in zip(self.worst, trial.values)]
        study, open_trial = self.open.pop(self.s.key(trial.params), (None, None))
        if trial.status == "failed":
            if study is self.study:
                self.study.tell(open_trial, state=optuna.trial.TrialState.FAIL)
            return
        constraint = FEASIBLE if trial.ok else trial.violation or 1.0
        values = trial.values or self.worst or [1.0] * len(self.s.objectives)
        self.done.append((self.levels(trial.params), values, constraint))
        if not trial.ok and not self.constrained:
            # The trials so far get their constraint by being added anew.
            self.constrained, self.study = True, self.new_study()
            for done in self.done:
                self.add(*done)
        elif study is self.study:
            if self.constrained:
                open_trial.set_constraint("violation", constraint)
            self.study.tell(open_trial, values)
        else:
            self.add(*self.done[-1])

    def add(self, levels, values, constraint):
        self.study.add_trial(optuna.trial.create_trial(
            params=levels, distributions=self.distributions, values=values,
            constraints={"violation": constraint} if self.constrained else None))


if __name__ == "__main__":
    serve(lambda study: Optuna(study, sys.argv[1], "plain" in sys.argv[2:]))
