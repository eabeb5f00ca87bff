"""Everything that can be seen of a clip: frames at times, pages and tiles of images, contact sheets."""

from __future__ import annotations

import math
from collections.abc import Callable, Coroutine, Hashable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from omnidetective.errors import MediaError
from omnidetective.evidence import Span
from omnidetective.media import wire
from omnidetective.media.decoder import decode
from omnidetective.media.frames import BrokenPage, Frame, GrayFrame, Pages
from omnidetective.media.memo import Memo
from omnidetective.media.source import Source
from omnidetective.media.times import in_requests, sampled_times, shot_times, uniform_times
from omnidetective.records import MediaFacts, Modality

T = TypeVar("T")


class Pictures:
    """The pictures of a media file, made when they are asked for, and kept for the next who asks: see ``Clip``."""

    def __init__(self, *, facts: MediaFacts, source: Source) -> None:
        self.facts = facts
        self._source = source
        self._memo = Memo(source.settings.cache_mb << 20)

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
