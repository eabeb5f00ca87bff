"""Results as people read them: in eighty columns, with signs that can be told from dashes."""

from __future__ import annotations

from datetime import UTC, datetime

from omnidetective.evals.result import Evaluation, Row, Table, Unjudged
from omnidetective.evals.statistics import Score
from omnidetective.evals.tables import tables
from omnidetective.records import Usage
from omnidetective.report.layout import width


def _told(*found: Table, unjudged: tuple[Unjudged, ...] = ()) -> list[str]:
    result = Evaluation(
        benchmark="omni-cloze",
        variant="",
        judge="openai:x",
        tokens="words",
        captions="c.jsonl",
        captions_sha256="",
        data="d.jsonl",
        data_sha256="",
        items=9,
        judged=9 - len(unjudged),
        unjudged=unjudged,
        unused_captions=0,
        tables=found,
        usage=Usage(),
        prompts={},
        omnidetective="0",
        started_at=datetime.now(UTC).isoformat(),
        seconds=1.0,
    )
    return tables(result).splitlines()


def _table(columns: int, rows: int, score: Score, *, note: str = "") -> Table:
    names = tuple(f"column {n}" for n in range(columns))
    made = tuple(Row(name=f"row {n}", n=1000, scores=dict.fromkeys(names, score)) for n in range(rows))
    return Table(title="t", columns=names, rows=made, note=note)


def test_what_is_too_wide_has_its_intervals_on_a_second_line() -> None:
    lines = _told(_table(5, 60, Score(value=33.3, low=22.2, high=44.4), note="word " * 40))
    assert max(map(width, lines)) <= 80
    first = next(n for n, line in enumerate(lines) if line.startswith("row 0"))
    assert lines[first].split() == ["row", "0", "1,000", *["33.3"] * 5]
    assert lines[first + 1].split() == ["[22.2–44.4]"] * 5
    assert "and 40 more" in lines
    assert sum(line.startswith("row") for line in lines) == 20


def test_what_fits_has_them_on_the_same_line() -> None:
    lines = _told(_table(2, 1, Score(value=33.3, low=22.2, high=44.4)))
    assert any(line.split() == ["row", "0", "1,000", *["33.3", "[22.2–44.4]"] * 2] for line in lines)


def test_a_sign_is_no_dash_and_nothing_is_less_than_nothing() -> None:
    lines = _told(_table(1, 1, Score(value=-0.01, low=-4.2, high=-1.0)))
    assert any(line.endswith("0.0 [-4.2, -1.0]") and "-0.0" not in line for line in lines)


def test_why_is_told_once_for_each_reason_in_characters_that_a_terminal_shows() -> None:
    unjudged = tuple(Unjudged(item=f"clip {n}", reason="unparsable", why=f"\x1b[2Jno\nreply {n}") for n in range(7))
    lines = _told(unjudged=unjudged)
    assert lines[2:4] == ["2 of 9 items judged", "unparsable: 7 (clip 0, clip 1, clip 2, clip 3, clip 4 and 2 more)"]
    assert lines[4] == "  such as: �[2Jno reply 0"
