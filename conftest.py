"""How all that pytest runs is run: without widgets, with a study folder of its own, with one thread."""

import gc
import os
import tempfile
from collections.abc import Iterator

import pytest

# One thread: small models gain nothing from a second, and lose much when another run shares the cores.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["KDHELPERS_WIDGETS"] = "0"

# Searching for garbage as often as Python does by itself takes a tenth of all the time.
gc.set_threshold(100_000, 20, 50)

_study = tempfile.TemporaryDirectory(prefix="kdhelpers-study-")
os.environ.setdefault("KDHELPERS_STATE", _study.name)

# Examples in the documentation that go from end to end, which a docstring cannot say by a marker.
WHOLE_EXAMPLES = {
    "kdhelpers.data.signals.load_mnist1d",
    "kdhelpers.own_data.distilling.distill_own_data",
    "kdhelpers.serving.graphs.traced_graph",
    "kdhelpers.serving.memory.serving_memory",
    "kdhelpers.text.teacher.TransformerTeacher.save",
}


@pytest.hookimpl(tryfirst=True)  # before -m chooses
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what is no unit test; tests that install gigabytes are there only for those who ask for them."""
    for item in items:
        if item.name in WHOLE_EXAMPLES:
            item.add_marker("whole")
    if "colab" not in config.getoption("markexpr"):
        items[:] = [item for item in items if item.get_closest_marker("colab") is None]


def pytest_collection_finish() -> None:
    """What is imported by now stays: no search for garbage is to look through it."""
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def _timed_briefly() -> Iterator[None]:
    """What is timed for half a second elsewhere is timed for a moment here, since timings decide no test."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("kdhelpers.costs.measuring.THROUGHPUT_SECONDS", 0.02)
        patch.setattr("kdhelpers.speed.SECONDS", 0.02)
        yield
