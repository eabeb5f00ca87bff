"""One clip: opens it, runs the workflow's stages over its case, and returns a record, or a failure with its reason.

The public library API, and what the command line uses::

    async with Pipeline.from_config(load_config()) as pipeline:
        record = await pipeline.caption({"video": "clip.mp4"})
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

import omnidetective
from omnidetective.case import Case
from omnidetective.config import Config
from omnidetective.errors import (
    ClipTimeoutError,
    ConfigError,
    ObserverUnavailableError,
    OmnidetectiveError,
    ProviderError,
    StageTimeoutError,
)
from omnidetective.lines import failure, record
from omnidetective.llm.admission import left_out_when_refused
from omnidetective.llm.cache import ResponseCache
from omnidetective.llm.cast import Cast
from omnidetective.llm.limits.bookkeeper import Bookkeeper
from omnidetective.llm.permits import Permits
from omnidetective.llm.prices import prices_with
from omnidetective.llm.usage import Meter, usage_scope
from omnidetective.media.intake import open_clip
from omnidetective.observers.base import ObserverContext
from omnidetective.observers.registry import ToolBox
from omnidetective.otel import traces_for
from omnidetective.prompts import PromptLibrary, prompts_used
from omnidetective.records import (
    CaptionRecord,
    FailureRecord,
    InputRow,
    Provenance,
    Usage,
)
from omnidetective.rows import parse_row
from omnidetective.segments import plan_segments
from omnidetective.settings import CacheSettings
from omnidetective.stages import STAGES
from omnidetective.stages.base import StageContext
from omnidetective.stages.domain_agents import check_agents
from omnidetective.stages.drawing import drawn, require_draws
from omnidetective.stages.plan import StagePlan
from omnidetective.telemetry import Step

log = logging.getLogger(__name__)

INTAKE = "intake"
"""Name of what comes before the first stage: resolving, fetching, probing."""


@dataclass(slots=True)
class _Run:
    """Where one clip is, for provenance and for errors."""

    started_at: str
    started: float
    stage: str = INTAKE
    seconds: dict[str, float] = field(default_factory=dict)
    prompts: dict[str, str] = field(default_factory=dict)

    def enter(self, stage: str) -> None:
        self.stage = stage

    def leave(self, stage: str, seconds: float) -> None:
        self.seconds[stage] = round(self.seconds.get(stage, 0.0) + seconds, 3)


class Pipeline:
    """Captions clips, one at a time or many at once on one event loop."""

    def __init__(self, config: Config, *, base_dir: Path, context: StageContext, plan: StagePlan) -> None:
        self._config = config
        self._config_sha = config.sha
        self._traces = traces_for(config.settings.telemetry, version=omnidetective.__version__)
        self._base_dir = base_dir
        self._context = context
        self._plan = plan
        self._preparing = asyncio.Lock()
        self._prepared = False

    @classmethod
    def from_config(cls, config: Config, *, base_dir: Path | None = None, permits: Permits | None = None) -> Pipeline:
        """Set up cast, tool box and stages.

        Args:
            config: as :func:`~omnidetective.config.load_config` gives it.
            base_dir: folder that relative paths in rows start from: the input file's; by default the working directory.
            permits: who gives leave for calls; by default the pipeline keeps the limits and the cap by itself.

        Raises:
            ConfigError: an unknown stage or observer, stages in an impossible order, ``gate.samples`` where nothing can
                be drawn again, a role that the workflow needs and nobody can play, or a cap on the cost and a model
                whose price is not known.
            PromptError: a broken prompt file, or one that a domain names and that is not there.
        """
        settings = config.settings
        plan = StagePlan.of(config.workflow, STAGES)
        require_draws(plan, settings, workflow=config.workflow.name)
        prompts = PromptLibrary(settings.prompts)
        cast = Cast(
            config.model_set,
            settings.retry,
            cache=_cache(settings.cache),
            permits=permits or Bookkeeper.of(settings),
            limits=settings.limits,
            prices=prices_with(settings.prices),
        )
        toolbox = ToolBox(ObserverContext(cast, config.model_set, prompts, settings))
        try:
            toolbox.require_named(config.sources)
            for role in plan.roles(settings):
                cast.require(role)
            if "route" in plan.names:
                check_agents(settings, prompts, cast)
            if settings.limits.max_cost_usd is not None:
                _require_prices(cast, toolbox, config)
        except BaseException:
            toolbox.close()
            raise
        context = StageContext(
            settings=settings,
            model_set=config.model_set,
            cast=cast,
            toolbox=toolbox,
            prompts=prompts,
            stages=plan.names,
        )
        return cls(config, base_dir=base_dir or Path.cwd(), context=context, plan=plan)

    async def prepare(self) -> None:
        """Ask self-hosted servers which model they serve, where none is named; the first clip does it by itself.

        What a model can take, and so which observers there are, is known only after that.
        """
        async with self._preparing:
            if self._prepared:
                return
            cast = self._context.cast
            if any(name.endswith(":?") for name in cast.names().values()):
                await cast.discover()
                known = ObserverContext(cast, self._context.model_set, self._context.prompts, self._context.settings)
                before = self._context.toolbox
                self._context = replace(self._context, toolbox=await asyncio.to_thread(ToolBox, known))
                await before.aclose()
            self._prepared = True

    @property
    def toolbox(self) -> ToolBox:
        """The observers that work here, and why the others do not."""
        return self._context.toolbox

    @property
    def cast(self) -> Cast:
        """Who plays which role."""
        return self._context.cast

    async def caption(self, row: InputRow | Mapping[str, Any]) -> CaptionRecord:
        """Caption one clip.

        Raises:
            OmnidetectiveError: the row, the media, or what the clip needs failed; the class says what happens next.
        """
        if not isinstance(row, InputRow):
            row = parse_row(row)
        with self._told(row) as step, left_out_when_refused(), usage_scope() as meter:
            record = await self._caption(row, self._new_run(), meter)
            _tell(step, record)
            return record

    async def process(self, row: InputRow) -> CaptionRecord | FailureRecord:
        """Caption one clip; a failure is returned, never raised.

        Raises:
            BudgetReachedError: the run's money is spent; nothing is known of the clip.
        """
        with self._told(row) as step:
            result = await self._process(row)
            _tell(step, result)
            return result

    async def _process(self, row: InputRow) -> CaptionRecord | FailureRecord:
        run = self._new_run()
        with left_out_when_refused(), usage_scope() as meter:
            try:
                return await self._caption(row, run, meter)
            except OmnidetectiveError as error:
                return self._failure(row, run, meter, error)
            except Exception as error:
                # The border: a fault of ours costs one clip, is reported as such, and never stops the run.
                log.info("clip %s: internal error in stage %s", row.id, run.stage, exc_info=True)
                unexpected = OmnidetectiveError(
                    f"{type(error).__name__}: {error}",
                    hint="this is a fault of omnidetective: please report it with the log",
                )
                return self._failure(row, run, meter, unexpected, type_name=type(error).__name__)

    async def aclose(self) -> None:
        """End what observers run in, give back connections, and send what spans are left. Safe to call twice."""
        await self._context.toolbox.aclose()
        await self._context.cast.aclose()
        if self._traces is not None:
            await self._traces.aclose()

    async def __aenter__(self) -> Pipeline:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    @contextmanager
    def _told(self, row: InputRow) -> Iterator[Step]:
        """Around one clip: what happens inside is told as part of it."""
        with self._traces.active() if self._traces else nullcontext(), Step("clip", log, {"clip": row.id}) as step:
            yield step

    def _new_run(self) -> _Run:
        return _Run(started_at=datetime.now(UTC).isoformat(timespec="milliseconds"), started=time.monotonic())

    async def _caption(self, row: InputRow, run: _Run, meter: Meter) -> CaptionRecord:
        limit_s = self._config.settings.limits.clip_timeout_s
        with prompts_used(run.prompts):
            try:
                async with asyncio.timeout(limit_s):
                    case = await self._work(row, run)
            except TimeoutError as error:
                raise ClipTimeoutError(
                    f"the clip was not done within {limit_s:g} s; it was in stage {run.stage}",
                    hint="raise limits.clip_timeout_s, or look at what is slow",
                ) from error
        return self._record(case, run, meter)

    async def _work(self, row: InputRow, run: _Run) -> Case:
        await self.prepare()
        since = time.monotonic()
        async with AsyncExitStack() as opened:
            settings = self._config.settings
            with Step("stage", log, {"stage": INTAKE}):
                clip = await opened.enter_async_context(open_clip(row, settings.media, base_dir=self._base_dir))
                case = Case(row=row, clip=clip, segments=await plan_segments(clip, settings.segment))
            run.leave(INTAKE, time.monotonic() - since)
            return await drawn(case, self._plan, self._context, enter=run.enter, leave=run.leave)

    def _record(self, case: Case, run: _Run, meter: Meter) -> CaptionRecord:
        keep = self._config.settings.trajectory
        return record(case, provenance=self._provenance(run), usage=meter.usage(), trajectory=keep)

    def _provenance(self, run: _Run) -> Provenance:
        return Provenance(
            omnidetective=omnidetective.__version__,
            workflow=self._config.workflow.name,
            models=self._context.cast.names(),
            config_sha=self._config_sha,
            prompts=run.prompts,
            started_at=run.started_at,
            seconds=round(time.monotonic() - run.started, 3),
            stages=run.seconds,
        )

    def _failure(
        self, row: InputRow, run: _Run, meter: Meter, error: OmnidetectiveError, *, type_name: str | None = None
    ) -> FailureRecord:
        return failure(
            row,
            error,
            stage=error.stage if isinstance(error, StageTimeoutError) else run.stage,
            attempts=error.attempts if isinstance(error, ProviderError) else 1,
            type_name=type_name,
        ).model_copy(update={"usage": meter.usage()})


def _tell(step: Step, result: CaptionRecord | FailureRecord) -> None:
    """How a clip ended, for the log and for traces."""
    step.outcome = result.outcome
    if isinstance(result, FailureRecord):
        step.error = step.facts["reason"] = result.error.reason
    usage = result.usage or Usage()
    step.facts |= {
        "calls": usage.calls,
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
    }


def _cache(settings: CacheSettings) -> ResponseCache | None:
    """Where answers are kept; without a file nobody keeps any."""
    return ResponseCache(settings.path) if settings.enabled and settings.path is not None else None


def _require_prices(cast: Cast, toolbox: ToolBox, config: Config) -> None:
    """Refuse a cap that could not hold, before anything is paid for."""
    off = {name for name, why in toolbox.unavailable.items() if why.reason == "disabled"}
    unasked = {(row.spec and row.spec.role) or row.name for row in toolbox.listings if row.name in off}
    unpriced: dict[str, list[str]] = {}
    for role in (role for role in config.model_set.roles if role not in unasked):
        with contextlib.suppress(ObserverUnavailableError):  # Who cannot be asked costs nothing.
            if (model := cast.unpriced(role)) is not None:
                unpriced.setdefault(model, []).append(role)
    if unpriced:
        told = "; ".join(f"{model} ({', '.join(roles)})" for model, roles in unpriced.items())
        raise ConfigError(
            f"the cap of ${config.settings.limits.max_cost_usd} cannot hold, as the price is not known of {told}",
            hint="give it in a YAML file, --set prices=FILE (0 for a model of your own), name another model for the "
            "role, or leave the cap out: tokens are counted anyway",
        )
