"""Studies on a server."""

import subprocess
import sys
import time

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
