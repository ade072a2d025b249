"""Figures: described, legible, small, closed, and with knobs that redraw."""

from __future__ import annotations

import base64
import io
import re
from typing import Any, NamedTuple

import matplotlib as mpl
import numpy as np
import pytest
import torch
from PIL import Image

from kdhelpers.plotting import (
    PALETTE,
    bars_with_intervals,
    explore,
    lines_with_intervals,
    new_figure,
    plot_signals,
    scatter_tradeoff,
    show,
    showing,
)
from kdhelpers.plotting.drawing import bounds
from kdhelpers.plotting.showing import explorer, figure_html, png


class Estimate(NamedTuple):
    value: float
    low: float
    high: float


ESTIMATES = [Estimate(0.5, 0.4, 0.6), Estimate(0.7, 0.65, 0.8), Estimate(0.9, 0.88, 0.91)]


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    pages: list[tuple[str, str]] = []
    monkeypatch.setattr(showing, "show_html", lambda html, text: pages.append((html, text)))
    return pages


def picture_of(html: str) -> Image.Image:
    found = re.search(r'src="data:image/png;base64,([^"]+)"', html)
    assert found is not None
    return Image.open(io.BytesIO(base64.b64decode(found[1])))


def line_figure() -> Any:
    figure, ax = new_figure()
    for label in ("soft targets", "hard labels", "label smoothing"):
        lines_with_intervals(ax, [1, 4, 10], ESTIMATES, label)
    ax.set_title("Accuracy over temperature")
    ax.legend()
    return figure


@pytest.mark.parametrize(("width", "height"), [(10, 4.5), (6, 6), (14, 3)])
def test_a_picture_is_1000_pixels_wide_small_and_opaque(width: float, height: float) -> None:
    figure, ax = new_figure(width=width, height=height)
    lines_with_intervals(ax, [1, 4, 10], ESTIMATES, "student")
    data = png(figure)
    picture = Image.open(io.BytesIO(data))
    assert picture.width == 1000
    assert len(data) < 80_000
    assert picture.convert("RGBA").getpixel((0, 0)) == (255, 255, 255, 255)


def test_a_figure_has_its_description_and_shrinks_to_the_page(shown: list[tuple[str, str]]) -> None:
    show(line_figure(), 'Accuracy rises & "flattens".')
    html, text = shown[0]
    assert 'alt="Accuracy rises &amp; &quot;flattens&quot;."' in html
    assert "max-width: 100%" in html
    assert text == '[Figure: Accuracy rises & "flattens".]'
    assert picture_of(html).width == 1000


@pytest.mark.parametrize("alt", ["", "  \n"])
def test_a_figure_without_description_is_refused(alt: str) -> None:
    with pytest.raises(ValueError, match="needs a description"):
        show(line_figure(), alt)


def test_the_numbers_can_be_unfolded(shown: list[tuple[str, str]]) -> None:
    show(line_figure(), "A chart.", data={"T <": [1, 4], "accuracy": [0.123456, 0.9]})
    html = shown[0][0]
    assert html.count("<tr>") == 3
    assert "<details>" in html
    assert "T &lt;" in html
    assert ">0.1235<" in html
    with pytest.raises(ValueError, match=r"differ in length: a 1, b 2"):
        show(line_figure(), "A chart.", data={"a": [1], "b": [1, 2]})


def test_no_text_is_smaller_than_twelve_points() -> None:
    figure, ax = new_figure()
    ax.plot([0, 1], label="x")
    ax.legend(fontsize=6)
    ax.text(0, 0, "tiny", fontsize=5)
    ax.set_title("title")
    png(figure)
    assert min(part.get_fontsize() for part in figure.findobj(mpl.text.Text)) >= 12


def test_global_settings_and_pyplot_are_left_alone() -> None:
    import matplotlib.pyplot as plt

    before = dict(mpl.rcParams)
    show(line_figure(), "A chart.")
    assert dict(mpl.rcParams) == before
    assert plt.get_fignums() == []
    figure, _ = plt.subplots()
    show(figure, "A chart made by pyplot.")
    assert plt.get_fignums() == []


def test_series_differ_in_colour_marker_and_line() -> None:
    _, ax = new_figure()
    for number in range(len(PALETTE)):
        lines_with_intervals(ax, [1, 2, 3], ESTIMATES, f"series {number}")
    lines = [line for line in ax.lines if line.get_gid() == "series"]
    assert len({line.get_color() for line in lines}) == len(PALETTE)
    assert len({line.get_marker() for line in lines}) == len(PALETTE)
    assert len({str(line.get_linestyle()) + str(line._dash_pattern) for line in lines}) == len(PALETTE)


def test_a_fixed_index_gives_the_same_look_in_another_panel() -> None:
    _, (left, right) = new_figure(columns=2)
    lines_with_intervals(left, [1], [0.5], "a")
    lines_with_intervals(left, [1], [0.5], "b")
    lines_with_intervals(right, [1], [0.5], "b", index=1)
    assert left.lines[1].get_color() == right.lines[0].get_color()


def test_a_band_covers_the_interval_and_numbers_have_none() -> None:
    _, ax = new_figure()
    lines_with_intervals(ax, [1, 2, 3], ESTIMATES, "a")
    extent = ax.collections[0].get_paths()[0].get_extents()
    assert (extent.y0, extent.y1) == (0.4, 0.91)
    _, plain = new_figure()
    lines_with_intervals(plain, [1, 2], [0.5, 0.6], "a")
    assert len(plain.collections) == 0


