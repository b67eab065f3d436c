"""Studies of functions, against the real binary."""

import enum
import os
import random
import re
import resource
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import apollo
import pytest
from apollo import _failures, _serve

SPACE = {"rows": [4, 8, 16], "cols": [4, 8, 16]}


@apollo.evaluator(metrics={"runtime": "s", "cost": "mm2"}, timeout="20 s")
def mine(rows: int, cols: int):
    """A small array."""
    if (rows, cols) == (4, 16):
        apollo.infeasible("shape", "too wide", need=16, have=4)
    return {"runtime": 1e-3 / (rows * cols) + 1e-6 * rows, "cost": rows * cols * 0.01}


def study(tmp_path: Path, evaluator=mine, **more) -> apollo.Study:
    more = {"subject_to": {"cost": "<= 1 mm2"}, "trials": 9, "minimize": "runtime", "data": str(tmp_path / "data"), **more}
    return apollo.Study("mine", space=SPACE, evaluator=evaluator, **more)


def test_run(tmp_path):
    run = study(tmp_path).run(workers=2)
    assert run.state == "completed"
    assert run.best.design == {"rows": 8, "cols": 8}
    assert run.best.metrics == {"runtime_s": pytest.approx(1e-3 / 64 + 8e-6), "cost_mm2": 0.64}
    trials = run.list_trials()
    assert len(trials) == 9
    (refused,) = [t for t in trials if t.outcome == "infeasible"]
    assert refused.reason == {"code": "shape", "need": 16, "have": 4, "message": "too wide"}
    assert "trial" in repr(run) and "<table>" in run._repr_html_()


def test_the_front_is_what_no_trial_dominates(tmp_path):
    run = study(tmp_path, minimize=["runtime", "cost"]).run(workers=2)
    feasible = {t.number: (t.metrics["runtime_s"], t.metrics["cost_mm2"]) for t in run.list_trials() if t.feasible}
    dominated = {n for n, p in feasible.items() if any(q != p and all(a <= b for a, b in zip(q, p)) for q in feasible.values())}
    front = run.front()
    assert dominated and all(t.outcome == "measured" for t in front)
    assert [t.number for t in front] == sorted(t["trial"] for t in run.show()["front"])
    assert {t.metrics["runtime_s"] for t in front} == {feasible[n][0] for n in feasible.keys() - dominated}


def test_the_front_of_one_objective_is_the_best(tmp_path):
    run = study(tmp_path).run(workers=2)
    assert [t.design for t in run.front()] == [run.best.design]
    assert study(tmp_path, subject_to={"cost": "<= 0.001 mm2"}).run(fresh=True).front() == []


def test_a_run_shows_its_own_trials_after_a_later_one(tmp_path):
    first = study(tmp_path).run()
    shown, tried, front = first.show()["run"], len(first.list_trials()), first.front()
    later = study(tmp_path, subject_to={"cost": "<= 0.001 mm2"}).run(fresh=True)
    assert later.show()["run"] != shown and later.front() == []
    assert first.show()["run"] == shown and first.front() == front and len(first.trials()) == tried


ANSWER = {
    "state": "completed",
    "best": {"trial": 3, "design": {"x": 1, "k": "a"}, "metrics": {"r_s": 0.5}},
    "log": "data/trials/current/study=mine/run=0badcafe",
}


def test_the_best_is_of_the_run_that_answered(monkeypatch):
    asked = []

    def latest(*args):
        asked.append(args)
        return {"trial": 3, "design": {"x": 2, "k": "b"}, "metrics": {"r_s": 9.0}, "outcome": "failed", "feasible": False, "origin": "gp"}

    monkeypatch.setattr("apollo._run.call_json", latest)
    run = apollo.Run("mine", ["--data", "data"], ANSWER, frozenset({"x"}))
    best = run.best
    assert (best.number, best.design, best.metrics) == (3, {"x": 1.0, "k": "a"}, {"r_s": 0.5}) and type(best.design["x"]) is float
    assert best.origin == "gp" and run.best is best
    assert asked == [("trial", "show", "mine", "3", "--run", "0badcafe", "--data", "data")]


def test_the_best_needs_no_data_folder(tmp_path):
    run = apollo.Run("mine", ["--data", str(tmp_path / "gone")], ANSWER)
    assert str(run.best) == "trial 3: x=1, k=a: r_s=0.5" and run.best.feasible and run.best.origin == ""


def test_a_metric_by_another_name(tmp_path):
    run = study(tmp_path).run(workers=2)
    for t in (run.best, run.list_trials()[run.best.number]):
        with pytest.raises(KeyError, match="there is no runtime: want .*runtime_s.*: the unit of a metric ends its name"):
            t.metrics["runtime"]
        assert t.metrics.get("runtime") is None and "runtime" not in t.metrics
    (refused,) = [t for t in run.list_trials() if t.outcome == "infeasible"]
    with pytest.raises(KeyError, match="there is no runtime_s: the trial has no metrics"):
        refused.metrics["runtime_s"]


def test_frame_has_units(tmp_path):
    pytest.importorskip("pandas")
    frame = study(tmp_path).run().trials()
    assert list(frame["trial"]) == list(range(9))
    assert {"rows", "cols", "runtime_s", "cost_mm2", "feasible"} <= set(frame.columns)
    assert frame.attrs["units"]["runtime_s"] == "s" and frame.attrs["units"]["cost_mm2"] == "mm2"


