"""The whole engine against an ideal server: clips a second, and CPU time a call.

Each clip is one investigation of the workflow `omni-detective`: ten inquiries one by one to one witness, 21 calls. All
of it is real (the engine with its workers and ledger, pipeline, loop, retries, metering, response cache, HTTP), except
for the media: clips are made up, so that no decoder is measured. The server is a process of its own on the same machine
(`scripts/bench/mock_server.py`); each call takes it 200 ms, so 64 calls in flight can at best do 15.2 clips a second.

    python -m scripts.bench.engine [--rounds 5] [--waves 3] [--workers 2] [--only plain tls …]

CPU time is that of the parent and the workers, from the first clip's start; starting them and the server are left out.
Wall time is from the first clip's start to the last one's end.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from unittest.mock import patch

import aiohttp

from omnidetective.config import Config, load_config
from omnidetective.engine.run import default_pipeline, run_batch
from omnidetective.evidence import Span
from omnidetective.llm.permits import Permits
from omnidetective.media.clip import Clip
from omnidetective.media.encode import AudioFormat, EncodedMedia
from omnidetective.media.source import Source
from omnidetective.media.wire import Probe
from omnidetective.pipeline import Pipeline
from omnidetective.records import CaptionRecord, FailureRecord, InputRow, MediaFacts
from omnidetective.settings import MediaSettings
from scripts.bench.mock_server import MockServer, mock_server

LATENCY_MS = 200.0
INQUIRIES = 10
CALLS = 2 * INQUIRIES + 1
WAV_BYTES = 960_000
"""30 s of 16 kHz WAV; base64 makes 1.28 MB of it."""
_TINY_BYTES = 2_000

_MODELS = """
name: bench
description: A detective and a witness on the mock server.
models:
  detective: {{provider: openai, model: detective, base_url: "{url}", capabilities: {can}}}
  witness: {{provider: openai, model: witness, base_url: "{url}", capabilities: {can}}}