def test_a_logarithmic_axis_is_labelled_at_its_points() -> None:
    _, ax = new_figure()
    lines_with_intervals(ax, [1, 2.5, 20], ESTIMATES, "a", log_x=True)
    assert [label.get_text() for label in ax.get_xticklabels()] == ["1", "2.5", "20"]
    assert len(ax.get_xticks(minor=True)) == 0


def test_bars_write_their_values_and_show_intervals_from_zero() -> None:
    _, ax = new_figure()
    bars_with_intervals(ax, ["a", "b", "c"], ESTIMATES, highlight="b")
    assert [text.get_text() for text in ax.texts] == ["50.0%", "70.0%", "90.0%"]
    assert ax.get_xlim()[0] == 0
    colours = [mpl.colors.to_hex(bar.get_facecolor()) for bar in ax.patches]
    assert colours[0] == colours[2] != colours[1]
    ends = [segment[:, 0].tolist() for segment in ax.collections[0].get_segments()]
    assert np.allclose(ends, [[e.low, e.high] for e in ESTIMATES])
    with pytest.raises(ValueError, match="nothing to highlight"):
        bars_with_intervals(ax, ["a", "b", "c"], ESTIMATES, highlight="d")


def test_names_in_a_crowded_scatter_do_not_lie_on_each_other() -> None:
    figure, ax = new_figure()
    names = [f"student {number}" for number in range(5)]
    scatter_tradeoff(ax, [1000, 1040, 1080, 30_000, 31_000], [0.7, 0.705, 0.7, 0.9, 0.9], names)
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in ax.texts]
    frame = ax.get_window_extent()
    assert [text.get_text() for text in ax.texts] == names
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])
    assert all(frame.x0 <= box.x0 and box.x1 <= frame.x1 for box in boxes)


def test_groups_have_their_own_look_and_legend_entry() -> None:
    _, ax = new_figure()
    scatter_tradeoff(ax, [1, 2, 3], ESTIMATES, ["a", "b", "c"], groups=["CNN", "MLP", "CNN"])
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["CNN", "MLP"]
    assert ax.lines[0].get_marker() != ax.lines[1].get_marker()
    with pytest.raises(ValueError, match="costs above 0"):
        scatter_tradeoff(ax, [0, 2, 3], ESTIMATES, ["a", "b", "c"])


def test_signals_share_their_scale_and_empty_panels_stay_empty() -> None:
    signals = torch.randn(7, 40, generator=torch.Generator().manual_seed(0))
    figure = plot_signals(signals, titles=[str(n) for n in range(7)], columns=5, colours=[PALETTE[1]] * 7)
    assert len(figure.axes) == 10
    assert len({ax.get_ylim() for ax in figure.axes[:7]}) == 1
    assert np.allclose(figure.axes[6].lines[-1].get_ydata(), signals[6])
    assert len(figure.axes[7].lines) == 0
    assert len(plot_signals(torch.zeros(1, 40)).axes) == 1
    for wrong in (torch.zeros(40), torch.zeros(0, 40)):
        with pytest.raises(ValueError, match="Signals are"):
            plot_signals(wrong)
    with pytest.raises(ValueError, match="titles has 1 entries for 7"):
        plot_signals(signals, titles=["0"])


def test_lengths_must_agree_and_nothing_cannot_be_drawn() -> None:
    _, ax = new_figure()
    with pytest.raises(ValueError, match="x has 2 entries for 3 values"):
        lines_with_intervals(ax, [1, 2], ESTIMATES, "a")
    with pytest.raises(ValueError, match="names has 1 entries for 3 values"):
        bars_with_intervals(ax, ["a"], ESTIMATES)
    with pytest.raises(ValueError, match="groups has 1 entries"):
        scatter_tradeoff(ax, [1, 2, 3], ESTIMATES, ["a", "b", "c"], groups=["one"])
    with pytest.raises(ValueError, match="nothing to draw"):
        bounds([])


def draw(temperature: float, classes: int) -> tuple[Any, str]:
    figure, ax = new_figure(height=3)
    bars_with_intervals(ax, [str(n) for n in range(classes)], [1 / temperature] * classes)
    if temperature == 13:
        raise RuntimeError("an <unlucky> number")
    return figure, f"{classes} bars at temperature {temperature}."


def test_without_widgets_the_start_is_shown_and_the_knobs_are_named(shown: list[tuple[str, str]]) -> None:
    explore(draw, temperature=([1, 2, 4], 2), classes=([3, 5], 5))
    html, text = shown[0]
    assert 'alt="5 bars at temperature 2."' in html
    assert "2 sliders: temperature (1, 2, 4; here 2); classes (3, 5; here 5)." in html
    assert text.startswith("[Figure: 5 bars at temperature 2.]")


def test_a_turned_knob_redraws_the_picture() -> None:
    box = explorer(draw, temperature=([1, 2, 13], 2), classes=([3, 5], 3))
    temperature, classes, picture = box.children
    assert 'alt="3 bars at temperature 2."' in picture.value
    before = picture.value
    temperature.value = 1
    classes.value = 5
    assert 'alt="5 bars at temperature 1."' in picture.value
    assert picture.value != before
    temperature.value = 13
    assert "RuntimeError" in picture.value
    assert "an &lt;unlucky&gt; number" in picture.value
    assert temperature.description == "temperature"


def test_explore_refuses_what_it_cannot_start_with() -> None:
    with pytest.raises(ValueError, match="at least one choice"):
        explore(draw)
    with pytest.raises(ValueError, match="temperature starts at 3, which is not among its values"):
        explore(draw, temperature=([1, 2], 3))


def test_the_same_figure_gives_the_same_bytes() -> None:
    assert figure_html(line_figure(), "A chart.") == figure_html(line_figure(), "A chart.")


def test_without_matplotlib_one_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"pip install 'kdhelpers\[course\]'"):
        new_figure()
