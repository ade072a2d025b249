"""How all that pytest runs is run: without widgets, with a study folder of its own, with one thread."""

import gc
import os
import tempfile
from collections.abc import Iterator

import pytest

# One thread: small models gain nothing from a second, and lose much when another run shares the cores.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["KDHELPERS_WIDGETS"] = "0"

_study = tempfile.TemporaryDirectory(prefix="kdhelpers-study-")
os.environ.setdefault("KDHELPERS_STATE", _study.name)


# Examples in the documentation that go from end to end, which a docstring cannot say by a marker.
WHOLE_EXAMPLES = {
    "kdhelpers.own_data.distilling.distill_own_data",
    "kdhelpers.serving.graphs.traced_graph",
    "kdhelpers.serving.memory.serving_memory",
}


@pytest.hookimpl(tryfirst=True)  # before -m chooses
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tests that install gigabytes are there only for those who ask for them by their marker."""
    for item in items:
        if item.name in WHOLE_EXAMPLES:
            item.add_marker("whole")
    if "colab" not in config.getoption("markexpr"):
        items[:] = [item for item in items if item.get_closest_marker("colab") is None]


def pytest_collection_finish() -> None:
    """Search for garbage seldom, and never in what is imported by now and stays: it took a tenth of all."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


@pytest.fixture(scope="session", autouse=True)
def _timed_briefly() -> Iterator[None]:
    """What is timed for half a second elsewhere is timed for a moment here, since timings decide no test."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("kdhelpers.costs.measuring.THROUGHPUT_SECONDS", 0.02)
        patch.setattr("kdhelpers.speed.SECONDS", 0.02)
        yield
