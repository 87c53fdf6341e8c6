"""What all tests share: --slow, the `slow` and `data` markers, and one cache of Verilator builds a run."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# the same examples in every run; HYPOTHESIS_PROFILE=search looks for new ones
settings.register_profile("bitwright", derandomize=True, deadline=None)
settings.register_profile("search", deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "bitwright"))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow", action="store_true", help="run the tests that take minutes, too")


def pytest_configure(config: pytest.Config) -> None:
    if "BITWRIGHT_CACHE" in os.environ:
        return
    # xdist workers inherit the environment of the process that starts them, so all share one folder
    import tempfile

    folder = tempfile.TemporaryDirectory(prefix="bitwright-tests-", ignore_cleanup_errors=True)
    os.environ["BITWRIGHT_CACHE"] = folder.name
    config.add_cleanup(folder.cleanup)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    slow = pytest.mark.skip(reason="takes minutes; run with --slow")
    no_data = pytest.mark.skip(reason="needs MNIST files; set BITWRIGHT_DATA to their folder")
    for item in items:
        if "slow" in item.keywords and not config.getoption("--slow"):
            item.add_marker(slow)
        if "data" in item.keywords and not os.environ.get("BITWRIGHT_DATA"):
            item.add_marker(no_data)


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder with the MNIST files, for tests marked `data`."""
    folder = os.environ.get("BITWRIGHT_DATA")
    if not folder:
        pytest.fail("a test that uses data_dir must be marked data")
    return Path(folder)


@pytest.fixture(scope="session")
def checkout() -> Path:
    """The root of the source tree."""
    return Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """torch on one thread: steps as small as tests' spend more on sharing work than on working."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
