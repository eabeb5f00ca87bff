"""One item of work: a probed media file, and everything that can be derived from it on request."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Hashable
from typing import TYPE_CHECKING, Any, TypeVar

from omnidetective.errors import MediaError
from omnidetective.evidence import Cut, Span
from omnidetective.media import wire
from omnidetective.media.decoder import decode
from omnidetective.media.details import FileDetails, safe_details
from omnidetective.media.encode import AudioFormat, EncodedMedia, audio_index, cut_span, encode_audio, read_pcm
from omnidetective.media.measure import Loudness, find_cuts, measure_loudness
from omnidetective.media.pictures import Pictures
from omnidetective.media.source import Source
from omnidetective.media.video_file import video_file
from omnidetective.records import MediaFacts

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

T = TypeVar("T")

_SMALL_RESULT_BYTES = 1024


class Clip(Pictures):
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
        super().__init__(facts=facts, source=source)
        self.id = clip_id
        self.public_url = public_url

    def __repr__(self) -> str:
        return f"Clip({self.id!r}, {self.modality}, {self.duration_s:g} s)"

    @property
    def whole(self) -> Span | None:
        """The whole clip as a span; ``None`` for an image."""
        return None if self.modality == "image" else self._source.clamp(None)

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

    def _audible(self) -> None:
        audio_index(self._source)
