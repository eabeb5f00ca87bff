"""WorldSense by captions; how it is judged and counted is in :mod:`omnidetective.evals.caption_qa`.

Native file ``worldsense_qa.json`` (HF ``honglyhly/WorldSense``): video id → ``{"domain", …, "task0": {"question",
"candidates", "answer", "task_domain", "task_type"}, "task1": …}``. A grouped list, as ASID's scripts want it, is read
as well: ``[{"video_id", "questions": [{"Question", "Choice", "Answer"}]}]``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from omnidetective.errors import ConfigError
from omnidetective.evals.caption_qa import CaptionQa, Question, Quiz
from omnidetective.evals.daily_omni import DailyOmni
from omnidetective.evals.native import read_json

FILE = "worldsense_qa.json"
_GROUPS = (("domain", "domain"), ("audio class", "audio_class"))


class WorldSense(CaptionQa):
    """WorldSense."""

    name: ClassVar[str] = "worldsense"
    title: ClassVar[str] = "WorldSense (captions)"
    data: ClassVar[str] = f"{FILE} of the dataset honglyhly/WorldSense, or its folder"
    judging: ClassVar[str] = "1 call a question; Gemini 2.5 Pro in AVoCaDO and ASID"
    source: ClassVar[str] = "https://huggingface.co/datasets/honglyhly/WorldSense"

    def read(self, data: Path) -> Sequence[Quiz]:
        videos = read_json(data, FILE)
        if isinstance(videos, list):
            return DailyOmni().read(data)
        if not isinstance(videos, dict):
            raise ConfigError(f"{data} maps no videos to questions", hint=f"--data takes {self.data}")
        found = []
        for video, facts in videos.items():
            questions = tuple(_questions(video, facts, data)) if isinstance(facts, dict) else ()
            if not questions:
                raise ConfigError(f"{data}: video {video} has no question")
            found.append(Quiz(video, questions))
        return found


def _questions(video: str, facts: Mapping[str, Any], data: Path) -> Iterator[Question]:
    for key, task in facts.items():
        if not key.startswith("task"):
            continue
        choices, answer = (task.get("candidates"), task.get("answer")) if isinstance(task, dict) else (None, None)
        if not isinstance(choices, list) or not choices or not isinstance(answer, str):
            raise ConfigError(f"{data}: {key} of video {video} has no candidates or no answer")
        groups = [(title, str(facts[key])) for title, key in _GROUPS if isinstance(facts.get(key), str)]
        groups += [("task", str(task["task_domain"]))] if isinstance(task.get("task_domain"), str) else []
        yield Question(str(task.get("question", "")), tuple(map(str, choices)), answer.strip().upper(), tuple(groups))