def test_frame_keeps_names_apart(tmp_path):
    pytest.importorskip("pandas")

    @apollo.evaluator(metrics={"trial": "", "outcome": "s"})
    def named(seconds, feasible):
        return {"trial": seconds * 10, "outcome": feasible}

    space = {"seconds": apollo.levels(1, 2, unit="s"), "feasible": [5]}
    frame = apollo.Study("named", space=space, minimize="trial", evaluator=named, trials=2, data=str(tmp_path)).run(workers=1).trials()
    assert list(frame["trial"]) == [0, 1] and sorted(frame["m_trial"]) == [10, 20]
    assert sorted(frame["p_seconds"]) == [1, 2] and set(frame["p_feasible"]) == {5} and set(frame["feasible"]) == {True}
    assert frame.attrs["units"] == {"p_seconds": "s", "outcome_s": "s", "seconds": "s"}


def test_environment_and_memory(tmp_path, monkeypatch):
    monkeypatch.setenv("MY_LONG", "x" * 20000)  # more than one message of the socket

    @apollo.evaluator(metrics={"flag": "", "slot": "", "limit": ""}, env={"MY_FLAG": "7"})
    def asked(rows: int, cols: int):
        return int(os.environ["MY_FLAG"]), int(os.environ["APOLLO_SLOT"]), resource.getrlimit(resource.RLIMIT_DATA)[0]

    run = study(tmp_path, asked, minimize="flag", subject_to=None, trials=2, more={"evaluator": {"memory": "2 GiB"}}).run(workers=1)
    assert run.best.metrics["flag"] == 7 and run.best.metrics["slot"] == 0
    if sys.platform == "linux":
        assert run.best.metrics["limit"] == 2 << 30


def test_again_answers_without_measuring(tmp_path):
    first = study(tmp_path).run()

    @apollo.evaluator(metrics=mine.metrics, name="mine", version=mine.version)
    def never(rows: int, cols: int):
        raise AssertionError("measured again")

    assert study(tmp_path, never, more={"evaluator": {"timeout": "20 s"}}).run().best == first.best


def test_an_edited_function_warns(tmp_path):
    study(tmp_path).run()

    @apollo.evaluator(metrics=mine.metrics, name="mine", timeout="20 s")
    def edited(rows: int, cols: int):
        return {"runtime": 1.0, "cost": 0.5}

    with pytest.warns(UserWarning, match="fresh=True"):
        study(tmp_path, edited).run()
    assert study(tmp_path, edited).run(fresh=True).best.metrics["runtime_s"] == 1.0


def test_failures_cost_their_design_alone(tmp_path, capfd):
    @apollo.evaluator(metrics={"runtime": "s", "cost": "mm2"}, timeout="2 s", attempts=2)
    def bad(rows: int, cols: int):
        if rows == 4 and cols == 4:
            raise ValueError("no such array")
        if rows == 8 and cols == 8:
            os._exit(3)
        if rows == 8 and cols == 16:
            os.kill(os.getpid(), signal.SIGKILL)
        if rows == 16 and cols == 16:
            time.sleep(3600)
        if rows == 4:
            return {"runtime": float("nan"), "cost": 1}
        return {"runtime": 1.0, "cost": 0.5}

    run = study(tmp_path, bad, minimize="runtime").run(workers=3)
    outcome = {(t.design["rows"], t.design["cols"]): t for t in run.list_trials()}
    assert len(outcome) == 9
    assert outcome[4, 4].reason["code"] == "value_error" and "no such array" in outcome[4, 4].reason["message"]
    assert outcome[4, 4].more["attempts"] == 1  # deterministic: once is enough
    assert outcome[8, 8].reason["code"] == "child_died" and outcome[8, 8].more["attempts"] == 2
    assert outcome[16, 16].reason["code"] == "timeout"
    assert outcome[4, 8].outcome == "failed" and 'metric "runtime" is nan' in outcome[4, 8].reason["message"]
    assert outcome[16, 4].outcome == "measured"
    said = capfd.readouterr().err
    line = {(t.design["rows"], t.design["cols"]): _line(said, t) for t in outcome.values() if t.outcome == "failed"}
    assert len(line) == 6 and said.count(" failed") == 6
    assert "ValueError: no such array (test_study.py:" in line[4, 4]
    assert "exit status 3" in line[8, 8] and "after 2 attempts" in line[8, 8]
    assert "killed" in line[8, 16] and "raise timeout=" in line[16, 16]
    assert said.count("Traceback") == 1 and "in bad" in said and "_evaluator.py" not in said


def _line(said: str, t: apollo.Trial) -> str:
    (line,) = [x for x in said.splitlines() if x.startswith(f"apollo: trial {t.number} (rows={t.design['rows']}, cols={t.design['cols']}) failed")]
    return line


def test_a_run_without_a_measured_trial_warns(tmp_path, capfd):
    @apollo.evaluator(metrics={"runtime": "s", "cost": "mm2"})
    def bad(rows: int, cols: int):
        return {}[f"array {rows * 0}"]

    with pytest.warns(UserWarning, match="none of its 3 trials was measured.*KeyError: 'array 0'"):
        assert study(tmp_path, bad, trials=3).run(workers=2).best is None
    assert capfd.readouterr().err.count("Traceback") == 1


