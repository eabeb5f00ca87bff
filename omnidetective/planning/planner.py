"""Makes the plan of a run. No model is called, nothing is downloaded, nothing is written."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from omnidetective.config import Config
from omnidetective.engine.source import WHOLE, Part
from omnidetective.forecast.ground import Ground, environment, missing_keys
from omnidetective.llm.cast import Cast
from omnidetective.planning.checks import check_models
from omnidetective.planning.plan import Plan, plan_of
from omnidetective.planning.probing import MOST_PROBED, probe
from omnidetective.planning.survey import survey


async def plan_run(
    config: Config,
    input_path: Path,
    output_path: Path | None = None,
    *,
    shard: Part = WHOLE,
    limit: int | None = None,
    resume: bool = True,
    retry_failed: bool = False,
) -> Plan:
    """What ``run`` with the same arguments would do.

    Raises:
        ConfigError: the input cannot be read, or the run would be refused for another reason than a missing key.
    """
    base_dir = Path(os.path.abspath(input_path)).parent  # noqa: PTH100, ASYNC240 - as the run: links are the user's
    found = await asyncio.to_thread(
        survey,
        input_path,
        output_path,
        shard=shard,
        limit=limit,
        resume=resume,
        retry_failed=retry_failed,
        sample=MOST_PROBED,
    )
    cast = Cast(config.model_set, config.settings.retry, environ=environment(config))
    try:
        if not missing_keys(config, os.environ):
            await cast.discover()
        ground = Ground.of(config, cast)
        ground.toolbox.close()
        probed = await probe(found.sample, config.settings.media, base_dir=base_dir)
        plan = await asyncio.to_thread(plan_of, config, ground, found, probed)
        roles = plan.calls_by_role or tuple(role for role in config.model_set.roles if ground.asks(role))
        return plan.model_copy(update={"models": await check_models(config, roles)})
    finally:
        await cast.aclose()
