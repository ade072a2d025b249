"""Progress bars: seen where somebody looks, silent where output is saved."""

import pytest
from tqdm import tqdm
from tqdm.notebook import tqdm_notebook

from kdhelpers import bars


@pytest.fixture
def place(monkeypatch):
    def at(notebook, widgets):
        monkeypatch.setattr(bars, "in_notebook", lambda: notebook)
        monkeypatch.setattr(bars, "has_widgets", lambda: widgets)

    return at


def test_every_step_is_passed_on_whether_shown_or_not(place):
    place(notebook=False, widgets=False)
    for shown in (True, False):
        assert list(bars.progress_bar("abc", title="t", unit="u", shown=shown)) == ["a", "b", "c"]


def test_a_saved_notebook_gets_no_bar(place, capsys):
    place(notebook=True, widgets=False)
    for _ in bars.progress_bar(range(3), title="t", unit="u"):
        pass
    assert capsys.readouterr().err == ""


def test_a_live_notebook_gets_a_widget(place):
    place(notebook=True, widgets=True)
    bar = bars.progress_bar(total=3, title="t", unit="u")
    bar.close()
    assert isinstance(bar, tqdm_notebook)


def test_a_quiet_bar_is_quiet_in_a_live_notebook_too(place):
    place(notebook=True, widgets=True)
    bar = bars.progress_bar(total=3, title="t", unit="u", shown=False)
    assert type(bar) is tqdm
    assert bar.disable


def test_an_output_that_is_no_screen_gets_no_bar(place, capsys):
    place(notebook=False, widgets=False)
    bar = bars.progress_bar(total=3, title="t", unit="u")  # pytest's captured stderr is no terminal
    bar.update(3)
    bar.close()
    assert capsys.readouterr().err == ""
