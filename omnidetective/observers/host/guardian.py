"""The guardian: a small process that keeps one host process, and lets nothing of it outlive the run.

It runs no code of a plugin and imports the standard library alone, so it always answers. It starts the host when
somebody connects to the listening socket and again after its death, measures its memory, notices when its event loop
stands still, takes what it prints, and knows how it ended. When its owner is gone, however that went, it ends the host
and everything that the host has started, programs in sessions of their own included.

Whoever uses the host may ask the guardian on a second socket, one JSON line each way:

``{"ask": "end", "pid": N}``
    How the process ended; answered when it has. Without a pid: the last one that ended.
``{"ask": "stuck", "pid": N, "final": false}``
    The process does not answer me. It is killed unless its event loop runs; ``final``: and not started again.
"""

from __future__ import annotations

import ctypes
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from omnidetective.memory import memory_mb

_LOOK_S: Final = 0.25
_SILENT_S: Final = 3.0
"""A host whose event loop runs says so every second."""
_LEAVE_S: Final = 2.0
_FAR_ABOVE: Final = 1.5
_FRUITLESS_DEATHS: Final = 8
"""Deaths in a row without an answered question between them. A question that kills its host is asked twice."""
_DEATHS_BEFORE_READY: Final = 2
_MOST_PRINTED_BYTES: Final = 1 << 18
"""Of one host process; what it prints beyond that is thrown away."""
_PR_SET_CHILD_SUBREAPER: Final = 36


@dataclass(slots=True)
class _Life:
    """One host process."""

    process: subprocess.Popen[bytes]
    talk: socket.socket
    output: int
    last_beat: float
    heard: bytes = b""
    printed: int = 0
    ready: bool = False
    answered: bool = False
    leaving: bool = False
    memory_mb: float | None = None
    killed: str = ""


