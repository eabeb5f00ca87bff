"""One item of work: a probed media file, and everything that can be derived from it on request."""

from __future__ import annotations

import math
from collections.abc import Callable, Coroutine, Hashable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from omnidetective.errors import MediaError
from omnidetective.evidence import Cut, Span
from omnidetective.media import wire
from omnidetective.media.decoder import decode
from omnidetective.media.details import FileDetails, safe_details
from omnidetective.media.encode import AudioFormat, EncodedMedia, audio_index, cut_span, encode_audio, read_pcm
from omnidetective.media.measure import Loudness, find_cuts, measure_loudness
from omnidetective.media.memo import Memo
from omnidetective.media.source import Source
from omnidetective.media.times import in_requests, sampled_times, shot_times, uniform_times
from omnidetective.media.video_file import video_file
from omnidetective.records import MediaFacts, Modality

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

T = TypeVar("T")

_SMALL_RESULT_BYTES = 1024


@dataclass(frozen=True, slots=True)
class Frame:
    """A picture of a clip.

    Attributes:
        time_s: the moment of the clip that it shows; ``None`` for an image and for a contact sheet.
        jpeg: the JPEG file.
        width, height: its size in pixels.
        page: of an image of several pages, which one it shows, from 1.
        box: of a tile, ``(left, top, right, bottom)`` as shares of the page, 0…1.
        row, column: of a tile, its place in the grid, from 0.
    """

    time_s: float | None
    jpeg: bytes = field(repr=False)
    width: int
    height: int
    page: int | None = None
    box: tuple[float, float, float, float] | None = None
    row: int = 0
    column: int = 0


@dataclass(frozen=True, slots=True)
class BrokenPage:
    """A page that cannot be shown: ``why`` is the sentence of its ``MediaError``, ``reason`` its code."""

    page: int
    why: str
    reason: str


@dataclass(frozen=True, slots=True)
class Pages:
    """Pages of an image, each once, in the order asked for: those that can be shown, and those that cannot."""

    frames: tuple[Frame, ...]
    broken: tuple[BrokenPage, ...] = ()


@dataclass(frozen=True, slots=True)
class GrayFrame:
    """The brightness of a picture of a clip, for instruments that compare pictures.

    Attributes:
        time_s: the moment of the clip that it shows; ``None`` for an image.
        luma: one byte for each pixel, row by row: ``numpy.frombuffer(luma, "uint8").reshape(height, width)``.
        width, height: its size in pixels.
    """

    time_s: float | None
    luma: bytes = field(repr=False)
    width: int
    height: int


