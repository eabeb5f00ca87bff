"""Opening a file inside the decoder's process, and saying why it cannot be used."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager

# What is decoded at all. Left out on purpose: every demuxer that can name other files or addresses (hls, dash, concat,
# imf, sdp, rtp, rtsp, image2, vobsub, webm_dash_manifest, …), subtitles, and raw elementary streams, whose probes take
# arbitrary bytes for video and whose frames carry no times.
DEMUXERS = (
    "aac", "ac3", "aiff", "amr", "ape", "apng", "asf", "au", "avi", "caf", "dts", "dv", "eac3", "flac", "flv", "gif",
    "ivf", "matroska", "mov", "mp3", "mpeg", "mpegts", "mxf", "nut", "ogg", "rm", "tta", "w64", "wav", "wv",
)  # fmt: skip


class FileError(Exception):
    """The file cannot be used; becomes a ``MediaError`` in the parent."""

    def __init__(self, reason: str, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.hint = hint


@contextmanager
def open_regular(path: str) -> Iterator[int]:
    """A descriptor of a regular file, for reading.

    The path was resolved by the parent, so a symbolic link here means that somebody changed it since. ``O_NONBLOCK``
    keeps the open from waiting for a writer should it have become a FIFO.

    Raises:
        FileError: it is gone, or no regular file.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise FileError("missing", f"it cannot be opened: {error.strerror}") from error
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise FileError("not_allowed", "it is not a regular file")
        yield descriptor
    finally:
        os.close(descriptor)


def is_cut_off_mp4(descriptor: int) -> bool:
    """Whether the file begins like an MP4 or QuickTime file and ends before the index (``moov``) is complete."""
    size = os.fstat(descriptor).st_size
    position = 0
    names: list[bytes] = []
    while position + 8 <= size and len(names) < 1000:
        header = os.pread(descriptor, 16, position)
        length, name = int.from_bytes(header[:4], "big"), header[4:8]
        if length == 1 and len(header) == 16:
            length = int.from_bytes(header[8:], "big")
        elif length == 0:
            length = size - position
        if length < 8 or not name.isascii():
            return False
        names.append(name)
        position += length
    if not names or names[0] not in (b"ftyp", b"moov", b"mdat", b"wide", b"free"):
        return False
    return b"moov" not in names or position > size
