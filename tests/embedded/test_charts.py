"""The pure parts of the chart reader, on drawn charts whose text is given, and on scales with misread numbers."""

from __future__ import annotations

import io

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pictures.charts import DrawnChart, DrawnPoint, Style, bar_chart

from omnidetective.embedded.chart_numbers import numbers_in, read_number
from omnidetective.embedded.chart_page import FoundChart
from omnidetective.embedded.chart_reading import read_charts
from omnidetective.embedded.chart_scale import Mark, fit
from omnidetective.embedded.text import TextLine


def read(drawn: DrawnChart, *, without: tuple[str, ...] = ()) -> tuple[FoundChart, ...]:
    """The charts of a drawn picture, with its text as it was written."""
    file = io.BytesIO()
    drawn.image.save(file, "JPEG", quality=85)
    picture = cv2.imdecode(np.frombuffer(file.getvalue(), np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    width, height = drawn.image.size
    lines = [
        TextLine(w.text, (w.box[0] / width, w.box[1] / height, w.box[2] / width, w.box[3] / height), 0.99)
        for w in drawn.written
        if w.text not in without
    ]
    return read_charts(picture.astype(np.uint8), lines)


@settings(max_examples=25)
@given(
    values=st.lists(st.floats(0.5, 99).map(lambda v: round(v, 1)), min_size=2, max_size=7),
    horizontal=st.booleans(),
    grid=st.sampled_from(("", "#d9d9d9")),
    unit=st.sampled_from(("", "%", "$")),
    height=st.sampled_from((420, 640, 900)),
)
def test_no_bar_is_told_wrong(values: list[float], horizontal: bool, grid: str, unit: str, height: int) -> None:
    points = [DrawnPoint(f"Item {n}", value) for n, value in enumerate(values)]
    drawn = bar_chart(points, Style(grid=grid, unit=unit, height=height), horizontal=horizontal)
    truth = {point.label: point.value for point in points}
    for found in read(drawn):
        for point in found.chart.points:
            assert point.label is None or abs(truth[point.label] - point.value) <= (point.tolerance or 0.0) + 1e-9


def test_a_misread_tick_does_not_bend_the_scale() -> None:
    marks = [Mark(500 - 80 * n, 20.0 * n, 16) for n in range(6)]
    marks[3] = Mark(marks[3].y, 6.0, 16)  # 60 without its zero
    scale = fit(marks)
    assert scale is not None
    assert scale.value(500 - 80 * 3) == pytest.approx(60)
    assert len(scale.marks) == 5


def test_a_logarithmic_scale_is_told_from_a_straight_one() -> None:
    scale = fit([Mark(400 - 100 * n, 10.0**n, 16) for n in range(4)])
    assert scale is not None
    assert scale.logarithmic
    assert scale.value(250) == pytest.approx(10**1.5)


@pytest.mark.parametrize(
    "values", [(3.0, 2.0, 1.0), (5.0, 5.0, 5.0), (10.0, 11.0, 30.0, 31.0)], ids=["downwards", "constant", "uneven"]
)
def test_other_columns_of_numbers_are_no_scale(values: tuple[float, ...]) -> None:
    assert fit([Mark(400 - 60 * n, value, 16) for n, value in enumerate(values)]) is None


def test_bars_without_any_number_are_not_told() -> None:
    drawn = bar_chart([DrawnPoint("A1", 4), DrawnPoint("B1", 7)], Style())
    numbers = tuple(w.text for w in drawn.written if read_number(w.text) is not None)
    assert read(drawn, without=numbers) == ()


@pytest.mark.parametrize(
    ("text", "value", "unit"),
    [
        ("1,234", 1234, ""), ("1.234.567", 1234567, ""), ("12,5", 12.5, ""), ("$1.5M", 1.5e6, "$"), ("−5%", -5, "%"),
        ("(12)", -12, ""), ("3,456.7", 3456.7, ""), ("0,345", 0.345, ""), ("€ 12", 12, "€"), ("OK", 0, ""),
        ("1\u202f234,5", 1234.5, ""),
    ],
)  # fmt: skip
def test_numbers_are_read_as_people_write_them(text: str, value: float, unit: str) -> None:
    number = read_number(text)
    assert number is not None
    assert (number.value, number.unit) == (pytest.approx(value), unit)


def test_numbers_in_text_are_apart_from_words() -> None:
    text = "Q1 rose to 12.5% from 2019-2020, B2B took 1,200 units on the 3rd day."
    assert [number.value for number in numbers_in(text)] == [12.5, 2019, 2020, 1200]
