"""The command line."""

from __future__ import annotations

import sys

import pytest

import kdhelpers
from kdhelpers import cli
from kdhelpers.doctor import Diagnosis, Finding


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int | str | None:
    monkeypatch.setattr(sys, "argv", ["kdhelpers", *arguments])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    return stop.value.code


@pytest.mark.parametrize(("level", "code"), [("ok", 0), ("note", 0), ("problem", 1)])
def test_doctor_exits_1_on_a_problem(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], level: str, code: int
) -> None:
    monkeypatch.setattr("kdhelpers.doctor.doctor", lambda: Diagnosis([Finding("Disk", level, "Some disk.")]))
    assert run(monkeypatch, "doctor") == code
    assert "Some disk." in capsys.readouterr().out


def test_version(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(monkeypatch, "--version") == 0
    assert capsys.readouterr().out == f"kdhelpers {kdhelpers.__version__}\n"


def test_an_unknown_command_exits_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "operate") == 2
    assert "operate" in capsys.readouterr().err


def test_without_click_one_sentence_and_exit_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "click", None)
    assert run(monkeypatch, "doctor") == 2
    assert capsys.readouterr().err == (
        "This needs click, which is not installed: run `pip install 'kdhelpers[cli]'`.\n"
    )
