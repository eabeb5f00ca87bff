"""What judges of rewards answer: whole or not at all, and never a crash."""

from __future__ import annotations

import json
import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnidetective.captions.utterance import Utterance
from omnidetective.rewards import Weights, caption_reward, checklist_reward, dialogue_score
from omnidetective.rewards.dialogue import aligned, score_of
from omnidetective.rewards.judged_checklist import DIMENSIONS, KeyPoint, parse_keypoints, parse_verdicts
from omnidetective.rewards.judged_dialogue import parse_dialogue, parse_same

_FIRST, _SECOND, *_ = DIMENSIONS
_NONE: dict[str, list[str]] = {dimension: [] for dimension in DIMENSIONS}

_json = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 9) | st.floats(allow_nan=True) | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["correct", "wrong", "missing", "same", "dialogue", "speaker", "content"]), inner
        )
    ),
    max_leaves=12,
)
_packed = st.builds(
    lambda value, before, after, fence: f"{before}```json\n{value}\n```{after}" if fence else f"{before}{value}{after}",
    st.one_of(_json.map(json.dumps), _json.map(repr), st.text(max_size=60)),
    st.sampled_from(["", "Sure! ", "以下是结果：", "{", "</think>"]),
    st.sampled_from(["", " Hope it helps.", "}", "\n\nÇa va ?"]),
    st.booleans(),
)


@given(_packed)
def test_garbage_never_crashes_and_never_becomes_a_verdict_out_of_range(reply: str) -> None:
    verdicts = parse_verdicts(reply, 3)
    assert verdicts is None or (len(verdicts) == 3 and set(verdicts) <= {"correct", "wrong", "missing"})
    same = parse_same(reply, 2)
    assert same is None or (len(same) == 2 and all(isinstance(one, bool) for one in same))
    dialogue = parse_dialogue(reply)
    assert dialogue is None or all(one.speaker.strip() and one.content.strip() for one in dialogue)
    assert parse_keypoints(reply) is None or parse_keypoints(reply) != ()


@pytest.mark.parametrize(
    ("reply", "verdicts"),
    [
        ('{"correct": [2], "wrong": [], "missing": [1, 3]}', ("missing", "correct", "missing")),
        ("Voilà:\n```json\n{'correct': [1,2,3,], 'wrong': [], 'missing': []}\n```", ("correct",) * 3),
        ('{"correct": ["1"], "wrong": [2.0], "missing": [3]}', ("correct", "wrong", "missing")),
        ('{"correct": [1, 2], "wrong": [], "missing": []}', None),  # one is forgotten
        ('{"correct": [1, 2, 3, 3], "wrong": [], "missing": []}', None),  # one twice
        ('{"correct": [1, 2], "wrong": [2], "missing": [3]}', None),  # one in two lists
        ('{"correct": [0, 1, 2], "wrong": [], "missing": []}', None),
        ('{"correct": [1, 2, 3, 4], "wrong": [], "missing": []}', None),
        ('{"correct": [1, 2, 3]}', None),
        ('{"correct": 3, "wrong": [], "missing": []}', None),
        ('{"correct": [true, 2, 3], "wrong": [], "missing": []}', None),
        ("3 of 3", None),
    ],
)
def test_verdicts(reply: str, verdicts: tuple[str, ...] | None) -> None:
    assert parse_verdicts(reply, 3) == verdicts


@given(st.integers(1, 30), st.randoms(use_true_random=False))
def test_a_sorting_of_all_points_is_read_in_any_order(count: int, chance: random.Random) -> None:
    expected = [chance.choice(("correct", "wrong", "missing")) for _ in range(count)]
    lists = {v: [n for n, one in enumerate(expected, start=1) if one == v] for v in ("missing", "wrong", "correct")}
    for numbers in lists.values():
        chance.shuffle(numbers)
    found = parse_verdicts(json.dumps(lists), count)
    assert found == tuple(expected)
    assert found is not None
    assert 0 <= checklist_reward(found.count("correct"), count) <= 1


@pytest.mark.parametrize(
    ("reply", "points"),
    [
        (
            {**_NONE, _FIRST: ["A dog.", " a DOG ", ""], _SECOND: ["A dog", "It runs."]},
            [(_FIRST, "A dog."), (_SECOND, "It runs.")],
        ),
        (_NONE, None),
        ({**_NONE, _FIRST: ["!?"]}, None),
        ({**_NONE, _FIRST: "A dog."}, None),
        ({**_NONE, _FIRST: ["A dog.", 3]}, None),
        ({_FIRST: ["A dog."]}, None),
    ],
)
def test_key_points(reply: object, points: list[tuple[str, str]] | None) -> None:
    found = parse_keypoints(f"Here:\n{json.dumps(reply)}")
    assert found == (None if points is None else tuple(KeyPoint(*point) for point in points))


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        ('{"dialogue": []}', ()),
        ('{"dialogue": [{"speaker": "男人", "content": "你好"}]}', (("男人", "你好"),)),
        ("{'dialogue': [{'speaker': 'a man', 'content': \"don't\"},]}", (("a man", "don't"),)),
        ('{"dialogue": [{"speaker": "x", "content": " "}]}', None),
        ('{"dialogue": [{"speaker": "", "content": "hi"}]}', None),
        ('{"dialogue": [{"speaker": "x", "content": "hi"}, "he says ho"]}', None),
        ('{"dialogue": "nobody speaks"}', None),
        ("nobody speaks", None),
    ],
)
def test_dialogues(reply: str, said: tuple[tuple[str, str], ...] | None) -> None:
    assert parse_dialogue(reply) == (None if said is None else tuple(Utterance(*one) for one in said))


@pytest.mark.parametrize(
    ("reply", "same"),
    [
        ('{"same": [true, false]}', (True, False)),
        ("{'same': [True, False]}", (True, False)),
        ('{"same": [true]}', None),
        ('{"same": [true, false, true]}', None),
        ('{"same": [1, 0]}', None),
        ('{"same": ["true", "false"]}', None),
        ("yes, no", None),
    ],
)
def test_speakers(reply: str, same: tuple[bool, ...] | None) -> None:
    assert parse_same(reply, 2) == same


_part = st.none() | st.floats(0, 1)


@given(_part, _part, _part)
def test_the_sum(checklist: float | None, dialogue: float | None, length: float | None) -> None:
    parts = (checklist, dialogue, length)
    total = caption_reward(*parts)
    if None in parts:
        assert total is None
    else:
        assert total == pytest.approx(sum(part for part in parts if part is not None))
        assert 0 <= total <= 3 + 1e-9
    alone = caption_reward(*parts, weights=Weights(dialogue=0.0, length=0.0))
    assert alone == checklist


_dialogues = st.lists(
    st.builds(Utterance, st.just("x"), st.text(alphabet="abc ", min_size=1, max_size=8)), min_size=1, max_size=6
)


@given(_dialogues, _dialogues)
def test_each_speaker_who_agrees_pays(a: list[Utterance], b: list[Utterance]) -> None:
    pairs = aligned(a, b)
    rewards = [score_of(pairs, same_speakers=n, generated=len(a), reference=len(b)).f1 for n in range(len(pairs) + 1)]
    assert all(less < more for less, more in pairwise(rewards))
    assert rewards[-1] == pytest.approx(dialogue_score(a, b).f1)
    assert all(0 <= reward <= 1 + 1e-9 for reward in rewards)


def test_counts_that_cannot_be() -> None:
    with pytest.raises(ValueError, match="cannot be"):
        score_of((), same_speakers=1, generated=1, reference=1)
