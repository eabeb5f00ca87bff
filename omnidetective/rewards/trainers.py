"""The rewards as trainers call them: functions for TRL, classes for ms-swift. Neither of them is imported.

What could not be judged is ``None`` for TRL (this function does not apply to this completion) and NaN for ms-swift,
which means the same by it. A wrong key, an empty purse or a missing column stops the training: every further reward
would be none.
"""

from __future__ import annotations

import logging
import math
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

from omnidetective.errors import ConfigError
from omnidetective.rewards.graded import Sample
from omnidetective.rewards.grader import Grader
from omnidetective.rewards.parts import CaptionReward, Kind, parts_of

log = logging.getLogger(__name__)

REFERENCE = "reference"
"""The column of the dataset that holds the reference caption, by default."""
_IDS = ("completion_ids", "response_token_ids")
"""What TRL and ms-swift call the tokens of completions."""

TrlReward = Callable[..., list[float | None]]
AsyncTrlReward = Callable[..., Awaitable[list[float | None]]]


class SwiftReward(Protocol):
    """An ORM of ms-swift."""

    def __call__(self, completions: Sequence[Any], **kwargs: Any) -> list[float]: ...


def trl_reward(kind: Kind, grader: Grader | None = None, *, reference: str = REFERENCE) -> TrlReward:
    """A reward function for TRL's ``GRPOTrainer`` and ``RLOOTrainer``.

    Args:
        kind: one part, or ``all`` for their weighted sum.
        grader: may be shared by several functions.
        reference: the column of the dataset with the reference caption; the length needs none.
    """
    grader = grader or Grader()

    def reward(*, completions: Sequence[Any], **columns: Any) -> list[float | None]:
        return _told(grader.grade_now(kind, _samples(kind, completions, columns, reference)), kind, columns)

    reward.__name__ = f"{kind}_reward"
    return reward


def async_trl_reward(kind: Kind, grader: Grader | None = None, *, reference: str = REFERENCE) -> AsyncTrlReward:
    """:func:`trl_reward` as a coroutine function; TRL runs all of those at the same time."""
    grader = grader or Grader()

    async def reward(*, completions: Sequence[Any], **columns: Any) -> list[float | None]:
        return _told(await grader.grade(kind, _samples(kind, completions, columns, reference)), kind, columns)

    reward.__name__ = f"{kind}_reward"
    return reward


def swift_reward(kind: Kind, grader: Grader | None = None, *, reference: str = REFERENCE) -> type[SwiftReward]:
    """A reward class for ms-swift, to be put into its ``orms`` under a name of your choice.

    Args:
        kind: one part, or ``all`` for their weighted sum.
        grader: may be shared by several classes.
        reference: the column of the dataset with the reference caption; the length needs none.
    """
    shared = grader or Grader()

    class Reward:
        def __init__(self, args: Any = None, **kwargs: Any) -> None:
            """ms-swift hands over its own arguments; nothing in them is needed."""

        def __call__(self, completions: Sequence[Any], **kwargs: Any) -> list[float]:
            rewards = shared.grade_now(kind, _samples(kind, completions, kwargs, reference))
            return [math.nan if one is None else one for one in _told(rewards, kind, kwargs)]

    Reward.__name__ = Reward.__qualname__ = f"{kind.title()}Reward"  # what ms-swift calls it in its logs
    return Reward


def _samples(kind: Kind, completions: Sequence[Any], columns: Mapping[str, Any], reference: str) -> list[Sample]:
    ids = next((columns[key] for key in _IDS if columns.get(key) is not None), None)
    tokens = [None] * len(completions) if ids is None else [_count(one) for one in ids]
    references: Sequence[Any] = [None] * len(completions)
    if kind != "length":
        if reference not in columns:
            raise ConfigError(
                f"the {kind} reward needs the column {reference!r}, and the dataset has none",
                hint="name the column with the reference captions: reference=…",
            )
        references = columns[reference]
    return [
        Sample(caption=text_of(completion) or "", reference=text_of(told), tokens=count)
        for completion, told, count in zip(completions, references, tokens, strict=True)
    ]


def text_of(value: Any) -> str | None:
    """The text of a completion or a reference: itself, or what the last message of a list says; ``None`` for none.

    Raises:
        ConfigError: it is something else.
    """
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        return _content(value)
    if isinstance(value, Sequence) and all(isinstance(message, Mapping) for message in value):
        return _content(value[-1]) if value else None
    raise ConfigError(f"a caption is a text or a list of messages, not {type(value).__name__}")


def _content(message: Mapping[str, Any]) -> str | None:
    content = message.get("content")
    if content is None or isinstance(content, str):
        return content
    texts = [part.get("text") for part in content if isinstance(part, Mapping)]
    return "".join(text for text in texts if isinstance(text, str))


def _count(ids: Sequence[Any]) -> int:
    """Tokens of a completion; of one with several turns, those of all of them."""
    return sum(len(turn) if isinstance(turn, list | tuple) else 1 for turn in ids)


def _told(rewards: Sequence[CaptionReward], kind: Kind, columns: Mapping[str, Any]) -> list[float | None]:
    """The numbers. What has none is told in the log, and its share to the trainer's own, where it takes such."""
    reasons = Counter(f"{one.part}: {one.reason.replace('_', ' ')}" for reward in rewards for one in reward.not_judged)
    if reasons:
        counts = ", ".join(f"{reason} {count}" for reason, count in reasons.most_common())
        log.warning("without a reward, of %d captions: %s", len(rewards), counts)
    log_metric = columns.get("log_metric")
    if callable(log_metric) and rewards:
        for part in parts_of(kind):
            missing = sum(any(one.part == part for one in reward.not_judged) for reward in rewards)
            log_metric(f"{part}_reward/not_judged", missing / len(rewards))
    return [one.reward for one in rewards]
