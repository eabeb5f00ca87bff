"""Files that want to read other files, reach the network, hang, crash or bloat what opens them; and leaks."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import av
import imageio_ffmpeg
import pytest
from media.workbench import Make, Open, children, ffmpeg, reason
from PIL import Image

from omnidetective.errors import MediaError
from omnidetective.evidence import Span
from omnidetective.media import wire
from omnidetective.media.decoder import _Call, close_decoders, decode
from omnidetective.media.ffmpeg import clean_environment
from omnidetective.media.measure import find_cuts
from omnidetective.media.source import Source
from omnidetective.settings import MediaSettings


class Trap:
    """A FIFO that notices when anything opens it for reading, and a server that notices when anything connects."""

    def __init__(self, folder: Path) -> None:
        self.fifo = folder / "canary.mp4"
        os.mkfifo(self.fifo)
        self.opened = threading.Event()
        self.contacts = 0
        self._closing = threading.Event()
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._server.getsockname()[1])
        self._threads = [threading.Thread(target=self._watch_fifo), threading.Thread(target=self._watch_server)]
        for thread in self._threads:
            thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/canary.mp4"

    def close(self) -> None:
        self._closing.set()
        descriptor = os.open(self.fifo, os.O_RDONLY | os.O_NONBLOCK)
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        for thread in self._threads:
            thread.join(5)
        os.close(descriptor)

    def _watch_fifo(self) -> None:
        # Opening a FIFO for writing returns when, and only when, somebody opens it for reading.
        descriptor = os.open(self.fifo, os.O_WRONLY)
        if not self._closing.is_set():
            self.opened.set()
        os.close(descriptor)

    def _watch_server(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            self.contacts += 1
            connection.close()


@pytest.fixture
def trap(tmp_path: Path) -> Iterator[Trap]:
    made = Trap(tmp_path)
    yield made
    made.close()


def _hostile_files(folder: Path, trap: Trap) -> dict[str, Path]:
    """Texts of formats that name other files, under the name of a video, naming the trap in every way they can."""
    texts: dict[str, str] = {}
    for kind, target in (
        ("file", f"file://{trap.fifo}"), ("path", str(trap.fifo)), ("relative", "canary.mp4"), ("http", trap.url),
        ("tcp", f"tcp://127.0.0.1:{trap.port}"), ("concat", f"concat:{trap.fifo}|{trap.fifo}"),
        ("subfile", f"subfile,,start,0,end,64,,:{trap.fifo}"), ("crypto", f"crypto+{trap.url}"),
    ):  # fmt: skip
        texts[f"hls-{kind}"] = f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1.0,\n{target}\n#EXT-X-ENDLIST\n"
        texts[f"master-{kind}"] = f"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n{target}\n"
        texts[f"key-{kind}"] = (
            f'#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI="{target}"\n#EXTINF:1.0,\nnumbered.ts\n#EXT-X-ENDLIST\n'
        )
        texts[f"ffconcat-{kind}"] = f"ffconcat version 1.0\nfile '{target}'\n"
        texts[f"dash-{kind}"] = (
            '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" '
            'profiles="urn:mpeg:dash:profile:isoff-on-demand:2011" mediaPresentationDuration="PT1S"><Period>'
            f'<AdaptationSet mimeType="video/mp4"><Representation id="1" bandwidth="1"><BaseURL>{target}</BaseURL>'
            "</Representation></AdaptationSet></Period></MPD>"
        )
        texts[f"svg-{kind}"] = (
            '<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" '
            f'xmlns:xlink="http://www.w3.org/1999/xlink" width="9" height="9"><image xlink:href="{target}"/></svg>'
        )
        texts[f"m3u-{kind}"] = f"{target}\n"
        texts[f"asx-{kind}"] = f'<asx version="3.0"><entry><ref href="{target}"/></entry></asx>'
    texts["sdp"] = (
        f"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video {trap.port} RTP/AVP 96\n"
        "a=rtpmap:96 H264/90000\n"
    )
    texts["vobsub"] = "# VobSub index file, v7\ntimestamp: 00:00:00:000, filepos: 000000000\n"
    texts["ffmetadata"] = f";FFMETADATA1\ntitle=file {trap.fifo}\n"
    texts["rtsp"] = f"RTSP/1.0\nrtsp://127.0.0.1:{trap.port}/x\n"
    files = {}
    for name, text in texts.items():
        files[name] = folder / f"{name}.mp4"
        files[name].write_text(text)
    return files


def test_the_trap_works(trap: Trap, tmp_path: Path) -> None:
    """Without our limits the very same files do reach it: a test that could not fail would show nothing."""
    files = _hostile_files(tmp_path, trap)
    with contextlib.suppress(av.error.FFmpegError):
        av.open(str(files["ffconcat-path"]), options={"safe": "0"}, timeout=5).close()
    assert trap.opened.wait(5)
    open_http = (
        "-protocol_whitelist",
        "file,http,tcp",
        "-f",
        "concat",
        "-safe",
        "0",
        "-i",
        str(files["ffconcat-http"]),
    )
    subprocess.run(
        [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "quiet", "-nostdin", *open_http, "-f", "null", "-"], timeout=20
    )
    assert trap.contacts > 0


async def test_files_that_name_other_files_reach_nothing(trap: Trap, tmp_path: Path, opened: Open) -> None:
    files = _hostile_files(tmp_path, trap)
    for name, path in files.items():
        for declared in (None, "video", "image"):
            error = await reason(opened(path, declared, process_timeout_s=5))
            assert error.reason == "not_media", (name, declared, error)
    await asyncio.sleep(0.2)
    assert not trap.opened.is_set()
    assert trap.contacts == 0


@pytest.mark.parametrize("demuxer", ["mov", "matroska", "mpegts"])
async def test_ffmpeg_itself_reads_nothing_but_what_probing_found(demuxer: str, trap: Trap, tmp_path: Path) -> None:
    """Should a file become a playlist after it was probed, ffmpeg still takes it for what it was."""
    probe = wire.Probe("streams", demuxer=demuxer, video_index=0, video_end_s=5.0, width=9, height=9, fps=1.0)
    settings = MediaSettings(process_timeout_s=10)
    for name, path in _hostile_files(tmp_path, trap).items():
        if not name.endswith(("file", "path", "http")):
            continue
        source = Source(path, probe, 5.0, settings)
        with pytest.raises(MediaError) as caught:
            await find_cuts(source, Span(start_s=0.0, end_s=5.0), threshold=10)
        assert caught.value.reason == "decode_failed"
    assert not trap.opened.is_set()
    assert trap.contacts == 0


async def test_a_link_or_fifo_put_in_place_of_a_probed_file_is_not_followed(
    trap: Trap, numbered: Path, tmp_path: Path
) -> None:
    settings = MediaSettings(process_timeout_s=5)
    (tmp_path / "link.mp4").symlink_to(numbered)
    for path in (tmp_path / "link.mp4", trap.fifo):
        with pytest.raises(MediaError) as caught:
            await decode(wire.ProbeRequest(str(path), 5.0), settings=settings)
        assert caught.value.reason in ("missing", "not_allowed")


def _decoders() -> list[int]:
    return [pid for pid, command in children().items() if "decoder_child" in command]


async def test_a_decoder_that_hangs_is_killed_and_replaced(numbered: Path, opened: Open) -> None:
    close_decoders()
    async with opened(numbered, process_timeout_s=1.0) as clip:
        (pid,) = _decoders()
        os.kill(pid, signal.SIGSTOP)
        started = time.perf_counter()
        with pytest.raises(MediaError) as caught:
            await clip.frames([1.0])
        assert time.perf_counter() - started < 4
        assert (caught.value.reason, caught.value.retryable) == ("decode_timeout", True)
        assert not Path(f"/proc/{pid}").exists()
        assert len(await clip.frames([1.0])) == 1
        assert pid not in _decoders()


async def test_a_decoder_that_crashes_costs_one_request(numbered: Path, opened: Open) -> None:
    close_decoders()
    async with opened(numbered) as clip:
        (pid,) = _decoders()
        os.kill(pid, signal.SIGSTOP)
        asking = asyncio.create_task(clip.frames([1.0]))
        await asyncio.sleep(0.2)
        os.kill(pid, signal.SIGSEGV)
        os.kill(pid, signal.SIGCONT)
        with pytest.raises(MediaError) as caught:
            await asking
        assert (caught.value.reason, caught.value.retryable) == ("decode_crashed", False)
        os.kill(_decoders()[0], signal.SIGKILL) if _decoders() else None
        assert len(await clip.frames([1.0])) == 1


async def test_a_caller_that_gives_up_ends_the_work(numbered: Path, opened: Open) -> None:
    close_decoders()
    async with opened(numbered, process_timeout_s=60) as clip:
        (pid,) = _decoders()
        os.kill(pid, signal.SIGSTOP)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(clip.frames([1.0]), 0.3)
        deadline = time.monotonic() + 5
        while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
            await asyncio.sleep(0.02)
        assert not Path(f"/proc/{pid}").exists()


async def test_a_decoder_whose_caller_gives_up_at_the_last_moment_is_not_asked_again(
    numbered: Path, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that was told to end looks alive for a moment; on a busy machine for long."""
    close_decoders()
    async with opened(numbered) as clip:
        (pid,) = _decoders()
        end = _Call.end

        def too_late(call: _Call) -> bool:
            call.cancel()
            return end(call)

        with monkeypatch.context() as patched:
            patched.setattr(_Call, "end", too_late)
            await clip.frames([1.0])
        assert not Path(f"/proc/{pid}").exists(), "it is in the pool"
        assert len(await clip.frames([2.0])) == 1


