"""A pipeline that does what each row tells it to, for tests of the engine: importable by worker processes."""

from __future__ import annotations

import asyncio
import ctypes
import logging
import os
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from omnidetective.config import Config
from omnidetective.errors import ConfigError
from omnidetective.llm.admission import left_out_when_refused
from omnidetective.llm.cast import Cast
from omnidetective.llm.messages import ChatRequest, Message
from omnidetective.llm.permits import Permits
from omnidetective.llm.prices import prices_with
from omnidetective.records import (
    CaptionRecord,
    FailureDetail,
    FailureRecord,
    InputRow,
    MediaFacts,
    ModelUsage,
    Provenance,
    Quality,
    Usage,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

log = logging.getLogger("omnidetective.tests")


class RowDriven:
    """``do`` of a row says what happens: ``sleep``, ``fail``, ``raise``, ``kill`` … with ``seconds``.

    ``mark`` names a file to which one byte is added each time the clip is begun.
    """

    def __init__(self, base_dir: Path) -> None:
        self.base_dir = base_dir
        self.in_flight = 0
        self.eaten: list[bytearray] = []

    async def process(self, row: InputRow) -> CaptionRecord | FailureRecord:
        if isinstance(mark := row.raw.get("mark"), str):
            with Path(mark).open("ab") as file:
                file.write(b"x")
        self.in_flight += 1
        try:
            return await self._do(row)
        finally:
            self.in_flight -= 1

    async def aclose(self) -> None:
        pass

    async def _do(self, row: InputRow) -> CaptionRecord | FailureRecord:
        seconds = float(str(row.raw.get("seconds", 0)))
        match row.raw.get("do"):
            case "sleep":
                await asyncio.sleep(seconds)
            case "fail":
                return failure_of(row)
            case "fail_once" if not Path(str(row.raw["seen"])).exists():
                Path(str(row.raw["seen"])).touch()
                return failure_of(row)
            case "raise":
                raise ValueError("a fault in the pipeline")
            case "cancel":
                raise asyncio.CancelledError
            case "sys_exit":
                sys.exit(3)
            case "exit":
                os._exit(3)
            case "kill":
                await asyncio.sleep(seconds)
                os.kill(os.getpid(), signal.SIGKILL)
                await asyncio.sleep(60)
            case "segfault":
                ctypes.string_at(0)
            case "kill_unless_alone":
                await asyncio.sleep(seconds)
                if self.in_flight > 1:
                    os.kill(os.getpid(), signal.SIGKILL)
            case "block":
                time.sleep(seconds)
            case "eat":
                self.eaten.append(bytearray(b"x") * (int(str(row.raw["mb"])) << 20))
                await asyncio.sleep(seconds)
            case "touch":
                (self.base_dir / str(row.raw["file"])).touch()
            case "wait_for":  # So many files of this pattern.
                while len(list(self.base_dir.glob(str(row.raw["file"])))) < int(str(row.raw.get("count", 1))):
                    await asyncio.sleep(0.02)
                await asyncio.sleep(seconds)
            case "download":  # Killed in the middle of it, unless it may end.
                folder = tempfile.mkdtemp(prefix="omnidetective-")
                (Path(folder) / "media.mp4").write_bytes(b"x" * 1000)
                (self.base_dir / "downloading").write_text(folder)
                if row.raw.get("die"):
                    os.kill(os.getpid(), signal.SIGKILL)
                await asyncio.sleep(seconds)
            case "hear":
                from omnidetective.embedded.models import embedded_models

                spans = await embedded_models(num_workers=2).voice(noise(seconds), offset_s=0.0)
                (self.base_dir / f"heard-{row.id}-{len(spans)}").touch()
            case "wrong_id":
                return record_of(row).model_copy(update={"id": "another"})
            case "nothing":
                return None  # type: ignore[return-value]
            case "surrogate":
                return record_of(row).model_copy(update={"caption": "\ud800"})
            case "log":
                await asyncio.to_thread(log.warning, "from a thread: %s", "esc \x1b[31m")
            case "unknown_cost":
                return record_of(row).model_copy(update={"usage": Usage(calls=1, prompt_tokens=10, cost_usd=None)})
        return record_of(row)


def record_of(row: InputRow) -> CaptionRecord:
    usage = ModelUsage(calls=2, prompt_tokens=100, completion_tokens=10)
    return CaptionRecord(
        id=row.id,
        outcome="accepted",
        input=row.raw,
        media=MediaFacts(path=row.media, sha256="0" * 64, modality="video", has_audio=True, has_video=True),
        caption=f"A caption of {row.id}.",
        quality=Quality(verdict="accepted"),
        usage=Usage(**usage.model_dump(exclude={"cost_usd"}), by_model={"fake:model": usage}),
        provenance=Provenance(
            omnidetective="0",
            workflow="fake",
            models={},
            config_sha="0",
            prompts={},
            started_at="2026-01-01T00:00:00Z",
            seconds=0.0,
            stages={},
        ),
    )


def failure_of(row: InputRow) -> FailureRecord:
    return FailureRecord(
        id=row.id,
        outcome="provider_error",
        error=FailureDetail(
            type="TransientError",
            message="the server is busy",
            stage="investigate",
            attempts=5,
            reason="transient",
            retryable=True,
        ),
        input=row.raw,
        line_number=row.line_number,
    )


def create(config: Config, base_dir: Path, permits: Permits) -> RowDriven:
    return RowDriven(base_dir)


def refuse(config: Config, base_dir: Path, permits: Permits) -> RowDriven:
    raise ConfigError("no such stage: dance", hint="known: investigate")


def broken(config: Config, base_dir: Path, permits: Permits) -> RowDriven:
    raise KeyError("oops")


def die_at_start(config: Config, base_dir: Path, permits: Permits) -> RowDriven:
    os._exit(7)


class _TellBaseDir(RowDriven):
    async def process(self, row: InputRow) -> CaptionRecord:
        return record_of(row).model_copy(update={"caption": str(self.base_dir)})


def tell_base_dir(config: Config, base_dir: Path, permits: Permits) -> RowDriven:
    return _TellBaseDir(base_dir)


class _TellPid(RowDriven):
    async def process(self, row: InputRow) -> CaptionRecord | FailureRecord:
        result = await super().process(row)
        return result.model_copy(update={"caption": str(os.getpid())}) if isinstance(result, CaptionRecord) else result


def tell_pid(config: Config, base_dir: Path, permits: Permits) -> RowDriven:
    """Captions name the worker; each worker leaves a file ``built-…`` when its pipeline is built."""
    (base_dir / f"built-{os.getpid()}").touch()
    return _TellPid(base_dir)


def noise(seconds: float) -> NDArray[np.float32]:
    """Mono, 16 kHz."""
    import numpy as np

    return np.random.default_rng(0).normal(0, 0.1, int(seconds * 16_000)).astype(np.float32)


def service_that_dies(*_: object) -> None:
    """In place of the model service."""
    os._exit(7)


class Calling:
    """Makes ``calls`` model calls for each clip, one after another, and writes their answers as the caption."""

    def __init__(self, config: Config, permits: Permits) -> None:
        settings = config.settings
        self._cast = Cast(
            config.model_set,
            settings.retry,
            permits=permits,
            limits=settings.limits,
            prices=prices_with(settings.prices),
        )

    async def process(self, row: InputRow) -> CaptionRecord:
        with left_out_when_refused():
            said = []
            for number in range(int(str(row.raw.get("calls", 1)))):
                request = ChatRequest(messages=(Message.of("user", f"{row.id}: {number}"),), max_tokens=10)
                said.append((await self._cast.chat("detective").complete(request)).text)
            return record_of(row).model_copy(update={"caption": " ".join(said)})

    async def aclose(self) -> None:
        await self._cast.aclose()


def calling(config: Config, base_dir: Path, permits: Permits) -> Calling:
    return Calling(config, permits)


class _CallingOrKilled(Calling):
    """Dies in the middle of the first call, as soon as a file named ``kill`` appears beside the input."""

    def __init__(self, config: Config, base_dir: Path, permits: Permits) -> None:
        super().__init__(config, permits)
        self._signs = base_dir / "kill", base_dir / "killed"

    async def process(self, row: InputRow) -> CaptionRecord:
        if row.id == "poison" and not self._signs[1].exists():
            asyncio.get_running_loop().create_task(self._die())
        return await super().process(row)

    async def _die(self) -> None:
        while not self._signs[0].exists():
            await asyncio.sleep(0.01)
        self._signs[1].touch()
        os.kill(os.getpid(), signal.SIGKILL)


def calling_or_killed(config: Config, base_dir: Path, permits: Permits) -> _CallingOrKilled:
    return _CallingOrKilled(config, base_dir, permits)