def test_sys_exit_fails_its_design_alone(tmp_path, capfd):
    @apollo.evaluator(metrics={"runtime": "s", "cost": "mm2"})
    def exits(rows: int, cols: int):
        if rows == 4:
            sys.exit("bad licence")
        return 1.0, 0.5

    failed = [t for t in study(tmp_path, exits).run(workers=2).list_trials() if t.outcome == "failed"]
    assert len(failed) == 3 and all(t.reason["code"] == "system_exit" and t.more["attempts"] == 1 for t in failed)
    assert "SystemExit: bad licence (test_study.py:" in failed[0].reason["message"]
    assert capfd.readouterr().err.count("failed: SystemExit: bad licence") == 3


def test_a_study_that_pauses_itself_says_why_once(tmp_path, capfd):
    @apollo.evaluator(metrics={"runtime": "s"})
    def bad(x: int):
        raise ValueError("always")

    failing = apollo.Study("bad", space={"x": list(range(50))}, minimize="runtime", evaluator=bad, trials=50, data=str(tmp_path / "data"))
    with pytest.raises(apollo.ApolloError) as caught:
        failing.run(workers=2)
    said = str(caught.value)
    assert "trials in a row failed; the last one: ValueError: always" in said and "attempt failed" not in said
    assert "call run() again" in said and "call run(fresh=True)" in said and "--fresh" not in said
    assert capfd.readouterr().err.count("failed: ValueError: always") >= 20


def test_why_a_study_ended(tmp_path):
    @apollo.evaluator(metrics={"r": ""}, version="1")
    def some(x: int):
        if x == 1:
            raise ValueError("always")
        if x == 2:
            apollo.infeasible("shape")
        return x

    for trials, why in ((2, "budget"), (30, "exhausted")):
        run = apollo.Study(why, space={"x": [1, 2, 3]}, minimize="r", evaluator=some, trials=trials, data=str(tmp_path)).run(workers=1)
        assert run.state == "completed" and run.answer["reason"] == why
    shown = run.show()
    assert shown["infeasible_reasons"] == [{"code": "shape", "trials": 1}] and shown["failure_reasons"] == [{"code": "value_error", "trials": 1}]


def test_retry(tmp_path):
    flag = tmp_path / "flag"

    @apollo.evaluator(metrics={"runtime": "s", "cost": "mm2"})
    def flaky(rows: int, cols: int):
        if not flag.exists():
            flag.touch()
            raise apollo.Retry("the licence server is away")
        return 1.0, 0.5

    run = study(tmp_path, flaky, trials=1).run()
    assert run.list_trials()[0].outcome == "measured" and run.list_trials()[0].more["attempts"] == 2


def test_helpers_get_no_questions_and_prints_no_answers(tmp_path, capfd):
    @apollo.evaluator(metrics={"runtime": "s", "cost": "mm2"}, timeout="20 s")
    def helped(rows: int, cols: int):
        print("in python")
        subprocess.run(["sh", "-c", "echo in a shell; cat"], check=True)
        return 1.0, 0.5

    assert study(tmp_path, helped, trials=2).run(workers=1).best is not None
    said = capfd.readouterr().err
    assert said.count("in python") == 2 and said.count("in a shell") == 2


def test_question(tmp_path):
    @apollo.evaluator(metrics={"layers": "", "macs": ""}, timeout="20 s")
    def count(rows: int, cols: int):
        q = apollo.current()
        assert q.seed == 7 and q.attempt == 1 and q.timeout_s == 20
        q.progress(0.5, "half")
        Path(q.scratch, "note.txt").write_text("kept")
        q.artifact("note.txt")
        (network,) = q.networks
        return {"layers": len(network["workload"]["layers"]), "macs": 1}

    s = apollo.Study(
        "mine", space=SPACE, evaluator=count, minimize="layers", networks=["mobilenet_v2"], trials=3, seed=7, data=str(tmp_path / "data")
    )
    run = s.run(workers=1)
    assert run.best.metrics["layers"] > 50
    notes = list((tmp_path / "data" / "artifacts").rglob("note.txt"))
    assert len(notes) == 3 and notes[0].read_text() == "kept"


def test_check_saves_evaluations(tmp_path):
    done = tmp_path / "done"

    def cheap(rows: int, cols: int):
        return {"cost": rows * cols * 0.01}

    @apollo.evaluator(metrics={"runtime": "s", "cost": "mm2"}, check=cheap)
    def slow(rows: int, cols: int):
        with done.open("a") as f:
            f.write(f"{rows * cols}\n")
        return {"runtime": 1.0, **cheap(rows, cols)}

    run = study(tmp_path, slow).run(workers=1)
    assert max(int(n) for n in done.read_text().split()) <= 100
    assert sum(t.outcome == "infeasible" and t.reason["code"] == "limit" for t in run.list_trials()) == 3


def test_mistakes_have_carets(tmp_path):
    with pytest.raises(apollo.StudyError) as caught:
        study(tmp_path, subject_to={"cost": "<= 1 mm"}, minimize="runtimes").lint()
    assert len(caught.value.mistakes) == 2
    assert "Did you mean" in str(caught.value) and "^^^" in str(caught.value)
    with pytest.raises(ValueError, match="write a bound"):
        study(tmp_path, subject_to={"cost": "1 mm2"})