def test_a_decoder_has_a_clock_of_its_own(make: Make) -> None:
    """Its parent neither kills it nor reads what it says: the kernel's timer ends it."""
    path = make("tiny.mp4", "-f", "lavfi", "-i", "testsrc=s=64x48:r=5:d=2", "-c:v", "libx264")
    request = wire.FramesRequest(
        path=str(path), timeout_s=0.2, video_index=0, start_s=0.0, times_s=tuple(i / 50_000 for i in range(100_000)),
        longest_side_px=16, quality=50, columns=400,
    )  # fmt: skip
    with subprocess.Popen(
        [sys.executable, "-m", "omnidetective.media.decoder_child", "2048"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    ) as child:
        assert child.stdin is not None
        child.stdin.write(wire.pack(request))
        child.stdin.flush()
        assert child.wait(20) == -signal.SIGALRM


async def test_memory_is_limited(make: Make, opened: Open, tmp_path: Path) -> None:
    Image.new("RGB", (9_000, 9_000)).save(tmp_path / "vast.png", compress_level=1)
    error = await reason(opened(tmp_path / "vast.png", process_memory_mb=300))
    assert (error.reason, error.retryable, error.hint) == ("memory_limit", False, "raise media.process_memory_mb")
    async with opened(tmp_path / "vast.png") as clip:
        assert clip.facts.width == 9_000


async def test_memory_of_ffmpeg_is_limited(make: Make, opened: Open) -> None:
    path = make(
        "uhd.mp4", "-f", "lavfi", "-i", "color=s=7680x4320:r=5:d=0.6", "-preset", "ultrafast", "-pix_fmt", "yuv420p"
    )
    async with opened(path, process_memory_mb=600) as clip:
        assert clip.whole is not None
        with pytest.raises(MediaError) as caught:
            await clip.cut(clip.whole, longest_side_px=7680)
    assert caught.value.reason in ("memory_limit", "decode_failed", "decode_crashed")
    async with opened(path) as clip:
        assert clip.whole is not None
        assert (await clip.cut(clip.whole, longest_side_px=640)).data


async def test_a_run_of_ffmpeg_that_takes_too_long_is_killed(make: Make, opened: Open) -> None:
    path = make("busy.mp4", "-f", "lavfi", "-i", "testsrc2=s=1280x720:r=30:d=10", "-preset", "ultrafast")
    async with opened(path) as clip:
        source = clip._source
    slow = Source(source.path, source.probe, source.duration_s, MediaSettings(process_timeout_s=0.05))
    started = time.perf_counter()
    with pytest.raises(MediaError) as caught:
        await find_cuts(slow, Span(start_s=0.0, end_s=10.0), threshold=10)
    assert (caught.value.reason, caught.value.retryable) == ("decode_timeout", True)
    assert time.perf_counter() - started < 2
    assert not [command for command in children().values() if "ffmpeg" in command]


async def test_output_is_limited(make: Make, opened: Open) -> None:
    noise = "testsrc2=s=640x360:r=25:d=4,noise=alls=60:allf=t"
    path = make("noise.mp4", "-f", "lavfi", "-i", noise, "-preset", "ultrafast")
    async with opened(path, max_output_mb=1) as clip:
        assert clip.whole is not None
        for attempt in (clip.cut(clip.whole, longest_side_px=640), clip.sampled_frames(8.0)):
            with pytest.raises(MediaError) as caught:
                await attempt
            assert (caught.value.reason, caught.value.retryable) == ("output_limit", False)
    sound = make("sound.wav", "-f", "lavfi", "-i", "sine=d=60")
    async with opened(sound, max_output_mb=1) as clip:
        with pytest.raises(MediaError) as caught:
            await clip.pcm()
        assert caught.value.reason == "output_limit"


async def test_programs_that_open_media_are_given_no_secrets(
    numbered: Path, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary-5417")
    close_decoders()
    async with opened(numbered):
        (pid,) = _decoders()
        environment = Path(f"/proc/{pid}/environ").read_bytes()
        limits = Path(f"/proc/{pid}/limits").read_text()
    assert b"canary" not in environment
    assert [line.split()[3:5] for line in limits.splitlines() if line.startswith("Max address space")] == [
        [str(MediaSettings().process_memory_mb << 20)] * 2
    ]
    assert [line.split()[3:5] for line in limits.splitlines() if line.startswith("Max file size")] == [["0", "0"]]


_WORKER = """
    import asyncio, sys
    from pathlib import Path
    from omnidetective.media.intake import open_clip
    from omnidetective.records import InputRow
    from omnidetective.settings import MediaSettings

    async def main():
        path = Path(sys.argv[1])
        row = InputRow(id="clip", media=path.name, raw={})
        async with open_clip(row, MediaSettings(), base_dir=path.parent) as clip:
            print("ready", flush=True)
            while sys.argv[2] == "busy":
                await asyncio.gather(clip.gray_frames(200.0), clip.sampled_frames(150.0), clip.scene_cuts())
            if sys.argv[2] == "idle":
                await asyncio.sleep(60)

    asyncio.run(main())
"""


@pytest.mark.parametrize("end", ["idle", "busy", "exit"])
def test_no_process_outlives_the_worker(end: str, numbered: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(_WORKER), str(numbered), end],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as worker:
        assert worker.stdout is not None
        assert worker.stdout.readline() == b"ready\n"
        if end == "exit":
            assert worker.wait(20) == 0
            assert worker.stderr is not None
            assert worker.stderr.read() == b""
            started = []
        else:
            time.sleep(0.5 if end == "busy" else 0)
            started = list(children(worker.pid))
            assert started
            worker.kill()
        worker.wait(10)
    deadline = time.monotonic() + 10
    while (left := [pid for pid in started if _runs(pid)]) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert left == []


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_forked_process_has_decoders_of_its_own(numbered: Path) -> None:
    script = """
        import asyncio, os, sys
        from pathlib import Path
        from omnidetective.media.intake import open_clip
        from omnidetective.records import InputRow
        from omnidetective.settings import MediaSettings

        async def main():
            path = Path(sys.argv[1])
            row = InputRow(id="clip", media=path.name, raw={})
            async with open_clip(row, MediaSettings(), base_dir=path.parent) as clip:
                return len(await clip.frames([1.0]))

        assert asyncio.run(main()) == 1
        pid = os.fork()
        if pid == 0:
            os._exit(0 if asyncio.run(main()) == 1 else 1)
        assert os.waitpid(pid, 0)[1] == 0
        assert asyncio.run(main()) == 1
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(script), str(numbered)], check=True, timeout=30)


async def test_bytes_of_any_kind_end_in_an_error_or_a_clip(numbered: Path, opened: Open, tmp_path: Path) -> None:
    """Real files with bytes changed here and there: nothing but a MediaError comes of it, and the next clip is fine."""
    import random

    ffmpeg("-i", str(numbered), "-t", "1", "-c", "copy", str(tmp_path / "short.mkv"))
    Image.new("RGB", (50, 50), "red").save(tmp_path / "red.webp")
    chance = random.Random(7)
    for seed in ("short.mkv", "red.webp"):
        whole = (tmp_path / seed).read_bytes()
        for _ in range(25):
            data = bytearray(whole)
            for _ in range(chance.randrange(1, 40)):
                data[chance.randrange(len(data))] = chance.randrange(256)
            path = tmp_path / "fuzzed.bin"
            path.write_bytes(data[: chance.randrange(1, len(data))])
            with contextlib.suppress(MediaError):
                async with opened(path, process_timeout_s=10) as clip:
                    await clip.uniform_frames(2)
    async with opened(numbered) as clip:
        assert len(await clip.uniform_frames(2)) == 2


async def test_a_decoder_that_cannot_start_is_not_the_fault_of_the_file(
    numbered: Path, opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    close_decoders()
    (tmp_path / "typing.py").write_text("raise ImportError('in the way')")
    async with opened(numbered) as clip:
        assert len(await clip.frames([1.0])) == 1
        close_decoders()
        with monkeypatch.context() as patched:
            patched.syspath_prepend(tmp_path)
            with pytest.raises(MediaError, match="before its first answer") as caught:
                await clip.frames([2.0])
        assert caught.value.reason == "decoder_unavailable"
        assert len(await clip.frames([2.0])) == 1


async def test_a_folder_that_is_a_package_hides_nothing_from_a_decoder(
    numbered: Path, opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    close_decoders()
    (tmp_path / "__init__.py").touch()
    (tmp_path / "typing.py").write_text("raise ImportError('in the way')")
    monkeypatch.syspath_prepend(tmp_path)
    async with opened(numbered) as clip:
        assert len(await clip.frames([1.0])) == 1


@pytest.mark.parametrize(("given", "kept"), [("/opt/lib:", "/opt/lib"), (":", None), ("/a::/b", "/a:/b")])
def test_libraries_are_not_looked_for_in_the_working_directory(
    given: str, kept: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OpenCV leaves an empty entry in this variable when it is loaded."""
    monkeypatch.setenv("LD_LIBRARY_PATH", given)
    assert clean_environment().get("LD_LIBRARY_PATH") == kept
