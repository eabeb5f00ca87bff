"""A pilot: some clips are really captioned, and the rest is foreseen from what they took."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from omnidetective.config import Config
from omnidetective.engine.progress import Progress
from omnidetective.engine.run import run_batch
from omnidetective.engine.source import WHOLE, Part
from omnidetective.frozen import Sparse
from omnidetective.planning.plan import Clips, clips_of, extrapolation
from omnidetective.planning.probing import MOST_PROBED, Probed, probe
from omnidetective.planning.scaling import NONE, Foreseen, scaled
from omnidetective.planning.survey import Survey, choose, survey
from omnidetective.report.failing import views
from omnidetective.report.layout import many
from omnidetective.report.reading import ModelUsageView, RecordView


class Amounts(Sparse):
    """What the pilot took on one account. ``cost_usd`` is null where a price is unknown."""

    calls: int
    prompt_tokens: int
    completion_tokens: int
    cost_usd: float | None


class Account(Sparse):
    """One stage, role or model: what it took, and what it will take for the clips that are left.

    ``seconds`` is how long a stage worked on a clip of the pilot, on average; absent for roles and models.
    """

    name: str
    taken: Amounts
    seconds: float | None = None
    calls: Foreseen
    prompt_tokens: Foreseen
    completion_tokens: Foreseen
    cost_usd: Foreseen | None


class Pilot(Sparse):
    """Everything.

    Attributes:
        output: where the records of the pilot are.
        chosen: how many clips were to be captioned; ``recorded`` of them have a record.
        media_s, images: of those with a record.
        cached_calls: of their calls, those whose answers were there already: what these cost is not in the numbers.
        clips: the rows of the input as they are now. ``left_s`` and ``left_images`` are of those still to do.
        total, by_stage, by_role, by_model: what was taken, and what is foreseen for the clips still to do.
        run_s: time for these, with the same workers.
        notes: what stands on weak feet.
        interrupted: whether the pilot was stopped before its end.
    """

    output: str
    chosen: int
    recorded: int
    media_s: float
    images: int
    cached_calls: int
    clips: Clips
    left_s: float
    left_images: float
    total: Account | None = None
    by_stage: tuple[Account, ...] = ()
    by_role: tuple[Account, ...] = ()
    by_model: tuple[Account, ...] = ()
    run_s: Foreseen | None = None
    notes: tuple[str, ...] = ()
    interrupted: bool = False


@dataclass(frozen=True, slots=True)
class Chosen:
    """Some clips by their ids."""

    ids: frozenset[str]

    def holds(self, clip_id: str) -> bool:
        return clip_id in self.ids


@dataclass(frozen=True, slots=True)
class _Left:
    """What is still to do: seconds, pictures, and how far off, in proportion, these may be."""

    seconds: float
    images: float
    error: float


async def fly(
    config: Config,
    input_path: Path,
    output_path: Path | None = None,
    *,
    clips: int,
    shard: Part = WHOLE,
    limit: int | None = None,
    progress: Progress | None = None,
    until: ExitStack | None = None,
) -> Pilot:
    """Caption some clips of an input, and foresee the rest.

    The same clips are chosen each time; those that have a record in the output are not done again.

    Args:
        output_path: where records go, for a run to go on from; a new temporary folder by default.
        clips: how many are captioned.
        until: as of ``run_batch``.

    Raises:
        UserError: as ``run_batch``.
    """
    output = output_path or Path(tempfile.mkdtemp(prefix="omnidetective-pilot-")) / "pilot.jsonl"
    rows = await asyncio.to_thread(choose, input_path, clips, shard=shard, limit=limit)
    ids = frozenset(row.id for row in rows)
    summary = await run_batch(
        config.with_cache_beside(output), input_path, output, shard=Chosen(ids), progress=progress, until=until
    )
    records = await asyncio.to_thread(_records, summary.output, ids)
    # What a temporary folder holds is no part of the later run.
    found = await asyncio.to_thread(survey, input_path, output_path, shard=shard, limit=limit, sample=MOST_PROBED)
    base_dir = Path(os.path.abspath(input_path)).parent  # noqa: PTH100, ASYNC240 - as the run: links are the user's
    probed = await probe(found.sample, config.settings.media, base_dir=base_dir)
    pilot = _measured(config, str(summary.output), len(rows), records, found, probed, interrupted=summary.interrupted)
    if output_path is None:
        again = "without --output the pilot's clips are left too: a run would caption and pay them again"
        return pilot.model_copy(update={"notes": (*pilot.notes, again)})
    return pilot


def _records(output: Path, ids: frozenset[str]) -> tuple[RecordView, ...]:
    with output.open("rb") as lines:
        return tuple(r for _, _, r in views(lines, RecordView) if isinstance(r, RecordView) and r.id in ids)


def _measured(
    config: Config,
    output: str,
    chosen: int,
    records: Sequence[RecordView],
    found: Survey,
    probed: Probed,
    *,
    interrupted: bool,
) -> Pilot:
    left, notes = _left(records, found, probed)
    if (lost := chosen - len(records)) and not interrupted:
        notes = (*notes, f"{many(lost, 'clip')} of the pilot without a record: what they took is not in the numbers")
    pilot = Pilot(
        output=output,
        chosen=chosen,
        recorded=len(records),
        media_s=sum(record.media.duration_s or 0.0 for record in records),
        images=sum(not record.media.duration_s for record in records),
        cached_calls=sum(record.usage.cached_calls for record in records if record.usage is not None),
        clips=clips_of(found),
        left_s=left.seconds,
        left_images=left.images,
        notes=notes,
        interrupted=interrupted,
    )
    if not records:
        return pilot
    at_once = max(1, min(config.settings.num_workers * config.settings.concurrency, found.to_do))
    took = _foreseen(records, lambda record: (record.provenance.seconds or 0.0) / at_once, left)
    total = _account("all", records, lambda record: record.usage, left)
    return pilot.model_copy(
        update={
            "total": total,
            "by_stage": _stages(records, left),
            "by_role": _accounts(records, "by_role", left),
            "by_model": _accounts(records, "by_model", left),
            "run_s": took,
        }
    )


def _left(records: Sequence[RecordView], found: Survey, probed: Probed) -> tuple[_Left, tuple[str, ...]]:
    """How much is to do: from what can be looked at, else as if all clips were like those of the pilot."""
    notes: list[str] = []
    if probed.facts or not found.to_do:
        scale, error = extrapolation(found, probed)
        seconds = scale * sum(facts.duration_s or 0.0 for facts in probed.facts)
        images = scale * sum(facts.modality == "image" for facts in probed.facts)
        if probed.clips < found.to_do:
            notes.append(f"{probed.clips:,} of the {found.to_do:,} clips to do were looked at, for their lengths")
    else:
        share = found.to_do / max(1, len(records))
        seconds, images, error = (
            share * sum(record.media.duration_s or 0.0 for record in records),
            share * sum(not record.media.duration_s for record in records),
            0.0,
        )
        notes.append("no clip to do could be looked at; they are taken to be as long as those of the pilot")
    timed = any(record.media.duration_s for record in records)
    still = any(not record.media.duration_s for record in records)
    if records and images and not still:
        notes.append("the pilot held no picture: what pictures take is not foreseen")
    if records and seconds and not timed:
        notes.append("the pilot held pictures only: what video and sound take is not foreseen")
    if len(records) == 1:
        notes.append("one clip says nothing of how much clips differ: take more for a range")
    return _Left(seconds, images, error), tuple(notes)


def _stages(records: Sequence[RecordView], left: _Left) -> tuple[Account, ...]:
    """The stages in the order in which they ended, those that ask nobody included."""
    named = {account.name: account for account in _accounts(records, "by_stage", left)}
    order = dict.fromkeys((*(stage for record in records for stage in record.provenance.stages), *named))
    return tuple(
        (named.get(stage) or _account(stage, records, lambda _: None, left)).model_copy(
            update={"seconds": sum(r.provenance.stages.get(stage, 0.0) for r in records) / len(records)}
        )
        for stage in order
    )


def _accounts(records: Sequence[RecordView], part: str, left: _Left) -> tuple[Account, ...]:
    names = dict.fromkeys(name for record in records for name in _parts(record, part))
    return tuple(_account(name, records, _one(part, name), left) for name in names)


def _one(part: str, name: str) -> Callable[[RecordView], ModelUsageView | None]:
    return lambda record: _parts(record, part).get(name)


def _parts(record: RecordView, part: str) -> Mapping[str, ModelUsageView]:
    if record.usage is None:
        return {}
    parts: Mapping[str, ModelUsageView] = getattr(record.usage, part)
    return parts


def _account(
    name: str, records: Sequence[RecordView], usage_of: Callable[[RecordView], ModelUsageView | None], left: _Left
) -> Account:
    nothing = ModelUsageView(cost_usd=Decimal(0))
    usages = {id(record): usage_of(record) or nothing for record in records}
    known = all(usage.cost_usd is not None for usage in usages.values())

    def foreseen(value: Callable[[ModelUsageView], float]) -> Foreseen:
        return _foreseen(records, lambda record: value(usages[id(record)]), left)

    return Account(
        name=name,
        taken=Amounts(
            calls=sum(usage.calls for usage in usages.values()),
            prompt_tokens=sum(usage.prompt_tokens for usage in usages.values()),
            completion_tokens=sum(usage.completion_tokens for usage in usages.values()),
            cost_usd=sum(float(usage.cost_usd or 0) for usage in usages.values()) if known else None,
        ),
        calls=foreseen(lambda usage: usage.calls),
        prompt_tokens=foreseen(lambda usage: usage.prompt_tokens),
        completion_tokens=foreseen(lambda usage: usage.completion_tokens),
        cost_usd=foreseen(lambda usage: float(usage.cost_usd or 0)) if known else None,
    )


def _foreseen(records: Iterable[RecordView], value: Callable[[RecordView], float], left: _Left) -> Foreseen:
    """Video and sound in proportion to their seconds, pictures by their number."""
    total = NONE
    every = tuple(records)
    for group, size, amount in _groups(every, left):
        total = total.plus(scaled([value(r) for r in group], [size(r) for r in group], amount, left_error=left.error))
    return total


def _groups(
    records: Sequence[RecordView], left: _Left
) -> Iterator[tuple[Sequence[RecordView], Callable[[RecordView], float], float]]:
    timed = tuple(record for record in records if record.media.duration_s)
    still = tuple(record for record in records if not record.media.duration_s)
    if timed and left.seconds:
        yield timed, lambda record: record.media.duration_s or 0.0, left.seconds
    if still and left.images:
        yield still, lambda _: 1.0, left.images
