"""Instrument: charts in images, with the values of their bars, lines and slices."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import ClassVar

from omnidetective.embedded.chart_page import FoundChart
from omnidetective.embedded.chart_reading import read_charts, worth_reading
from omnidetective.embedded.chart_told import figure
from omnidetective.embedded.inference import infer, require_packages
from omnidetective.embedded.models import embedded_models
from omnidetective.embedded.pixels import colours_of
from omnidetective.embedded.text import PACKAGES, TextLine
from omnidetective.embedded.upright import Upright
from omnidetective.evidence import Span
from omnidetective.media.clip import Clip
from omnidetective.observers.base import ObserverContext, ObserverSettings, ObserverSpec, observation
from omnidetective.observers.page_text import page_text
from omnidetective.page_evidence import Box, Chart, ChartEvidence
from omnidetective.records import Observation

_SIDE_PX = 1920
"""Longest side of the picture that is measured: finer than the thinnest bar, and quick to look through."""
_MOST_TOLD = 60
"""Values of one chart in the answer; all of them are in the evidence."""


class ChartsSettings(ObserverSettings):
    """Settings of `charts`."""


class Charts:
    """Reads bar charts, line charts and pies; what it cannot read surely it leaves out."""

    spec: ClassVar[ObserverSpec] = ObserverSpec(
        name="charts",
        kind="instrument",
        modalities=("image",),
        needs="video",
        description=(
            "Reads bar charts, line charts and pies in images: every value with its label and series, as it is printed "
            "or as measured against the axis, with how far it may be off; titles and units. It reads all charts that "
            "it finds, whatever is asked. A value that it is not sure of is left out, and other kinds of charts, with "
            "two scales or drawn in perspective, are not read: ask a witness about those."
        ),
        attributes=("objects", "narrative"),
        settings=ChartsSettings,
        cost="the text is read once for all that need it; beside that 0.1 to 0.6 s of one processor for a picture",
    )

    def __init__(self, settings: ObserverSettings, context: ObserverContext) -> None:
        assert isinstance(settings, ChartsSettings)
        require_packages(*PACKAGES)
        self._models = embedded_models(num_workers=context.settings.num_workers)

    async def observe(self, clip: Clip, question: str, span: Span | None) -> Observation:
        charts: list[Chart] = []
        for page in range(1, clip.pages + 1):
            found = await self._of_page(clip, page)
            number = page if clip.pages > 1 else None
            charts += [one.chart.model_copy(update={"page": number}) for one in found]
        evidence = ChartEvidence(charts=tuple(charts))
        return observation(self.spec, question, span, answer=_describe(evidence), data=evidence)

    async def _of_page(self, clip: Clip, page: int) -> tuple[FoundChart, ...]:
        lines = await page_text(clip, self._models, page=page)
        if not worth_reading(lines):
            return ()
        jpeg = (await clip.page_frame(page, longest_side_px=_SIDE_PX)).jpeg
        found = await infer(functools.partial(_read, jpeg, lines, ()))
        if turned := await self._upright(jpeg, found):
            found = await infer(functools.partial(_read, jpeg, lines, turned))
        return found

    async def _upright(self, jpeg: bytes, found: Sequence[FoundChart]) -> tuple[TextLine, ...]:
        """The text that stands upright beside and below charts: titles of axes, and labels."""
        read: list[TextLine] = []
        for box in (box for one in found for box in (one.beside, one.below) if box is not None):
            read += await self._turned(jpeg, box)
        return tuple(read)

    async def _turned(self, jpeg: bytes, box: Box) -> list[TextLine]:
        part = await infer(functools.partial(Upright.of, jpeg, box))
        return [] if part is None else [part.placed(line) for line in await self._models.read_text(part.jpeg)]


def _read(jpeg: bytes, lines: Sequence[TextLine], turned: Sequence[TextLine]) -> tuple[FoundChart, ...]:
    return read_charts(colours_of(jpeg), lines, turned)


def _describe(evidence: ChartEvidence) -> str:
    if not evidence.charts:
        return "No chart was found that can be read."
    return "\n".join(_chart(chart) for chart in evidence.charts)


def _chart(chart: Chart) -> str:
    title = f" “{chart.title}”" if chart.title else ""
    axes = [f"{name} “{text}”" for name, text in (("x axis", chart.x_title), ("y axis", chart.y_title)) if text]
    unit = f", in {chart.unit}" if chart.unit and chart.kind != "pie" else ""
    kind = {"bars": "Bar chart", "horizontal bars": "Bar chart with horizontal bars", "line": "Line chart",
            "pie": "Pie chart (shares in %)", "scatter": "Scatter plot"}[chart.kind]  # fmt: skip
    lines = [f"{kind}{title}{''.join(f', {axis}' for axis in axes)}{unit}:"]
    for point in chart.points[:_MOST_TOLD]:
        where = ", ".join(part for part in (point.series, point.label) if part) or "without a label"
        off = f" ± {point.tolerance:g}, measured" if point.tolerance is not None else ", printed"
        lines.append(f"- {where}: {figure(point.value)}{off}")
    if len(chart.points) > _MOST_TOLD:
        lines.append(f"And {len(chart.points) - _MOST_TOLD} more values.")
    return "\n".join(lines)
