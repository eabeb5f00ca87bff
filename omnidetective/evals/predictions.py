"""The captions that are to be scored: our own records, and every form of prediction file that benchmarks are fed with.

A file is JSON Lines, a JSON list, or one JSON object of name → caption. A caption is found by the name of its clip: an
id, a path, a file name with or without its suffix. The longest form of a name that fits decides.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from omnidetective.captions.utterance import Utterance
from omnidetective.errors import ConfigError
from omnidetective.evals.names import forms_of

_CAPTIONS = ("caption", "pred", "model_generation", "predicted_caption", "prediction")
_NAMES = ("video_id", "id", "video", "video_dir", "video_path", "video_rel", "audio_id", "audio_path", "uuid", "path")
_ANSWERS = ("model_output", "answer_prediction")
_DIALOGUE = "dialogue"
_FORMS = "captions are read from JSON Lines, a JSON list, or one object of name → caption"
_KNOWN = frozenset({*_CAPTIONS, *_NAMES, *_ANSWERS, _DIALOGUE, "messages"})


@dataclass(frozen=True, slots=True)
class Prediction:
    """One caption.

    Attributes:
        names: how its clip is called, in every way that the row calls it.
        prompt: what it was asked for by, where the row says so.
        caption: as it stands in the file; may be empty.
        answers: final answers to multiple-choice questions by their key, of rows that hold such.
        dialogue: who says what in which order, of rows that hold it as a list.
        inquiries: questions that the detective put to observers for it; ``None`` where nobody knows, as in rows that
            are no records of ours, and in records without the detective's conversation.
        line_number: where it stands in the file, from 1.
        record: the whole row, of a record of ours, where whole records were asked for.
    """

    names: tuple[str, ...]
    caption: str
    prompt: str | None = None
    answers: Mapping[str, str] = field(default_factory=dict)
    dialogue: tuple[Utterance, ...] | None = None
    inquiries: int | None = None
    line_number: int = 0
    record: Mapping[str, Any] | None = None


class Predictions:
    """All captions of a file, found by the names of their clips."""

    def __init__(self, rows: Iterable[Prediction]) -> None:
        self._rows = tuple(rows)
        self._by_form: dict[tuple[str, str | None], list[int]] = {}
        """The rows of a form of a name: all of them, and those that were asked for by some words."""
        for number, row in enumerate(self._rows):
            asked = {None} if row.prompt is None else {None, _one_spaced(row.prompt)}
            for form in dict.fromkeys(form for name in row.names for form in forms_of(name)):
                for words in asked:
                    self._by_form.setdefault((form, words), []).append(number)

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Prediction]:
        return iter(self._rows)

    def find(self, *names: str, prompt: str | None = None) -> Prediction | None:
        """The caption of a clip; ``None`` where there is none.

        Of several for the same clip the last one holds, as in every format that is appended to.

        Args:
            names: what the benchmark calls the clip.
            prompt: where one clip has several captions: the one that was asked for by these words.

        Raises:
            ConfigError: captions of different clips fit equally well.
        """
        words = None if prompt is None else _one_spaced(prompt)
        for form in dict.fromkeys(form for name in names for form in forms_of(name)):
            rows = [self._rows[n] for n in self._by_form.get((form, words), ())]
            if not rows:
                continue
            if len({_identity(row) for row in rows}) > 1:
                told = ", ".join(sorted({row.names[0] for row in rows})[:4])
                raise ConfigError(
                    f"the captions of {told} could all be that of {names[0]!r}",
                    hint="give them ids or paths that tell them apart, as the benchmark does",
                )
            return rows[-1]
        return None


def read_predictions(path: Path, *, records: bool = False) -> Predictions:
    """Read a file of captions.

    Args:
        records: keep whole records of ours too; they are many times as large as their captions.

    Raises:
        ConfigError: it cannot be read, is no JSON, or holds rows without a caption or a name; the first is told.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigError(f"cannot read the captions in {path}: {error}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is no text in UTF-8: {error}", hint="unpack it first, if it is packed") from error
    found = []
    for number, row in _rows(text, path):
        one = _prediction(row, number, path)
        found.append(replace(one, record=row) if records and "schema_version" in row else one)
    if not found:
        raise ConfigError(f"{path} holds no caption")
    return Predictions(found)