class Clip:
    """A media file with its facts; ``open_clip`` makes it.

    Facts do not change. Frames, sound and measurements are made by processes of their own when they are asked for.
    Asking twice for the same thing, also at the same time, does the work once, as long as it fits into
    ``media.cache_mb``. Every method below may raise ``MediaError``: ``decode_failed``, ``decode_crashed``,
    ``decode_timeout`` (can be retried), ``memory_limit``, ``output_limit``.

    Times outside the clip are moved to its nearest moment.

    Attributes:
        public_url: where anybody can fetch the file, as the row names it; ``None`` for a local file, an address that is
            not known to be public, and one with a user name in it.
    """

    def __init__(self, clip_id: str, *, facts: MediaFacts, source: Source, public_url: str | None = None) -> None:
        self.id = clip_id
        self.facts = facts
        self.public_url = public_url
        self._source = source
        self._memo = Memo(source.settings.cache_mb << 20)

    def __repr__(self) -> str:
        return f"Clip({self.id!r}, {self.modality}, {self.duration_s:g} s)"

    @property
    def path(self) -> Path:
        """The local file, for as long as ``open_clip`` is open. Untrusted: only ``media`` opens it."""
        return self._source.path

    @property
    def source(self) -> Source:
        """The file with its probe and its limits: all that makes the clip again, in another process too."""
        return self._source

    @property
    def modality(self) -> Modality:
        return self.facts.modality

    @property
    def duration_s(self) -> float:
        """Length in seconds; 0 for an image."""
        return self._source.duration_s

    @property
    def whole(self) -> Span | None:
        """The whole clip as a span; ``None`` for an image."""
        return None if self.modality == "image" else self._source.clamp(None)

    @property
    def pages(self) -> int:
        """How many pages an image has; 1 for everything else."""
        return self.facts.pages or 1

    @property
    def first_page(self) -> int:
        """The first page of an image that can be decoded: what ``frames`` shows of it."""
        return self._source.probe.first_page

    async def frames(self, times_s: Sequence[float], *, longest_side_px: int | None = None) -> tuple[Frame, ...]:
        """The frames shown at these times, exactly, as JPEG.

        Args:
            times_s: moments of the clip, in any order.
            longest_side_px: larger frames are made smaller; ``media.frame_longest_side_px`` by default.

        Returns:
            One frame for each time, in the order asked for. For an image: itself, once; of several pages the first.

        Raises:
            MediaError: ``no_video`` without pictures.
        """
        side_px = self._side_px(longest_side_px)
        times = self._clamp_times(times_s)
        unique = tuple(sorted(set(times)))

        async def compute() -> dict[float | None, Frame]:
            pictures = await self._pictures(unique, side_px=side_px)
            return {time_s: Frame(time_s, data, pic.width, pic.height) for time_s, pic, data in pictures}

        if self.modality == "image":
            return (await self.page_frame(self.first_page, longest_side_px=side_px),)
        if not unique:
            self._video_index()
            return ()
        made = await self._once(
            ("frames", unique, side_px), compute, size=lambda found: sum(len(frame.jpeg) for frame in found.values())
        )
        return tuple(made[time_s] for time_s in times)

    async def page_frame(self, page: int, *, longest_side_px: int | None = None) -> Frame:
        """A page of an image, from 1; an image of one page has the page 1.

        Raises:
            MediaError: ``no_page``; ``wrong_modality`` for a clip that is no image; ``too_large``.
        """
        self._require_page(page)
        side_px = self._side_px(longest_side_px)

        async def compute() -> Frame:
            [(_, picture, data)] = await self._pictures((), side_px=side_px, page=page)
            return Frame(None, data, picture.width, picture.height, page=page if self.pages > 1 else None)

        return await self._once(("page", page, side_px), compute, size=lambda made: len(made.jpeg))

    async def page_frames(self, pages: Sequence[int] | None = None, *, longest_side_px: int | None = None) -> Pages:
        """Pages of an image, one after the other, so that one that is broken or too large costs itself alone.

        Args:
            pages: their numbers, from 1; all by default, which of a long document is much.

        Raises:
            MediaError: ``no_page``, ``wrong_modality``; that of the first page, where none can be shown.
        """
        frames: list[Frame] = []
        broken: dict[int, MediaError] = {}
        wanted = dict.fromkeys(range(1, self.pages + 1) if pages is None else pages)
        for page in wanted:
            self._require_page(page)
        for page in wanted:
            try:
                frames.append(await self.page_frame(page, longest_side_px=longest_side_px))
            except MediaError as error:
                broken[page] = error
        if broken and not frames:
            raise next(iter(broken.values()))
        return Pages(tuple(frames), tuple(BrokenPage(page, e.message, e.reason) for page, e in broken.items()))

    async def tiles(
        self, page: int = 1, *, most: int, tile_side_px: int | None = None, overlap: float = 0.08
    ) -> tuple[Frame, ...]:
        """The parts of a page that is larger than a tile, in reading order, all of it: see ``tiling.tile_grid``.

        Args:
            most: most tiles. Where they do not suffice a tile shows more, and is made as small as the others would be.
            tile_side_px: longest side of a tile; ``media.frame_longest_side_px`` by default.
            overlap: what neighbours share, as a share of ``tile_side_px``.

        Returns:
            None for a page that is not larger than a tile.

        Raises:
            MediaError: as ``page_frame``.
        """
        self._require_page(page)
        side_px = self._side_px(tile_side_px)
        if most < 2:
            return ()

        async def compute() -> tuple[Frame, ...]:
            settings = self._source.settings
            request = wire.TilesRequest(
                path=str(self.path),
                timeout_s=settings.process_timeout_s,
                page=page,
                longest_side_px=side_px,
                most=most,
                overlap=overlap,
                quality=settings.frame_quality,
            )
            return tuple(
                self._tile(page, reply, data)
                for reply, data in await decode(request, settings=settings)
                if isinstance(reply, wire.Picture)
            )

        return await self._once(
            ("tiles", page, side_px, most, overlap), compute, size=lambda made: sum(len(tile.jpeg) for tile in made)
        )

    async def uniform_frames(
        self, count: int, *, span: Span | None = None, longest_side_px: int | None = None
    ) -> tuple[Frame, ...]:
        """The frames at the centres of ``count`` equal parts of the span. For an image: itself, once."""
        if self.modality == "image":
            return await self.frames((), longest_side_px=longest_side_px)
        return await self.frames(uniform_times(count, self._source.clamp(span)), longest_side_px=longest_side_px)

    async def sampled_frames(
        self, fps: float, *, span: Span | None = None, longest_side_px: int | None = None
    ) -> tuple[Frame, ...]:
        """``fps`` frames a second from the start of the span. For an image: itself, once."""
        if self.modality == "image":
            return await self.frames((), longest_side_px=longest_side_px)
        return await self.frames(sampled_times(fps, self._source.clamp(span)), longest_side_px=longest_side_px)

    async def shot_frames(
        self, shots: Sequence[Span], *, limit: int, every_s: float = 10.0, longest_side_px: int | None = None
    ) -> tuple[Frame, ...]:
        """Frames that show every shot: see ``times.shot_times``. For an image: itself, once."""
        return await self.frames(shot_times(shots, limit=limit, every_s=every_s), longest_side_px=longest_side_px)

    async def gray_frames(
        self, fps: float, *, span: Span | None = None, longest_side_px: int = 160
    ) -> tuple[GrayFrame, ...]:
        """The brightness of the same pictures that ``sampled_frames`` gives, without JPEG in between."""
        times = () if self.modality == "image" else sampled_times(fps, self._source.clamp(span))

        async def compute() -> tuple[GrayFrame, ...]:
            pictures = await self._pictures(times, side_px=longest_side_px, gray=True)
            return tuple(GrayFrame(time_s, data, pic.width, pic.height) for time_s, pic, data in pictures)

        return await self._once(
            ("gray", times, longest_side_px), compute, size=lambda made: sum(len(frame.luma) for frame in made)
        )

    async def contact_sheet(
        self, count: int, *, columns: int, span: Span | None = None, tile_longest_side_px: int = 320
    ) -> Frame:
        """One JPEG of ``count`` uniform frames in reading order, each with its time in its corner. An image: itself."""
        if self.modality == "image":
            return (await self.frames(()))[0]
        times = uniform_times(count, self._source.clamp(span))

        async def compute() -> Frame:
            [(_, picture, data)] = await self._pictures(times, side_px=tile_longest_side_px, columns=columns)
            return Frame(None, data, picture.width, picture.height)

        return await self._once(
            ("sheet", times, columns, tile_longest_side_px), compute, size=lambda sheet: len(sheet.jpeg)
        )

    async def pcm(self, span: Span | None = None) -> NDArray[np.float32]:
        """The sound as mono float32 samples at 16 kHz, -1…1, exactly as long as the span; read-only.

        Sample ``n`` is heard ``n / 16000`` s after the start of the span: where the track begins late, has a gap or
        ends early there are zeros.

        Raises:
            MediaError: ``no_audio`` without a sound track.
        """
        self._audible()
        wanted = self._source.clamp(span)
        return await self._once(("pcm", wanted), lambda: read_pcm(self._source, wanted), size=lambda a: int(a.nbytes))

    async def audio(self, span: Span | None = None, *, format: AudioFormat = "mp3") -> EncodedMedia:
        """The sound as a small mono file for sending: ``ogg`` (Opus), ``mp3``, or ``wav`` (16 kHz).

        Raises:
            MediaError: ``no_audio`` without a sound track.
        """
        self._audible()
        wanted = self._source.clamp(span)
        return await self._once(
            ("audio", wanted, format),
            lambda: encode_audio(self._source, wanted, audio_format=format),
            size=lambda made: len(made.data),
        )

    async def cut(self, span: Span, *, longest_side_px: int | None = None) -> EncodedMedia:
        """A span as an MP4 file, with its sound, cut at the exact frames.

        Raises:
            MediaError: ``no_video`` for a clip without moving pictures.
        """
        self._video_index()
        wanted = self._source.clamp(span)
        side_px = self._side_px(longest_side_px)
        return await self._once(
            ("cut", wanted, side_px),
            lambda: cut_span(self._source, wanted, longest_side_px=side_px),
            size=lambda made: len(made.data),
        )

    async def video(
        self,
        span: Span | None = None,
        *,
        sound: bool = True,
        max_bytes: int | None = None,
        longest_side_px: int | None = None,
    ) -> EncodedMedia:
        """The clip or a span of it as an MP4 file no larger than ``max_bytes``: see ``video_file.video_file``.

        Raises:
            MediaError: ``no_video`` for a clip without moving pictures; ``video_too_large``.
        """
        self._video_index()
        wanted = self._source.clamp(span)
        side_px = self._side_px(longest_side_px)
        return await self._once(
            ("video", wanted, sound, max_bytes, side_px),
            lambda: video_file(self._source, wanted, longest_side_px=side_px, sound=sound, max_bytes=max_bytes),
            size=lambda made: len(made.data),
        )

    async def scene_cuts(self, *, threshold: float = 10.0, span: Span | None = None) -> tuple[Cut, ...]:
        """Hard changes of the whole picture: see ``measure.find_cuts``. None in an image."""
        if self.modality == "image":
            return ()
        self._video_index()
        wanted = self._source.clamp(span)
        return await self._once(
            ("cuts", wanted, threshold),
            lambda: find_cuts(self._source, wanted, threshold=threshold),
            size=lambda _: _SMALL_RESULT_BYTES,
        )

    async def loudness(
        self, span: Span | None = None, *, below_db: float = -50.0, min_silence_s: float = 0.5
    ) -> Loudness:
        """Loudness, whole and over time, and silent spans: see ``measure.measure_loudness``.

        Raises:
            MediaError: ``no_audio`` without a sound track.
        """
        self._audible()
        wanted = self._source.clamp(span)
        return await self._once(
            ("loudness", wanted, below_db, min_silence_s),
            lambda: measure_loudness(self._source, wanted, below_db=below_db, min_silence_s=min_silence_s),
            size=lambda _: _SMALL_RESULT_BYTES,
        )

    async def details(self) -> FileDetails:
        """What the headers of the file say: facts of the streams that the clip is made of, and tags."""

        async def compute() -> FileDetails:
            settings, probe = self._source.settings, self._source.probe
            request = wire.DetailsRequest(
                path=str(self.path),
                timeout_s=settings.process_timeout_s,
                still=self.modality == "image",
                video_index=probe.video_index,
                audio_index=probe.audio_index,
            )
            [(reply, _)] = await decode(request, settings=settings)
            if not isinstance(reply, wire.Details):
                raise MediaError("the decoder said something else than was asked for", reason="decode_crashed")
            return safe_details(dict(reply.facts), dict(reply.tags))

        return await self._once(("details",), compute, size=lambda _: _SMALL_RESULT_BYTES)

    async def once(
        self, key: Hashable, compute: Callable[[], Coroutine[Any, Any, T]], *, size: Callable[[T], int]
    ) -> T:
        """Something made of this clip, made once for a key: kept like frames and sound, by its ``size`` in bytes."""
        return await self._once(("made", key), compute, size=size)

    async def close(self) -> None:
        """End what is running for this clip. ``open_clip`` does it."""
        await self._memo.close()

    async def _once(
        self, key: Hashable, compute: Callable[[], Coroutine[Any, Any, T]], *, size: Callable[[T], int]
    ) -> T:
        return await self._memo.get(key, compute, size=size)

    def _tile(self, page: int, picture: wire.Picture, data: bytes) -> Frame:
        left, top, right, bottom = (min(1.0, max(0.0, float(edge))) for edge in picture.box or (0.0, 0.0, 1.0, 1.0))
        return Frame(
            None,
            data,
            picture.width,
            picture.height,
            page=page if self.pages > 1 else None,
            box=(left, top, right, bottom),
            row=picture.row,
            column=picture.column,
        )

    def _require_page(self, page: int) -> None:
        if self.modality != "image":
            raise MediaError(f"a {self.modality} has no pages", reason="wrong_modality")
        if not 1 <= page <= self.pages:
            raise MediaError(f"it has {self.pages} pages, and page {page} was asked for", reason="no_page")

    async def _pictures(
        self,
        times_s: tuple[float, ...],
        *,
        side_px: int,
        gray: bool = False,
        columns: int | None = None,
        page: int | None = None,
    ) -> list[tuple[float | None, wire.Picture, bytes]]:
        """Pictures for ascending times, with their times; one picture without a time for an image or a sheet."""
        settings = self._source.settings
        still = self.modality == "image"
        pictures: list[tuple[float | None, wire.Picture, bytes]] = []
        for wanted in (times_s,) if still or columns is not None else in_requests(times_s):
            request = wire.FramesRequest(
                path=str(self.path),
                timeout_s=settings.process_timeout_s,
                video_index=None if still else self._video_index(),
                start_s=self._source.probe.start_s,
                times_s=wanted,
                longest_side_px=side_px,
                quality=settings.frame_quality,
                gray=gray,
                columns=columns,
                page=page or self.first_page,
            )
            replies = [(reply, data) for reply, data in await decode(request, settings=settings)]
            stamps: tuple[float | None, ...] = wanted if columns is None and not still else (None,)
            for time_s, (reply, data) in zip(stamps, replies, strict=True):
                assert isinstance(reply, wire.Picture)
                pictures.append((time_s, reply, data))
        return pictures

    def _clamp_times(self, times_s: Sequence[float]) -> tuple[float, ...]:
        if any(math.isnan(time_s) for time_s in times_s):
            raise ValueError("a time is NaN")
        return tuple(min(max(float(time_s), 0.0), self.duration_s) for time_s in times_s)

    def _side_px(self, longest_side_px: int | None) -> int:
        return self._source.settings.frame_longest_side_px if longest_side_px is None else longest_side_px

    def _video_index(self) -> int:
        if self._source.probe.video_index is None:
            raise MediaError("the clip has no moving picture", reason="no_video")
        return self._source.probe.video_index

    def _audible(self) -> None:
        audio_index(self._source)
