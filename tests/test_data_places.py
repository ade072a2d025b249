from __future__ import annotations

from pathlib import Path

import pytest

from kdhelpers.data import places
from kdhelpers.data.places import data_folder, shipped_folder


def test_a_folder_given_comes_before_the_variable_and_that_before_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KDHELPERS_DATA", str(tmp_path))
    assert data_folder("here") == Path("here")
    assert data_folder() == tmp_path
    monkeypatch.delenv("KDHELPERS_DATA")
    assert data_folder().name == "kdhelpers"


def test_an_installed_package_brings_its_own_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "_PACKAGE", tmp_path / "kdhelpers")
    beside = tmp_path / "data" / "support"
    inside = tmp_path / "kdhelpers" / "shipped" / "support"
    with pytest.raises(FileNotFoundError, match="'support' is not with this installation"):
        shipped_folder("support")
    beside.mkdir(parents=True)
    assert shipped_folder("support") == beside
    inside.mkdir(parents=True)
    assert shipped_folder("support") == inside
