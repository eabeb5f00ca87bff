"""The models of WhisperX: loaded at the first question, once a process, and used by one clip at a time.

The host of third-party observers is one process for a whole machine, so this is one copy for all workers. Their clips
take turns: each holds the models for one batch of stretches, and then goes to the end of the queue.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

from omnidetective.embedded.inference import load_once, processors
from omnidetective.errors import ObserverUnavailableError, OmnidetectiveError
from omnidetective_whisperx.aligner import Aligner
from omnidetective_whisperx.available import diarization_folder, whisper_folder
from omnidetective_whisperx.recogniser import Recogniser
from omnidetective_whisperx.settings import WhisperXSettings
from omnidetective_whisperx.speakers import Speakers

T = TypeVar("T")


@functools.cache
def _bench() -> ThreadPoolExecutor:
    """The one thread that touches the models: WhisperX's own objects cannot be shared by threads."""
    return ThreadPoolExecutor(1, thread_name_prefix="whisperx")


@dataclass(frozen=True, slots=True)
class Models:
    """The models that the settings ask for. Every method waits for its turn, and gives it up when it is cancelled.

    Every method may raise ``ObserverUnavailableError``: ``bad_model`` (it cannot be loaded), ``no_cuda``,
    ``out_of_memory`` (of the GPU) or ``failed``.
    """

    settings: WhisperXSettings

    async def work(self, function: Callable[[], T]) -> T:
        """Run blocking work with the models, off the event loop."""
        return await asyncio.get_running_loop().run_in_executor(_bench(), functools.partial(_plainly, function))

    async def recogniser(self) -> Recogniser:
        """Writes down what is said."""
        return await self.work(self._recogniser)

    async def aligner(self, language: str) -> Aligner:
        """Finds the times of words. One a language is kept; they are a few hundred megabytes each."""
        name = self.settings.align_model

        def load() -> Aligner:
            device = _device(self.settings)
            key = ("whisperx align", name, language, device)
            what = name or f"for the language {language}"
            return load_once(
                key,
                lambda: _loaded(
                    f"the alignment model {what}",
                    lambda: Aligner(language, name=name, device=device, download=self.settings.download),
                ),
            )

        return await self.work(load)

    async def speakers(self) -> Speakers:
        """Tells speakers apart."""

        def load() -> Speakers:
            device = _device(self.settings)
            model = diarization_folder(self.settings)
            return load_once(
                ("whisperx diarize", model, device),
                lambda: _loaded(f"the model {self.settings.diarize_model}", lambda: Speakers(model, device=device)),
            )

        return await self.work(load)

    def _recogniser(self) -> Recogniser:
        settings = self.settings
        device = _device(settings)
        compute_type = settings.compute_type
        if compute_type == "auto":
            compute_type = "float16" if device == "cuda" else "int8"
        threads = settings.threads or processors()
        model = whisper_folder(settings)
        return load_once(
            ("whisperx", model, device, compute_type, threads),
            lambda: _loaded(
                f"the recogniser {settings.model}",
                lambda: Recogniser(
                    model, device=device, compute_type=compute_type, threads=threads, download=settings.download
                ),
            ),
        )


def _device(settings: WhisperXSettings) -> str:
    _before_import()
    import ctranslate2
    import torch

    # Recognition runs in CTranslate2, the rest in torch; both have to see the GPU.
    present = ctranslate2.get_cuda_device_count() > 0 and torch.cuda.is_available()
    if settings.device == "cuda" and not present:
        raise ObserverUnavailableError(
            "CUDA is asked for, and CTranslate2 and torch do not both see a GPU",
            reason="no_cuda",
            hint="--set observers.whisperx.device=cpu",
        )
    return "cuda" if present and settings.device != "cpu" else "cpu"


@functools.cache
def _before_import() -> None:
    # pyannote reports its use to its makers unless it is told not to.
    os.environ.setdefault("PYANNOTE_METRICS_ENABLED", "false")
    # WhisperX would log to standard output, where answers are printed; with a handler here it leaves that alone.
    logging.getLogger("whisperx").addHandler(logging.NullHandler())
    # pyannote warns at length that it cannot open files by itself: it is only ever given samples.
    warnings.filterwarnings("ignore", message=r"\s*torchcodec is not installed correctly")


def _loaded(what: str, load: Callable[[], T]) -> T:
    with _prints_to_stderr():
        try:
            return load()
        except OmnidetectiveError:
            raise
        except Exception as error:
            if _is_out_of_memory(error):
                raise
            raise ObserverUnavailableError(
                f"{what} cannot be loaded: {_told(error)}", reason="bad_model", hint="omnidetective doctor"
            ) from error


def _plainly(function: Callable[[], T]) -> T:
    try:
        return function()
    except OmnidetectiveError:
        raise
    except Exception as error:
        if _is_out_of_memory(error):
            _free_cuda()
            raise ObserverUnavailableError(
                "the memory of the GPU is too small",
                reason="out_of_memory",
                hint="--set observers.whisperx.batch_size=4 (or less), or observers.whisperx.compute_type=int8",
            ) from error
        raise ObserverUnavailableError(f"WhisperX failed: {_told(error)}", reason="failed") from error


def _is_out_of_memory(error: BaseException) -> bool:
    torch: Any = sys.modules.get("torch")
    if torch is not None and isinstance(error, torch.OutOfMemoryError):
        return True
    # CTranslate2 has no type for it: everything that CUDA reports is a RuntimeError.
    return isinstance(error, RuntimeError) and "CUDA" in str(error) and "out of memory" in str(error)


def _free_cuda() -> None:
    torch: Any = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()


def _told(error: BaseException) -> str:
    """An error in one line, without the token, whatever a library has put into its message."""
    message = " ".join(str(error).split())
    token = os.environ.get("HF_TOKEN")
    if token:
        message = message.replace(token, "***")
    return f"{type(error).__name__}: {message[:300]}"


@contextlib.contextmanager
def _prints_to_stderr() -> Iterator[None]:
    with contextlib.redirect_stdout(sys.stderr):
        yield
