"""Bars in notebooks: drawn where a kernel runs and no callback is given, slowly enough, and taken away at the end."""

import sys
from types import SimpleNamespace

import pytest

from bitwright import api
from bitwright.notebook import NotebookBars, in_notebook, shows_progress

from .networks import random_network


class Cell:
    """The output of a cell: what is displayed, and what updates make of it."""

    def __init__(self):
        self.shown = []

    def display(self, data, *, raw, display_id):
        assert raw and display_id
        self.shown.append(data["text/html"])
        return SimpleNamespace(update=lambda data, *, raw: self.shown.append(data["text/html"]))


@pytest.fixture
def kernel(monkeypatch):
    """A notebook's IPython."""
    cell = Cell()
    shell = SimpleNamespace(kernel=object())
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    monkeypatch.setitem(sys.modules, "IPython.display", SimpleNamespace(display=cell.display))
    return cell


def test_a_script_and_a_prompt_are_no_notebook(monkeypatch):
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    assert not in_notebook()
    for shell in (None, SimpleNamespace()):  # imported alone; IPython at a terminal
        monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda shell=shell: shell))
        assert not in_notebook()


def test_bars_are_drawn_now_and_then():
    now, cell = 0.0, Cell()
    bars = NotebookBars(cell.display, lambda: now)
    bars("quick", 1, 1)
    assert cell.shown == []
    for now, done in ((1.0, 1), (1.1, 2), (1.25, 3), (1.3, 4)):  # noqa: B007
        bars("<b>frames", done, 4)
    assert [shown.partition('value="')[2][0] for shown in cell.shown] == ["1", "3", "4"]
    assert cell.shown[-1].endswith(" &lt;b&gt;frames, 4 of 4")
    bars.close()
    assert cell.shown[-1] == ""


def test_a_function_shows_bars_in_a_notebook_alone(kernel, monkeypatch):
    given = []

    @shows_progress
    def work(*, progress=None):
        given.append(progress)

    work()
    work(progress=print)
    monkeypatch.delitem(sys.modules, "IPython")
    work()
    assert isinstance(given[0], NotebookBars) and given[1:] == [print, None]


def test_functions_that_take_seconds_show_them(kernel, monkeypatch, tmp_path):
    monkeypatch.setattr("bitwright.notebook._FIRST_SECONDS", 0.0)
    network = random_network(3, shape=(8, 8), hidden=(12, 9))
    api.generate(network, api.size(network, cycles=64), tmp_path / "d")
    assert any("<progress" in shown for shown in kernel.shown) and kernel.shown[-1] == ""
