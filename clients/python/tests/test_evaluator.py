"""What a function returns and raises, as answers."""

import functools
import os
import subprocess
import sys

import apollo
import pytest
from apollo._space import typed


def answer(function, metrics, **design):
    return apollo.evaluator(metrics=metrics)(function).answer({"trial": 1, "design": design}, lambda note: None, {})


class Number:
    """A number as NumPy has them: no JSON, but it has item() and float()."""

    def __init__(self, value):
        self.value = value

    def __float__(self):
        return float(self.value)

    def __repr__(self):
        return f"np.float64({self.value})"

    def item(self):
        return self.value


def test_numbers_of_numpy():
    said = answer(lambda x: apollo.infeasible("power", need=Number(x), have=Number(5)), {"r": ""}, x=9)
    assert said["reason"] == {"code": "power", "message": "power", "need": 9, "have": 5, "unit": ""}
    assert type(said["reason"]["need"]) is float
    space = {"x": [Number(1), Number(2)], "bw": apollo.levels(Number(1.5), unit="GB/s"), "n": apollo.span(Number(1), Number(8), unit="B")}
    x, bw, n = apollo.Study("s", space=space).spec["space"]["parameters"]
    assert x["values"] == [1, 2] and bw["values"] == ["1.5 GB/s"] and (n["min"], n["max"]) == ("1 B", "8 B")


@pytest.mark.parametrize(
    "function",
    [
        lambda x: apollo.infeasible("power", metrics={"r": float("nan")}),
        lambda x: apollo.infeasible("power", need=float("inf"), have=1),
        lambda x: apollo.infeasible("power", object()),
        lambda x: apollo.current().progress(float("nan")) or x,
    ],
)
def test_what_is_no_answer_fails_its_design_alone(tmp_path, function):
    @apollo.evaluator(metrics={"r": ""}, version="1", timeout="1 h")  # a machine with other work is no failure
    def mine(x):
        return function(x) if x == 2 else x

    run = apollo.Study("mine", space={"x": [1, 2, 3]}, minimize="r", evaluator=mine, trials=3, data=str(tmp_path)).run(workers=1)
    failed = [(t.design["x"], t.reason["code"]) for t in run.list_trials() if t.outcome == "failed"]
    assert failed in ([(2, "value_error")], [(2, "type_error")])


def test_a_text_stays_one_whatever_the_function_says():
    def timed(period: float, mode: float = 0.0):
        return {"r": period, "text": float(isinstance(mode, str))}

    assert answer(timed, {"r": ""}, period=2, mode="fast")["metrics"] == {"r": 2.0, "text": 1.0}
    assert typed({"a": 1, "b": True, "c": "1.5"}, {"a", "b", "c"}) == {"a": 1.0, "b": True, "c": "1.5"}
    assert type(typed({"b": True}, {"b"})["b"]) is bool


def test_tuples_have_the_length_of_the_metrics():
    assert answer(lambda x: (x, 2), {"r": "", "c": ""}, x=1)["metrics"] == {"r": 1, "c": 2}
    for values in ((1,), (1, 2, 3)):
        assert f"returned {len(values)} values, want 2: r, c" in answer(lambda x: values, {"r": "", "c": ""}, x=1)["reason"]["message"]


def test_what_is_returned_is_named():
    said = answer(lambda x: {"costs": 1, "r": 2}, {"cost": "", "r": ""}, x=1)["reason"]["message"]
    assert said == 'ValueError: the function returned costs, r; the study wants cost, r; "costs": did you mean "cost"?'
    said = answer(lambda x: {"banana": 1, "r": 2}, {"cost": "", "r": ""}, x=1)["reason"]["message"]
    assert said == "ValueError: the function returned banana, r; the study wants cost, r"


