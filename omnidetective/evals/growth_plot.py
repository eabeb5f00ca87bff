"""The co-growth curve as a picture: both rates over the length of the captions, and one against the other."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from omnidetective.errors import ConfigError
from omnidetective.evals.growth import DETAIL, INVENTION, Group, Growth
from omnidetective.evals.statistics import Score

SUFFIXES = (".png", ".svg")
_BLUE, _VERMILION, _GREY = "#0072B2", "#D55E00", "#666666"
"""Told apart without colour vision too (Okabe and Ito, 2008); the marks differ besides."""
_SIZE_IN = (9.6, 4.2)
_DPI = 160
_MARGIN, _MARGIN_OF_NUMBERS = 0.06, 0.12
_ASIDE = 0.004
"""How far the curves are moved apart, as a share of the axis, so that no interval hides another."""


def require_plots(path: Path) -> None:
    """Whether a picture can be drawn into this file, before anything is paid for.

    Raises:
        ConfigError: it is neither PNG nor SVG, its folder is not there, or matplotlib is not installed.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise ConfigError(f"cannot draw {path.name}", hint=f"name a file that ends in {' or '.join(SUFFIXES)}")
    if not path.absolute().parent.is_dir():
        raise ConfigError(f"cannot draw {path}: there is no folder {path.parent}")
    if importlib.util.find_spec("matplotlib") is None:
        raise ConfigError("a plot needs matplotlib", hint="pip install 'omnidetective[plots]'")


def draw(found: Growth, path: Path, *, title: str) -> None:
    """Draw both rates with their 95 % intervals; the same growth gives the same bytes.

    Args:
        path: ends in ``.png`` or ``.svg``.
        title: what was measured on what.
    """
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    settings: Any = {"svg.hashsalt": "growth", "svg.fonttype": "none", "font.size": 9.5, "axes.axisbelow": True}
    with mpl.rc_context(settings):
        figure = Figure(figsize=_SIZE_IN, dpi=_DPI, layout="constrained")
        FigureCanvasAgg(figure)
        figure.suptitle(title, fontsize=11, x=0.012, ha="left")
        over, against = figure.subplots(1, 2, width_ratios=(1.15, 1))
        _rates_over(over, found)
        _one_against_the_other(against, found)
        new = path.with_name(f"{path.stem}.new{path.suffix}")
        undated = {"Date": None} if path.suffix.lower() == ".svg" else {"Software": None}
        figure.savefig(new, metadata=undated)
        new.replace(path)


def _rates_over(axes: Any, found: Growth) -> None:
    means = [group.mean for group in found.groups]
    aside = _ASIDE * (max(means) - min(means)) if means else 0.0
    for name, colour, mark, line, by in (
        (DETAIL, _BLUE, "o", "-", -aside),
        (INVENTION, _VERMILION, "s", "--", aside),
    ):
        points = [(group.mean + by, rate) for group in found.groups if (rate := _of(group, name)).value is not None]
        _curve(
            axes, [x for x, _ in points], [rate for _, rate in points], colour=colour, mark=mark, line=line, label=name
        )
    axes.set_xlabel("length of the caption (tokens)" if found.by == "length" else "inquiries of the detective")
    axes.set_ylabel("rate (%)")
    axes.set_ylim(bottom=0)
    axes.margins(x=_MARGIN)
    if found.by == "inquiries":
        from matplotlib.ticker import MaxNLocator

        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_title(_slopes(found), fontsize=9, loc="left", color=_GREY)
    axes.legend(frameon=False, loc="best")
    _plain(axes)


def _one_against_the_other(axes: Any, found: Growth) -> None:
    from matplotlib.patheffects import withStroke

    groups = [group for group in found.groups if None not in (group.detail.value, group.invention.value)]
    x, y = [group.invention.value for group in groups], [group.detail.value for group in groups]
    axes.errorbar(
        x,
        y,
        xerr=_reach([group.invention for group in groups]),
        yerr=_reach([group.detail for group in groups]),
        color="black",
        ecolor="#bbbbbb",
        elinewidth=1.0,
        marker="o",
        markersize=4.5,
        linewidth=1.2,
    )
    for group, at in zip(groups, zip(x, y, strict=True), strict=True):
        halo = [withStroke(linewidth=2.5, foreground="white")]
        told = {"textcoords": "offset points", "xytext": (6, -11), "fontsize": 8.5, "path_effects": halo, "zorder": 9}
        axes.annotate(f"{group.mean:,.0f}", at, **told)
    axes.set_xlabel("hallucination (%)")
    axes.set_ylabel("detail (%)")
    axes.margins(x=_MARGIN_OF_NUMBERS, y=_MARGIN)
    axes.set_title(f"numbers: mean {found.unit} of the group", fontsize=9, loc="left", color=_GREY)
    _plain(axes)


def _curve(
    axes: Any, x: Sequence[float], rates: Sequence[Score], *, colour: str, mark: str, line: str, label: str
) -> None:
    axes.errorbar(
        x,
        [rate.value for rate in rates],
        yerr=_reach(rates),
        color=colour,
        linestyle=line,
        linewidth=1.6,
        marker=mark,
        markersize=5,
        elinewidth=1.0,
        capsize=2.5,
        label=label,
    )


def _of(group: Group, name: str) -> Score:
    return group.detail if name == DETAIL else group.invention


def _reach(rates: Sequence[Score]) -> list[list[float]]:
    """How far the interval reaches below and above each rate."""
    values = [(rate.value or 0.0, rate) for rate in rates]
    below = [max(0.0, value - (value if rate.low is None else rate.low)) for value, rate in values]
    above = [max(0.0, (value if rate.high is None else rate.high) - value) for value, rate in values]
    return [below, above]


def _slopes(found: Growth) -> str:
    if found.detail.value is None or found.invention.value is None:
        return "bars: 95 % intervals over clips"
    per = "100 tokens" if found.by == "length" else "inquiry"
    return (
        f"per {per}: {found.detail.value:+.1f} points of {DETAIL}, {found.invention.value:+.1f} of {INVENTION}\n"
        "bars: 95 % intervals over clips"
    )


def _plain(axes: Any) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="#e6e6e6", linewidth=0.7)
