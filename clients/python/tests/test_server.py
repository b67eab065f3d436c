"""Studies on a server."""

import subprocess
import sys
import time
from pathlib import Path

import apollo
import pytest


@pytest.fixture
def server(tmp_path):
    process = subprocess.Popen([apollo.binary(), "up", "--port", "0", "--data", str(tmp_path / "server")], stderr=subprocess.PIPE, text=True)
    try:
        for line in process.stderr:
            if "listening on " in line:
                yield line.split("listening on ")[1].split(",")[0].strip()
                break
    finally:
        process.terminate()
        process.wait(30)
        process.stderr.close()


def test_submit_and_serve(server, tmp_path):
    script = tmp_path / "serve.py"
    script.write_text(
        f"""
import apollo
@apollo.evaluator(metrics={{"cost": ""}}, name="served")
def served(x: int):
    return x
served.serve({server!r}, slots=2)
"""
    )
    worker = subprocess.Popen([sys.executable, str(script)], stderr=subprocess.DEVNULL)
    try:

        @apollo.evaluator(metrics={"cost": ""}, name="served")
        def served(x: int):
            raise AssertionError("the worker measures")

        run = apollo.Study("remote", space={"x": [3, 2, 1]}, minimize="cost", evaluator=served, trials=3).submit(server)
        for _ in range(600):
            if run.show()["state"] == "completed":
                break
            time.sleep(0.05)
        assert run.show()["state"] == "completed" and run.best.metrics == {"cost": 1}
    finally:
        worker.send_signal(2)
        assert worker.wait(30) == 0


def test_submit_again_returns_the_run(server):
    def remote(trials, **more):
        return apollo.Study("again", space={"x": [1, 2, 3, 4]}, metrics={"cost": ""}, minimize="cost", trials=trials, **more)

    first = remote(2).submit(server)
    assert first.state == "running"
    again = remote(2).submit(server)
    run = first.show()["run"]
    assert again.show()["run"] == run
    larger = remote(3)
    with pytest.raises(apollo.ApolloError, match=r"(?s)/budget/trials: 2, now 3.*study\.extend\(nats=…\), then submit\(…\).*submit\(…, fresh=True\)"):
        larger.submit(server)
    larger.extend(nats=server)
    assert larger.submit(server).show()["run"] == run
    with pytest.raises(apollo.ApolloError, match="/seed: 1, now 2"):
        remote(3, seed=2).submit(server)
    assert remote(2).submit(server, fresh=True).show()["run"] != run


def test_the_documented_program_for_several_machines(server, tmp_path):
    page = (Path(__file__).parents[3] / "docs" / "python.md").read_text()
    (program,) = [part.split("```")[0] for part in page.split("```python\n")[1:] if "sys.argv" in part.split("```")[0]]
    (tmp_path / "several.py").write_text(program)
    command = [sys.executable, "several.py", server]
    worker = subprocess.Popen([*command, "serve"], cwd=tmp_path, stderr=subprocess.DEVNULL)
    try:
        said = [subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True, timeout=60).stdout for _ in range(2)]
        assert said[0] == said[1] and "cols=16, rows=4" in said[0]
    finally:
        worker.send_signal(2)
        assert worker.wait(30) == 0
