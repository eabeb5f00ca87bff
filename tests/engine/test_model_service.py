"""The model service: one process for all workers, the same answers, and nobody waits for ever when it dies."""

from __future__ import annotations

import asyncio
import os
import signal
import uuid
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest
from engine import fakes
from engine.harness import Folder, Start, marked, until

from omnidetective.embedded.inference import processors
from omnidetective.embedded.models import OwnModels
from omnidetective.embedded.service import Room
from omnidetective.embedded.service_client import ModelServiceError, ServedModels
from omnidetective.embedded.weights import WeightStore
from omnidetective.engine.model_service import ModelService
from omnidetective.errors import ObserverUnavailableError
from omnidetective.evidence import Span
from omnidetective.media.clip import Clip
from omnidetective.media.intake import open_clip
from omnidetective.resources import resource_root
from omnidetective.rows import parse_row
from omnidetective.settings import MediaSettings

pytest.importorskip("faster_whisper")
pytest.importorskip("rapidocr")

NOISE_S = 600.0
"""Seconds of work for the voice detector."""


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[ModelService]:
    async with ModelService(tmp_path) as running:
        yield running


@pytest.fixture
async def clip() -> AsyncIterator[Clip]:
    """Somebody reads aloud; a page of text is shown."""
    data = resource_root() / "data"
    async with open_clip(parse_row({"video": str(data / "reading.mp4")}), MediaSettings(), base_dir=data) as opened:
        yield opened


def own() -> OwnModels:
    """The models in this process, with as many threads as the service gives them."""
    return OwnModels(threads=Room.of(processors()).threads)


async def killed(service: ModelService, *, times: int) -> None:
    """Kill the service when it has begun to work, again and again."""
    for _ in range(times):
        while service.pid is None or not is_at_work(service.pid):
            await asyncio.sleep(0.02)
        pid = service.pid
        os.kill(pid, signal.SIGKILL)
        while service.pid == pid:
            await asyncio.sleep(0.02)


def is_at_work(pid: int) -> bool:
    """Whether a model is loaded: its library is, which nothing but a request does."""
    with suppress(OSError):
        return "onnxruntime_pybind" in Path(f"/proc/{pid}/maps").read_text()
    return False


async def test_answers_are_those_of_the_models_in_this_process(service: ModelService, clip: Clip) -> None:
    served = ServedModels(service.address)
    assert service.pid is None  # Nobody has asked yet.
    span = Span(start_s=0.0, end_s=min(20.0, clip.duration_s))
    samples = await clip.pcm(span)
    voice = await served.voice(samples, offset_s=0.5)
    assert voice == await own().voice(samples, offset_s=0.5)
    assert voice
    [frame] = await clip.frames([1.0], longest_side_px=1280)
    assert await served.read_text(frame.jpeg) == await own().read_text(frame.jpeg)
    assert await served.voice(samples[:0], offset_s=0.0) == ()


@pytest.mark.weights
async def test_words_and_sounds_are_the_same_to_the_last_bit(service: ModelService, clip: Clip) -> None:
    if any(WeightStore().verify(name).state != "ready" for name in ("whisper-base", "yamnet")):
        pytest.skip("omnidetective weights pull")
    served = ServedModels(service.address)
    samples = await clip.pcm(Span(start_s=0.0, end_s=min(20.0, clip.duration_s)))
    voiced = await own().voice(samples, offset_s=0.0)
    told = {"language": None, "offset_s": 0.0, "deadline": float("inf")}
    heard = await served.transcribe("whisper-base", samples, voiced, **told)
    assert heard == await own().transcribe("whisper-base", samples, voiced, **told)
    assert heard.segments
    ours, theirs = await own().sounds(samples), await served.sounds(samples)
    assert (theirs.labels, theirs.scores.tobytes()) == (ours.labels, ours.scores.tobytes())


async def test_what_a_model_refuses_is_told_and_harms_nobody(service: ModelService) -> None:
    served = ServedModels(service.address)
    with pytest.raises(ObserverUnavailableError, match="ValueError: not a picture"):
        await served.read_text(b"no jpeg")
    with pytest.raises(ObserverUnavailableError, match="there are no weights named 'whisper-bose'"):
        await served.transcribe("whisper-bose", fakes.noise(1), (), language=None, offset_s=0.0, deadline=1e9)
    assert await served.voice(fakes.noise(1), offset_s=0.0) == ()