roles: {{detective: detective, audio_llm: witness}}
"""
_OTHERS = ("asr", "charts", "colour", "faces", "frame_captioner", "metadata", "ocr", "omni_llm", "shots", "sound")


@dataclass(frozen=True, slots=True)
class Case:
    """One row of the table. ``reference`` and ``goal`` are clips a second, or CPU ms a call."""

    name: str
    in_flight: int
    tls: bool = False
    streamed: bool = False
    wav_bytes: int = _TINY_BYTES
    reference_clips: str = "–"
    goal_clips: str = "–"
    reference_ms: str = "–"
    goal_ms: str = "–"


CASES = (
    Case("plain", 64, reference_clips="14.8", goal_clips="≥ 14.5", reference_ms="1.1", goal_ms="≤ 0.9"),
    Case("plain", 256, reference_clips="39.3", goal_clips="≥ 50", reference_ms="1.1", goal_ms="≤ 0.9"),
    Case("tls", 64, tls=True, reference_clips="2.8", goal_clips="≥ 14", reference_ms="33", goal_ms="≤ 1.0"),
    Case("tls", 256, tls=True, reference_clips="2.7", goal_clips="≥ 45", reference_ms="33", goal_ms="≤ 1.0"),
    Case("streamed", 64, streamed=True, goal_ms="≤ 2"),
    Case("audio", 64, wav_bytes=WAV_BYTES, goal_ms="≤ 2.5"),
    Case("audio-tls", 64, tls=True, wav_bytes=WAV_BYTES),
)


@dataclass(frozen=True, slots=True)
class Measured:
    """One run."""

    clips_s: float
    parent_ms: float
    workers_ms: float

    @property
    def ms(self) -> float:
        """CPU time a call, of all our processes."""
        return self.parent_ms + self.workers_ms


# What stands in for media ---------------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def _made_up_clip(row: InputRow, settings: MediaSettings, *, base_dir: Path) -> AsyncIterator[Clip]:
    # No two clips are of the same length: otherwise the cache would rightly answer one detective with another's reply.
    duration_s = 10.0 + int(row.id) / 100
    facts = MediaFacts(
        path=row.media, sha256="0" * 64, modality="audio", duration_s=duration_s, has_audio=True, has_video=False
    )
    probe = Probe("streams", demuxer="wav", audio_index=0, audio_end_s=duration_s)
    clip = Clip(row.id, facts=facts, source=Source(base_dir / row.id, probe, duration_s, settings))
    try:
        yield clip
    finally:
        await clip.close()


async def _made_up_sound(source: Source, span: Span, *, audio_format: AudioFormat) -> EncodedMedia:
    start = source.path.name.encode()
    return EncodedMedia(start + bytes(int(os.environ[_WAV]) - len(start)), audio_format, span.duration_s)


_WAV = "BENCH_WAV_BYTES"
_TIMES = "BENCH_TIMES_FOLDER"


@dataclass(frozen=True, slots=True)
class Note:
    """What a worker has measured of ``clips`` clips."""

    began_s: float
    ended_s: float
    cpu_s: float
    clips: int


class Timed:
    """The real pipeline, and a note of how long its clips took by both clocks, after a first wave to warm up."""

    def __init__(self, pipeline: Pipeline, *, first_wave: int) -> None:
        self._pipeline = pipeline
        self._left_of_first_wave = first_wave
        self._clips = 0
        self._began = self._ended = (0.0, 0.0)

    async def process(self, row: InputRow) -> CaptionRecord | FailureRecord:
        result = await self._pipeline.process(row)
        now = time.monotonic(), time.process_time()
        if self._left_of_first_wave > 0:
            self._left_of_first_wave -= 1
            self._began = now
        else:
            self._clips += 1
            self._ended = now
        return result

    async def aclose(self) -> None:
        (began_s, cpu_before_s), (ended_s, cpu_after_s) = self._began, self._ended
        if self._clips:
            note = Note(began_s=began_s, ended_s=ended_s, cpu_s=cpu_after_s - cpu_before_s, clips=self._clips)
            (Path(os.environ[_TIMES]) / f"{os.getpid()}.json").write_text(json.dumps(asdict(note)))
        await self._pipeline.aclose()


def factory(config: Config, base_dir: Path, permits: Permits) -> Timed:
    """The pipeline of a worker; the stand-ins stay in place until the process ends."""
    patch("omnidetective.pipeline.open_clip", _made_up_clip).start()
    patch("omnidetective.media.clip.encode_audio", _made_up_sound).start()
    pipeline = default_pipeline(config, base_dir, permits)
    assert isinstance(pipeline, Pipeline)
    return Timed(pipeline, first_wave=config.settings.concurrency)


# Measuring ------------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _server(case: Case, folder: Path) -> Iterator[MockServer]:
    with mock_server(latency_ms=LATENCY_MS, tls_folder=folder if case.tls else None, inquiries=INQUIRIES) as server:
        if case.tls:
            os.environ["SSL_CERT_FILE"] = str(folder / "ca.pem")
        yield server
        os.environ.pop("SSL_CERT_FILE", None)


def _configure(case: Case, server: MockServer, folder: Path, *, clips: int, workers: int) -> Config:
    can = json.dumps({"audio": True, "must_stream": case.streamed})
    (folder / "models.yaml").write_text(_MODELS.format(url=server.base_url, can=can))
    (folder / "in.jsonl").write_text("".join(f'{{"id": "{n}", "audio": "{n}.wav"}}\n' for n in range(clips)))
    (folder / "times").mkdir()
    os.environ[_TIMES], os.environ[_WAV] = str(folder / "times"), str(case.wav_bytes)
    return _config(folder, in_flight=case.in_flight, workers=workers)


def _config(folder: Path, *, in_flight: int, workers: int) -> Config:
    overrides = [f"models={folder}/models.yaml", "workflow=omni-detective", f"cache.path={folder}/out.cache.sqlite"]
    overrides += [f"num_workers={workers}", f"concurrency={in_flight // workers}"]
    overrides += [f"observers.{name}.enabled=false" for name in _OTHERS]
    return load_config(overrides=overrides, environ={})


def measure(case: Case, *, waves: int, workers: int) -> Measured:
    """One run of ``waves`` clips for each one in flight."""
    with tempfile.TemporaryDirectory(prefix="bench-engine-") as name, _server(case, folder := Path(name)) as server:
        clips = waves * case.in_flight
        config = _configure(case, server, folder, clips=clips, workers=workers)
        before = resource.getrusage(resource.RUSAGE_SELF)
        summary = asyncio.run(run_batch(config, folder / "in.jsonl", folder / "out.jsonl", factory=factory))
        after = resource.getrusage(resource.RUSAGE_SELF)
        seen = server.counts()
        if summary.outcomes != {"accepted": clips} or seen.requests != clips * CALLS:
            raise SystemExit(f"{case}: {summary.outcomes}, {summary.failure_reasons}, {asdict(seen)}")
        notes = [Note(**json.loads(file.read_text())) for file in (folder / "times").iterdir()]
    wall_s = max(note.ended_s for note in notes) - min(note.began_s for note in notes)
    parent_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    timed = sum(note.clips for note in notes)
    workers_ms = 1000 * sum(note.cpu_s for note in notes) / (timed * CALLS)
    return Measured(timed / wall_s, 1000 * parent_s / (clips * CALLS), workers_ms)


def _median(runs: list[Measured]) -> Measured:
    return Measured(
        *(statistics.median(getattr(run, name) for run in runs) for name in ("clips_s", "parent_ms", "workers_ms"))
    )


def interrupted(*, workers: int) -> tuple[int, int, int]:
    """Clips begun after Ctrl-C, requests sent while those in flight were finished, requests sent after a second one.

    Each is counted from the moment before the signal is sent.
    """
    case = Case("interrupted", 64)
    with tempfile.TemporaryDirectory(prefix="bench-engine-") as name, _server(case, folder := Path(name)) as server:
        _configure(case, server, folder, clips=10_000, workers=workers)
        process = subprocess.Popen(
            [sys.executable, "-m", "scripts.bench.engine", "--interrupted", name, "--workers", str(workers)],
            stderr=subprocess.DEVNULL,
        )
        while server.counts().requests < 10 * case.in_flight:
            time.sleep(0.1)
        first = server.counts()
        process.send_signal(signal.SIGINT)
        time.sleep(1)
        second = server.counts()
        process.send_signal(signal.SIGINT)
        process.wait()
        time.sleep(1)
        last = server.counts()
    return second.begun - first.begun, second.requests - first.requests, last.requests - second.requests


async def _run_until_interrupted(folder: Path, workers: int) -> None:
    config = _config(folder, in_flight=64, workers=workers)
    await run_batch(config, folder / "in.jsonl", folder / "out.jsonl", factory=factory)


async def _floor(base_url: str, *, calls: int) -> float:
    """CPU ms of a call that aiohttp alone makes, 64 in flight: what this machine can do at this minute."""
    body = json.dumps({"model": "witness", "messages": [{"role": "user", "content": "a dog barks " * 600}]}).encode()
    left = calls

    async def lane() -> None:
        nonlocal left
        while left > 0:
            left -= 1
            async with session.post(f"{base_url}/chat/completions", data=body) as response:
                json.loads(await response.read())

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        before_s = time.process_time()
        await asyncio.gather(*(lane() for _ in range(64)))
        return 1000 * (time.process_time() - before_s) / calls


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--waves", type=int, default=3, help="clips for each one in flight; one wave takes 4.2 s")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--only", nargs="+", default=[], choices=sorted({case.name for case in CASES} | {"ctrl-c"}))
    parser.add_argument("--in-flight", type=int, nargs="+", default=[64, 256])
    parser.add_argument("--interrupted", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.interrupted is not None:
        asyncio.run(_run_until_interrupted(options.interrupted, options.workers))
        return
    cases = [c for c in CASES if c.in_flight in options.in_flight and (not options.only or c.name in options.only)]
    runs: dict[Case, list[Measured]] = {case: [] for case in cases}
    floors: list[float] = []
    for _ in range(options.rounds):
        with mock_server(latency_ms=LATENCY_MS) as server:
            floors.append(asyncio.run(_floor(server.base_url, calls=640)))
        for case in cases:  # in turn, so that a busy minute of the machine does not hit one row alone
            runs[case].append(measure(case, waves=options.waves, workers=options.workers))
    _print(runs, options)
    print(
        f"\naiohttp alone, ready bytes: {statistics.median(floors):.2f} ms a call here, 0.25–0.30 where the reference",
        end=" ",
    )
    print("numbers come from: divide by the ratio to compare. An `audio` call has sound in 10 of 21 requests.")
    if not options.only or "ctrl-c" in options.only:
        begun, drained, after = interrupted(workers=options.workers)
        print(f"\nafter Ctrl-C: {begun} clips begun, and {drained} requests in 1 s by the 64 in flight;")
        print(f"after a second one: {after} requests")


def _print(runs: dict[Case, list[Measured]], options: argparse.Namespace) -> None:
    print(f"{CALLS} calls a clip, {LATENCY_MS:g} ms each, {options.workers} workers, medians of {options.rounds}\n")
    print("| case | in flight | clips/s | of ideal | reference | goal ", end="")
    print("| CPU ms/call | parent + workers | reference | goal |")
    print("|---" * 10 + "|")
    for case, measured in runs.items():
        if measured:
            run = _median(measured)
            ideal = case.in_flight / (CALLS * LATENCY_MS / 1000)
            clips = f"{run.clips_s:.1f} | {run.clips_s / ideal:.0%} | {case.reference_clips} | {case.goal_clips}"
            cpu = f"{run.ms:.2f} | {run.parent_ms:.2f} + {run.workers_ms:.2f} | {case.reference_ms} | {case.goal_ms}"
            print(f"| {case.name} | {case.in_flight} | {clips} | {cpu} |")


if __name__ == "__main__":
    main()