def test_template(tmp_path):
    run = apollo.Study("edge", space="edge", networks=["mobilenet_v2"], minimize="latency", trials=5, data=str(tmp_path / "data")).run()
    assert run.best.metrics["latency_s"] > 0


def test_interrupted_run_goes_on(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        f"""
import time, apollo
@apollo.evaluator(metrics={{"cost": ""}}, name="slow")
def slow(x: int):
    with open({str(tmp_path / "log")!r}, "a") as f:
        f.write(f"{{x}}\\n")
    time.sleep(0.02)
    return x
apollo.Study("slow", space={{"x": list(range(100))}}, minimize="cost", algorithm="random", evaluator=slow, trials=30,
             data={str(tmp_path / "data")!r}).run(workers=1)
print("ended")
"""
    )
    child = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert _wait_for(tmp_path / "log", 4)
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=60)
    assert "ended" not in out
    assert "apollo: study slow was interrupted: the same run() goes on where it stopped" in err
    assert err.rstrip().endswith("KeyboardInterrupt") and err.count("  File ") == 2 and "waitpid" not in err
    assert apollo.Study("slow", space={"x": [1]}, minimize="cost", metrics={"cost": ""}, data=str(tmp_path / "data")).so_far.state == "interrupted"
    edited = tmp_path / "edited.py"
    edited.write_text(script.read_text().replace("return x", "return x  # a comment"))
    err = subprocess.run([sys.executable, str(edited)], check=False, capture_output=True, text=True).stderr
    assert "the function that measures study slow is not the one that began it" in err and "start anew with run(fresh=True)" in err
    (version,) = re.findall(r'; version="(\w+)" in @apollo.evaluator goes on with it', err)
    edited.write_text(edited.read_text().replace('name="slow")', f'name="slow", version="{version}")'))
    subprocess.run([sys.executable, str(edited)], check=True, capture_output=True)
    assert subprocess.run([sys.executable, str(script)], check=True, capture_output=True, text=True).stdout == "ended\n"
    seen = (tmp_path / "log").read_text().split()  # of all three
    assert len(set(seen)) == 30 and len(seen) <= 32  # what was in flight may have been measured twice


def _wait_for(path: Path, lines: int) -> bool:
    for _ in range(3000):
        if path.exists() and len(path.read_text().split()) >= lines:
            return True
        time.sleep(0.01)
    return False


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"subject_to": {"cost": 2}}, 'subject_to: cost is 2, want a text with a bound: "<= 2"'),
        ({"subject_to": "cost <= 2"}, "want a dict of metrics and bounds"),
        ({"evaluator": len}, "evaluator is len, no evaluator: write @apollo.evaluator"),
        ({"minimize": None}, "minimize is None, want the name of a metric"),
        ({"evaluator": None, "metrics": ["runtime"]}, "want a dict of names and units"),
        ({"networks": "mobilenet_v2"}, "want a list: networks="),
    ],
)
def test_arguments_of_a_wrong_type(tmp_path, more, says):
    with pytest.raises(TypeError, match=re.escape(says)):
        study(tmp_path, **more)


def test_wrong_arguments_elsewhere(tmp_path):
    for more, says in (({"metrics": ["r"]}, "want a dict of names and units"), ({"metrics": {"r": ""}, "timeout": 2}, 'timeout="2 s"')):
        with pytest.raises(TypeError, match=says):
            apollo.evaluator(**more)(lambda x: x)
    for space in ({"x": 3}, {"x": "abc"}):
        with pytest.raises(TypeError, match="space: x is .*, want a list of values"):
            apollo.Study("mine", space=space)
    with pytest.raises(TypeError, match="space is {}, want a dict of parameters"):
        apollo.Study("x", space={}, metrics={"cost": "s"}, minimize="cost")
    with pytest.raises(ValueError, match="nothing says which design is best"):
        apollo.Study("x", space={"x": [1, 2]}, metrics={"cost": "s"}).lint()
    with pytest.raises(ValueError, match="workers is 0, want 1 or more"):
        study(tmp_path).run(workers=0)


def test_a_function_of_other_parameters(tmp_path):
    @apollo.evaluator(metrics={"runtime": "s", "cost": "mm2"})
    def other(rows, columns):
        raise AssertionError("not called")

    with pytest.raises(TypeError, match="the function other takes rows, columns; the space has rows, cols: .*columns"):
        study(tmp_path, other).run()
    assert not (tmp_path / "data").exists()


def test_any_number_of_workers_goes_on(tmp_path):
    first = study(tmp_path, trials=2).run(workers=4)
    budget = first.show()["spec"]["budget"]
    assert (budget["parallelism"], budget["lag"]) == (4, 8)
    assert study(tmp_path, trials=2).run().best == study(tmp_path, trials=2).run(workers=8).best == first.best
    more = study(tmp_path, trials=5)
    more.extend()
    again = more.run(workers=1)
    assert len(again.list_trials()) == 5 and again.show()["run"] == first.show()["run"] and again.show()["spec"]["budget"]["parallelism"] == 4
    with pytest.raises(apollo.ApolloError, match="/budget/parallelism: 4, now 3"):  # that was written
        study(tmp_path, trials=5, parallelism=3).run(workers=4)


