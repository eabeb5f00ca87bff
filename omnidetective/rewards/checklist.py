"""The checklist reward: the share of a reference's key points that a caption tells. Pure.

Source: AVoCaDO, R_C.
"""

from __future__ import annotations


def checklist_reward(mentioned: int, keypoints: int) -> float:
    """How many of the key points are told correctly, 0…1; 0 where there is no key point: nothing was earned.

    Raises:
        ValueError: counts that cannot be.
    """
    if keypoints < 0 or not 0 <= mentioned <= keypoints:
        raise ValueError(f"{mentioned} of {keypoints} key points cannot be")
    return mentioned / keypoints if keypoints else 0.0
