"""A sampler for Optuna that asks Apollo. It needs optuna."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Optional

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from ._asktell import Asked, AskTell
from ._space import Parameter, Value, levels

LEVELS = 64  # of a float without a step


class ApolloSampler(optuna.samplers.BaseSampler):
    """Apollo's strategies for a study of Optuna with one objective.

    ``search_space`` are the distributions, as Optuna names them, because Apollo wants the whole space before the first
    trial; parameters outside of it are sampled at random. A float without a step has 64 levels. Trials are asked one after the other.

    >>> study = optuna.create_study(sampler=ApolloSampler({"x": IntDistribution(1, 8)}))
    """

    def __init__(self, search_space: Mapping[str, BaseDistribution], *, trials: int = 1000, seed: int = 1, algorithm: str = "default") -> None:
        self.search_space = dict(search_space)
        self._settings: dict[str, Any] = {"trials": trials, "seed": seed, "algorithm": algorithm}
        self._loop: Optional[AskTell] = None
        self._asked: dict[int, Asked] = {}
        self._skipped: list[Asked] = []  # waits for the next trial
        self._rest = optuna.samplers.RandomSampler(seed=seed)
        self._choices = {n: list(d.choices) for n, d in self.search_space.items() if isinstance(d, CategoricalDistribution)}

    def infer_relative_search_space(self, study: optuna.Study, trial: optuna.trial.FrozenTrial) -> dict[str, BaseDistribution]:
        """The distributions that Apollo searches."""
        return self.search_space

    def sample_relative(self, study: optuna.Study, trial: optuna.trial.FrozenTrial, search_space: dict[str, BaseDistribution]) -> dict[str, Any]:
        """The next design of Apollo; nothing when its study is completed, ApolloError when it ended in another way."""
        if self._loop is None:
            goal = "maximize" if study.direction == optuna.study.StudyDirection.MAXIMIZE else "minimize"
            space = {name: parameter(d) for name, d in self.search_space.items()}
            wanted: dict[str, Any] = {goal: "value", **self._settings}
            self._loop = AskTell("optuna", space=space, metrics={"value": ""}, **wanted)
        asked = self._skipped.pop() if self._skipped else self._loop.ask()
        if asked is None:
            _ = self._loop.run  # raises unless the study is completed
            return {}
        self._asked[trial.number] = asked
        return self._design(asked)

    def _design(self, asked: Asked) -> dict[str, Any]:
        return {name: self._value(name, v) for name, v in asked.design.items()}

    def _value(self, name: str, value: Value) -> Any:
        if name in self._choices:
            return self._choices[name][int(str(value).removeprefix("c"))]
        return int(value) if isinstance(self.search_space[name], IntDistribution) else value

    def sample_independent(
        self, study: optuna.Study, trial: optuna.trial.FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """A value of a parameter that Apollo does not know."""
        return self._rest.sample_independent(study, trial, param_name, param_distribution)

    def after_trial(
        self, study: optuna.Study, trial: optuna.trial.FrozenTrial, state: optuna.trial.TrialState, values: Optional[Sequence[float]]
    ) -> None:
        """Tell Apollo, if the trial had the values that it asked for."""
        asked = self._asked.pop(trial.number, None)
        if asked is None:
            return
        if any(trial.params.get(name, value) != value for name, value in self._design(asked).items()):
            if "fixed_params" in trial.system_attrs:  # enqueued: the next trial takes the design
                self._skipped.append(asked)
            else:
                asked.fail("the objective took other values: its distributions are not those of search_space")
        elif state == optuna.trial.TrialState.COMPLETE and values:
            asked.tell(float(values[0]))
        elif state == optuna.trial.TrialState.PRUNED:
            asked.infeasible("pruned")
        else:
            asked.fail(state.name.lower())

    def close(self) -> None:
        """End Apollo."""
        if self._loop is not None:
            self._loop.close()
            self._loop = None
            self._skipped.clear()


def parameter(d: BaseDistribution) -> Parameter:
    """The levels of a distribution; categories are named by their places."""
    if isinstance(d, CategoricalDistribution):
        return levels(*(f"c{i}" for i in range(len(d.choices))))
    if isinstance(d, IntDistribution):
        values = range(d.low, d.high + 1, d.step)
        if d.log and len(values) > LEVELS:
            return levels(*sorted({round(d.low * (d.high / d.low) ** (i / (LEVELS - 1))) for i in range(LEVELS)}))
        return levels(*values)
    if not isinstance(d, FloatDistribution):
        raise TypeError(f"{type(d).__name__} has no levels in Apollo")
    if d.step:
        return levels(*(d.low + i * d.step for i in range(round((d.high - d.low) / d.step) + 1)))
    if d.log:
        return levels(*(d.low * (d.high / d.low) ** (i / (LEVELS - 1)) for i in range(LEVELS)))
    return levels(*(d.low + (d.high - d.low) * i / (LEVELS - 1) for i in range(LEVELS)))
