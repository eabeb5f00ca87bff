"""Pie charts: the share of every slice with its label, as printed or by its angle."""

from __future__ import annotations

from omnidetective.embedded.chart_digits import rounded
from omnidetective.embedded.chart_legend import legend, name_of
from omnidetective.embedded.chart_page import FoundChart, Page, Taken, around, found_chart, told_tolerance
from omnidetective.embedded.chart_pies import find_pies, told_of
from omnidetective.embedded.chart_titles import title_above
from omnidetective.page_evidence import ChartPoint


def read_pies(page: Page, taken: Taken) -> list[FoundChart]:
    found = []
    for pie in find_pies(page.picture, page.shades):
        shades = {one.colour: page.shades.colours[one.colour] for one in pie.slices}
        outside = [word for word in taken.free(page.words) if not pie.reaches(word)]
        legends = legend(page.picture, shades, outside, page.shades.ground)
        near = [word for word in page.words if word not in legends.values()]
        title = title_above(near, pie.box, taken=taken.words)
        words = [word for word in near if word is not title]
        told = told_of(pie, words, {colour: name_of(word) for colour, word in legends.items()})
        if told is None:
            continue
        points = tuple(
            ChartPoint(
                label=one.label,
                value=part.percent if (part := one).percent is not None else rounded(piece.percent, pie.tolerance),
                printed=one.percent is not None,
                tolerance=None if one.percent is not None else told_tolerance(piece.percent, pie.tolerance),
            )
            for one, piece in zip(told, pie.slices, strict=True)
            if one.agrees
        )
        if len(points) < 2:
            continue
        labels = {point.label for point in points}
        used = [word for word in page.words if word.text in labels or word in legends.values()]
        whole = around(pie.box, [word.box for word in used])
        one = found_chart(page, taken, "pie", points, "%", plot=pie.box, taken_by=whole, used=used)
        found.append(FoundChart(one.chart, None, None))
    return found
