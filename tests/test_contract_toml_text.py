"""Contracts in TOML: read, written, and each mistake in its one sentence."""

from __future__ import annotations

import sys
from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_contract_samples import costs, report

from kdhelpers.contract import Contract, toml_text

FULL = """
name = "Support routing, high-volume path"
accuracy = 0.70
worst_class = 0.30
ece = 0.08
agreement = 0.75
latency_p95_ms = 2.0
bytes = 5_000_000
price_per_hour = 0.05
cost_per_million = 0.50
[slices]
multi = 0.55
[classes]
security = 0.60
"""
NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
SHARES = st.floats(0, 1)
CEILINGS = st.floats(0, 1e18, exclude_min=True)


@pytest.fixture
def write(tmp_path):
    def written(content):
        path = tmp_path / "contract.toml"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return written


def test_a_file_is_read_and_checked(write):
    contract = Contract.from_toml(write(FULL))
    assert contract == Contract(
        "Support routing, high-volume path",
        accuracy=0.7,
        worst_class=0.3,
        ece=0.08,
        agreement=0.75,
        latency_p95_ms=2.0,
        bytes=5_000_000,
        price_per_hour=0.05,
        cost_per_million=0.5,
        slices={"multi": 0.55},
        classes={"security": 0.6},
    )
    found = report(
        {"billing": (450, 500), "security": (90, 100)}, slices={"multi": (190, 200)}, agreement=(590, 600)
    )
    verdict = contract.check(found, costs())
    assert verdict.passed
    assert len(verdict.clauses) == 9
    assert Contract.from_toml(str(write(contract.to_toml()))).check(found, costs()) == verdict


@given(
    name=NAMES,
    slices=st.dictionaries(NAMES, SHARES, max_size=3),
    classes=st.dictionaries(NAMES | st.integers(0, 99), SHARES, max_size=3),
    ceilings=st.fixed_dictionaries(
        {"accuracy": SHARES}, optional={"bytes": CEILINGS, "latency_p50_ms": CEILINGS}
    ),
)
def test_what_is_written_is_read_again(tmp_path_factory, name, slices, classes, ceilings):
    if len({str(key) for key in classes}) < len(classes):
        return
    contract = Contract(name, slices=slices, classes=classes, **ceilings)
    path = tmp_path_factory.getbasetemp() / "again.toml"
    path.write_bytes(contract.to_toml().encode())
    assert Contract.from_toml(path) == contract


def test_files_of_windows_editors_are_read(write):
    content = FULL.replace("\n", "\r\n").encode("utf-8-sig")
    assert Contract.from_toml(write(content)) == Contract.from_toml(write(FULL))


@pytest.mark.parametrize(
    ("content", "kind", "sentence"),
    [
        ("acuracy = 0.7", ValueError, r"^contract\.toml has the key 'acuracy', .* did you mean accuracy\?$"),
        ("[slice]\nmulti = 0.5", ValueError, r"has the key 'slice', .* did you mean slices\?$"),
        ("latency_p99_ms = 3", ValueError, r"has the key 'latency_p99_ms', .* did you mean latency_p9?5"),
        ("zzz = 1", ValueError, r"has the key 'zzz', .* use name, accuracy, .* or price_per_hour\.$"),
        ("accuracy = 85", ValueError, r"^contract\.toml: accuracy is 85, .* give a share such as 0\.85\.$"),
        ("bytes = -5", ValueError, r"^contract\.toml: bytes is -5: give the most"),
        ("ece = nan", ValueError, r"^contract\.toml: ece is nan"),
        ("accuracy = '0.7'", TypeError, r"^contract\.toml: accuracy is '0\.7', which is no number"),
        ("accuracy = true", TypeError, r"^contract\.toml: accuracy is True, which is no number"),
        ("accuracy = 2024-01-01", TypeError, "which is no number"),
        ("accuracy = [0.7]", TypeError, "which is no number"),
        ("slices = 0.5", TypeError, r"^contract\.toml: slices is 0\.5: give floors by name"),
        ("[slices]\na.b = 0.5", TypeError, r"slices\.a is .*: write one, a name with a dot in quotes\.$"),
        ("name = 3\naccuracy = 0.7", TypeError, "name is 3: give a text"),
        ("cost_per_million = 1", ValueError, "cost_per_million needs price_per_hour"),
        ("", ValueError, r"^contract\.toml: The contract asks for nothing"),
        ("name = 'x'\n[slices]", ValueError, "asks for nothing"),
        (
            "[slices]\nmulti = 0.5\nbytes = 5_000",
            ValueError,
            r"bytes must stand above the first \[table\]\)\.$",
        ),
        ("accuracy = 0.7\nece 0.1", ValueError, r"^contract\.toml is no valid TOML in line 2: .*; correct"),
        ("accuracy = 0.7\naccuracy = 0.8", ValueError, "no valid TOML in line 2"),
        ("ece 0.1\naccuracy = 0.7\nbytes = 5", ValueError, "no valid TOML in line 1"),
        ("name = 'x'\n\nslices = [1", ValueError, "no valid TOML in line 3"),
        ("slices = [1", ValueError, "no valid TOML in line 1"),
        ("accuracy = 70%", ValueError, "no valid TOML in line 1"),
        ("accuracy = 0.7\nname = 'a\0b'", ValueError, "no valid TOML in line 2"),
        ("name = '" + "[" * 10 + "'\nece = " + "[" * 100_000, ValueError, "no valid TOML in line 2"),
        ("accuracy = 0.7\nname = 'Büro'".encode("latin-1"), ValueError, "is not UTF-8 in line 2: save it"),
        ("\nname = 'Büro'".encode("latin-1"), ValueError, "is not UTF-8 in line 2: save it"),
        (FULL.encode("utf-16"), ValueError, "is not UTF-8 in line 1"),
    ],
    ids=lambda value: (
        "" if isinstance(value, (bytes, type)) else value[:20].encode("unicode_escape").decode()
    ),
)
def test_a_file_that_says_no_contract_is_refused(write, content, kind, sentence):
    with pytest.raises(kind, match=sentence) as caught:
        Contract.from_toml(write(content))
    assert type(caught.value) is kind
    assert "\n" not in str(caught.value)


def test_an_unknown_key_is_answered_with_all_that_are_known(write):
    with pytest.raises(ValueError, match="zzz") as caught:
        Contract.from_toml(write("zzz = 1"))
    listed = str(caught.value).partition(": use ")[2].removesuffix(".").replace(" or ", ", ").split(", ")
    assert sorted(listed) == sorted(field.name for field in fields(Contract))


def test_files_that_are_not_there_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"^There is no contract none\.toml in .*: give its path\.$"):
        Contract.from_toml(tmp_path / "none.toml")
    with pytest.raises(OSError, match=r"^Could not read .*: give a file to read"):
        Contract.from_toml(tmp_path)


def test_old_pythons_need_a_reader_installed(write, monkeypatch):
    monkeypatch.setattr(toml_text, "READER", "tomli")
    monkeypatch.setitem(sys.modules, "tomli", None)
    with pytest.raises(ImportError, match=r"needs tomli, .*pip install 'kdhelpers\[course\]'"):
        Contract.from_toml(write(FULL))
