"""What can be known before a run: is everything here that the settings ask for. No model library is imported."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

from omnidetective.errors import ObserverUnavailableError
from omnidetective_whisperx.settings import WhisperXSettings
from omnidetective_whisperx.upstream import (
    align_model_for,
    languages,
    torchaudio_file,
    whisper_names,
    whisper_repository,
)

_INSTALL = "pip install omnidetective-whisperx"
_DOWNLOAD = "--set observers.whisperx.download=true"


def check(settings: WhisperXSettings) -> None:
    """Say early what a run would fail on.

    Raises:
        ObserverUnavailableError: ``not_installed``, ``no_weights``, ``no_token``, ``no_cuda`` or ``configuration``,
            with the command that mends it.
    """
    if importlib.util.find_spec("whisperx") is None:
        raise ObserverUnavailableError("the package whisperx is not installed", reason="not_installed", hint=_INSTALL)
    if settings.device == "cuda":
        _check_cuda()
    _check_language(settings.language)
    _check_recogniser(settings)
    if settings.align:
        _check_alignment(settings)
    if settings.diarize:
        _check_diarization(settings)


def aligner_problem(settings: WhisperXSettings, language: str) -> str:
    """Why words in this language get no times here; empty where they do."""
    name = settings.align_model or align_model_for(language)
    if name is None:
        return f"WhisperX has no alignment model for the language {language}"
    if not settings.download and not _aligner_is_here(name):
        return f"the alignment model {name} is not on this machine"
    return ""


def diarization_folder(settings: WhisperXSettings) -> str:
    """What pyannote is to load: a folder where the model is on this machine, so that nobody asks the hub, or its name.

    Raises:
        ObserverUnavailableError: ``no_weights``: it is not here.
    """
    model = settings.diarize_model
    if _is_folder(model) or (settings.download and not _cached(model, "config.yaml")):
        return str(Path(model).expanduser()) if _is_folder(model) else model
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(model, "config.yaml")
    if not isinstance(found, str):
        raise _missing(f"the model {model} that tells speakers apart", f"hf download {model}")
    return str(Path(found).parent)


def whisper_folder(settings: WhisperXSettings) -> str:
    """The recogniser as WhisperX is to be given it: a folder with ``~`` resolved, or its name."""
    return str(Path(settings.model).expanduser()) if _is_folder(settings.model) else settings.model


def _check_cuda() -> None:
    import ctranslate2

    if ctranslate2.get_cuda_device_count() == 0:
        raise ObserverUnavailableError(
            "there is no CUDA device on this machine", reason="no_cuda", hint="--set observers.whisperx.device=cpu"
        )


def _check_language(language: str | None) -> None:
    known = languages()
    if language is not None and known and language not in known:
        raise ObserverUnavailableError(
            f"Whisper does not know the language {language!r}",
            reason="configuration",
            hint="--set observers.whisperx.language=… with an ISO 639-1 code such as en or fr",
        )


def _check_recogniser(settings: WhisperXSettings) -> None:
    model = settings.model
    if _is_folder(model):
        if not (Path(model).expanduser() / "model.bin").is_file():
            raise ObserverUnavailableError(
                f"the folder {model} has no model.bin, so it is no model in CTranslate2's form",
                reason="no_weights",
                hint="ct2-transformers-converter --model … --copy_files tokenizer.json preprocessor_config.json",
            )
        return
    repository = whisper_repository(model)
    if repository is None:
        names = whisper_names()
        if not names:
            return
        raise ObserverUnavailableError(
            f"there is no folder and no recogniser {model!r}; known are {', '.join(names)}",
            reason="configuration",
            hint="--set observers.whisperx.model=small",
        )
    if not settings.download and not _cached(repository, "model.bin"):
        raise _missing(f"the recogniser {model}", f"hf download {repository}")


def _check_alignment(settings: WhisperXSettings) -> None:
    if not settings.download and not _punkt_is_here():
        raise _missing("the list of abbreviations that sentences are told by", "python -m nltk.downloader punkt_tab")
    name = settings.align_model
    if name is None:
        if settings.language is None:
            return  # Which model it will be depends on what is spoken.
        name = align_model_for(settings.language)
        if name is None:
            raise ObserverUnavailableError(
                f"WhisperX has no alignment model for the language {settings.language}",
                reason="configuration",
                hint="--set observers.whisperx.align=false, or name one: --set observers.whisperx.align_model=…",
            )
    if not settings.download and not _aligner_is_here(name):
        file = torchaudio_file(name)
        command = f"hf download {name}"
        if file is not None:
            address = f"https://download.pytorch.org/torchaudio/models/{file}"
            command = f"curl -L --create-dirs -o {_torch_checkpoints() / file} {address}"
        raise _missing(f"the alignment model {name}", command)


def _check_diarization(settings: WhisperXSettings) -> None:
    model = settings.diarize_model
    if _is_folder(model):
        if not (Path(model).expanduser() / "config.yaml").is_file():
            raise ObserverUnavailableError(
                f"the folder {model} has no config.yaml, so it is no pyannote pipeline",
                reason="no_weights",
                hint=f"--set observers.whisperx.diarize_model={WhisperXSettings.model_fields['diarize_model'].default}",
            )
        return
    if _cached(model, "config.yaml"):
        return
    # Gated repositories: their terms are accepted on their page, and the token proves it.
    if not os.environ.get("HF_TOKEN"):
        raise ObserverUnavailableError(
            f"the model {model} that tells speakers apart is not on this machine, and to fetch it takes a token",
            reason="no_token",
            hint=f"accept its terms at https://hf.co/{model}, then: export HF_TOKEN=…",
        )
    if not settings.download:
        raise _missing(f"the model {model} that tells speakers apart", f"hf download {model}")


def _missing(what: str, command: str) -> ObserverUnavailableError:
    return ObserverUnavailableError(
        f"{what} is not on this machine", reason="no_weights", hint=f"{command}, or let it be fetched: {_DOWNLOAD}"
    )


def _is_folder(model: str) -> bool:
    return Path(model).expanduser().is_dir()


def _cached(repository: str, file: str) -> bool:
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        return isinstance(try_to_load_from_cache(repository, file), str)
    except HFValidationError:
        return False  # A path that is not there, rather than a repository.


def _aligner_is_here(name: str) -> bool:
    file = torchaudio_file(name)
    if file is not None:
        return (_torch_checkpoints() / file).is_file()
    return _is_folder(name) or any(_cached(name, file) for file in ("model.safetensors", "pytorch_model.bin"))


def _torch_checkpoints() -> Path:
    """Where ``torch.hub`` keeps files (its documentation: ``TORCH_HOME``, ``XDG_CACHE_HOME``)."""
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    home = os.environ.get("TORCH_HOME") or str(Path(cache) / "torch")
    return Path(home).expanduser() / "hub" / "checkpoints"


def _punkt_is_here() -> bool:
    """Whether NLTK's sentence data are in one of the folders that it looks into (its documentation: ``NLTK_DATA``)."""
    named = [Path(folder) for folder in os.environ.get("NLTK_DATA", "").split(os.pathsep) if folder]
    own = [Path(sys.prefix, part, "nltk_data") for part in ("", "share", "lib")]
    shared = [Path(root, part, "nltk_data") for root in ("/usr", "/usr/local") for part in ("share", "lib")]
    folders = [*named, Path.home() / "nltk_data", *own, *shared]
    return any((folder / "tokenizers" / name).exists() for folder in folders for name in ("punkt_tab", "punkt_tab.zip"))
