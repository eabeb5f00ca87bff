"""The embedded models as a worker has them: run by the model service of the run."""

from __future__ import annotations

import asyncio
import itertools
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from omnidetective.embedded.models import SoundScores
from omnidetective.embedded.service_wire import (
    REPLIES,
    Cancel,
    FailedReply,
    Payload,
    Reply,
    Request,
    SoundReply,
    SoundRequest,
    SpeechReply,
    SpeechRequest,
    Started,
    TextReply,
    TextRequest,
    VoiceReply,
    VoiceRequest,
    WireError,
    receive,
    send,
)
from omnidetective.embedded.speech import Transcript
from omnidetective.embedded.text import TextLine
from omnidetective.errors import ObserverUnavailableError
from omnidetective.evidence import Span

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

R = TypeVar("R", bound=Reply)

_AT_ONCE: Final = 2
"""Requests of one kind that a worker has with the service: others wait here, where their sound is in memory anyway."""
_MOST_DEATHS: Final = 2
"""So often may the service die while it works on a request."""
_MOST_LOSSES: Final = 10
"""So often may it die at all before a request is answered, whoever was to blame."""


class ModelServiceError(ObserverUnavailableError):
    """The process that runs the embedded models did not answer: it died of the request, or cannot start."""

    default_reason = "model_service"


class _LostError(Exception):
    """The service went away before it answered; ``started``: while it worked on this request."""

    def __init__(self, *, started: bool) -> None:
        super().__init__()
        self.started = started


class ServedModels:
    """See :class:`~omnidetective.embedded.models.EmbeddedModels`. For one event loop.

    A request is sent again when the service dies, and given up when it dies twice while working on it.

    Args:
        address: the service's socket.
    """

    def __init__(self, address: Path) -> None:
        self._address = address
        self._link: _Link | None = None
        self._opening = asyncio.Lock()
        self._turns = {kind: asyncio.Semaphore(_AT_ONCE) for kind in ("voice", "speech", "sounds", "text")}
        self._ids = itertools.count()

    async def voice(self, samples: NDArray[np.float32], *, offset_s: float, lenient: bool = False) -> tuple[Span, ...]:
        request = VoiceRequest(id=next(self._ids), offset_s=offset_s, lenient=lenient)
        reply, _ = await self._ask(request, _bytes_of(samples), VoiceReply)
        return reply.spans

    async def transcribe(
        self,
        weights: str,
        samples: NDArray[np.float32],
        voiced: Sequence[Span],
        *,
        language: str | None,
        offset_s: float,
        deadline: float,
    ) -> Transcript:
        request = SpeechRequest(
            id=next(self._ids),
            weights=weights,
            voiced=tuple(voiced),
            language=language,
            offset_s=offset_s,
            seconds_left=None if math.isinf(deadline) else max(0.0, deadline - time.monotonic()),
        )
        reply, _ = await self._ask(request, _bytes_of(samples), SpeechReply)
        return reply.transcript

    async def sounds(self, samples: NDArray[np.float32]) -> SoundScores:
        import numpy as np

        reply, scores = await self._ask(SoundRequest(id=next(self._ids)), _bytes_of(samples), SoundReply)
        return SoundScores(np.frombuffer(scores, np.float32).reshape(-1, len(reply.labels)), reply.labels)

    async def read_text(self, jpeg: bytes) -> tuple[TextLine, ...]:
        reply, _ = await self._ask(TextRequest(id=next(self._ids)), jpeg, TextReply)
        return reply.lines

    async def _ask(self, request: Request, payload: Payload, expected: type[R]) -> tuple[R, bytes]:
        async with self._turns[request.kind]:
            reply, found = await self._answer(request, payload)
        if isinstance(reply, FailedReply):
            raise ObserverUnavailableError(reply.message, reason=reply.reason, hint=reply.hint)
        if not isinstance(reply, expected):
            raise ModelServiceError(f"the model service answered {request.kind} with {reply.kind}")
        return reply, found

    async def _answer(self, request: Request, payload: Payload) -> tuple[Reply, bytes]:
        deaths = 0
        for _ in range(_MOST_LOSSES):
            link = await self._connected()
            try:
                return await link.ask(request, payload)
            except _LostError as lost:
                if lost.started:
                    deaths += 1
                    request = request.model_copy(update={"alone": True})
                if deaths == _MOST_DEATHS:
                    break
        raise ModelServiceError(
            f"the process that runs the embedded models died {max(deaths, 1)} times while it worked on the request"
            if deaths
            else "the process that runs the embedded models keeps dying",
            hint="the media are broken, or the machine has too little memory for the embedded models",
        )

    async def _connected(self) -> _Link:
        async with self._opening:
            if self._link is None or self._link.lost:
                try:
                    # Answered by the socket's queue, also while the service is still to be started.
                    reader, writer = await asyncio.open_unix_connection(self._address, limit=2**20)
                except OSError as error:
                    raise ModelServiceError(
                        f"the process that runs the embedded models cannot be reached: {error.strerror or error}",
                        hint="the log says why it did not start; --set workers.share_models=false does without it",
                    ) from error
                self._link = _Link(reader, writer)
            return self._link


@dataclass(slots=True)
class _Call:
    answer: asyncio.Future[tuple[Reply, bytes]]
    started: bool = False


class _Link:
    """One connection, and the requests that wait on it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self._calls: dict[int, _Call] = {}
        self.lost = False
        self._listener = asyncio.create_task(self._listen(reader))

    async def ask(self, request: Request, payload: Payload) -> tuple[Reply, bytes]:
        """Send a request and wait for its reply.

        Raises:
            _LostError: the connection ended first.
        """
        if self.lost:
            raise _LostError(started=False)
        call = _Call(asyncio.get_running_loop().create_future())
        self._calls[request.id] = call
        send(self._writer, request, payload)
        try:
            return await call.answer
        except asyncio.CancelledError:
            if not self.lost:
                send(self._writer, Cancel(id=request.id))
            raise
        finally:
            self._calls.pop(request.id, None)

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        try:
            while (received := await receive(reader, REPLIES)) is not None:
                message, payload = received
                call = self._calls.get(message.id)
                if call is None:
                    continue
                if isinstance(message, Started):
                    call.started = True
                elif not call.answer.done():
                    call.answer.set_result((message, payload))
        except WireError:
            pass  # Nothing that follows can be understood either.
        finally:
            self.lost = True
            self._writer.close()
            for call in self._calls.values():
                if not call.answer.done():
                    call.answer.set_exception(_LostError(started=call.started))


def _bytes_of(samples: NDArray[np.float32]) -> memoryview:
    import numpy as np

    if not samples.size:
        return memoryview(b"")
    return np.ascontiguousarray(samples, np.float32).data.cast("B")
