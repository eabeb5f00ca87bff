"""What a tool gave back, as an answer and its data."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

from mcp_types import (
    AudioContent,
    BlobResourceContents,
    CallToolResult,
    ContentBlock,
    EmbeddedResource,
    ImageContent,
    ResourceLink,
    TextContent,
    TextResourceContents,
)
from pydantic import JsonValue

from omnidetective.errors import ObserverUnavailableError
from omnidetective.evidence import OtherEvidence
from omnidetective.observers.mcp.masking import Mask, legible, one_line

MAX_ANSWER_CHARS = 50_000
MAX_DATA_CHARS = 50_000
_MAX_ERROR_CHARS = 300
_DEEPEST = 50


def read_result(result: CallToolResult, mask: Mask) -> tuple[str, OtherEvidence | None]:
    """The text of an answer, and its structured content as evidence.

    Raises:
        ObserverUnavailableError: ``tool_error``, the tool says that it failed; ``empty``, it said nothing.
    """
    text = "\n".join(_texts(result.content))
    said = _bounded(text, mask)
    if result.is_error:
        raise ObserverUnavailableError(
            f"the tool failed: {one_line(said, _MAX_ERROR_CHARS) or 'it did not say why'}", reason="tool_error"
        )
    data, remark = _data(result.structured_content, text, mask)
    if not said and data is not None:
        said = _bounded(json.dumps(data.values, ensure_ascii=False), mask)
    answer = "\n".join(part for part in (said, remark) if part)
    if not answer.strip():
        raise ObserverUnavailableError("the tool answered nothing", reason="empty")
    return answer, data


def _texts(blocks: list[ContentBlock]) -> Iterator[str]:
    """The text of each block. Pictures and sound are told of: a record does not hold them."""
    for block in blocks:
        match block:
            case TextContent():
                yield block.text
            case ImageContent() | AudioContent():
                yield _unseen("picture" if block.type == "image" else "sound", block.mime_type, len(block.data))
            case EmbeddedResource(resource=TextResourceContents() as resource):
                yield resource.text
            case EmbeddedResource(resource=BlobResourceContents() as resource):
                yield _unseen("file", resource.mime_type or "of an unknown kind", len(resource.blob))
            case ResourceLink():
                yield f"[a link to {one_line(block.uri, 200)}: {one_line(block.title or block.name, 200)}]"


def _unseen(what: str, mime_type: str, base64_chars: int) -> str:
    return f"[a {what}, {one_line(mime_type, 60)}, {max(1, base64_chars * 3 // 4 // 1000):,} kB, which is not kept]"


def _bounded(text: str, mask: Mask) -> str:
    shown = mask(legible(text[: MAX_ANSWER_CHARS * 2])).strip()
    if len(text) <= MAX_ANSWER_CHARS:
        return shown
    return f"{shown[:MAX_ANSWER_CHARS]}\n[cut here: the tool said {len(text):,} characters]"


def _data(content: Any, text: str, mask: Mask) -> tuple[OtherEvidence | None, str]:
    if content is None or content == {"result": text}:  # The text once more.
        return None, ""
    values = _clean(content, mask, _DEEPEST)
    if not isinstance(values, dict):
        values = {"result": values}
    if not values:
        return None, ""
    written = len(json.dumps(values, ensure_ascii=False))
    if written > MAX_DATA_CHARS:
        return None, f"[structured content of {written:,} characters, which is more than is kept]"
    return OtherEvidence(values=values), ""


def _clean(value: Any, mask: Mask, depth: int) -> JsonValue:
    """The value without secrets, control characters and numbers that JSON does not have."""
    if isinstance(value, str):
        return mask(legible(value))
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, bool | int):
        return value
    if depth == 0:
        return "…"
    if isinstance(value, dict):
        return {mask(legible(str(key))): _clean(item, mask, depth - 1) for key, item in value.items()}
    return [_clean(item, mask, depth - 1) for item in value]
