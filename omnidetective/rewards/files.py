"""Rewards from files to a file: a line for each caption, and what they are in the mean.

Each caption is graded against the reference of the same clip; several captions of one clip are several lines.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import omnidetective
from omnidetective.config import Config
from omnidetective.errors import ConfigError
from omnidetective.evals.at_once import Told
from omnidetective.evals.output import only_writer, write_whole
from omnidetective.evals.predictions import Prediction, Predictions, read_predictions
from omnidetective.evals.result import NOBODY, Evaluation, Row, Table, Unjudged
from omnidetective.evals.runner import sha256_of
from omnidetective.evals.statistics import ratio, score
from omnidetective.frozen import Sparse
from omnidetective.prompts import prompts_used
from omnidetective.rewards.graded import Sample
from omnidetective.rewards.grader import Grader
from omnidetective.rewards.judged_checklist import DIMENSIONS
from omnidetective.rewards.parts import CaptionReward, CheckedPoint, Kind, parts_of
from omnidetective.token_counts import TokenCounter

_MOST_NAMED = 5


class _Named(Sparse):
    id: str


class RewardLine(CaptionReward, _Named):
    """One line of the output: a caption by its id, which comes first, and its reward."""


@dataclass(frozen=True, slots=True)
class _Work:
    """Captions with their samples, and references that no caption belongs to, by name."""

    names: tuple[str, ...]
    samples: tuple[Sample, ...]
    unused: tuple[str, ...]


async def grade_file(
    config: Config,
    kind: Kind,
    *,
    captions: Path,
    references: Path,
    output: Path,
    tokens: TokenCounter,
    concurrency: int = 16,
    limit: int | None = None,
    told: Told = lambda done, of: None,
) -> Evaluation:
    """Grade captions, write a line for each, and say what they are in the mean.

    Answers of the judge are kept in ``<output stem>.cache.sqlite``: the same command again asks for nothing twice.

    Raises:
        ConfigError: the files have a wrong form, no reference fits any caption, nobody can play the judge, or the
            output is one of the files that are read, cannot be written, or is written by somebody else.
        ProviderError: no further call would succeed. What was answered is kept.
    """
    with only_writer((output,), reads=(captions, references)):
        started_at, since = datetime.now(UTC).isoformat(timespec="milliseconds"), time.monotonic()
        captions_sha256, references_sha256 = sha256_of(captions), sha256_of(references)
        work = _matched(list(read_predictions(captions)), read_predictions(references), kind, limit)
        grader = Grader(config.with_cache_beside(output), tokens=tokens, concurrency=concurrency)
        used: dict[str, str] = {}
        with prompts_used(used):
            rewards = await grader.grade(kind, work.samples, told=told)
        lines = [RewardLine(id=name, **dict(one)) for name, one in zip(work.names, rewards, strict=True)]
        write_whole({output: "".join(f"{line.model_dump_json()}\n" for line in lines)})
        return Evaluation(
            benchmark=f"reward {kind}",
            variant="",
            judge=grader.judge or NOBODY,
            tokens=tokens.name,
            captions=captions.name,
            captions_sha256=captions_sha256,
            data=references.name,
            data_sha256=references_sha256,
            items=len(rewards),
            judged=sum(one.reward is not None for one in rewards),
            unjudged=tuple(
                Unjudged(
                    item=f"{name} ({missing.part})" if kind == "all" else name, reason=missing.reason, why=missing.why
                )
                for name, one in zip(work.names, rewards, strict=True)
                for missing in one.not_judged
            ),
            unused_captions=0,
            tables=tuple(_tables(kind, rewards, work.unused)),
            usage=grader.usage,
            prompts=used,
            omnidetective=omnidetective.__version__,
            started_at=started_at,
            seconds=round(time.monotonic() - since, 3),
        )


def _matched(captions: Sequence[Prediction], references: Predictions, kind: Kind, limit: int | None) -> _Work:
    """The first captions with their references; those of the other captions are not unused."""
    found = [_reference_of(row, references) for row in captions]
    if kind != "length" and not any(one is not None for one in found):
        ours, theirs = captions[0].names[0], next(iter(references)).names[0]
        raise ConfigError(
            f"no reference belongs to any of the {len(captions)} captions: the first caption is of {ours!r}, "
            f"the first reference of {theirs!r}",
            hint="the ids or file names of both must agree",
        )
    used = {id(one) for one in found if one is not None}
    return _Work(
        names=tuple(row.names[0] for row in captions[:limit]),
        samples=tuple(_sample(*one) for one in list(zip(captions, found, strict=True))[:limit]),
        unused=tuple(dict.fromkeys(row.names[0] for row in references if id(row) not in used)),
    )


def _reference_of(row: Prediction, references: Predictions) -> Prediction | None:
    """The reference of the same clip; where both say what was asked for, also by the same prompt."""
    if row.prompt is not None and (found := references.find(*row.names, prompt=row.prompt)) is not None:
        return found
    found = references.find(*row.names)
    return found if found is None or found.prompt is None or row.prompt is None else None


def _sample(row: Prediction, reference: Prediction | None) -> Sample:
    return Sample(
        caption=_caption(row),
        reference=None if reference is None else _caption(reference),
        dialogue=row.dialogue,
        reference_dialogue=None if reference is None else reference.dialogue,
    )


def _caption(row: Prediction) -> str | None:
    """``None`` for a row that holds a dialogue instead of a caption."""
    return None if row.dialogue is not None and not row.caption.strip() else row.caption


def _tables(kind: Kind, rewards: Sequence[CaptionReward], unused: Sequence[str]) -> Iterator[Table]:
    of_part: dict[str, Callable[[CaptionReward], float | None]] = {
        "checklist": lambda one: one.checklist.reward if one.checklist else None,
        "dialogue": lambda one: one.dialogue.reward if one.dialogue else None,
        "length": lambda one: one.length.reward if one.length else None,
    }
    rows = [_mean(part, [of_part[part](one) for one in rewards]) for part in parts_of(kind)]
    if kind == "all":
        rows.append(_mean("sum", [one.reward for one in rewards]))
    note = "Means of the captions that were judged; the others have no reward."
    if unused:
        more = f" and {len(unused) - _MOST_NAMED:,} more" if len(unused) > _MOST_NAMED else ""
        note += f"\nReferences without a caption: {len(unused):,} ({', '.join(unused[:_MOST_NAMED])}{more})."
    yield Table(title="rewards", columns=("reward",), rows=tuple(rows), digits=3, note=note)
    checked = [one.checklist.points for one in rewards if one.checklist is not None]
    if checked:
        columns = ("correct", "wrong", "missing")
        groups = {"all": None, **dict.fromkeys(DIMENSIONS)}
        table = [_points(name, [_of(points, name) for points in checked]) for name in groups]
        yield Table(title="key points", columns=columns, rows=tuple(row for row in table if row.n), note="Percent.")
    dialogues = [one.dialogue.score for one in rewards if one.dialogue is not None]
    if dialogues:
        sums = [
            (1.0, one.precision, one.recall, float(one.pairs), one.content, float(one.speaker)) for one in dialogues
        ]
        scores = {
            "precision": score(sums, ratio(1, 0)),
            "recall": score(sums, ratio(2, 0)),
            "content": score(sums, ratio(4, 3)),
            "speaker": score(sums, ratio(5, 3)),
        }
        note = "Precision and recall are means of captions, content and speaker of pairs of utterances."
        row = Row(name="all", n=len(dialogues), scores=scores)
        yield Table(title="dialogue", columns=tuple(scores), rows=(row,), digits=3, note=note)


def _mean(name: str, values: Sequence[float | None]) -> Row:
    known = [(1.0, value) for value in values if value is not None]
    return Row(name=name, n=len(known), scores={"reward": score(known, ratio(1, 0))})


def _of(points: Sequence[CheckedPoint], dimension: str) -> list[CheckedPoint]:
    return [point for point in points if dimension in ("all", point.dimension)]


def _points(name: str, checked: Sequence[Sequence[CheckedPoint]]) -> Row:
    """Shares of the key points of all captions; ``n`` is how many points there are."""
    columns = ("correct", "wrong", "missing")
    sums = [
        (float(len(points)), *(float(sum(point.verdict == column for point in points)) for column in columns))
        for points in checked
    ]
    scores = {column: score(sums, ratio(n, 0, times=100)) for n, column in enumerate(columns, start=1)}
    return Row(name=name, n=sum(len(points) for points in checked), scores=scores)
