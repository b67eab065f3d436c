"""The example notebook runs as it stands."""

import json
from pathlib import Path

import pytest

NOTEBOOK = Path(__file__).parents[3] / "examples" / "study.ipynb"


def test_notebook(tmp_path):
    nbclient = pytest.importorskip("nbclient")
    nbformat = pytest.importorskip("nbformat")
    book = nbformat.reads(NOTEBOOK.read_text(), as_version=4)
    nbclient.NotebookClient(book, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}).execute()
    outputs = [o for cell in book.cells for o in cell.get("outputs", [])]
    text = json.dumps(outputs, ensure_ascii=False)
    assert "█" in text, "no progress bar"
    assert "image/svg+xml" in text, "no picture of the design"
    assert "Did you mean" in text, "no mistake"


def test_documented_programs(tmp_path, monkeypatch):
    """The programs of docs/python.md run. The first, and what is typed to run it, is twelve lines at most, here and in the README."""
    monkeypatch.chdir(tmp_path)
    page = (NOTEBOOK.parents[1] / "docs" / "python.md").read_text()
    start = page[page.index("```python\n") : page.index("    python mine.py\n")] + "    python mine.py\n"
    program, commands = start.removeprefix("```python\n").split("```\n")
    typed = program.splitlines() + [line for line in commands.splitlines() if line.startswith("    ")]
    assert sum(1 for line in typed if line.strip()) <= 12
    readme = (NOTEBOOK.parents[1] / "README.md").read_text()
    assert f"```python\n{program}```\n" in readme and all(f"{line}\n" in readme for line in typed)
    programs = [part.split("```")[0] for part in page.split("```python\n")[1:]]
    assert len(programs) >= 3
    for program in programs:
        if "sys.argv" in program:
            continue  # test_server.py runs it
        exec(compile(program, "docs/python.md", "exec"), {"__name__": "__main__"})