def test_the_parallelism_that_is_written_counts(tmp_path):
    run = study(tmp_path, parallelism=3).run(workers=2)
    assert run.show()["spec"]["budget"]["parallelism"] == 3
    tried = [t.design for t in run.list_trials()]
    assert [t.design for t in study(tmp_path, parallelism=3).run(workers=1, fresh=True).list_trials()] == tried


def test_another_content_and_more_trials(tmp_path):
    study(tmp_path, trials=2).run()
    more = study(tmp_path, trials=3)
    with pytest.raises(apollo.ApolloError, match=r"(?s)/budget/trials: 2, now 3.*study\.extend\(\).*run\(fresh=True\)"):
        more.run()
    more.extend()
    assert len(more.run().list_trials()) == 3


def test_tables_say_that_they_need_pandas(tmp_path, monkeypatch):
    run = study(tmp_path, trials=1).run()
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match=r"pip install pandas.*apollo\[pandas\]"):
        run.trials()


def test_a_line_that_cannot_be_taken_ends_no_reading(tmp_path, monkeypatch):
    program = tmp_path / "apollo"
    program.write_text("#!/bin/sh\nyes line | head -n 50000\n")  # more than a pipe holds
    program.chmod(0o755)
    monkeypatch.setenv("APOLLO_BINARY", str(program))
    taken = []

    def take(text):
        taken.append(text)
        raise ValueError("no finding")

    with pytest.raises(ValueError, match="no finding"):
        _serve.Apollo(line=take).wait()
    assert taken == ["line\n"]


def test_a_traceback_has_the_frames_of_a_folder_beside_the_package():
    place = str(Path(apollo.__file__).parent) + "_mine/model.py"
    try:
        exec(compile("1 / 0", place, "exec"), {})
    except ZeroDivisionError as e:
        assert "(model.py:1, in <module>)" in _failures.told(e)["message"]


def test_no_warning_where_a_process_with_threads_forks(monkeypatch):
    def fork():  # Python 3.12 and later
        warnings.warn("This process (pid=1) is multi-threaded, use of fork() may lead to deadlocks in the child.", DeprecationWarning, stacklevel=1)
        return 7

    monkeypatch.setattr(os, "fork", fork)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert _serve.fork_beside_threads() == 7
        with pytest.raises(DeprecationWarning):
            os.fork()


@apollo.evaluator(metrics={"runtime": "s"})
def steps(x: int, y: int):
    """Comes to its answer in five steps."""
    runtime = (x - 6) ** 2 + (y - 3) ** 2
    for step in range(5):
        apollo.current().report(step, runtime=runtime * (2 - step / 4))
    return runtime


def test_early_stop(tmp_path):
    space = {"x": list(range(10)), "y": list(range(10))}
    run = apollo.Study("early", space=space, evaluator=steps, minimize="runtime", trials=20, early_stop={"after": 4, "warmup": 1}, algorithm="random", data=str(tmp_path)).run(workers=2)
    trials = run.list_trials()
    stopped = [t for t in trials if t.outcome == "stopped"]
    assert 0 < len(stopped) == run.show()["stopped"] and run.show()["failed"] == 0
    assert all(t.reason["code"] == "early_stop" and t.reason["have"] > t.reason["need"] and not t.metrics for t in stopped)
    assert run.best.number not in [t.number for t in stopped]
    assert all((t.outcome == "stopped") or t.metrics["runtime_s"] == (t.design["x"] - 6) ** 2 + (t.design["y"] - 3) ** 2 for t in trials)


@apollo.evaluator(metrics={"runtime": "s"}, deterministic=True)
def coarse(x: int, fine: int):
    return {"runtime": 1 + (x - 6) ** 2 + (4 - fine) * 0.1}


def test_fidelity(tmp_path):
    run = apollo.Study("fidelity", space={"x": list(range(40)), "fine": [1, 4]}, evaluator=coarse, minimize="runtime", trials=30, fidelity="fine", algorithm="random", data=str(tmp_path)).run(workers=2)
    assert run.best.design["fine"] == 4 and run.show()["low_fidelity"] > 0
    low = [t for t in run.list_trials() if t.design["fine"] == 1]
    assert low and all(t.reason["code"] == "low_fidelity" and not t.feasible for t in low)
    with pytest.raises(apollo.StudyError, match='there is no parameter "grid"'):
        study(tmp_path, fidelity="grid").lint()


def test_wrong_words_about_early_stop(tmp_path):
    for early_stop, error, says in ((5, TypeError, "early_stop is 5, want True or a dict"), ({"rule": "mean"}, apollo.StudyError, 'Did you mean "median"')):
        with pytest.raises(error, match=says):
            study(tmp_path, early_stop=early_stop).lint()
    question = apollo.Question({}, print, {})
    for step, metrics, says in ((1.5, {"runtime": 1}, "step is 1.5, want a whole number"), (-1, {"runtime": 1}, "step is -1"), (1, {}, "report says nothing")):
        with pytest.raises(TypeError, match=says):
            question.report(step, **metrics)