class Array:
    """An array of NumPy 2 with one element."""

    size = 1

    def item(self):
        return 8.0

    def __repr__(self):
        return "array([8.])"


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"r": "fast"}, """metric "r" is 'fast', no number: return a number"""),
        ({"r": "1.5"}, """metric "r" is '1.5', no number: return 1.5, a number without quotes"""),
        ({"r": True}, 'metric "r" is True, no number: return 1 if that is meant'),
        ({"r": None}, 'metric "r" is None, no number: return a number, or say apollo.infeasible(…) where the design has none'),
        ({"r": Array()}, 'metric "r" is array([8.]), no number: it has one element: return x.item() in place of x'),
        ({"r": [8.0]}, 'metric "r" is [8.0], no number: it has one element: return float(x[0]) in place of x'),
        ({1: 2, "r": 1}, "the function returned a dict with the key 1, want the names of metrics"),
        ({"r": [1, 2]}, 'metric "r" is [1, 2], no number: return one number'),
        ({"r": 1, "Note": "2"}, """extra value "Note" is '2', no number: extra values are numbers; leave it out, or keep it in a file"""),
        ({"r": 1, "ok": False}, 'extra value "ok" is False, no number: extra values are numbers'),
    ],
)
def test_what_is_no_number_is_refused(values, says):
    said = answer(lambda x: values, {"r": ""}, x=1)
    assert said["outcome"] == "failed" and said["reason"]["code"] == "type_error" and said["reason"]["message"].startswith("TypeError: " + says)


def test_an_extra_value_that_is_nothing_is_left_out():
    assert answer(lambda x: {"r": 1, "note": None}, {"r": ""}, x=1) == {"metrics": {"r": 1.0}}


def test_misspelt_arguments():
    for name, meant in (("minimise", "minimize"), ("maximise", "maximize"), ("trails", "trials")):
        with pytest.raises(TypeError, match=f"Study has no argument {name}: did you mean {meant}[?]"):
            apollo.Study("s", space={"x": [1, 2]}, **{name: "x"})
    with pytest.raises(TypeError, match="evaluator has no argument timout: did you mean timeout[?]"):
        apollo.evaluator(metrics={"r": ""}, timout="2 s")
    with pytest.raises(TypeError, match="evaluator has no argument banana: it has metrics, name, version"):
        apollo.evaluator(metrics={"r": ""}, banana=1)


def test_a_name_twice():
    assert "two values are called r_s" in answer(lambda x: {"r": 1, "r_s": 99}, {"r": "s"}, x=1)["reason"]["message"]


def make(k, default=0, *, more=0):
    @apollo.evaluator(metrics={"r": ""})
    def f(x, default=default, *, more=more):
        return k * x + default + more

    return f


def test_version_has_the_values_around():
    assert make(1).version == make(1).version
    assert len({make(1).version, make(-1).version, make(1, 2).version, make(1, more=2).version, make(lambda x: x).version}) == 5
    assert make(make(1)).version != make(make(2)).version


def test_version_is_the_same_in_each_process():
    script = f"""
import functools, math, sys
sys.path.insert(0, {os.path.dirname(__file__)!r})
import test_evaluator as t
for k in ({{"a", "b", "c"}}, {{"k": [{{"a", "b", "c"}}]}}, object(), math, t.test_a_name_twice, functools.partial(t.make, 1)):
    print(t.make(k).version)
"""
    said = [
        subprocess.run([sys.executable, "-c", script], env={**os.environ, "PYTHONHASHSEED": seed}, check=True, capture_output=True, text=True).stdout
        for seed in ("1", "2", "3")
    ]
    assert said[0] == said[1] == said[2] and len(set(said[0].split())) == 6


def test_a_function_that_calls_itself_has_a_version():
    def outer():
        def f(x):
            return f(x - 1) if x else 0

        return f

    assert apollo.evaluator(metrics={"r": ""})(outer()).version == apollo.evaluator(metrics={"r": ""})(outer()).version
    assert apollo.evaluator(metrics={"r": ""})(functools.partial(make, 1)).version
