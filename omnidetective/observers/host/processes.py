"""The host processes of this program: started when somebody asks, shared by the workers of a run, surely ended.

Each source has a guardian with two sockets in a private folder, which is all that a worker is told. Where a worker was
told none, the processes are its own.
"""

from __future__ import annotations

import atexit
import contextlib
import hashlib
import json
import logging
import os
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from omnidetective.errors import ObserverUnavailableError
from omnidetective.observers.host.sources import SourceRef
from omnidetective.search_path import search_path

_MOST_PATH_BYTES: Final = 100
"""A socket's path is at most 107 bytes long on Linux, 103 on others."""
_BACKLOG: Final = 1024
_TO_END_S: Final = 8.0
_TO_ANSWER_S: Final = 10.0
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Address:
    """Where a source's host is reached, and where its guardian is asked about it."""

    host: Path
    guardian: Path

    @classmethod
    def of(cls, ref: SourceRef, folder: Path) -> Address:
        """The sockets of a source in a folder."""
        digest = hashlib.blake2b(ref.model_dump_json().encode(), digest_size=4).hexdigest()
        return cls(folder / digest, folder / f"{digest}.g")

    def ask(self, question: Mapping[str, object]) -> tuple[str, bool]:
        """Ask the guardian. Blocking, until a process that is dying is gone.

        Returns:
            How the process ended or what was done with it, and whether it is not started again.
        """
        try:
            with socket.socket(socket.AF_UNIX) as asking:
                asking.settimeout(_TO_ANSWER_S)
                asking.connect(os.fspath(self.guardian))
                asking.sendall(json.dumps(question).encode() + b"\n")
                answer = json.loads(asking.makefile().readline())
                return str(answer["how"]), bool(answer["given_up"])
        except (OSError, ValueError, KeyError):
            return "is gone", True


class _Guardian:
    """A guardian process, which ends with everything below it when its socket here is closed."""

    def __init__(self, ref: SourceRef, folder: Path) -> None:
        self.address = Address.of(ref, folder)
        self._name = ref.name
        ours, theirs = socket.socketpair()
        listeners = [_listening(path) for path in (self.address.host, self.address.guardian)]
        task = {
            "name": ref.name,
            "command": [*_PYTHON, "omnidetective.observers.host.main", ref.model_dump_json()],
            "listener": listeners[0].fileno(),
            "control": listeners[1].fileno(),
            "owner": theirs.fileno(),
            "paths": [os.fspath(self.address.host), os.fspath(self.address.guardian)],
        }
        with contextlib.ExitStack() as stack:
            # The guardian alone keeps them: where it is gone, nobody waits for an answer.
            for one in (theirs, *listeners):
                stack.enter_context(one)
            self._process = subprocess.Popen(
                [*_PYTHON, "omnidetective.observers.host.guardian", json.dumps(task)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=[one.fileno() for one in (theirs, *listeners)],
                env=os.environ | {"PYTHONPATH": search_path(), "PYTHONUNBUFFERED": "1"},
                start_new_session=True,
            )
        self._owner = ours
        self._listening = threading.Thread(target=self._log_printed, name=f"log-of-{ref.name}", daemon=True)
        self._listening.start()

    def end(self) -> None:
        """Begin to end everything; :meth:`wait` until it has ended."""
        with contextlib.suppress(OSError):
            self._owner.shutdown(socket.SHUT_WR)

    def wait(self) -> None:
        """Wait until the host is gone with all that it has started."""
        try:
            self._process.wait(_TO_END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._listening.join(_TO_END_S)
        self._owner.close()

    def forget(self) -> None:
        """Let go of what belongs to the parent of a fork."""
        self._owner.close()

    def _log_printed(self) -> None:
        with contextlib.suppress(OSError, ValueError), self._owner.makefile("rb") as lines:
            for line in lines:
                for said in str(json.loads(line)["printed"]).splitlines():
                    log.info("%s: %s", self._name, said)


_PYTHON: Final = [sys.executable, "-P", "-s", "-m"]


def _listening(path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(os.fspath(path))
    listener.listen(_BACKLOG)
    return listener


@dataclass(slots=True)
class _Kept:
    guardian: _Guardian
    users: int = 0


class _Hosts:
    """The guardians of this process, by source."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[SourceRef, _Kept] = {}
        self._folder: Path | None = None

    def take(self, ref: SourceRef) -> Address:
        with self._lock:
            if ref not in self._kept:
                try:
                    self._kept[ref] = _Kept(_Guardian(ref, self._own_folder()))
                except OSError as error:
                    raise ObserverUnavailableError(
                        f"its process cannot be started: {error}", reason="broken_plugin"
                    ) from error
            self._kept[ref].users += 1
            return self._kept[ref].guardian.address

    def give_back(self, refs: Iterable[SourceRef]) -> None:
        ended: list[_Guardian] = []
        with self._lock:
            for ref in refs:
                if (kept := self._kept.get(ref)) is not None:
                    kept.users -= 1
                    if not kept.users:
                        ended.append(self._kept.pop(ref).guardian)
            if not self._kept:
                self._folder = None  # The last guardian removes it.
        _end(ended)

    def end(self) -> None:
        with self._lock:
            ended, self._kept = [kept.guardian for kept in self._kept.values()], {}
        _end(ended)

    def forget(self) -> None:
        for kept in self._kept.values():
            kept.guardian.forget()
        self._kept, self._folder, self._lock = {}, None, threading.Lock()

    def _own_folder(self) -> Path:
        if self._folder is None:
            self._folder = _private_folder()
        return self._folder


def _private_folder() -> Path:
    """A new folder whose path is short enough for sockets in it, readable by this user alone."""
    for root in (tempfile.gettempdir(), "/tmp"):  # noqa: S108 - mkdtemp makes it safely
        if len(os.fsencode(root)) + len("/omnidetective-xxxxxxxx/xxxxxxxx.g") <= _MOST_PATH_BYTES:
            return Path(tempfile.mkdtemp(prefix="omnidetective-", dir=root))
    raise OSError(f"the path of {tempfile.gettempdir()} is too long for a socket")


def _end(guardians: list[_Guardian]) -> None:
    for guardian in guardians:
        guardian.end()
    for guardian in guardians:
        guardian.wait()


_hosts = _Hosts()
_shared: Path | None = None
atexit.register(_hosts.end)
os.register_at_fork(after_in_child=_hosts.forget)


def use_hosts(folder: Path) -> None:
    """From now on use the hosts of the run's parent. For worker processes, before their pipeline.

    Args:
        folder: as :func:`share` gave it.
    """
    global _shared
    _shared = folder


def take(ref: SourceRef) -> Address:
    """Where the host of a source is reached; it is given back with :func:`give_back`.

    Raises:
        ObserverUnavailableError: it cannot be started.
    """
    if _shared is not None and (address := Address.of(ref, _shared)).guardian.exists():
        return address
    return _hosts.take(ref)


def give_back(refs: Iterable[SourceRef]) -> None:
    """What :func:`take` or :func:`share` gave is not needed any more. Blocking: what nobody needs is ended."""
    _hosts.give_back(refs)


def share(refs: Iterable[SourceRef]) -> Path | None:
    """Have hosts for workers to use; ``None`` where there are none. What cannot be started is left to the workers."""
    folder = None
    for ref in refs:
        try:
            folder = _hosts.take(ref).host.parent
        except ObserverUnavailableError as error:
            log.warning("%s: %s", ref.name, error.message)
    return folder
