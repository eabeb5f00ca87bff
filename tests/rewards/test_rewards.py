"""The three rewards: golden vectors, and the laws that they keep."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnidetective.rewards import Utterance, checklist_reward, dialogue_reward, dialogue_score, length_reward

_texts = st.text(alphabet="abc ", min_size=1, max_size=8)
_dialogues = st.lists(st.builds(Utterance, st.sampled_from(["man", "woman", "child"]), _texts), max_size=6)


def _said(*lines: str) -> list[Utterance]:
    return [Utterance(*line.split(" ", 1)) for line in lines]


@pytest.mark.parametrize(
    ("tokens", "reward"), [(0, 1.0), (2047, 1.0), (2048, 1.0), (3072, 0.5), (4095, 1 / 2048), (4096, 0.0)]
)
def test_length_golden(tokens: int, reward: float) -> None:
    assert length_reward(tokens) == pytest.approx(reward)


@given(st.integers(0, 10_000), st.integers(0, 10_000), st.integers(0, 4000), st.integers(1, 4000))
def test_a_longer_caption_is_never_better(a: int, b: int, tau1: int, more: int) -> None:
    short, long = sorted((a, b))
    rewards = [length_reward(n, tau1=tau1, tau2=tau1 + more) for n in (short, long)]
    assert 1 >= rewards[0] >= rewards[1] >= 0


def test_checklist() -> None:
    assert [checklist_reward(0, 0), checklist_reward(0, 4), checklist_reward(3, 4), checklist_reward(4, 4)] == [
        0,
        0,
        0.75,
        1,
    ]
    for impossible in ((-1, 3), (4, 3), (0, -1)):
        with pytest.raises(ValueError, match="cannot be"):
            checklist_reward(*impossible)


def test_dialogue_golden() -> None:
    found = dialogue_score(
        _said("man hello there", "woman how are you", "man fine"), _said("man hello there", "woman who are you")
    )
    assert found.content == pytest.approx(1.8182, abs=1e-4)
    assert found.speaker == 2
    assert (found.content + found.speaker) / 2 == pytest.approx(1.9091, abs=1e-4)
    assert found.recall == pytest.approx(0.9545, abs=1e-4)
    assert found.precision == pytest.approx(0.6364, abs=1e-4)
    assert found.f1 == pytest.approx(0.7636, abs=1e-4)


def test_empty_dialogues() -> None:
    one = _said("man hello")
    assert [dialogue_reward([], []), dialogue_reward(one, []), dialogue_reward([], one)] == [1.0, 0.0, 0.0]
    assert dialogue_reward(one, _said("man quite another thing")) == 0.0


@given(_dialogues, _dialogues)
def test_it_lies_between_0_and_1_and_sides_can_be_changed(a: list[Utterance], b: list[Utterance]) -> None:
    assert 0 <= dialogue_reward(a, b) <= 1 + 1e-9
    # of alignments that are equally good, one is taken, and it may be another one from the other side: other speakers
    one, other = (dialogue_score(*sides, same_speaker=lambda _a, _b: False) for sides in ((a, b), (b, a)))
    assert one.f1 == pytest.approx(other.f1)
    assert one.content == pytest.approx(other.content)
    assert one.precision == pytest.approx(other.recall)


@given(_dialogues)
def test_a_dialogue_is_like_itself(dialogue: list[Utterance]) -> None:
    assert dialogue_reward(dialogue, dialogue) == pytest.approx(1.0)


@given(_dialogues, _dialogues)
def test_wrong_speakers_never_pay(a: list[Utterance], b: list[Utterance]) -> None:
    right = dialogue_score(a, b, same_speaker=lambda _a, _b: True)
    wrong = dialogue_score(a, b, same_speaker=lambda _a, _b: False)
    assert wrong.f1 <= right.f1 + 1e-9
    assert wrong.speaker == 0
    assert right.speaker == right.pairs
