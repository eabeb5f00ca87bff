"""Attribute instruction following (ASID): is a caption about the attributes that it was asked for, and no others?

Native file ``prompts.jsonl``: ``{"video_rel": "0.mp4", "k": 1…4, "attributes": […], "prompt": "…"}``; a video may come
with several prompts, so captions are found by video *and* prompt. One call a caption: the judge says of all eight
attributes whether they are told explicitly, in passing, or not at all.

    followed = every wanted attribute is explicit, and no other is;  by k, and overall

Where we differ: the published captioner writes one caption a video, whatever the prompt; here a caption of another
prompt is no caption. A file whose rows name no prompt can be scored where a video has one prompt only. A caption that
could not be judged is not followed, as there; one that is missing is left out as there, and a second row counts it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from omnidetective.errors import ConfigError
from omnidetective.evals.base import Benchmark, Judged
from omnidetective.evals.judge import Judge
from omnidetective.evals.native import as_json, read_lines
from omnidetective.evals.replies import answer_in
from omnidetective.evals.result import Row, Table
from omnidetective.evals.statistics import ratio, score
from omnidetective.frozen import Frozen

FILE = "prompts.jsonl"
ATTRIBUTES = ("scene", "characters", "objects", "actions", "narrative_elements", "speech", "camera", "emotions")
COLUMN = "followed"
Level = Literal["none", "minor", "explicit"]
_LEVELS: Mapping[str, Level] = {"none": "none", "minor": "minor", "explicit": "explicit"}
_CALLED: Mapping[str, tuple[str, ...]] = {
    "narrative_elements": ("narrative", "story", "plot"),
    "speech": ("audio", "dialogue", "speech"),
}
"""Words by which a prompt can mean an attribute, besides its name."""
_TRIES = 8


@dataclass(frozen=True, slots=True)
class Task:
    """One prompt for one video. ``alone``: it is the only one for this video."""

    video: str
    prompt: str
    wanted: frozenset[str]
    k: int
    alone: bool


class Levels(Frozen):
    """How much the caption says of each attribute."""

    levels: dict[str, Level]


class AttributeFollowing(Benchmark[Task, Levels]):
    """Attribute instruction following."""

    name: ClassVar[str] = "attributes"
    title: ClassVar[str] = "Attribute instruction following (ASID)"
    data: ClassVar[str] = f"{FILE} of ASID-Caption"
    judging: ClassVar[str] = "1 call a caption; Gemini 2.5 Pro in ASID"
    source: ClassVar[str] = "https://github.com/HVision-NKU/ASID-Caption"
    headline: ClassVar[str] = COLUMN

    def read(self, data: Path) -> Sequence[Task]:
        rows = [_read(row, number, data) for number, row in read_lines(data, FILE)]
        times: dict[str, int] = {}
        for video, *_ in rows:
            times[video] = times.get(video, 0) + 1
        return [Task(video, prompt, wanted, k, times[video] == 1) for video, prompt, wanted, k in rows]

    def names(self, item: Task) -> tuple[str, ...]:
        return (item.video,)

    def prompt(self, item: Task) -> str | None:
        return item.prompt

    def any_prompt(self, item: Task) -> bool:
        return item.alone

    async def judge(self, item: Task, caption: str, judge: Judge) -> Levels:
        return await judge.ask(
            judge.prompts.get("eval/case_task").render(case=as_json({"caption": caption})),
            parse,
            system=judge.prompts.get("eval/attributes").render(attributes=list(ATTRIBUTES)),
            tries=_TRIES,
            temperature=0.0,
        )

    def tables(self, judged: Sequence[Judged[Task, Levels]]) -> tuple[Table, ...]:
        asked = [one for one in judged if one.verdict is not None or one.failed]
        rows = [_row("overall", asked)]
        if missing := [one for one in judged if one.no_caption]:
            rows.append(_row("missing captions as not followed", [*asked, *missing]))
        rows += [_row(f"k = {k}", [o for o in asked if o.item.k == k]) for k in sorted({o.item.k for o in asked})]
        note = "Percent of captions. A caption that could not be judged counts as not followed."
        return (Table(title=self.title, columns=(COLUMN,), rows=tuple(rows), note=note),)


def parse(reply: str) -> Levels | None:
    """The levels in a reply; an attribute without a level, or with another word, is ``none``. ``None`` without any."""

    def read(found: Mapping[str, Any]) -> Levels | None:
        levels = found.get("levels")
        if not isinstance(levels, dict) or not any(name in levels for name in ATTRIBUTES):
            return None
        return Levels(levels={name: _LEVELS.get(str(levels.get(name, "")).lower(), "none") for name in ATTRIBUTES})

    return answer_in(reply, read)


def follows(levels: Mapping[str, Level], wanted: frozenset[str]) -> bool:
    """Whether what is explicit is what was wanted: no more, no less."""
    return {name for name, level in levels.items() if level == "explicit"} == wanted


def _read(row: Mapping[str, Any], number: int, data: Path) -> tuple[str, str, frozenset[str], int]:
    video, prompt = row.get("video_rel", row.get("video")), row.get("prompt")
    if not isinstance(video, str) or not isinstance(prompt, str):
        raise ConfigError(f"{data}: line {number} has no video_rel or no prompt")
    named = row.get("attributes")
    wanted = frozenset(map(_plain, named)) if isinstance(named, list) and named else _meant(prompt)
    if not wanted or not wanted <= set(ATTRIBUTES):
        raise ConfigError(f"{data}: line {number} wants attributes that are not known: {named}")
    k = row.get("k")
    return video, prompt, wanted, k if isinstance(k, int) else len(wanted)


def _plain(name: Any) -> str:
    word = str(name).strip().lower().replace(" ", "_")
    return "narrative_elements" if word == "narrative" else word


def _meant(prompt: str) -> frozenset[str]:
    text = prompt.lower()
    return frozenset(n for n in ATTRIBUTES if any(w in text for w in (n.replace("_", " "), *_CALLED.get(n, ()))))


def _row(name: str, judged: Sequence[Judged[Task, Levels]]) -> Row:
    """Mean over captions; several of one video are drawn together."""
    by_video: dict[str, list[bool]] = {}
    for one in judged:
        followed = one.verdict is not None and follows(one.verdict.levels, one.item.wanted)
        by_video.setdefault(one.item.video, []).append(followed)
    items = [(float(len(found)), float(sum(found))) for found in by_video.values()]
    return Row(name=name, n=len(judged), scores={COLUMN: score(items, ratio(1, 0, times=100))})