@dataclass(slots=True)
class Guardian:
    """See the module.

    Args:
        name: of the source, for what is said about it.
        command: starts a host process; the descriptors of the listening socket and of ours are put at its end.
        listener: where workers connect to the host.
        control: where they ask about it.
        owner: its end is the end of everything; what the host prints is passed to it, one JSON line a piece.
        paths: of the two sockets; they are removed at the end, and their folder when it is empty.
    """

    name: str
    command: list[str]
    listener: socket.socket
    control: socket.socket
    owner: socket.socket
    paths: list[str]
    life: _Life | None = None
    ends: dict[int, str] = field(default_factory=dict)
    given_up: str = ""
    fruitless: int = 0
    unready: int = 0
    asking: list[tuple[socket.socket, int]] = field(default_factory=list)
    selector: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)
    ended: bool = False

    def run(self) -> None:
        """Guard until the owner is gone."""
        self.listener.setblocking(False)
        self.owner.settimeout(1.0)
        self.selector.register(self.listener, selectors.EVENT_READ, self._begin)
        self.selector.register(self.control, selectors.EVENT_READ, self._hear_question)
        self.selector.register(self.owner, selectors.EVENT_READ, self._hear_owner)
        try:
            while not self.ended:
                for key, _ in self.selector.select(_LOOK_S):
                    if not self.ended and self._is_heard(key):
                        key.data()
                self._look()
        finally:
            self._end()

    def _is_heard(self, key: selectors.SelectorKey) -> bool:
        """Whether what came before in this round has not ended what this one belongs to."""
        with suppress(KeyError, ValueError):
            return self.selector.get_key(key.fileobj) == key
        return False

    def _begin(self) -> None:
        """Somebody has connected: start a host, which accepts the connection."""
        ours, theirs = socket.socketpair()
        read, write = os.pipe()
        try:
            process = subprocess.Popen(
                [*self.command, str(self.listener.fileno()), str(theirs.fileno()), str(os.getpid())],
                stdin=subprocess.DEVNULL,
                stdout=write,
                stderr=write,
                pass_fds=(self.listener.fileno(), theirs.fileno()),
                start_new_session=True,
            )
        except OSError as error:
            self._give_up(f"cannot be started: {error}")
            ours.close()
            os.close(read)
            return
        finally:
            theirs.close()
            os.close(write)
        ours.setblocking(False)
        os.set_blocking(read, False)
        self.life = _Life(process, ours, read, time.monotonic())
        self.selector.unregister(self.listener)
        self.selector.register(ours, selectors.EVENT_READ, self._hear_host)
        self.selector.register(read, selectors.EVENT_READ, self._take_printed)

    def _hear_host(self) -> None:
        life = self.life
        if life is None:
            return
        try:
            data = life.talk.recv(4096)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._bury()
            return
        *lines, life.heard = (life.heard + data).split(b"\n")
        for line in lines:
            word, _, value = line.decode().partition(" ")
            life.last_beat = time.monotonic()
            if word == "ready":
                life.ready = True
            elif word == "answered":
                life.answered = True
            elif word == "leaving":
                life.leaving = True
            elif word == "memory":
                life.memory_mb = float(value)

    def _take_printed(self) -> None:
        life = self.life
        if life is None:
            return
        with suppress(BlockingIOError):
            data = os.read(life.output, 1 << 16)
            if not data:
                self.selector.unregister(life.output)
                return
            room = _MOST_PRINTED_BYTES - life.printed
            life.printed += len(data)
            if room > 0:
                self._tell(data[:room].decode("utf-8", "backslashreplace"))
                if len(data) > room:
                    self._tell("… it prints more than is kept")

    def _tell(self, text: str) -> None:
        with suppress(OSError):  # It is gone, which is noticed elsewhere, or does not listen: it misses the rest.
            self.owner.sendall(json.dumps({"printed": text}).encode() + b"\n")

    def _look(self) -> None:
        life = self.life
        if life is None or self.ended:
            return
        if life.process.poll() is not None:
            self._bury()
        elif life.memory_mb is not None and not life.killed:
            held_mb = memory_mb(life.process.pid)
            if held_mb > life.memory_mb * _FAR_ABOVE:
                self._kill(
                    f"was killed as it held {held_mb:,.0f} MB, "
                    f"far more than observers.{self.name}.memory_mb={life.memory_mb:.0f}"
                )
            elif held_mb > life.memory_mb and not life.leaving:
                life.leaving = True
                self._tell(f"it is replaced as it holds {held_mb:,.0f} MB")
                with suppress(OSError):
                    life.talk.send(b"retire\n")

    def _kill(self, how: str) -> None:
        if self.life is not None:
            self.life.killed = how
            self._bury()

    def _bury(self) -> None:
        """The host is gone, or is not to be any more: nothing of it is left, and it is known how it ended."""
        life, self.life = self.life, None
        assert life is not None
        for descriptor in (life.talk, life.output):
            with suppress(KeyError):
                self.selector.unregister(descriptor)
        if not life.killed:
            with suppress(subprocess.TimeoutExpired):  # Its end is seen a moment before it can be waited for.
                life.process.wait(_LEAVE_S)
        with suppress(OSError, BlockingIOError):
            while data := os.read(life.output, 1 << 16):
                if life.printed < _MOST_PRINTED_BYTES:
                    self._tell(data.decode("utf-8", "backslashreplace"))
                life.printed += len(data)
        _kill_with_descendants(life.process)
        life.talk.close()
        os.close(life.output)
        how = life.killed or _how_it_ended(life.process.returncode)
        self.ends[life.process.pid] = how
        self._tell(f"process {life.process.pid} {how}")
        waiting, self.asking = self.asking, []
        for asker, _ in waiting:
            self._answer(asker, how)
        self._count(life, how)
        if not self.given_up and not self.ended:
            self.selector.register(self.listener, selectors.EVENT_READ, self._begin)

    def _count(self, life: _Life, how: str) -> None:
        self.unready = 0 if life.ready else self.unready + 1
        self.fruitless = 0 if life.answered or life.leaving else self.fruitless + 1
        if self.unready == _DEATHS_BEFORE_READY or self.fruitless == _FRUITLESS_DEATHS:
            self._give_up(how)

    def _give_up(self, how: str) -> None:
        """Do not start it again: whoever waits, or connects from now on, is told so at once."""
        self.given_up = how
        with suppress(KeyError):
            self.selector.unregister(self.listener)
        self.listener.close()
        Path(self.paths[0]).unlink(missing_ok=True)

    def _hear_question(self) -> None:
        asker, _ = self.control.accept()
        asker.settimeout(1.0)
        try:
            question: dict[str, Any] = json.loads(asker.recv(4096))
            pid = int(question.get("pid", 0))
            if question.get("ask") == "stuck":
                self._hear_complaint(asker, pid, final=bool(question.get("final")))
            else:
                self._hear_how(asker, pid)
        except (OSError, ValueError):
            asker.close()

    def _hear_complaint(self, asker: socket.socket, pid: int, *, final: bool) -> None:
        life = self.life
        if life is None or pid not in (0, life.process.pid) or time.monotonic() - life.last_beat < _SILENT_S:
            self._answer(asker, "")
            return
        self._kill("did not answer any more, and was killed")
        if final and not self.given_up:
            self._give_up("did not become ready")
        self._answer(asker, "was killed")

    def _hear_how(self, asker: socket.socket, pid: int) -> None:
        if self.given_up:
            self._answer(asker, self.ends.get(pid, self.given_up))
        elif pid in self.ends:
            self._answer(asker, self.ends[pid])
        elif self.life is not None and (pid == self.life.process.pid or not (pid or self.ends)):
            self.asking.append((asker, pid))
        else:
            self._answer(asker, next(reversed(self.ends.values()), "is gone"))

    def _answer(self, asker: socket.socket, how: str) -> None:
        with asker, suppress(OSError):
            asker.sendall(json.dumps({"how": how, "given_up": bool(self.given_up)}).encode() + b"\n")

    def _hear_owner(self) -> None:
        with suppress(OSError):
            if self.owner.recv(64):
                return
        self.ended = True

    def _end(self) -> None:
        if self.life is not None:
            with suppress(OSError):
                self.life.talk.send(b"end\n")
            with suppress(subprocess.TimeoutExpired):
                self.life.process.wait(_LEAVE_S)
            self._kill("was ended with the run")
        for path in self.paths:
            Path(path).unlink(missing_ok=True)
        with suppress(OSError):  # The last guardian of a run finds it empty.
            Path(self.paths[0]).parent.rmdir()


def _kill_with_descendants(process: subprocess.Popen[bytes]) -> None:
    """Kill a process, its group, and all that it has started: orphans come to this process, until there are none."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.wait()
    until = time.monotonic() + _LEAVE_S
    while time.monotonic() < until and (children := _children()):
        for child in children:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(child, signal.SIGKILL)
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        time.sleep(0.005)


def _children() -> list[int]:
    with suppress(OSError):
        return [int(pid) for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()]
    return []


def _how_it_ended(status: int | None) -> str:
    if status is not None and status < 0:
        with suppress(ValueError):
            return f"was ended by the signal {signal.Signals(-status).name}"
        return f"was ended by signal {-status}"
    return f"ended with status {status}"


def main() -> None:
    """Entry point: the task comes as JSON in the first argument."""
    task = json.loads(sys.argv[1])
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)
    listener, control, owner = (socket.socket(fileno=task[key]) for key in ("listener", "control", "owner"))
    for inherited in (listener, control, owner):
        inherited.set_inheritable(False)
    Guardian(task["name"], task["command"], listener, control, owner, task["paths"]).run()


if __name__ == "__main__":
    main()
