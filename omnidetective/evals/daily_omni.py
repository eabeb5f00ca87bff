"""Daily-Omni by captions; how it is judged and counted is in :mod:`omnidetective.evals.caption_qa`.

Native files (GPL-3.0 repository ``Lliar-liar/Daily-Omni``): ``qa.json``, a list of questions, or ``grouped_data.json``,
a list of videos with ``questions``. Ids of captions may end in ``_video``, as its files do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from omnidetective.errors import ConfigError
from omnidetective.evals.caption_qa import CaptionQa, Question, Quiz
from omnidetective.evals.native import read_list

FILE = "qa.json"


class DailyOmni(CaptionQa):
    """Daily-Omni."""

    name: ClassVar[str] = "daily-omni"
    title: ClassVar[str] = "Daily-Omni (captions)"
    data: ClassVar[str] = f"{FILE} or grouped_data.json of Daily-Omni"
    judging: ClassVar[str] = "1 call a question; Gemini 2.5 Pro in AVoCaDO and ASID"
    source: ClassVar[str] = "https://github.com/Lliar-liar/Daily-Omni"

    def read(self, data: Path) -> Sequence[Quiz]:
        rows = read_list(data, FILE, of="questions", takes=self.data)
        found: dict[str, list[Question]] = {}
        for number, row in enumerate(rows, start=1):
            if not isinstance(row, dict) or not isinstance(row.get("video_id"), str | int):
                raise ConfigError(f"{data}: row {number} names no video_id")
            questions = row["questions"] if isinstance(row.get("questions"), list) else [row]
            for question in questions:
                found.setdefault(str(row["video_id"]), []).append(_question({**row, **question}, number, data))
        return [Quiz(video, tuple(questions)) for video, questions in found.items()]


def _question(row: Mapping[str, Any], number: int, data: Path) -> Question:
    choices, answer = row.get("Choice"), row.get("Answer")
    if not isinstance(choices, list) or not choices or not isinstance(answer, str):
        raise ConfigError(f"{data}: row {number} has a question without Choice or Answer")
    groups = tuple(
        (title, str(row[key]))
        for title, key in (("type", "Type"), ("duration", "video_duration"))
        if isinstance(row.get(key), str)
    )
    return Question(str(row.get("Question", "")), tuple(map(str, choices)), answer.strip().upper(), groups)
