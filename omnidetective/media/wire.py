"""How the decoder's parent and child talk: typed requests and replies, and their framing. Standard library only.

A message is two big-endian 32-bit lengths, a JSON header and raw bytes. Nothing is ever unpickled: a decoder that a
hostile file took over could send anything. One request goes in; any number of replies come out, the last of which is
``Done``, ``Failed``, ``Probe`` or ``Details``.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Literal

_LENGTHS = struct.Struct(">II")
_MAX_HEADER_BYTES = 4 << 20

CANNOT_LOAD_HINT = "raise media.process_memory_mb; see whether `import av, PIL` works"
"""What to do where the decoder's process cannot start, or not load its libraries."""


@dataclass(frozen=True, slots=True)
class ProbeRequest:
    """Say what the file holds. Answered by ``Probe``. ``still``: take an animated image for its first picture."""

    path: str
    timeout_s: float
    still: bool = False
    op: Literal["probe"] = "probe"


@dataclass(frozen=True, slots=True)
class FramesRequest:
    """The pictures shown at ``times_s`` (ascending). Answered by a ``Picture`` for each, then ``Done``.

    ``video_index`` is ``None`` for a still image. ``gray`` asks for raw luma bytes, row by row, in place of JPEG.
    ``columns`` set asks for one JPEG with all pictures in a grid, each with its time drawn in. ``page``: of a still
    image, from 1.
    """

    path: str
    timeout_s: float
    video_index: int | None
    start_s: float
    times_s: tuple[float, ...]
    longest_side_px: int
    quality: int
    gray: bool = False
    columns: int | None = None
    page: int = 1
    op: Literal["frames"] = "frames"


@dataclass(frozen=True, slots=True)
class TilesRequest:
    """The parts of a page of an image: see ``tiling.tile_grid``. Answered by a ``Picture`` for each, then ``Done``.

    ``longest_side_px`` is that of a tile, in the page and as it is sent: where ``most`` makes tiles larger they are
    sent smaller.
    """

    path: str
    timeout_s: float
    page: int
    longest_side_px: int
    most: int
    overlap: float
    quality: int
    op: Literal["tiles"] = "tiles"


@dataclass(frozen=True, slots=True)
class AnimationRequest:
    """An animated image, as an animated PNG without loss. Answered by one ``Picture``, then ``Done``."""

    path: str
    timeout_s: float
    op: Literal["animation"] = "animation"


@dataclass(frozen=True, slots=True)
class DetailsRequest:
    """Say what the headers say of the streams used, and the tags. Answered by ``Details``. ``still``: of an image."""

    path: str
    timeout_s: float
    still: bool
    video_index: int | None
    audio_index: int | None
    op: Literal["details"] = "details"


@dataclass(frozen=True, slots=True)
class Details:
    """What the headers say, by name. The receiver believes none of it: see ``media.details``."""

    facts: dict[str, Any]
    tags: dict[str, str]
    op: Literal["details"] = "details"


@dataclass(frozen=True, slots=True)
class Probe:
    """What a file holds.

    Attributes:
        kind: ``image`` (one picture), ``animation`` (an animated image that only Pillow reads), or ``streams``.
        demuxer: the FFmpeg demuxer that reads it; empty for an image.
        video_index, audio_index: the streams used; ``None`` where there is none that can be decoded. Cover art is none.
        start_s: time stamp of the clip's time zero in the file.
        video_end_s, audio_end_s: where the last packet of each ends, in the clip's time, as measured, not as declared.
        width, height: as displayed: rotation and pixel shape applied.
        fps: mean frame rate.
        undecodable: codec of a video stream that is there, and of which no frame could be decoded.
        video_codec, audio_codec: of the streams used, by their usual names: ``h264``, ``aac``.
        plain: whether pictures are stored as they are shown: upright, in square pixels, eight bits a colour (4:2:0).
        pages, first_page: of an image, how many pages it has, and the first of them that can be decoded; ``width`` and
            ``height`` are that page's.
    """

    kind: Literal["image", "animation", "streams"]
    demuxer: str = ""
    video_index: int | None = None
    audio_index: int | None = None
    start_s: float = 0.0
    video_end_s: float = 0.0
    audio_end_s: float = 0.0
    width: int | None = None
    height: int | None = None
    fps: float | None = None
    undecodable: str | None = None
    video_codec: str | None = None
    audio_codec: str | None = None
    plain: bool = False
    pages: int = 1
    first_page: int = 1
    op: Literal["probe"] = "probe"


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture; its bytes follow the header.

    ``box``, ``row`` and ``column``: of a tile, ``(left, top, right, bottom)`` as shares of the page, and its place in
    the grid, from 0.
    """

    width: int
    height: int
    box: tuple[float, float, float, float] | None = None
    row: int = 0
    column: int = 0
    op: Literal["picture"] = "picture"


@dataclass(frozen=True, slots=True)
class Done:
    """The request is answered completely."""

    op: Literal["done"] = "done"


@dataclass(frozen=True, slots=True)
class Failed:
    """The request cannot be answered; becomes a ``MediaError``. ``fatal``: the child ends after this reply."""

    reason: str
    message: str
    hint: str = ""
    fatal: bool = False
    op: Literal["failed"] = "failed"


Request = ProbeRequest | FramesRequest | TilesRequest | AnimationRequest | DetailsRequest
Reply = Probe | Details | Picture | Done | Failed

_REQUESTS: dict[str, type[Request]] = {
    "probe": ProbeRequest,
    "frames": FramesRequest,
    "tiles": TilesRequest,
    "animation": AnimationRequest,
    "details": DetailsRequest,
}
_REPLIES: dict[str, type[Reply]] = {
    "probe": Probe,
    "details": Details,
    "picture": Picture,
    "done": Done,
    "failed": Failed,
}


class WireError(Exception):
    """The other side sent something that is no message."""


def pack(message: Request | Reply, blob: bytes = b"") -> bytes:
    """A message as bytes."""
    header = json.dumps(asdict(message)).encode()
    return _LENGTHS.pack(len(header), len(blob)) + header + blob


def read_request(read: Callable[[int], bytes]) -> Request:
    """Read one request; ``read(n)`` returns exactly ``n`` bytes or raises ``EOFError``."""
    fields, _ = _read(read, max_blob_bytes=0)
    if "times_s" in fields:
        fields["times_s"] = tuple(fields["times_s"])
    return _REQUESTS[fields["op"]](**fields)


def read_reply(read: Callable[[int], bytes], *, max_blob_bytes: int) -> tuple[Reply, bytes]:
    """Read one reply and its bytes.

    Raises:
        WireError: what came is no reply.
        OverflowError: the bytes that follow would be more than ``max_blob_bytes``.
    """
    fields, blob = _read(read, max_blob_bytes=max_blob_bytes)
    try:
        return _REPLIES[fields["op"]](**fields), blob
    except (KeyError, TypeError) as error:
        raise WireError(f"unknown reply: {error}") from error


def _read(read: Callable[[int], bytes], *, max_blob_bytes: int) -> tuple[dict[str, Any], bytes]:
    header_bytes, blob_bytes = _LENGTHS.unpack(read(_LENGTHS.size))
    if header_bytes > _MAX_HEADER_BYTES:
        raise WireError(f"a header of {header_bytes} bytes")
    try:
        fields = json.loads(read(header_bytes))
    except ValueError as error:
        raise WireError(f"a header that is not JSON: {error}") from error
    if not isinstance(fields, dict):
        raise WireError("a header that is no object")
    if blob_bytes > max_blob_bytes:
        raise OverflowError(f"{blob_bytes} bytes")
    return fields, read(blob_bytes)
