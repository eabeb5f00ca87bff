"""Numbers and words that a quotation has exchanged."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnidetective.audit.altered import altered

_READ = ("1. The council approves a new crane for 412,500 euros.", "Berth 7 is closed from 3 June to 28 June.")


@pytest.mark.parametrize(
    ("quotation", "expected"),
    [
        (_READ[0], ()),
        ("the council approves a new crane", ()),
        ("The council approves a new crane for 412.500 euros", ()),
        ("The council approves a new crane for 812,500 euros", ("812,500",)),
        ("The council approves a new lighthouse for 412,500 euros", ("lighthouse",)),
        ("The councl aproves a new crane", ()),
        ("Berth 8 is closed from 3 June to 28 June", ("8",)),
        ("Berth 7 is closed from 3 July to 28 July", ()),  # July and June are half alike: a misread letter or two
        ("Berth7 is closed", ()),
    ],
)
def test_what_is_not_there(quotation: str, expected: tuple[str, ...]) -> None:
    assert altered(quotation, _READ) == expected


def test_digits_that_were_read_as_letters() -> None:
    assert altered("Room 108 costs 50 euros", ["Room 1O8 costs SO euros"]) == ()
    assert altered("Room 109 costs 50 euros", ["Room 1O8 costs SO euros"]) == ("109",)


@given(st.text(max_size=60), st.text(max_size=30))
def test_a_text_has_altered_nothing_of_itself(text: str, more: str) -> None:
    assert altered(text, [text]) == ()
    assert altered(text, [text, more]) == ()
