"""Nevergrad (NGOpt) as a peer.

Its own means for free checks, a cheap constraint, draws up to 20,000 times a suggestion, which takes half a minute where few
designs are legal. So a suggestion that breaks one is told with a violation of 1 and it is asked again; after some tries a
random legal design is tried. A design that cannot work is told with its violation, and the worst value so far where it has
none.
"""

from apollo_peer import serve

import warnings

import nevergrad

TRIES = 20


class Nevergrad:
    def __init__(self, study):
        warnings.filterwarnings("ignore")
        self.s = study
        space = nevergrad.p.Dict(**{
            p["name"]: nevergrad.p.TransitionChoice(p["values"]) if p["type"] == "ordinal" else nevergrad.p.Choice(p["values"])
            for p in study.space})
        space.random_state.seed(study.seed)
        # NGOpt chooses an algorithm by the budget.
        self.optimizer = nevergrad.optimizers.NGOpt(space, budget=study.budget or 1000)
        self.open = {}
        self.worst = [1.0] * len(study.objectives)

    def suggest(self, n):
        out = []
        for _ in range(n):
            for _ in range(TRIES):
                candidate = self.optimizer.ask()
                params = candidate.value
                if self.s.new(params) and params not in out and self.s.legal(params):
                    break
                self.tell(candidate, None, 1.0)
            else:
                designs = self.s.draw_legal(1)
                if not designs:
                    return out
                params = designs[0]
                candidate = self.optimizer.parametrization.spawn_child(new_value=params)
            self.open[self.s.key(params)] = candidate
            out.append(params)
        return out

    def observe(self, trial):
        candidate = self.open.pop(self.s.key(trial.params), None)
        if candidate is None:
            candidate = self.optimizer.parametrization.spawn_child(new_value=trial.params)
        if trial.values is not None:
            self.worst = [max(a, b) for a, b in zip(self.worst, trial.values)]
        if trial.ok:
            self.tell(candidate, trial.values)
        elif trial.status == "infeasible":
            self.tell(candidate, trial.values, trial.violation or 1.0)

    def tell(self, candidate, values, violation=0.0):
        values = values or self.worst
        self.optimizer.tell(candidate, values if len(values) > 1 else values[0], [violation] if violation else None)


if __name__ == "__main__":
    serve(Nevergrad)