async def test_killed_in_the_middle_the_request_is_asked_again(service: ModelService) -> None:
    served, samples = ServedModels(service.address), fakes.noise(NOISE_S)
    asked = [asyncio.create_task(served.voice(samples, offset_s=0.0)) for _ in range(3)]
    await killed(service, times=1)
    assert await asyncio.gather(*asked) == [await own().voice(samples, offset_s=0.0)] * 3


async def test_a_request_that_kills_the_service_is_given_up_and_no_other(service: ModelService) -> None:
    poison, other = ServedModels(service.address), ServedModels(service.address)
    asked = asyncio.create_task(poison.voice(fakes.noise(NOISE_S), offset_s=0.0))
    killing = asyncio.create_task(killed(service, times=20))
    with pytest.raises(ModelServiceError, match=r"died 2 times|keeps dying|cannot be reached") as caught:
        await asked
    killing.cancel()
    assert caught.value.reason == "model_service"
    assert await other.voice(fakes.noise(1), offset_s=0.0) == ()


async def test_a_time_limit_holds_and_frees_the_place(service: ModelService) -> None:
    served = ServedModels(service.address)
    for _ in range(6):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await served.voice(fakes.noise(NOISE_S), offset_s=0.0)
    assert await served.voice(fakes.noise(1), offset_s=0.0) == ()


async def test_a_service_that_cannot_start_is_told_at_once(
    service: ModelService, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("omnidetective.engine.model_service._service_main", fakes.service_that_dies)
    served = ServedModels(service.address)
    with pytest.raises(ModelServiceError):
        await served.voice(fakes.noise(1), offset_s=0.0)
    with pytest.raises(ModelServiceError, match="cannot be reached"):
        await served.read_text(b"")
    assert "died 3 times before it did anything" in caplog.text


async def test_nonsense_ends_the_connection_and_nothing_else(service: ModelService) -> None:
    reader, writer = await asyncio.open_unix_connection(service.address)
    writer.write(b"\x00\x00\x00\x02" + bytes(8) + b"{}")
    assert await reader.read() == b""
    writer.close()
    assert await ServedModels(service.address).voice(fakes.noise(1), offset_s=0.0) == ()


async def test_it_goes_with_its_parent_side(tmp_path: Path) -> None:
    async with ModelService(tmp_path) as service:
        await ServedModels(service.address).voice(fakes.noise(1), offset_s=0.0)
        pid = service.pid
        assert pid is not None
    assert not Path(f"/proc/{pid}").exists()
    assert list(tmp_path.iterdir()) == []


def with_models(pids: list[int]) -> list[int]:
    return [pid for pid in pids if is_at_work(pid)]


def test_two_workers_share_one_service_which_dies_with_the_run(folder: Folder, start: Start) -> None:
    mark = uuid.uuid4().hex
    heard = [{"id": n, "do": "hear", "seconds": 2} for n in range(4)]
    folder.rows([*heard, *({"id": f"wait {n}", "do": "sleep", "seconds": 120} for n in range(2))])
    process = start("--num-workers", "2", "--concurrency", "3", "--quiet", mark=mark)
    until(lambda: len(list(folder.path.glob("heard-*"))) == 4, seconds=60)
    assert len(with_models(marked(mark))) == 1
    process.kill()
    process.wait(20)
    until(lambda: not marked(mark), seconds=10)
    folder.rows(heard)
    again = start("--quiet", mark=mark)
    again.communicate(timeout=60)
    assert (again.returncode, len(folder.ids())) == (0, 4)


def test_without_sharing_each_worker_has_its_own(folder: Folder, start: Start) -> None:
    mark = uuid.uuid4().hex
    folder.rows(
        [*({"id": n, "do": "hear", "seconds": 2} for n in range(2)), {"id": "wait", "do": "sleep", "seconds": 120}]
    )
    start("--concurrency", "3", "--quiet", "--set", "workers.share_models=false", mark=mark)
    until(lambda: len(list(folder.path.glob("heard-*"))) == 2, seconds=60)
    assert len(with_models(marked(mark))) == 1
    assert len(marked(mark)) <= 3  # The run, its worker, and what multiprocessing starts beside it.


def test_room_for_few_and_many_processors() -> None:
    assert Room.of(1) == Room(slots=2, threads=1)
    assert Room.of(2) == Room(slots=2, threads=1)
    assert Room.of(16) == Room(slots=4, threads=4)
    assert Room.of(128) == Room(slots=8, threads=4)
