"""A judge of rewards that follows a script: it tells the question by its system prompt, and knows texts by heart."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from servers.faulty_openai import Behaviour

from omnidetective.rewards.judged_checklist import DIMENSIONS

Said = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class ScriptedJudge:
    """What it says to each question.

    Attributes:
        points: text of a reference → its key points, all of the first dimension.
        told: text of a caption → the numbers of the points that it tells correctly; the others are missing.
        dialogues: text of a caption or a reference → who says what.
        same: whether speakers are the same who are called by these two names.
        asked: notes what was asked about.
    """

    points: Mapping[str, Sequence[str]] = field(default_factory=dict)
    told: Mapping[str, Sequence[int] | str | Behaviour] = field(default_factory=dict)
    dialogues: Mapping[str, Said | str | Behaviour] = field(default_factory=dict)
    same: Mapping[tuple[str, str], bool] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def __call__(self, system: str, user: str) -> str | Behaviour:
        case = json.JSONDecoder().raw_decode(user)[0]
        if "description" in case:
            self.asked.append("keypoints")
            points = {**dict.fromkeys(DIMENSIONS, ()), next(iter(DIMENSIONS)): self.points[case["description"]]}
            return json.dumps(points)
        if "key_points" in case:
            self.asked.append("checklist")
            told = self.told[case["caption"]]
            if isinstance(told, str) or callable(told):
                return told
            missing = [n for n in range(1, len(case["key_points"]) + 1) if n not in told]
            return json.dumps({"correct": list(told), "wrong": [], "missing": missing})
        if "pairs" in case:
            self.asked.append("speakers")
            names = [(pair["first"]["speaker"], pair["second"]["speaker"]) for pair in case["pairs"].values()]
            return json.dumps({"same": [self.same[pair] for pair in names]})
        self.asked.append("dialogue")
        said = self.dialogues[case["caption"]]
        if isinstance(said, str) or callable(said):
            return said
        return json.dumps({"dialogue": [{"speaker": who, "content": what} for who, what in said]})
