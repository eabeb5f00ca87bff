"""Which models WhisperX stands for by which names, read from the source of the installed packages without importing
them: an import takes ten seconds and a gigabyte of memory, and this is asked by ``omnidetective observers list``.

Where a table is not found, because another version keeps it elsewhere, nothing is known before the run.
"""

from __future__ import annotations

import ast
import functools
import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def whisper_repository(model: str) -> str | None:
    """The repository on the hub of a model of faster-whisper; ``None`` for a name that it does not know."""
    return model if "/" in model else _table("faster_whisper", "utils.py", "_MODELS").get(model)


def whisper_names() -> tuple[str, ...]:
    """The names that faster-whisper knows."""
    return tuple(_table("faster_whisper", "utils.py", "_MODELS"))


def languages() -> tuple[str, ...]:
    """The codes of the languages that Whisper knows."""
    found: tuple[str, ...] = _literal("faster_whisper", "tokenizer.py", "_LANGUAGE_CODES", ())
    return found


def align_model_for(language: str) -> str | None:
    """The name of the alignment model that WhisperX chooses for a language; ``None`` where it has none."""
    for table in ("DEFAULT_ALIGN_MODELS_TORCH", "DEFAULT_ALIGN_MODELS_HF"):
        name = _table("whisperx", "alignment.py", table).get(language)
        if name is not None:
            return name
    return None


def torchaudio_file(model: str) -> str | None:
    """The name of the weights file of a model that comes with torchaudio; ``None`` for any other model."""
    return _first_arguments("torchaudio", "pipelines/_wav2vec2/impl.py").get(model)


def _table(package: str, file: str, name: str) -> Mapping[str, str]:
    found: Mapping[str, str] = _literal(package, file, name, {})
    return found


def _literal(package: str, file: str, name: str, default: Any) -> Any:
    value = _literals(package, file).get(name)
    return default if value is None else ast.literal_eval(value)


@functools.cache
def _literals(package: str, file: str) -> Mapping[str, ast.expr]:
    """``NAME = {…}`` and ``NAME = (…)`` at the top of a module, by name."""
    found: dict[str, ast.expr] = {}
    for statement in _statements(package, file):
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Dict() | ast.Tuple() as value):
                found[name] = value
    return found


@functools.cache
def _first_arguments(package: str, file: str) -> Mapping[str, str]:
    """``NAME = Class("first argument", …)`` at the top of a module, by name."""
    found: dict[str, str] = {}
    for statement in _statements(package, file):
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Call(args=[ast.Constant(value=str(argument)), *_])):
                found[name] = argument
    return found


def _statements(package: str, file: str) -> list[ast.stmt]:
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        return []
    path = Path(spec.submodule_search_locations[0], file)
    return ast.parse(path.read_text(encoding="utf-8")).body if path.is_file() else []
