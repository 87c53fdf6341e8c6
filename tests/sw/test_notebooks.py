"""The notebooks: each runs from its first cell to its last (slow), and is kept without outputs."""

import ast
import json
from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).resolve().parents[2] / "notebooks").glob("*.ipynb"))
LONGEST = 900  # seconds a cell may take


@pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda file: file.stem)
def test_a_notebook_is_whole_and_holds_no_output(file):
    book = json.loads(file.read_text("utf-8"))
    assert book["nbformat"] == 4 and book["cells"][0]["cell_type"] == "markdown"
    for cell in book["cells"]:
        if cell["cell_type"] == "code":
            ast.parse("".join(cell["source"]))
            assert cell["outputs"] == [] and cell["execution_count"] is None


def test_there_are_five():
    assert len(NOTEBOOKS) == 5


@pytest.mark.slow
@pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda file: file.stem)
def test_a_notebook_runs(file, tmp_path):
    nbformat = pytest.importorskip("nbformat", reason="needs pip install --group notebooks")
    nbclient = pytest.importorskip("nbclient", reason="needs pip install --group notebooks")
    book = nbformat.read(file, as_version=4)
    nbclient.NotebookClient(book, timeout=LONGEST, resources={"metadata": {"path": str(tmp_path)}}).execute()