def test_types_follow_the_space(tmp_path):
    seen = tmp_path / "seen"
    space = {"v": [1.0, 2.0], "w": apollo.levels("1 GB/s", "1.5 GB/s", unit="GB/s"), "n": apollo.levels("1 KiB", "2 KiB", unit="B"), "i": [1, 2], "s": apollo.span(0, 1, steps=3), "k": ["1.5", "a"]}

    def types(design):
        return {name: type(value).__name__ for name, value in design.items()}

    @apollo.evaluator(metrics={"r": ""})
    def mine(**design):
        with seen.open("a") as f:
            f.write(f"{sorted(types(design).items())}\n")
        return 1.0

    study = apollo.Study("types", space=space, minimize="r", evaluator=mine, trials=12, data=str(tmp_path))
    run = study.run(workers=1)
    want = {"i": "int", "k": "str", "n": "int", "s": "float", "v": "float", "w": "float"}
    assert set(seen.read_text().splitlines()) == {str(sorted(want.items()))}
    assert all(types(t.design) == want for t in [*run.list_trials(), run.best, study.so_far.best])
    assert apollo.evaluator(metrics={"r": ""})(lambda x: x).answer({"design": {"x": 1}}, print, {}) == {"metrics": {"r": 1.0}}

    @apollo.evaluator(metrics={"r": ""})
    def served(x: float):
        assert type(x) is float
        return x

    assert served.answer({"design": {"x": 1}}, print, {}) == {"metrics": {"r": 1.0}}


def test_check(tmp_path, capfd):
    calls = tmp_path / "calls"

    def checked(function, **options):
        return apollo.Study("check", space={"x": [1, 2, 3]}, minimize="r", evaluator=apollo.evaluator(metrics={"r": ""}, **options)(function), data=str(tmp_path / "data"))

    def good(x):
        if x == 3:
            apollo.infeasible("odd", need=3, have=2)
        with calls.open("a") as f:
            f.write("x")
        return x

    findings = checked(good).check(quick=True)
    assert {f.check: f.verdict for f in findings}["measured"] == "pass" and findings[-1].check == "arguments"
    quick = len(calls.read_text())
    checked(good).check()
    assert len(calls.read_text()) > 2 * quick
    assert len(checked(good).check(designs=1)) == len(findings)
    said = capfd.readouterr().out
    assert "measured      2 of 3 designs were measured" in said and "quick=True" in said and "garbage" not in said and "--" not in said
    assert not (tmp_path / "data").exists()

    def random(x):
        with calls.open("a") as f:
            f.write("x")
        return len(calls.read_text())

    def bad(x):
        raise ValueError(f"boom {x * 0}")

    def slow(x):
        time.sleep(5)

    for function, check, says in ((random, "determinism", "deterministic=False"), (bad, "measured", ""), (slow, "timeout", "timeout= in @apollo.evaluator")):
        with pytest.raises(apollo.CheckError) as caught:
            checked(function, timeout="1 s").check(quick=function is slow)
        assert [f.check for f in caught.value.findings if f.verdict == "fail"] == [check]
        assert f"to mend:\n  {check}: " in str(caught.value) and says in str(caught.value) and "--" not in str(caught.value)
    assert capfd.readouterr().err.count("ValueError: boom 0") == 1
    with pytest.raises(apollo.StudyError):
        study(tmp_path, minimize="q").check()
    with pytest.raises(ValueError, match="no evaluator"):
        apollo.Study("edge", space="edge", minimize="latency").check()


def test_the_traceback_of_a_mistake_is_that_of_the_caller(tmp_path):
    script = tmp_path / "wrong.py"
    for line, says in (
        ('apollo.Study("s", space={"x": [1]}, metrics={"r": "fps"}, minimize="r").run()', "^^^^^\n"),
        ('apollo.Study("s", space={"x": 3}, metrics={"r": ""}, minimize="r")', "TypeError: space: x is 3"),
    ):
        script.write_text(f"import apollo\n{line}\n")
        err = subprocess.run([sys.executable, str(script)], check=False, capture_output=True, text=True, cwd=tmp_path).stderr
        assert says in err and f"\n    {line}\n" in err and err.count("  File ") == 2 and "apollo._" not in err, err


def test_units_that_no_study_knows_say_what_to_do(tmp_path):
    for unit in ("mV", "V", "A", "mA", "GHz", "GB/s", "J/token", "mm2", "um2"):
        study(tmp_path, None, metrics={"r": unit}, minimize="r", subject_to=None).lint()
    for unit in ("fps", "1/s", "cycles", "C", "TOPS/W"):
        with pytest.raises(apollo.StudyError, match="leave the unit out for a count, a ratio or any other"):
            study(tmp_path, None, metrics={"r": unit}, minimize="r", subject_to=None).lint()
    with pytest.raises(apollo.StudyError, match=r"Did you mean B \(8 bit\)"):
        study(tmp_path, None, metrics={"r": "bits"}, minimize="r", subject_to=None).lint()


