"""The embedded models as observers call them: run in this process, or by a service that all workers share."""

from __future__ import annotations

import functools
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from omnidetective.embedded.inference import infer, threads_for
from omnidetective.embedded.sounds import WEIGHTS, SoundModel
from omnidetective.embedded.speech import SpeechModel, Transcript
from omnidetective.embedded.text import TextLine, TextModel
from omnidetective.embedded.voice import find_voice
from omnidetective.embedded.weights import find
from omnidetective.evidence import Span

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from omnidetective.embedded.service_client import ServedModels


@dataclass(frozen=True, slots=True)
class SoundScores:
    """How sure the classifier is of each kind of sound.

    Attributes:
        scores: shape ``(patches, labels)``, 0…1; see :meth:`~omnidetective.embedded.sounds.SoundModel.scores`.
        labels: the kinds of sound.
    """

    scores: NDArray[np.float32]
    labels: tuple[str, ...]


class EmbeddedModels(Protocol):
    """Runs the models off the event loop. Cancelled calls give up their place in the queue.

    Samples are mono, 16 kHz, -1…1; ``offset_s`` is the time of the first one.
    """

    async def voice(self, samples: NDArray[np.float32], *, offset_s: float, lenient: bool = False) -> tuple[Span, ...]:
        """See :func:`~omnidetective.embedded.voice.find_voice`."""
        ...

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
        """See :meth:`~omnidetective.embedded.speech.SpeechModel.transcribe`; ``weights`` names the model."""
        ...

    async def sounds(self, samples: NDArray[np.float32]) -> SoundScores:
        """See :meth:`~omnidetective.embedded.sounds.SoundModel.scores`."""
        ...

    async def read_text(self, jpeg: bytes) -> tuple[TextLine, ...]:
        """See :meth:`~omnidetective.embedded.text.TextModel.read`."""
        ...


class OwnModels:
    """Runs them in this process; each is loaded at its first use, and kept.

    Args:
        threads: of each model.
    """

    def __init__(self, *, threads: int) -> None:
        self._threads = threads

    async def voice(self, samples: NDArray[np.float32], *, offset_s: float, lenient: bool = False) -> tuple[Span, ...]:
        return await infer(functools.partial(find_voice, samples, offset_s=offset_s, lenient=lenient))

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
        model = await infer(functools.partial(SpeechModel.shared, find(weights), threads=self._threads))
        stop = threading.Event()
        try:
            return await infer(
                functools.partial(
                    model.transcribe,
                    samples,
                    voiced,
                    language=language,
                    offset_s=offset_s,
                    deadline=deadline,
                    stop=stop,
                )
            )
        finally:
            # A caller that has gone away must not keep the thread busy for the rest of a long piece.
            stop.set()

    async def sounds(self, samples: NDArray[np.float32]) -> SoundScores:
        model = await infer(functools.partial(SoundModel.shared, find(WEIGHTS), threads=self._threads))
        return SoundScores(await infer(functools.partial(model.scores, samples)), model.labels)

    async def read_text(self, jpeg: bytes) -> tuple[TextLine, ...]:
        model = await infer(functools.partial(TextModel.shared, threads=self._threads))
        return await infer(functools.partial(model.read, jpeg))


_served: ServedModels | None = None


def use_model_service(address: Path) -> None:
    """From now on have the models of this process run by a service. For worker processes, before their pipeline.

    Args:
        address: the service's socket.
    """
    from omnidetective.embedded.service_client import ServedModels

    global _served
    _served = ServedModels(address)


def embedded_models(*, num_workers: int) -> EmbeddedModels:
    """The models of this process.

    Args:
        num_workers: worker processes that share the machine's processors, where each runs its own models.
    """
    return OwnModels(threads=threads_for(num_workers)) if _served is None else _served
