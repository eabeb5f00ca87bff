"""Replies as judges write them, to every benchmark that reads objects: packaging changes nothing, and what is wrong in
any way is no score. What is right is told here by a rule of its own for each benchmark, not by the code under test.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnidetective.evals import attributes, dream_1k, omni_cloze, salmonn2, ugc_videocap, vdc, vidcapbench

_wrong = st.sampled_from([None, True, 2.5, "", "three", "٣", [], {}, [1], {"score": 1}, -7, 10**9, "1e3"])
_number = st.integers(-1, 6) | st.integers(-1, 6).map(str) | st.integers(-1, 6).map(float) | _wrong


@dataclass(frozen=True)
class Case:
    """A benchmark's reader, what its judges may answer, and what that means; ``None``: nothing."""

    read: Callable[[str], Any]
    answers: st.SearchStrategy[dict[str, Any]]
    means: Callable[[dict[str, Any]], Any]


def _whole(value: Any, least: int, most: int) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, str) and value not in map(str, range(least, most + 1)):
        return None
    number = float(value)
    return int(number) if number == int(number) and least <= number <= most else None


def _numbers(answer: dict[str, Any], *keys: str, least: int = 0, most: int = 10**9) -> tuple[int, ...] | None:
    found = [_whole(answer.get(key), least, most) for key in keys]
    return None if None in found else tuple(number for number in found if number is not None)


def _fixed(**values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """All of these keys, or all but some, or one more."""
    every = st.fixed_dictionaries({}, optional=values)
    return st.fixed_dictionaries(values) | every | st.fixed_dictionaries({**values, "notes": st.text(max_size=5)})


def _three(verdict: Any) -> Any:
    return verdict and (verdict.missed, verdict.incorrect, verdict.hallucination)


def _compared(answer: dict[str, Any]) -> tuple[int, ...] | None:
    found = _numbers(answer, "Missed", "Incorrect", "Hallucination", most=6)
    return found if found and found[0] + found[1] <= 5 else None


def _agrees(answer: dict[str, Any]) -> tuple[bool, int] | None:
    points = _whole(answer.get("score"), 0, 5)
    return None if answer.get("pred") not in ("yes", "no") or points is None else (answer["pred"] == "yes", points)


def _letters(answer: dict[str, Any]) -> tuple[str, ...] | None:
    taken = [answer.get(key) for key in ("1", "2")]
    right = set(answer) == {"1", "2"} and all(isinstance(one, str) and one[:2] in ("A:", "E:") for one in taken)
    return tuple(str(one)[0] for one in taken) if right else None


def _relations(answer: dict[str, Any]) -> tuple[str, ...] | None:
    events = answer.get("events")
    if not isinstance(events, list) or len(events) != 2 or not all(isinstance(one, dict) for one in events):
        return None
    words = [one.get("relationship") for one in events]
    return tuple(map(str, words)) if set(words) <= {"entailment", "neutral", "contradiction"} else None


def _levels(answer: dict[str, Any]) -> dict[str, str] | None:
    levels = answer.get("levels")
    if not isinstance(levels, dict) or not levels:
        return None
    return {
        name: levels[name] if levels.get(name) in ("minor", "explicit") else "none" for name in attributes.ATTRIBUTES
    }


_letter = st.sampled_from(["A: a cat", "E: not given", "F: what", "Apple", "", "a", "N/A"]) | _wrong
_relation = st.fixed_dictionaries(
    {"relationship": st.sampled_from(["entailment", "neutral", "contradiction", "maybe"])}
)
CASES = {
    "omni-cloze": Case(
        lambda reply: (found := omni_cloze.parse(reply, 2)) and found.letters,
        _fixed(**{"1": _letter, "2": _letter}),
        _letters,
    ),
    "video-salmonn-2": Case(
        lambda reply: _three(salmonn2.parse(reply, 5)),
        _fixed(Missed=_number, Incorrect=_number, Hallucination=_number.filter(lambda n: n != 10**9)),
        _compared,
    ),
    "ugc-videocap": Case(
        lambda reply: (found := ugc_videocap.parse(reply)) and (found.visual, found.audio, found.details),
        _fixed(visual=_number, audio=_number, details=_number),
        lambda answer: _numbers(answer, "visual", "audio", "details", least=1, most=5),
    ),
    "vdc": Case(vdc.parse, _fixed(pred=st.sampled_from(["yes", "no", "maybe", 1, True]), score=_number), _agrees),
    "vidcapbench": Case(
        vidcapbench.parse,
        _fixed(score=_number, analysis=st.sampled_from(["2 dogs", "-1", ""])),
        lambda answer: _whole(answer.get("score"), -1, 2),
    ),
    "dream-1k": Case(
        lambda reply: dream_1k.parse_relations(reply, 2),
        _fixed(events=st.lists(_relation | _wrong, max_size=3) | st.lists(_relation, min_size=2, max_size=2)),
        _relations,
    ),
    "attributes": Case(
        lambda reply: (found := attributes.parse(reply)) and found.levels,
        _fixed(
            levels=_wrong.filter(lambda value: not isinstance(value, dict))
            | st.dictionaries(
                st.sampled_from(attributes.ATTRIBUTES), st.sampled_from(["none", "minor", "explicit", "very"])
            )
        ),
        _levels,
    ),
}
_BEFORE = ("", "Sure, here it is:\n", "以下是我的判断：", "Voici : ", "<think>4, or 5?</think>", "Score it 3 of 5. ")
_AFTER = ("", "\nHope it helps!", "（以上）", "\n\nI took 2 of them for wrong.")
_FORMS: tuple[Callable[[dict[str, Any]], str], ...] = (
    lambda value: json.dumps(value, ensure_ascii=False),
    lambda value: f"```json\n{json.dumps(value, indent=1)}\n```",
    lambda value: f"```\n{value!r}\n```",
    repr,
    lambda value: json.dumps(value)[:-1] + (",}" if value else "}"),
    lambda value: json.dumps(json.dumps(value)),
)


@pytest.mark.parametrize("name", CASES)
@given(data=st.data())
def test_packaging_changes_nothing_and_what_is_wrong_is_no_score(name: str, data: st.DataObject) -> None:
    case = CASES[name]
    answer, form = data.draw(case.answers), data.draw(st.sampled_from(_FORMS))
    text = form(answer)
    if not text.startswith('"'):  # JSON in a JSON string is read where it is the whole reply
        text = f"{data.draw(st.sampled_from(_BEFORE))}{text}{data.draw(st.sampled_from(_AFTER))}"
    assert case.read(text) == case.means(answer)


@pytest.mark.parametrize("name", CASES)
@given(data=st.data())
def test_what_breaks_off_is_not_completed(name: str, data: st.DataObject) -> None:
    case = CASES[name]
    text = json.dumps(data.draw(case.answers))
    assert case.read(text[: data.draw(st.integers(0, len(text) - 1))]) is None
