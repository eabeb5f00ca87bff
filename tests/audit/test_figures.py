"""Numbers of captions against charts and tables: true ones never alarm, wrong ones mostly do."""

from __future__ import annotations

import pytest
from detective.cases import make_case, seen_by
from hypothesis import given
from hypothesis import strategies as st

from omnidetective.audit.figures import CHECK
from omnidetective.audit.finding import Inspection
from omnidetective.audit.inspection import inspect
from omnidetective.case import Case
from omnidetective.evidence import TextCard, TextEvidence
from omnidetective.page_evidence import Chart, ChartEvidence, ChartPoint, Table, TableCell, TableEvidence

LABELS = ("North", "South", "East", "West", "Q1", "2021", "Other costs")
TELLS = (
    "{label} reaches {number}.",
    "The bar for {label} stands at {number}.",
    "In {label}, the value is {number}.",
    "{label} accounts for {number}, shown in blue.",
)


def case_of(chart: Chart, *texts: str) -> Case:
    cards = tuple(TextCard(text=text) for text in texts)
    evidence = ChartEvidence(charts=(chart,))
    return make_case(
        seen_by("ocr", TextEvidence(cards=cards, frames_read=1)), seen_by("charts", evidence), modality="image"
    )


def bars(*values: tuple[str, float], printed: bool = True, unit: str | None = None) -> Chart:
    points = tuple(
        ChartPoint(label=label, value=value, printed=printed, tolerance=None if printed else 0.02 * abs(value) + 0.1)
        for label, value in values
    )
    return Chart(kind="bars", unit=unit, points=points, box=(0.0, 0.0, 1.0, 1.0))


def errors(result: Inspection) -> list[str]:
    return [finding.snippet for finding in result.findings if finding.check == CHECK]


MEASURED = bars(("North", 412), ("South", 187), ("East", 655), printed=False)
PRINTED = bars(("Q1", 41.2), ("Q2", 18.7), ("Q3", 65.5), unit="%")
NUMBERS = ("41.2%", "18.7%", "65.5%", "0%", "50%", "Q1", "Q2", "Q3")


@pytest.mark.parametrize(
    ("caption", "found"),
    [
        ("In the first part, Q1 has 51.2%.", []),  # "first" may count
        ("Q1 has 51.2% of it.", ["Q1 has 51.2%"]),
        ("Sales were 14.2% in Q1.", ["14.2% in Q1"]),
        ("Q2 drops to 87.1%.", ["Q2 drops to 87.1%"]),
    ],
)
def test_planted_numbers_are_found_with_what_was_read(caption: str, found: list[str]) -> None:
    result = inspect(caption, case_of(PRINTED, *NUMBERS))
    assert errors(result) == found
    for finding in (one for one in result.findings if one.check == CHECK):
        assert (finding.kind, finding.attribute, finding.evidence) == ("error", "objects", ("o2",))
        assert "the picture gives Q" in finding.why


@pytest.mark.parametrize(
    "caption",
    [
        "Q1 has 41.2%.",
        "Q1 has about 41%.",
        "Q1 has roughly 40%.",
        "Q3 is 24.3 points ahead of the rest.",  # 65.5 - 41.2
        "Q1 comes to 50% on the axis.",  # stands in the picture
        "Q1 and Q2 have 77%.",  # two labels
        "Q1 has 41.2% and then 99%.",  # two numbers
        "Q1 does not reach 90%.",
        "Q1 is more than 30%.",
        "Q2 is one of 3 bars.",
        "Q1 of 2031 is blue.",
        "Q1 was published on page 217.",
    ],
)
def test_what_may_be_true_is_left_alone(caption: str) -> None:
    assert errors(inspect(caption, case_of(PRINTED, *NUMBERS))) == []


def test_a_power_may_be_told_in_any_way() -> None:
    case = case_of(bars(("North", 1.25), ("South", 3.4), unit="$M"), "$1.25M", "$3.4M")
    for told in ("$1.25M", "1.25 million", "1,250,000 dollars", "$1.25 million"):
        assert errors(inspect(f"North earns {told}.", case)) == []
    assert errors(inspect("North earns 7.9 million.", case)) == ["North earns 7.9"]


def test_measured_values_hold_within_their_tolerance() -> None:
    case = case_of(MEASURED, "0", "200", "400", "600")
    assert errors(inspect("North reaches 418.", case)) == []
    assert errors(inspect("North reaches 530.", case)) == ["North reaches 530"]


def test_tables_count_too() -> None:
    rows = (("City", "2020", "2021"), ("Bern", "134", "141"), ("Basel", "173", "178"))
    cells = tuple(TableCell(row=r, column=c, text=text) for r, row in enumerate(rows) for c, text in enumerate(row))
    table = Table(rows=3, columns=3, cells=cells, header_rows=1, ruled=True, box=(0, 0, 1, 1))
    ocr = TextEvidence(cards=tuple(TextCard(text=cell.text) for cell in cells), frames_read=1)
    case = make_case(seen_by("ocr", ocr), seen_by("tables", TableEvidence(tables=(table,))), modality="image")
    assert errors(inspect("Bern has 141.", case)) == []
    assert errors(inspect("Bern counts 519 thousand.", case)) == ["Bern counts 519"]


def test_nothing_is_judged_where_nobody_read_the_text() -> None:
    case = make_case(seen_by("charts", ChartEvidence(charts=(PRINTED,))), modality="image")
    assert errors(inspect("Q1 has 51.2%.", case)) == []


charts = st.lists(
    st.tuples(st.sampled_from(LABELS), st.decimals(1, 9999, places=1, allow_nan=False).map(float)),
    min_size=2,
    max_size=7,
    unique_by=lambda item: item[0],
)


@given(values=charts, printed=st.booleans(), tell=st.sampled_from(TELLS), data=st.data())
def test_true_values_never_alarm(
    values: list[tuple[str, float]], printed: bool, tell: str, data: st.DataObject
) -> None:
    label, value = data.draw(st.sampled_from(values))
    number = data.draw(st.sampled_from((f"{value:g}", f"{value:,.1f}", f"about {value:.3g}", f"{value:.1f}%")))
    shown = [f"{v:g}" for _, v in values] if printed else ["0"]
    case = case_of(bars(*values, printed=printed), *shown)
    assert errors(inspect(tell.format(label=label, number=number), case)) == []


def test_most_wrong_numbers_are_found() -> None:
    from random import Random

    chance = Random(7)
    found = told = 0
    for _ in range(300):
        labels = chance.sample(LABELS, chance.randint(3, 6))
        values = [(label, round(chance.uniform(20, 980), 1)) for label in labels]
        printed = chance.random() < 0.5
        case = case_of(bars(*values, printed=printed), *(f"{v:g}" for _, v in values if printed), "0", "500")
        label, value = chance.choice(values)
        wrong = round(value * chance.choice((0.6, 0.8, 1.25, 1.5, 2.1)) + chance.uniform(0.1, 0.9), 1)
        told += 1
        found += bool(errors(inspect(chance.choice(TELLS).format(label=label, number=wrong), case)))
    assert found >= 0.7 * told
