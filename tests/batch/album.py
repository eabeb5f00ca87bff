"""Many small pictures, each of a size of its own, and a scripted provider that knows which one a call is about.

A picture is told by its size: the detective reads it in the facts of the clip, a witness gets the picture itself, and
everybody after them reads a caption in which the size is named. So a server can answer, fail or count by clip.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml
from PIL import Image
from servers.faulty_openai import Behaviour, FaultyOpenAI, Seen, says, tool_call

ATTRIBUTES = ["scene", "characters", "objects", "actions", "narrative", "speech", "camera", "emotions"]
_WIDTHS = 60
_SIZE = re.compile(r"(\d+) by (\d+)")
_JPEG = "data:image/jpeg;base64,"


def size_of(number: int) -> tuple[int, int]:
    """Width and height of a picture, in pixels."""
    return 40 + number % _WIDTHS, 40 + number // _WIDTHS


def number_of(width: int, height: int) -> int:
    """Which picture has this size."""
    return (height - 40) * _WIDTHS + width - 40


def make_album(folder: Path, numbers: Iterable[int]) -> None:
    """Write ``p0.png``, ``p1.png`` … and an ``in.jsonl`` that names them."""
    rows = []
    for number in numbers:
        Image.new("RGB", size_of(number), (number % 256, 120, 60)).save(folder / f"p{number}.png")
        rows.append({"id": f"clip-{number}", "image": f"p{number}.png"})
    (folder / "in.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))


def picture_in(seen: Seen) -> int:
    """Which picture a call is about."""
    for message in seen.body["messages"]:
        content = message.get("content")
        for part in content if isinstance(content, list) else ():
            if part["type"] == "image_url":
                data = base64.b64decode(part["image_url"]["url"].removeprefix(_JPEG))
                return number_of(*Image.open(io.BytesIO(data)).size)
    found = _SIZE.search(_text(seen))
    assert found is not None, "a call that names no picture"
    return number_of(int(found.group(1)), int(found.group(2)))


def caption_of(number: int) -> str:
    """What there is to be said about a picture."""
    width, height = size_of(number)
    return f"A plain field of one colour fills a picture of {width} by {height} pixels."


def is_detective(seen: Seen) -> bool:
    """Whether the detective is asked."""
    return "You are a detective" in _text(seen)


def has_observed(seen: Seen) -> bool:
    """Whether the detective has been told anything by a witness."""
    return '"observation"' in _text(seen)


def play(seen: Seen) -> Behaviour:
    """A good answer to any call of the default workflow."""
    caption = caption_of(picture_in(seen))
    if is_detective(seen):
        event = {"start_s": 0, "text": caption, "modality": "visual", "evidence": ["o1"]}
        conclusion = {"caption": caption, "events": [event]}
        inquiry = {"observer": "frame_captioner", "question": "What is there?", "attributes": ATTRIBUTES}
        done = has_observed(seen)
        if "tools" in seen.body:
            return tool_call("conclude", conclusion) if done else tool_call("inquire", inquiry)
        return says(json.dumps({"conclusion": conclusion} if done else {"inquiries": [inquiry]}))
    answers: dict[str, Any] = {
        "You are an editor": {"sentences": [{"text": caption, "evidence": ["o1"]}]},
        "You are the verifier": {
            "non_speech_deficiency_specific": "", "speech_deficiency_specific": "", "caption": caption,
        },
        "You are the auditor": {name: {"errors": [], "missing": [], "expressiveness": []} for name in ATTRIBUTES},
        "find where two of their reports": {"contradictions": []},
        "You take captions apart": {"scene": caption},
        "You compare texts": {"reasons": [], "score": 5},
    }  # fmt: skip
    text = _text(seen)
    told = next((answer for opening, answer in answers.items() if opening in text), None)
    return says(caption if told is None else json.dumps(told))


def call_key(seen: Seen) -> str:
    """What tells a call from every other one."""
    return hashlib.sha256(seen.path.encode() + seen.raw).hexdigest()


def models_file(folder: Path, server: FaultyOpenAI) -> Path:
    """A model set of a mind that reads and eyes that see, both at the server, without a key."""
    models = {
        name: {
            "provider": "openai",
            "base_url": server.base_url,
            "model": name,
            "capabilities": {"images": name == "eyes"},
        }
        for name in ("mind", "eyes")
    }
    made = {
        "name": "album",
        "description": "a scripted provider",
        "models": models,
        "roles": {"detective": "mind", "frame_captioner": "eyes"},
        "settings": {
            # The embedded instruments are not what is tested here.
            "observers": {
                name: {"enabled": False}
                for name in ("asr", "charts", "code", "colour", "faces", "metadata", "ocr", "shots", "sound", "tables")
            },
        },
    }
    file = folder / "album.yaml"
    file.write_text(yaml.safe_dump(made))
    return file


def _text(seen: Seen) -> str:
    """All text of a call, media aside."""
    texts = []
    for message in seen.body["messages"]:
        content = message.get("content")
        if isinstance(content, str):
            texts.append(content)
        texts += [part["text"] for part in content if part["type"] == "text"] if isinstance(content, list) else []
    return "\n".join(texts)
