from __future__ import annotations

import sys

import pytest

from kdhelpers.extras import need


def test_what_is_installed_is_returned_also_a_part_of_it():
    import json.decoder

    assert need("json", extra="course") is json
    assert need("json.decoder", extra="course") is json.decoder


@pytest.mark.parametrize("module", ["nowhere_to_be_found", "nowhere_to_be_found.part"])
def test_what_is_missing_is_named_with_its_command(module):
    with pytest.raises(ImportError) as error:
        need(module, extra="course")
    assert str(error.value) == (
        "This needs nowhere_to_be_found, which is not installed: run `pip install 'kdhelpers[course]'`."
    )


def test_what_an_installed_package_itself_lacks_is_not_blamed_on_it(tmp_path, monkeypatch):
    (tmp_path / "half_there.py").write_text("import quite_another_package")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError) as error:
        need("half_there", extra="course")
    assert error.value.name == "quite_another_package"
    assert "half_there" not in sys.modules


def test_other_errors_of_a_package_pass_through(tmp_path, monkeypatch):
    (tmp_path / "broken_inside.py").write_text("raise RuntimeError('needs a newer driver')")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(RuntimeError, match="needs a newer driver"):
        need("broken_inside", extra="course")
