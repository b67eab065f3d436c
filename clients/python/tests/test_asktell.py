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
        assert loop.best.design == {"x": 0, "mode": "a"} and loop.best.metrics == {"cost_s": 0} and loop.best.origin
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


def test_no_answer_while_a_design_waits():
    with apollo.AskTell("early", space={"x": [1, 2, 3]}, metrics={"cost": ""}, minimize="cost", trials=3) as loop:
        loop.ask().tell(1)
        with pytest.raises(RuntimeError, match="trial 1 waits for its answer: tell it"):
            _ = loop.best
        for asked in loop:
            asked.tell(0.5)
        assert loop.best.metrics == {"cost": 0.5}


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


@pytest.fixture
def optuna():
    optuna = pytest.importorskip("optuna")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna


def test_enqueued_trials_teach_nothing_false(optuna):
    from apollo.optuna import ApolloSampler

    d = optuna.distributions.IntDistribution(1, 8)
    sampler = ApolloSampler({"x": d, "y": d}, trials=3)
    study = optuna.create_study(sampler=sampler)
    for x in (8, 7):
        study.enqueue_trial({"x": x})
    study.optimize(lambda t: (t.suggest_int("x", 1, 8) - 8) ** 2 + t.suggest_int("y", 1, 8), n_trials=6)
    assert sampler._loop.ask(timeout=60) is None
    told = sampler._loop.run.list_trials()
    sampler.close()
    assert [t.outcome for t in told] == ["measured"] * 3
    assert all(t.metrics["value"] == (t.design["x"] - 8) ** 2 + t.design["y"] for t in told)


def test_a_study_that_broke_is_not_sampled_at_random(optuna):
    from apollo.optuna import ApolloSampler

    def broken(t):
        t.suggest_int("x", 1, 64)
        raise ValueError("the licence server is away")

    sampler = ApolloSampler({"x": optuna.distributions.IntDistribution(1, 64)}, trials=60)
    study = optuna.create_study(sampler=sampler)
    with pytest.raises(apollo.ApolloError, match="paused"):
        study.optimize(broken, n_trials=61, catch=(ValueError,))
    sampler.close()


def test_other_distributions_are_failures(optuna):
    from apollo.optuna import ApolloSampler

    sampler = ApolloSampler({"x": optuna.distributions.IntDistribution(5, 8)}, trials=1)
    study = optuna.create_study(sampler=sampler)
    study.optimize(lambda t: t.suggest_int("x", 1, 4), n_trials=1)
    assert sampler._loop.ask(timeout=60) is None
    (told,) = sampler._loop.run.list_trials()
    sampler.close()
    assert told.outcome == "failed" and "took other values" in told.reason["message"]


def test_a_study_is_asked_and_told(tmp_path):
    study = apollo.Study(
        "hand", space={"x": [1, 2, 3, 4], "mode": ["a", "b"]}, metrics={"cost": "mm2"}, minimize="cost", trials=4, parallelism=2, data=str(tmp_path)
    )
    first = study.ask(2)
    assert [t.number for t in first] == [0, 1] and study.ask(2) == first
    study.tell(first[1], {"cost": 3.0})
    study.tell(first[0], infeasible="hot", message="it melts")
    for _ in range(2):
        (asked,) = study.ask()
        study.tell(asked, asked.design["x"])
    assert study.ask() == []
    run = study.so_far
    assert run.state == "completed" and [t.outcome for t in run.list_trials()] == ["infeasible", "measured", "measured", "measured"]
    with pytest.raises(apollo.ApolloError, match="was told already"):
        study.tell(1, 9.0)
    with pytest.raises(ValueError, match="tell metrics, or infeasible"):
        study.tell(1)
    untried = next(d for d in ({"x": x, "mode": m} for x in (1, 2, 3, 4) for m in "ab") if d not in [t.design for t in run.list_trials()])
    assert study.add(untried, {"cost": 0.5}, origin="lab") == [4]
    assert study.ask() == [] and study.so_far.best.number == 4
    assert study.retry([4]) == [5] and [t.number for t in study.ask()] == [5]
    study.tell(5, 8.0)
    assert study.so_far.best.number == 2 and study.so_far.list_trials()[4].outcome == "voided"
    with pytest.raises(apollo.ApolloError, match="no level 9"):
        study.add([{"x": 9, "mode": "a"}])


def test_how_far_a_design_is_from_working_is_told(tmp_path):
    study = apollo.Study("far", space={"x": [1, 2]}, metrics={"cost": ""}, minimize="cost", trials=2, data=str(tmp_path))
    (first,) = study.ask()
    with pytest.raises(ValueError, match="need and have belong to infeasible"):
        study.tell(first, 1.0, need=2)
    study.tell(first, infeasible="hot", need=90, have=85, unit="W")
    assert study.so_far.list_trials()[0].reason == {"code": "hot", "message": "hot", "need": 90, "have": 85, "unit": "W"}


def test_the_best_of_a_closed_loop():
    with apollo.AskTell("closed", space={"x": [1, 2, 3]}, metrics={"cost": ""}, minimize="cost", trials=3) as loop:
        for asked in loop:
            asked.tell(asked.design["x"])
    assert loop.best.design == {"x": 1} and loop.best.origin


def test_what_a_program_measures_is_not_asked(tmp_path):
    with pytest.raises(apollo.ApolloError, match="nobody is asked by hand"):
        apollo.Study("edge", space="edge", networks=["mobilenet_v2"], minimize="latency", trials=3, data=str(tmp_path)).ask()
