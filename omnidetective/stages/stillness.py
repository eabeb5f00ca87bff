"""Videos in which nothing moves: they are pictures that last."""

from __future__ import annotations

from omnidetective.case import Case
from omnidetective.evidence import ShotEvidence


def is_still(case: Case) -> bool:
    """Whether a video is known to show the same picture from beginning to end.

    Several pictures one after the other, none of which moves, are no such video: they have an order of time.
    """
    return any(
        evidence.still is True and len(evidence.shots) == 1
        for observation, evidence in case.evidence(ShotEvidence)
        if observation.span is None or observation.span == case.clip.whole
    )
