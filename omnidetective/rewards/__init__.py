"""The rewards of AVoCaDO, as functions that trainers can call. Importing them loads no model and no provider.

The three rewards and their sum are pure. With a judge they are graded by :class:`Grader`; ``trl_reward``,
``async_trl_reward`` and ``swift_reward`` make of it what trainers take.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from omnidetective.captions.utterance import Utterance
from omnidetective.rewards.checklist import checklist_reward
from omnidetective.rewards.dialogue import DialogueScore, dialogue_reward, dialogue_score
from omnidetective.rewards.length import length_reward

if TYPE_CHECKING:
    from omnidetective.rewards.graded import Sample as Sample
    from omnidetective.rewards.grader import Grader as Grader
    from omnidetective.rewards.parts import CaptionReward as CaptionReward
    from omnidetective.rewards.parts import Weights as Weights
    from omnidetective.rewards.parts import caption_reward as caption_reward
    from omnidetective.rewards.trainers import async_trl_reward as async_trl_reward
    from omnidetective.rewards.trainers import swift_reward as swift_reward
    from omnidetective.rewards.trainers import trl_reward as trl_reward

_LATER = {
    "CaptionReward": "omnidetective.rewards.parts",
    "Grader": "omnidetective.rewards.grader",
    "Sample": "omnidetective.rewards.graded",
    "Weights": "omnidetective.rewards.parts",
    "async_trl_reward": "omnidetective.rewards.trainers",
    "caption_reward": "omnidetective.rewards.parts",
    "swift_reward": "omnidetective.rewards.trainers",
    "trl_reward": "omnidetective.rewards.trainers",
}

__all__ = [
    "CaptionReward",
    "DialogueScore",
    "Grader",
    "Sample",
    "Utterance",
    "Weights",
    "async_trl_reward",
    "caption_reward",
    "checklist_reward",
    "dialogue_reward",
    "dialogue_score",
    "length_reward",
    "swift_reward",
    "trl_reward",
]


def __getattr__(name: str) -> Any:
    if name in _LATER:
        return getattr(importlib.import_module(_LATER[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
