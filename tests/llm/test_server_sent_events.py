"""Events come out the same wherever their bytes were cut, and whatever ends their lines."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from omnidetective.llm.server_sent_events import EventParser

LINES = st.text(st.characters(exclude_characters="\r\n", exclude_categories=("Cs",)), max_size=12)
EVENTS = st.lists(st.lists(LINES, min_size=1, max_size=3), max_size=5)


def parsed(stream: bytes, cuts: list[int]) -> list[str]:
    parser = EventParser()
    ends = [*sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    starts = [0, *ends]
    return [data for start, end in zip(starts, ends, strict=False) for data in parser.feed(stream[start:end])]


@given(
    EVENTS,
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.sampled_from(["data: ", "data:"]),
    st.sampled_from(["", "\ufeff"]),
    st.lists(st.integers(0, 400), max_size=30),
)
def test_what_was_sent_comes_out(events: list[list[str]], end: str, field: str, begin: str, cuts: list[int]) -> None:
    blocks = [
        end.join([": a comment", "event: message", *(f"{field}{line}" for line in lines), "id: 7", "", ""])
        for lines in events
    ]
    expected = ["\n".join(line.removeprefix(" ") if field == "data:" else line for line in lines) for lines in events]
    assert parsed((begin + "".join(blocks)).encode(), cuts) == expected


def test_what_is_not_ended_is_no_event() -> None:
    assert parsed(b"data: 1\n\ndata: 2\n", []) == ["1"]


def test_an_event_without_data_is_none() -> None:
    assert parsed(b"event: ping\n\n: still here\n\ndata: 1\n\n", [3, 9]) == ["1"]


def test_a_line_that_only_names_the_field_is_empty_data() -> None:
    assert parsed(b"data\ndata\n\n", [2]) == ["\n"]
