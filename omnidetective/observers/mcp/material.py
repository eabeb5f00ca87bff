"""The values of placeholders for one question: the clip's file, or what has to be cut out of it."""

from __future__ import annotations

import asyncio
import base64
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from omnidetective.errors import MediaError, ObserverUnavailableError
from omnidetective.evidence import Span
from omnidetective.media.clip import Clip
from omnidetective.media.frames import Frame
from omnidetective.observers.mcp.arguments import Plan
from omnidetective.observers.mcp.placeholders import FILES, in_digits


@dataclass(frozen=True, slots=True)
class Material:
    """What a tool is given.

    Attributes:
        values: of the placeholders; a clip that was not fetched has no ``url``.
        whole: whether the whole clip is asked about.
        remark: what the reader of its answer has to know about what it was shown; may be empty.
    """

    values: dict[str, str | float] = field(repr=False)
    whole: bool
    remark: str


@asynccontextmanager
async def material(plan: Plan, clip: Clip, question: str, span: Span | None) -> AsyncIterator[Material]:
    """Everything that the plan needs. Files that are made for it are removed at the end.

    Raises:
        ObserverUnavailableError: ``no_url``, the clip has no address; ``no_span``, the tool cannot be asked about a
            part of a clip.
        MediaError: the part cannot be cut.
    """
    part = _part(clip, span)
    address = clip.facts.url if clip.facts.url and clip.facts.url.startswith(("http://", "https://")) else None
    if "url" in plan.demands:
        if address is None:
            raise ObserverUnavailableError("the clip is a local file and has no URL to give to it", reason="no_url")
        if part is not None and not plan.takes_times and not plan.uses & FILES:
            raise ObserverUnavailableError(
                "it takes the clip's URL and no times, so it cannot be asked about a part of the clip",
                reason="no_span",
                hint="ask without a span",
            )
    asked = part or clip.whole or None
    values: dict[str, str | float] = {
        "question": question,
        "start_s": asked.start_s if asked else 0.0,
        "end_s": asked.end_s if asked else 0.0,
        "duration_s": asked.duration_s if asked else 0.0,
    }
    if address is not None and ("url" in plan.demands or part is None or plan.takes_times):
        values["url"] = address  # Beside a cut it would contradict it.
    remarks: list[str] = []
    with tempfile.TemporaryDirectory(prefix="omnidetective-mcp-") as folder:
        files = _Files(clip, Path(folder), None if plan.takes_times else part, remarks)
        for name in sorted(plan.uses - values.keys() - {"url"}):
            try:
                values[name] = await files.value(name, part)
            except MediaError:
                if name in plan.demands:
                    raise
        yield Material(values, part is None, " ".join(dict.fromkeys(remarks)))


@dataclass(frozen=True, slots=True)
class _Files:
    """Makes files of a clip, or of a span of it where the tool cannot be told the times."""

    clip: Clip
    folder: Path
    cut: Span | None
    remarks: list[str]

    async def value(self, name: str, part: Span | None) -> str:
        clip = self.clip
        match name:
            case "path" if self.cut is None:
                return str(clip.path)
            case "audio_path" if self.cut is None and clip.modality == "audio":
                return str(clip.path)
            case "path" if self.cut is not None and clip.modality == "video":
                side_px = max(clip.facts.width or 0, clip.facts.height or 0) or None
                self._remark_cut()
                return await self._write("cut.mp4", (await clip.cut(self.cut, longest_side_px=side_px)).data)
            case "path" | "audio_path":
                self._remark_cut()
                return await self._write("sound.wav", (await clip.audio(self.cut, format="wav")).data)
            case "frame_path" if clip.modality == "image":
                return str(clip.path)
            case "frame_path":
                return await self._write("frame.jpg", (await self._frame(part)).jpeg)
            case "frame_base64":
                return base64.b64encode((await self._frame(part)).jpeg).decode()
            case "audio_base64":
                self._remark_cut()
                return base64.b64encode((await clip.audio(self.cut, format="mp3")).data).decode()
        raise AssertionError(name)

    async def _frame(self, part: Span | None) -> Frame:
        [frame] = await self.clip.uniform_frames(1, span=part)
        if frame.time_s is not None:
            self.remarks.append(f"It was shown one picture, that at {in_digits(round(frame.time_s, 2))} s.")
        return frame

    async def _write(self, name: str, data: bytes) -> str:
        file = self.folder / name
        await asyncio.to_thread(file.write_bytes, data)
        return str(file)

    def _remark_cut(self) -> None:
        if self.cut is not None:
            start, end = (in_digits(round(time_s, 2)) for time_s in (self.cut.start_s, self.cut.end_s))
            self.remarks.append(
                f"It was given {start}–{end} s of the clip only; times that it tells count from {start} s."
            )


def _part(clip: Clip, span: Span | None) -> Span | None:
    """The span that is asked about, inside the clip; ``None`` for the whole clip and for an image."""
    whole = clip.whole
    if whole is None or span is None or (span.start_s <= 0 and span.end_s >= whole.end_s):
        return None
    if span.start_s >= whole.end_s:
        raise ObserverUnavailableError(
            f"the span begins at {in_digits(span.start_s)} s, the clip ends at {in_digits(whole.end_s)} s",
            reason="no_span",
        )
    return Span(start_s=span.start_s, end_s=min(span.end_s, whole.end_s))