def test_a_study_of_the_same_name_in_another_folder(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    study(tmp_path, trials=1, data="apollo-data").run()
    below = tmp_path / "below"
    below.mkdir()
    assert "begins anew" not in capfd.readouterr().err
    monkeypatch.chdir(below)
    study(tmp_path, trials=1, data="apollo-data").run()
    said = capfd.readouterr().err
    assert f"warn: study mine begins anew in {below / 'apollo-data'}; one of that name is in {tmp_path / 'apollo-data'}: data=" in said
    study(tmp_path, trials=1, data="apollo-data").run()
    assert "begins anew" not in capfd.readouterr().err


def test_inactive_parameters_have_no_value(monkeypatch):
    run = apollo.Run("wires", [])
    lines = [
        '{"trial": 0, "design": {"axes": "K", "y": 2}, "inactive": ["y"], "metrics": {}, "outcome": "measured", "feasible": true}',
        '{"trial": 1, "design": {"axes": "C+K", "y": 4}, "metrics": {}, "outcome": "measured", "feasible": true}',
    ]
    monkeypatch.setattr(run, "_lines", lambda *flags: lines)
    monkeypatch.setattr(run, "show", lambda: {"spec": {"parameters": [{"name": "axes"}, {"name": "y", "unit": "GB/s"}], "metrics": []}})
    frame = run.trials()
    assert frame["y"].isna().tolist() == [True, False] and frame["y"][1] == 4
    first, second = run.list_trials()
    assert str(first) == "trial 0: axes=K: measured" and first.design["y"] == 2
    assert str(second) == "trial 1: axes=C+K, y=4 GB/s: measured"


def test_a_function_that_does_what_it_should_not(tmp_path, capfd):
    class Odd(BaseException):
        def __str__(self):
            raise ValueError("no text")

    def noisy(x):
        os.write(1, b"\xff" * 70000)  # no text, and more than a pipe holds
        sys.stdout.close()
        return x

    def forks(x):
        return x if os.fork() else 99  # both sides return

    def odd(x):
        raise Odd

    def interrupted(x):
        raise KeyboardInterrupt

    wanted = {
        noisy: "",
        forks: "",
        odd: "Odd: (its text raises ValueError) (test_study.py:",
        interrupted: "KeyboardInterrupt (test_study.py:",
    }
    for function, says in wanted.items():
        evaluator = apollo.evaluator(metrics={"r": ""}, attempts=1)(function)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            run = apollo.Study(function.__name__, space={"x": [1, 2]}, minimize="r", evaluator=evaluator, trials=2, data=str(tmp_path)).run(workers=1)
        if says:
            assert all(t.outcome == "failed" and t.reason["message"].startswith(says) for t in run.list_trials())
        else:
            assert [t.metrics["r"] for t in run.list_trials()] == [t.design["x"] for t in run.list_trials()]


def test_a_child_of_the_function_ends_as_it_would_elsewhere(tmp_path, capfd):
    def child(x):
        if pid := os.fork():
            return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        {1: lambda: sys.exit(3), 2: lambda: sys.exit("too hot"), 3: lambda: 1 / 0, 4: sys.exit, 5: list}[x]()
        return x

    evaluator = apollo.evaluator(metrics={"r": ""})(child)
    run = apollo.Study("child", space={"x": [1, 2, 3, 4, 5]}, minimize="r", evaluator=evaluator, trials=5, data=str(tmp_path)).run(workers=1)
    assert {t.design["x"]: t.metrics["r"] for t in run.list_trials()} == {1: 3, 2: 1, 3: 1, 4: 0, 5: 0}
    said = capfd.readouterr().err
    assert "too hot\n" in said and "ZeroDivisionError" in said


def test_a_run_without_a_best_says_why(tmp_path, monkeypatch):
    def mine(x):
        if x == 1:
            apollo.infeasible("too_hot")
        return {"r": x, "c": 3 - x}

    evaluator = apollo.evaluator(metrics={"r": "", "c": ""})(mine)
    monkeypatch.chdir(tmp_path)
    with pytest.warns(UserWarning, match=r"study hot has no best: none of its 2 trials is feasible \(1 \w+, 1 \w+\)"):
        assert apollo.Study("hot", space={"x": [1, 2]}, minimize="r", subject_to={"r": "<= 1"}, evaluator=evaluator, trials=2).run(workers=1).best is None
    run = apollo.Study("two", space={"x": [2, 3]}, minimize=["r", "c"], evaluator=evaluator, trials=2).run(workers=1)
    with pytest.warns(UserWarning, match="study two has several objectives and no best: front"):
        assert run.best is None and len(run.front()) == 2
    # Files are meant from the folder of whoever calls.
    log = next(tmp_path.glob("apollo-data/trials/current/study=two/*/*.parquet")).relative_to(tmp_path)
    for source in (log, str(log)):
        study = apollo.Study(f"learns-{type(source).__name__.lower()}", space={"x": [2, 3]}, minimize="r", evaluator=evaluator, trials=1, learn_from=[source])
        assert study.run(workers=1).answer["trials"] >= 1
    (tmp_path / "net.yaml").write_text("no network")
    with pytest.raises(apollo.StudyError) as e:
        apollo.Study("net", space={"x": [2, 3]}, minimize="r", evaluator=evaluator, trials=1, networks=[{"file": "net.yaml"}]).run(workers=1)
    assert "no such file" not in str(e.value)


SPAWNS = """
import concurrent.futures, multiprocessing

import apollo

@apollo.evaluator(metrics={"r": ""}, attempts=1)
def mine(x: int):
    with concurrent.futures.ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(abs, x).result()

GUARD
    print(apollo.Study("mine", space={"x": [1, 2]}, minimize="r", evaluator=mine, trials=2, data=DATA).run(workers=1).best)
"""


@pytest.mark.parametrize(("guard", "says"), [('if __name__ == "__main__":', "trial 0: x=1: r=1"), ("if True:", 'write what runs it below if __name__ == "__main__":')])
def test_processes_that_import_the_script(tmp_path, guard, says):
    script = tmp_path / "spawns.py"
    script.write_text(SPAWNS.replace("GUARD", guard).replace("DATA", repr(str(tmp_path / "data"))))
    done = subprocess.run([sys.executable, str(script)], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300)
    assert says in done.stdout + done.stderr
    assert (".best" in done.stderr) == (guard == "if True:")


async def later(x):
    return x


def steps_of(x):
    yield x


class Holder:
    def method(self, x):
        return x


class Colour(enum.Enum):
    RED = "red"


@pytest.mark.parametrize(
    ("make", "error", "says"),
    [
        (lambda: apollo.evaluator(metrics={"r": ""})(later), TypeError, "later is async: call asyncio.run"),
        (lambda: apollo.evaluator(metrics={"r": ""})(steps_of), TypeError, "steps_of is a generator: return"),
        (lambda: apollo.evaluator(metrics={"r": ""})(Holder), TypeError, "Holder is a class, .*: decorate a function"),
        (lambda: apollo.Study("s", space={"x": [1]}, minimize="r", evaluator=apollo.evaluator(metrics={"r": ""})(Holder.method)).run(), TypeError, "it is a method: decorate"),
        (lambda: apollo.Study("s", space={"x": Colour}, minimize="r"), TypeError, r"space: x has the level Colour.RED, .*\[e.value for e in Colour\]"),
        (lambda: apollo.Study("s", space={"x": [True, False]}, minimize="r"), TypeError, r"space: x has the level True, want .*\[0, 1\]"),
        (lambda: apollo.Study("s", space={"x": [None, "a"]}, minimize="r"), TypeError, "space: x has the level None"),
        (lambda: apollo.Study("s", space={"x": [(1, 2)]}, minimize="r"), TypeError, r"space: x has the level \(1, 2\)"),
        (lambda: apollo.Study("s", space={"x": [1, float("nan")]}, minimize="r"), ValueError, "space: x has the level nan"),
        (lambda: apollo.Study("s", space={"x": [2**70]}, minimize="r"), ValueError, "at most 2.*53"),
        (lambda: apollo.Study(3, space={"x": [1]}, minimize="r"), TypeError, "name is 3, want a text"),
        (lambda: apollo.Study("a/b", space={"x": [1]}, metrics={"r": ""}, minimize="r").lint(), apollo.StudyError, '"a/b" is no name for a study'),
        (lambda: apollo.Study("s", space={"x": [1]}, minimize="r", data=3), TypeError, "data is 3, want the path"),
        (lambda: apollo.Study("s", space={"x": [1]}, metrics={"r": ""}, minimize="r", parallelism=0), ValueError, "parallelism is 0, want 1 or more"),
        (lambda: apollo.Study("s", space={"x": [1]}, minimize="r").run(), ValueError, "nothing measures the designs"),
    ],
)
def test_what_cannot_be_is_refused_at_once(make, error, says):
    with pytest.raises(error, match=says):
        make()


def test_noise_and_drift(tmp_path):
    state = tmp_path / "n"

    def measured(x, y):
        n = len(state.read_text()) if state.exists() else 0
        state.write_text("." * (n + 1))
        noise = random.Random(1000 + n).gauss(0, 0.05)
        return (1 + 0.02 * ((x - 6) ** 2 + (y - 3) ** 2)) * (1 + noise) + drift * n

    space = {"x": list(range(10)), "y": list(range(10))}

    def run(name, **options):
        state.unlink(missing_ok=True)
        noisy = apollo.evaluator(metrics={"r": ""}, deterministic=False, version="1", **options)(measured)
        return apollo.Study(name, space=space, minimize="r", evaluator=noisy, trials=60, parallelism=1, data=str(tmp_path)).run(workers=1)

    drift = 0.0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        quiet = run("quiet")
    said, best = quiet.show()["noise"], quiet.best
    true = 1 + 0.02 * ((best.design["x"] - 6) ** 2 + (best.design["y"] - 3) ** 2)
    assert 0.035 < said["deviation"] < 0.07 and best.estimate["low"] < true < best.estimate["high"] and best.estimate["measurements"] > 1
    drift = 0.006  # 36 % of the best one over the run
    with pytest.warns(UserWarning, match="study drifting: the reference design of trial 0 drifts"):
        found = run("drifting", reference=6).show()["noise"]["drift"]
    assert found["low"] < 0.006 * 60 < found["high"] and found["low"] > 0
    thrice = run("thrice", repeats=3).list_trials()
    designs = [tuple(t.design.items()) for t in thrice]
    assert {designs.count(d) for d in designs} == {3}
    with pytest.raises(ValueError, match="repeats is for answers that differ: say deterministic=False too"):
        apollo.evaluator(metrics={"r": ""}, repeats=3)(measured)