def _rows(text: str, path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    whole = _whole(text)
    if isinstance(whole, dict):
        names = not _KNOWN & whole.keys() and all(isinstance(value, str | None) for value in whole.values())
        whole = [{"id": name, "caption": caption} for name, caption in whole.items()] if names else [whole]
    values = enumerate(whole, start=1) if isinstance(whole, list) else _lines(text, path)
    for number, value in values:
        if not isinstance(value, dict):
            raise ConfigError(f"{path}: row {number} is no object", hint="one object a caption")
        yield number, value


def _whole(text: str) -> Any:
    """The file as one JSON value; ``None`` where it is none: JSON Lines, or no JSON at all."""
    try:
        return json.loads(text)
    except ValueError:
        return None


def _lines(text: str, path: Path) -> Iterator[tuple[int, Any]]:
    lines = text.split("\n")
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            yield number, json.loads(line)
        except ValueError as error:
            if number == len(lines):  # a last line without its line break is being written, or was torn off
                return
            raise ConfigError(f"{path}: line {number} is not JSON: {error}", hint=_FORMS) from error


def _prediction(row: Mapping[str, Any], number: int, path: Path) -> Prediction:
    if isinstance(row.get("messages"), list):
        return _tarsier(row, number, path)
    answers = {key: str(row[key]) for key in _ANSWERS if isinstance(row.get(key), str)}
    caption = next((text for key in _CAPTIONS if (text := _text(row.get(key))) is not None), None)
    if caption is None and any(row.get(key, "") is None for key in _CAPTIONS):
        caption = ""  # null: it was asked for, and there is none
    dialogue = _dialogue(row[_DIALOGUE], number, path) if row.get(_DIALOGUE) is not None else None
    if caption is None and not answers and dialogue is None:
        raise ConfigError(
            f"{path}: row {number} holds no caption", hint=f"it is looked for under {', '.join(_CAPTIONS)}"
        )
    media = row.get("media") if isinstance(row.get("media"), dict) else {}
    given = row.get("input") if isinstance(row.get("input"), dict) else {}
    names = [*_names(row), *_names(media or {}), *_names(given or {})]
    if isinstance(media, dict) and isinstance(media.get("url"), str):
        names.append(media["url"])
    if not names:
        raise ConfigError(
            f"{path}: row {number} does not say of which clip it is", hint=f"name it under {', '.join(_NAMES)}"
        )
    prompt = next((p for where in (row, given or {}) if isinstance(p := where.get("prompt"), str)), None)
    return Prediction(
        names=tuple(dict.fromkeys(names)),
        caption=caption or "",
        prompt=prompt,
        answers=answers,
        dialogue=dialogue,
        inquiries=_inquiries(row),
        line_number=number,
    )


def _tarsier(row: Mapping[str, Any], number: int, path: Path) -> Prediction:
    """A row in the form of Tarsier's chat messages (DREAM-1K)."""
    names = [str(row[key]) for key in ("vid", "idx") if isinstance(row.get(key), str | int)]
    texts: list[str] = []
    for message in row["messages"]:
        content = message.get("content") if isinstance(message, dict) else None
        for part in content if isinstance(content, list) else ():
            video = part.get("video") if isinstance(part, dict) else None
            if isinstance(video, dict) and isinstance(video.get("video_file"), str):
                names.insert(0, video["video_file"])
            if message.get("role") == "assistant" and isinstance(part, dict) and "text" in part:
                texts.append(part["text"] if isinstance(part["text"], str) else "")
    if not names or not texts:
        raise ConfigError(f"{path}: row {number} has messages, and no video or no answer in them")
    if isinstance(row.get("dataset"), str):
        names += [f"{row['dataset']}_{name}" for name in names[-1:]]
    return Prediction(names=tuple(names), caption=texts[-1], line_number=number)


def _dialogue(value: Any, number: int, path: Path) -> tuple[Utterance, ...]:
    said = [
        Utterance(one["speaker"], one["content"])
        for one in (value if isinstance(value, list) else ())
        if isinstance(one, dict) and isinstance(one.get("speaker"), str) and isinstance(one.get("content"), str)
    ]
    if not isinstance(value, list) or len(said) != len(value):
        raise ConfigError(
            f"{path}: row {number} has a dialogue of another form",
            hint='it is a list of {"speaker": "…", "content": "…"}',
        )
    return tuple(said)


def _names(row: Mapping[str, Any]) -> list[str]:
    found: list[str] = []
    for key in _NAMES:
        value = row.get(key)
        values: Sequence[Any] = value if isinstance(value, list) else [value]
        found += [str(v) for v in values if isinstance(v, str | int) and not isinstance(v, bool) and str(v).strip()]
    return found


def _text(value: Any) -> str | None:
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    return value if isinstance(value, str) else None


def _inquiries(row: Mapping[str, Any]) -> int | None:
    """How many questions the detective put: those that its conversation has an observation for.

    Other stages put questions too (``annotate``, the audit): the observations of a record are more.
    """
    if "schema_version" not in row:
        return None
    messages = row.get("trajectory")
    if not isinstance(messages, list):
        provenance = row.get("provenance")
        stages = provenance.get("stages") if isinstance(provenance, dict) else None
        return 0 if isinstance(stages, dict) and "investigate" not in stages else None
    told = [result for message in messages if isinstance(message, dict) for result in _results(message)]
    return len({result["observation"] for result in told if isinstance(result.get("observation"), str)})


def _results(message: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """What the detective was told in one message: an answer each, or those of a whole turn as a list."""
    if message.get("role") not in ("tool", "user") or not isinstance(message.get("content"), str):
        return
    try:
        content = json.loads(message["content"])
    except ValueError:
        return
    if not isinstance(content, dict):
        return
    results = content.get("results") if message["role"] == "user" else [content]
    yield from (result for result in (results if isinstance(results, list) else ()) if isinstance(result, dict))


def _identity(row: Prediction) -> str:
    return row.names[0]


def _one_spaced(text: str) -> str:
    return " ".join(text.split())
