"""The caller's own loop, and Optuna's."""

import apollo
import pytest


def test_loop(tmp_path):
    with apollo.AskTell("loop", space={"x": list(range(10)), "mode": ["a", "b"]}, metrics={"cost": "s"}, minimize="cost", trials=20) as loop:
        numbers = []
        for asked in loop:
            numbers.append(asked.number)
            if asked.design["x"] == 9:
                asked.infeasible("nine", need=9, have=8)
            else:
                asked.tell({"cost": asked.design["x"] + (asked.design["mode"] == "b")})
        assert len(numbers) == 20
        assert loop.best.design == {"x": 0, "mode": "a"} and loop.best.metrics == {"cost_s": 0}
        with pytest.raises(RuntimeError, match="has its answer"):
            asked.tell(1.0)


def test_parallel_designs_wait_together():
    with apollo.AskTell("wide", space={"x": list(range(50))}, metrics={"cost": ""}, minimize="cost", trials=8, parallel=4) as loop:
        first = [loop.ask(timeout=30) for _ in range(4)]
        assert len({a.design["x"] for a in first}) == 4
        for a in reversed(first):
            a.tell(a.design["x"])
        for a in loop:
            a.tell(a.design["x"])
        assert len(loop.run.list_trials()) == 8


def test_loop_goes_on(tmp_path):
    def loop():
        return apollo.AskTell("again", space={"x": list(range(50))}, metrics={"cost": ""}, minimize="cost", trials=10, data=str(tmp_path))

    with loop() as first:
        for asked in first:
            asked.tell(asked.design["x"])
            if asked.number == 4:
                break
    with loop() as second:
        numbers = []
        for asked in second:
            numbers.append(asked.number)
            asked.tell(asked.design["x"])
        assert numbers[0] <= 5 and numbers[-1] == 9 and len(second.run.list_trials()) == 10


def test_mistakes_are_seen_at_once():
    with pytest.raises(apollo.StudyError):
        apollo.AskTell("bad", space={"x": []}, metrics={"cost": ""}, minimize="cost")


def test_optuna():
    optuna = pytest.importorskip("optuna")
    from apollo.optuna import ApolloSampler

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    d = optuna.distributions
    sampler = ApolloSampler(
        {"x": d.IntDistribution(1, 9), "y": d.FloatDistribution(0.0, 1.0, step=0.25), "z": d.CategoricalDistribution(["a", None])}, trials=40
    )

    def objective(trial):
        x, y, z = trial.suggest_int("x", 1, 9), trial.suggest_float("y", 0, 1, step=0.25), trial.suggest_categorical("z", ["a", None])
        if x == 9:
            raise optuna.TrialPruned
        return (x - 3) ** 2 + y + (z == "a")

    study = optuna.create_study(sampler=sampler)
    study.optimize(objective, n_trials=40)
    sampler.close()
    assert study.best_value == 0 and study.best_params == {"x": 3, "y": 0.0, "z": None}
