from __future__ import annotations

import importlib.util
import subprocess
import sys
from types import SimpleNamespace

import pytest

from kdhelpers import frontend


def shell(name):
    return type(name, (), {})()


@pytest.fixture
def running(monkeypatch):
    """Pretend that IPython runs with a shell of this class, recording what is displayed."""
    shown = []

    def start(name):
        display = SimpleNamespace(display=lambda bundle, raw: shown.append((bundle, raw)))
        current = None if name is None else shell(name)
        monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: current))
        monkeypatch.setitem(sys.modules, "IPython.display", display)
        return shown

    return start


@pytest.mark.parametrize(
    ("name", "notebook"),
    [("ZMQInteractiveShell", True), ("Shell", True), ("TerminalInteractiveShell", False), (None, False)],
)
def test_a_notebook_is_told_from_a_terminal(running, name, notebook):
    running(name)  # Colab's class is called Shell
    assert frontend.in_notebook() is notebook


def test_without_ipython_it_is_a_terminal(monkeypatch):
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    assert not frontend.in_notebook()
    assert "IPython" not in sys.modules


def test_asking_does_not_start_ipython():
    code = "import sys, kdhelpers.frontend as f; f.has_widgets(); print('IPython' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize(
    ("name", "setting", "installed", "expected"),
    [
        ("ZMQInteractiveShell", None, True, True),
        ("ZMQInteractiveShell", "1", True, True),
        ("ZMQInteractiveShell", "0", True, False),
        ("ZMQInteractiveShell", None, False, False),
        ("TerminalInteractiveShell", None, True, False),
    ],
)
def test_widgets_need_a_notebook_the_package_and_consent(
    running, monkeypatch, name, setting, installed, expected
):
    running(name)
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: object() if installed else None)
    if setting is None:
        monkeypatch.delenv("KDHELPERS_WIDGETS", raising=False)
    else:
        monkeypatch.setenv("KDHELPERS_WIDGETS", setting)
    assert frontend.has_widgets() is expected


def test_a_notebook_gets_both_forms_and_prints_nothing(running, capsys):
    shown = running("ZMQInteractiveShell")
    frontend.show_html("<b>72%</b>", "72%")
    frontend.show_markdown("**72%**")
    assert shown == [
        ({"text/html": "<b>72%</b>", "text/plain": "72%"}, True),
        ({"text/markdown": "**72%**", "text/plain": "**72%**"}, True),
    ]
    assert capsys.readouterr().out == ""


def test_a_terminal_gets_text(running, capsys):
    shown = running("TerminalInteractiveShell")
    frontend.show_html("<b>72%</b>", "72%")
    frontend.show_markdown("**72%**")
    assert shown == []
    assert capsys.readouterr().out == "72%\n**72%**\n"
