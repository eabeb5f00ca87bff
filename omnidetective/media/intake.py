"""From an input row to an open clip: find the file, check that it may be read, hash it, probe it.

Why a clip is refused is told by ``MediaError.reason``, a closed set:

- the row: ``missing`` (no such file), ``empty`` (no bytes), ``not_allowed`` (outside the folders that may be read, or
  no regular file), ``unreadable``, ``bad_url``, ``bad_data_uri``, ``scheme_refused``, ``address_refused``
- the transfer: ``too_large``, ``fetch_failed``, ``fetch_timeout``
- the content: ``not_media``, ``truncated``, ``no_streams``, ``no_video``, ``no_audio``, ``wrong_modality``,
  ``too_large``, ``too_long``, ``no_page``
- the decoder: ``decode_failed``, ``decode_timeout``, ``decode_crashed``, ``decoder_unavailable``, ``memory_limit``,
  ``output_limit``

``retryable`` says whether trying again without a change can help: after time-outs and failing servers.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import errno
import hashlib
import os
import re
import shutil
import stat
import tempfile
import urllib.parse
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from omnidetective.errors import MediaError
from omnidetective.media import wire
from omnidetective.media.clip import Clip
from omnidetective.media.decoder import decode
from omnidetective.media.facts import choose, clip_duration_s
from omnidetective.media.fetch import Network, fetch
from omnidetective.media.source import Source
from omnidetective.records import InputRow, MediaFacts, Modality
from omnidetective.settings import MediaSettings

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_USER = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]*://)[^/?#]*@")
_SUFFIX = re.compile(r"\.[A-Za-z0-9]{1,5}")
_HASH_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class _Named:
    """A local file and how the user named it: by ``path`` or by ``url``."""

    file: Path
    sha256: str
    path: str | None = None
    url: str | None = None


@asynccontextmanager
async def open_clip(
    row: InputRow, settings: MediaSettings, *, base_dir: Path, network: Network | None = None
) -> AsyncIterator[Clip]:
    """Open the media of a row, and clean up behind it.

    The modality is the one that the row declares, where the file allows it: ``audio`` takes the sound of a video and
    leaves its picture alone, ``image`` takes the first picture of an animation. A file that cannot be what the row says
    is refused rather than taken for something else. Undeclared, a single picture is an image, whatever moves is a video
    (animated GIF, PNG, WebP and AVIF too), and sound with at most a cover picture is audio.

    Args:
        row: the row; a relative path is relative to ``base_dir``.
        settings: what is allowed, and limits.
        base_dir: folder of the input file.
        network: how URLs are reached; by default as ``settings.allow_private`` says.

    Yields:
        The clip. What was downloaded is deleted at the end.

    Raises:
        MediaError: see the reasons in the module's docstring.
    """
    async with AsyncExitStack() as stack:
        scratch = _Scratch()
        stack.push_async_callback(asyncio.to_thread, scratch.remove)
        named = await _take(row.media, scratch, settings, base_dir, network or Network.from_settings(settings))
        file, found = await _probe(named.file, scratch, settings, still=row.declared == "image")
        modality, probe = choose(found, row.declared)
        source = Source(file, probe, clip_duration_s(probe, modality, longest_s=settings.max_duration_s), settings)
        public_url = _public_url(row.media, settings)
        clip = Clip(row.id, facts=_facts(named, source, modality), source=source, public_url=public_url)
        stack.push_async_callback(clip.close)
        yield clip


def is_download(media: str) -> bool:
    """Whether the media of a row have to be fetched before anything is known of them."""
    return media[:5].lower() != "data:" and _URL.match(media) is not None


class _Scratch:
    """A temporary folder, made when it is first needed: a clip that is a local file needs none."""

    def __init__(self) -> None:
        self._made: Path | None = None

    @property
    def folder(self) -> Path:
        if self._made is None:
            self._made = Path(tempfile.mkdtemp(prefix="omnidetective-")).resolve()
        return self._made

    def remove(self) -> None:
        if self._made is not None:
            shutil.rmtree(self._made, ignore_errors=True)


async def _take(media: str, scratch: _Scratch, settings: MediaSettings, base_dir: Path, network: Network) -> _Named:
    if media[:5].lower() == "data:":
        return await asyncio.to_thread(_take_data_uri, media, scratch.folder, settings.max_download_mb << 20)
    if is_download(media):
        path = urllib.parse.urlsplit(media).path if media.isprintable() else ""
        suffix = Path(path).suffix
        target = scratch.folder / f"media{suffix if _SUFFIX.fullmatch(suffix) else ''}"
        download = await fetch(media, target, settings=settings, network=network)
        return _Named(download.path, download.sha256, url=_without_user(media))
    return await asyncio.to_thread(_take_local, media, settings, base_dir)


def _take_local(media: str, settings: MediaSettings, base_dir: Path) -> _Named:
    try:
        file = (base_dir / media).resolve()
        # Where a path leads is decided before it is looked at: whether a file elsewhere exists is not told either.
        roots = [Path(root).expanduser().resolve() for root in (base_dir, Path.cwd(), *settings.roots)]
        if not any(file.is_relative_to(root) for root in roots):
            raise MediaError(
                f"{media} is outside the folders that rows may read",
                reason="not_allowed",
                hint="allow its folder with --set 'media.roots=[FOLDER]'",
            )
        # Links were followed above, so O_NOFOLLOW; a FIFO would block the open without O_NONBLOCK.
        descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise MediaError(
            f"there is no file {media}", reason="missing", hint=f"relative paths start from {base_dir}"
        ) from error
    except (OSError, RuntimeError, ValueError) as error:
        said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise MediaError(f"{media} cannot be read: {said}", reason="unreadable") from error
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise MediaError(f"{media} is not a regular file", reason="not_allowed", hint="name a file")
        if status.st_size == 0:
            raise MediaError(f"{media} is empty", reason="empty")
        digest = hashlib.sha256()
        while chunk := os.read(descriptor, _HASH_CHUNK_BYTES):
            digest.update(chunk)
    except OSError as error:
        raise MediaError(
            f"{media} cannot be read: {error.strerror}", reason="unreadable", retryable=error.errno == errno.EIO
        ) from error
    finally:
        os.close(descriptor)
    return _Named(file, digest.hexdigest(), path=media)


def _take_data_uri(media: str, folder: Path, max_bytes: int) -> _Named:
    header, comma, payload = media[5:].partition(",")
    kind, *parameters = header.split(";")
    if not comma:
        raise MediaError("the data: URI has no comma, so no data", reason="bad_data_uri")
    encoded = parameters[-1:] == ["base64"]
    too_large = MediaError(
        f"the data: URI holds more than {max_bytes >> 20} MB", reason="too_large", hint="raise media.max_download_mb"
    )
    # Before anything is decoded; percent-escapes make it up to three times as long.
    if len(payload) > max_bytes * 4:
        raise too_large
    try:
        data = urllib.parse.unquote_to_bytes(payload)
        if encoded:
            data = base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError) as error:
        raise MediaError(f"the data: URI is not valid base64: {error}", reason="bad_data_uri") from error
    if not data:
        raise MediaError("the data: URI is empty", reason="empty")
    if len(data) > max_bytes:
        raise too_large
    file = folder / "media"
    file.write_bytes(data)
    return _Named(file, hashlib.sha256(data).hexdigest(), url=f"data:{kind[:100]}")


async def _probe(file: Path, scratch: _Scratch, settings: MediaSettings, *, still: bool) -> tuple[Path, wire.Probe]:
    """What the file holds; an animation that FFmpeg cannot read is first made into one that it can."""
    timeout_s = settings.process_timeout_s
    [(found, _)] = await decode(wire.ProbeRequest(str(file), timeout_s, still=still), settings=settings)
    assert isinstance(found, wire.Probe)
    if found.kind != "animation":
        return file, found
    [(_, data)] = await decode(wire.AnimationRequest(str(file), timeout_s), settings=settings)
    readable = scratch.folder / "animation.png"
    await asyncio.to_thread(readable.write_bytes, data)
    return await _probe(readable, scratch, settings, still=still)


def _facts(named: _Named, source: Source, modality: Modality) -> MediaFacts:
    probe = source.probe
    return MediaFacts(
        path=named.path,
        url=named.url,
        sha256=named.sha256,
        modality=modality,
        duration_s=None if modality == "image" else source.duration_s,
        width=probe.width,
        height=probe.height,
        fps=None if probe.fps is None else round(probe.fps, 3),
        has_audio=probe.audio_index is not None,
        has_video=modality != "audio",
        pages=probe.pages if probe.pages > 1 else None,
    )


def _public_url(media: str, settings: MediaSettings) -> str | None:
    """The address of what was fetched, where that may be told to others: it was found public, and holds no password."""
    if not is_download(media) or settings.allow_private or _USER.match(media):
        return None
    return media


def _without_user(url: str) -> str:
    """The URL as the user named it, but for a user name and a password in it."""
    return _USER.sub(r"\1", url)
